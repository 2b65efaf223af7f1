/* Stopping: see stop.h. */
#include "stop.h"

#include <signal.h>
#include <string.h>

#include <apr_time.h>

/* The signal that came, or 0. A handler can only set a global variable. */
static volatile sig_atomic_t asked;

/* SIGHUP came. */
static volatile sig_atomic_t reload;

/* When the time of the run is up; 0: never. */
static apr_time_t end_of_run;

static void on_signal(int number)
{
    asked = number;
}

/* Block two signals, or let them through: HOW is sigprocmask()'s. */
static void change_mask(int how, int one, int other)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, one);
    sigaddset(&signals, other);
    sigprocmask(how, &signals, NULL);
}

void sync_stop_catch(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART | SA_RESETHAND;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    change_mask(SIG_UNBLOCK, SIGTERM, SIGINT);
}

static void on_reload(int number)
{
    (void)number;
    reload = 1;
}

void sync_stop_catch_reload(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_reload;
    action.sa_flags = SA_RESTART;
    sigaction(SIGHUP, &action, NULL);
    change_mask(SIG_UNBLOCK, SIGHUP, SIGHUP);
}

void sync_stop_hold(void)
{
    change_mask(SIG_BLOCK, SIGTERM, SIGINT);
    change_mask(SIG_BLOCK, SIGHUP, SIGHUP);
}

int sync_stop_is_asked(void)
{
    return asked != 0;
}

int sync_stop_wants_reload(void)
{
    int wanted = reload;

    reload = 0;
    return wanted;
}

void sync_stop_after(int seconds)
{
    end_of_run = seconds > 0 ? apr_time_now() + apr_time_from_sec(seconds) : 0;
}

int sync_stop_is_late(void)
{
    return end_of_run && apr_time_now() >= end_of_run;
}

cm_error_t *sync_stop_check(apr_pool_t *pool)
{
    if (asked)
        return CM_FAIL(pool, CM_INTERRUPTED,
                       "stopped by a signal, between two batches");
    if (sync_stop_is_late())
        return CM_FAIL(pool, CM_INTERRUPTED,
                       "the time is up (--max-time), the next run goes on");
    return NULL;
}
