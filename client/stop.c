/* Being asked to stop: see stop.h. */
#include "stop.h"

#include <signal.h>
#include <string.h>

/* A signal handler has nowhere else to leave word. */
static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    asked = number;
}

void cm_stop_catch(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART | SA_RESETHAND;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

cm_error_t *cm_stop_check(apr_pool_t *pool)
{
    if (!asked)
        return NULL;
    return CM_FAIL(pool, CM_INTERRUPTED,
                   "stopped by a signal, between two batches");
}
