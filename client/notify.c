/* CommunicatorNotifyCommand: see notify.h. */
#include "notify.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include "base/clean.h"
#include "process.h"

#define DIRECTIVE    "CommunicatorNotifyCommand"
#define MOST_SECONDS 60

static cm_error_t *with_hint(cm_error_t *err, apr_pool_t *pool)
{
    return err ? cm_error_hint(err, pool,
                               "the next run tries again to report the same")
               : NULL;
}

cm_error_t *sync_notify(const char *command, const char *event,
                        const char *peer, const char *text, apr_pool_t *pool)
{
    apr_array_header_t *arguments =
        apr_array_make(pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(arguments, const char *) = event;
    APR_ARRAY_PUSH(arguments, const char *) = peer;
    text = apr_pstrcat(pool, cm_clean_lines(text, pool), "\n", NULL);
    return with_hint(sync_process_run(DIRECTIVE, command, arguments, text,
                                      MOST_SECONDS, pool),
                     pool);
}

cm_error_t *sync_notify_check(const char *command, apr_pool_t *pool)
{
    return with_hint(sync_process_check(DIRECTIVE, command, pool), pool);
}
