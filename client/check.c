/* The lines of a check: see check.h. */
#include "check.h"

#include <stdarg.h>

#include <apr_strings.h>
#include <json.h>

static void say(sync_check_t *check, sync_verdict_e verdict, const char *what,
                const char *hint)
{
    static const char *const words[] = {"ok", "warning", "fail"};
    apr_pool_t *pool = check->client->pool;
    json_object *json;

    if (!check->list) {
        sync_output_verdict(check->client->output, verdict, what, hint);
        return;
    }
    json = json_object_new_object();
    sync_output_add_text(json, "verdict", words[verdict]);
    sync_output_add_text(json, "what", cm_clean(what, pool));
    if (hint)
        sync_output_add_text(json, "hint", cm_clean(hint, pool));
    json_object_array_add(check->list, json);
}

void sync_check_say(sync_check_t *check, sync_verdict_e verdict,
                    const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(check, verdict, apr_pvsprintf(check->client->pool, format, args), hint);
    va_end(args);
}

int sync_check_went(sync_check_t *check, const cm_error_t *err,
                    const char *format, ...)
{
    sync_client_t *client = check->client;
    const char *what;
    va_list args;

    va_start(args, format);
    what = apr_pvsprintf(client->pool, format, args);
    va_end(args);
    if (!err) {
        say(check, SYNC_VERDICT_OK, what, NULL);
        return 1;
    }
    say(check, SYNC_VERDICT_FAIL,
        apr_pstrcat(client->pool, what, ": ", cm_error_text(err, client->pool),
                    NULL),
        err->hint);
    if (client->status == 0)
        client->status = cm_error_code_exit_status(err->code);
    return 0;
}
