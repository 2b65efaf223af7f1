/* Programs that the configuration names, and what they do with the input that
 * they get: more than a pipe holds. */
#include "../../../client/process.h"

#include <signal.h>
#include <string.h>

#include <apr_general.h>
#include <apr_time.h>

#include "../tap.h"

#define MANY "1000000"

static char input[1000001];

/* Return why COMMAND failed, which gets the input and SECONDS, or NULL. */
static const char *run(const char *command, int seconds, apr_pool_t *pool)
{
    const apr_array_header_t *none =
        apr_array_make(pool, 0, sizeof(const char *));
    cm_error_t *err =
        sync_process_run("Directive", command, none, input, seconds, pool);

    return err ? cm_error_text(err, pool) : NULL;
}

static void test_input(apr_pool_t *pool)
{
    is_str(run("sh -c 'sleep 0.2; test $(wc -c) = " MANY "'", 60, pool), NULL,
           "a program reads all of its input");
    is_str(run("true", 60, pool), NULL, "another one need not");
    is_str(run("sh -c 'exec <&-; sleep 0.2'", 60, pool), NULL,
           "nor keep it open");
    is_str(run("sh -c 'exit 3'", 60, pool),
           "Directive 'sh -c 'exit 3'': it ended with status 3",
           "a status is reported");
}

static void test_limit(apr_pool_t *pool)
{
    apr_time_t began = apr_time_now();

    is_str(run("sleep 20", 1, pool),
           "Directive 'sleep 20': it was killed after 1 seconds",
           "a program that does not read is ended, too");
    ok(apr_time_now() - began < apr_time_from_sec(15), "  before it ends");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    signal(SIGPIPE, SIG_IGN); /* as client/stop.c does */
    memset(input, 'x', sizeof(input) - 1);
    apr_pool_create(&pool, NULL);
    test_input(pool);
    test_limit(pool);
    apr_terminate();
    return done_testing();
}
