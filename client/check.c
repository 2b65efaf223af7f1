/* The lines of a check: see check.h. */
#include "check.h"

#include <apr_strings.h>
#include <json.h>

void sync_check_say(sync_check_t *check, sync_verdict_e verdict,
                    const char *what, const char *hint)
{
    static const char *const words[] = {"ok", "warning", "fail"};
    json_object *json;

    if (!check->list) {
        sync_output_verdict(check->client->output, verdict, what, hint);
        return;
    }
    json = json_object_new_object();
    json_object_object_add(json, "verdict",
                           json_object_new_string(words[verdict]));
    json_object_object_add(json, "what", json_object_new_string(what));
    if (hint)
        json_object_object_add(json, "hint", json_object_new_string(hint));
    json_object_array_add(check->list, json);
}

int sync_check_went(sync_check_t *check, const char *what,
                    const cm_error_t *err)
{
    const char *text;

    if (!err) {
        sync_check_say(check, CM_VERDICT_OK, what, NULL);
        return 1;
    }
    text = apr_pstrcat(check->pool, what, ": ", cm_error_text(err, check->pool),
                       NULL);
    sync_check_say(check, CM_VERDICT_FAIL, sync_output_clean(text, check->pool),
                   err->hint ? sync_output_clean(err->hint, check->pool)
                             : NULL);
    if (check->status == 0)
        check->status = cm_error_code_exit_status(err->code);
    return 0;
}
