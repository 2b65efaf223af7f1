/* What a peer of ours says about what it refused: see remote_error.h. */
#include "remote_error.h"

#include <string.h>

#include <json.h>

#define WORDS_MAX  400
#define PARKED_MAX 1000

static json_object *parse(const cm_reply_t *reply)
{
    json_tokener *tokener = json_tokener_new_ex(16);
    json_object *json;

    if (!tokener)
        return NULL;
    json = json_tokener_parse_ex(tokener, reply->data, (int)reply->size);
    json_tokener_free(tokener);
    return json;
}

/* The member NAME as text fit for a terminal; "" when there is none. */
static const char *member(json_object *json, const char *name, apr_pool_t *pool)
{
    json_object *value;
    const char *text;

    if (!json_object_is_type(json, json_type_object) ||
        !json_object_object_get_ex(json, name, &value) || !value)
        return "";
    text = json_object_get_string(value);
    return cm_reply_excerpt(text, strlen(text), WORDS_MAX, pool);
}

static cm_code_e code_of_status(int status)
{
    switch (status) {
    case 400:
        return CM_MALFORMED;
    case 403:
        return CM_FORBIDDEN;
    case 404:
        return CM_NOT_FOUND;
    case 409:
        return CM_GAP;
    case 422:
        return CM_REJECTED;
    case 504:
        return CM_TIMEOUT;
    default:
        return status >= 500 ? CM_PEER_FAILED : CM_PROTOCOL;
    }
}

cm_error_t *cm_remote_error(const cm_reply_t *reply, apr_pool_t *pool)
{
    json_object *json = parse(reply);
    const char *words = member(json, "error", pool);
    const char *hint = member(json, "hint", pool);
    const char *name = member(json, "code", pool);
    cm_code_e code = code_of_status(reply->status);
    cm_error_t *err;

    json_object_put(json);
    if (strcasecmp(name, cm_code_name(CM_EPOCH)) == 0)
        code = CM_EPOCH;
    else if (strcasecmp(name, cm_code_name(CM_PROTOCOL)) == 0)
        code = CM_PROTOCOL;
    else if (strcasecmp(name, cm_code_name(CM_PAUSED)) == 0)
        code = CM_PAUSED;
    err = CM_FAIL(pool, code, "the peer answers %d: %s", reply->status,
                  *words ? words : cm_code_meaning(code));
    if (*hint)
        cm_error_hint(err, pool, "%s (there)", hint);
    else if (code == CM_PEER_FAILED)
        cm_error_hint(err, pool, "the error log of the peer's httpd says why");
    return err;
}

static void read_parked(cm_parked_t *parked, json_object *json,
                        apr_pool_t *pool)
{
    json_object *value;

    memset(parked, 0, sizeof(*parked));
    parked->model = member(json, "model", pool);
    parked->reason = member(json, "reason", pool);
    if (!json_object_is_type(json, json_type_object))
        return;
    if (json_object_object_get_ex(json, "id", &value))
        parked->id = json_object_get_int64(value);
    if (json_object_object_get_ex(json, "transient", &value))
        parked->transient = json_object_get_boolean(value);
}

apr_array_header_t *cm_remote_parked(const cm_reply_t *reply, int *applied,
                                     apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 4, sizeof(cm_parked_t));
    json_object *json = parse(reply), *value;
    size_t i, count;

    *applied = 0;
    if (json_object_is_type(json, json_type_object)) {
        if (json_object_object_get_ex(json, "applied", &value))
            *applied = json_object_get_int(value);
        if (json_object_object_get_ex(json, "parked", &value) &&
            json_object_is_type(value, json_type_array)) {
            count = json_object_array_length(value);
            for (i = 0; i < count && i < PARKED_MAX; i++)
                read_parked(apr_array_push(all),
                            json_object_array_get_idx(value, i), pool);
        }
    }
    json_object_put(json);
    return all;
}
