/* What a peer of ours says about what it refused: see remote_error.h. */
#include "exchange/remote_error.h"

#include <string.h>

#include "base/json.h"
#include "inbox/inbox.h"

#define WORDS_MAX  400
#define PARKED_MAX 1000

/* More than any batch has, together with what was parked before. */
#define APPLIED_MAX 10000000

/* What is read of the JSON in a reply; the rest is skipped, which takes no
 * memory. */
typedef struct words_t {
    const char *error, *hint, *code;
    apr_int64_t applied;
    apr_array_header_t *parked; /* cm_parked_t */
    apr_pool_t *pool;
} words_t;

/* Call this with each member of an object; it reads the value. */
typedef void (*member_t)(void *baton, const char *name, cm_json_t *json);

/* Read the object at JSON, up to where it is cut. */
static void read_object(cm_json_t *json, member_t member, void *baton)
{
    cm_value_t name;
    int count = 0;

    if (cm_json_peek(json) != '{') {
        cm_json_skip(json, NULL, NULL);
        return;
    }
    cm_json_open(json, '{');
    while (cm_json_next(json, '}', &count) && cm_json_name(json, &name))
        member(baton, name.data, json);
}

/* Read the next value, when it is text, fit for a terminal; else leave TEXT. */
static void read_text(const char **text, cm_json_t *json, apr_pool_t *pool)
{
    cm_value_t value;

    if (cm_json_peek(json) != '"')
        cm_json_skip(json, NULL, NULL);
    else if (cm_json_value(json, &value))
        *text = cm_reply_excerpt(value.data, value.size, WORDS_MAX, pool);
}

static void read_number(apr_int64_t *number, cm_json_t *json)
{
    const char *start;
    cm_value_t value = {.kind = CM_NUMBER};

    if (cm_json_skip(json, &start, &value.size)) {
        value.data = start;
        (void)cm_json_integer(number, &value);
    }
}

static void read_parked_member(void *baton, const char *name, cm_json_t *json)
{
    cm_parked_t *parked = baton;

    if (!strcmp(name, "id"))
        read_number(&parked->id, json);
    else if (!strcmp(name, "model"))
        read_text(&parked->model, json, json->pool);
    else if (!strcmp(name, "reason"))
        read_text(&parked->reason, json, json->pool);
    else if (!strcmp(name, "transient")) {
        parked->transient = cm_json_peek(json) == 't';
        cm_json_skip(json, NULL, NULL);
    }
    else
        cm_json_skip(json, NULL, NULL);
}

static void read_parked(words_t *words, cm_json_t *json)
{
    int count = 0;

    if (cm_json_peek(json) != '[') {
        cm_json_skip(json, NULL, NULL);
        return;
    }
    cm_json_open(json, '[');
    while (cm_json_next(json, ']', &count)) {
        cm_parked_t parked = {.model = "", .reason = ""};

        if (count > PARKED_MAX) {
            cm_json_skip(json, NULL, NULL);
            continue;
        }
        read_object(json, read_parked_member, &parked);
        APR_ARRAY_PUSH(words->parked, cm_parked_t) = parked;
    }
}

static void read_member(void *baton, const char *name, cm_json_t *json)
{
    words_t *words = baton;

    if (!strcmp(name, "error"))
        read_text(&words->error, json, words->pool);
    else if (!strcmp(name, "hint"))
        read_text(&words->hint, json, words->pool);
    else if (!strcmp(name, "code"))
        read_text(&words->code, json, words->pool);
    else if (!strcmp(name, "applied"))
        read_number(&words->applied, json);
    else if (!strcmp(name, "parked"))
        read_parked(words, json);
    else
        cm_json_skip(json, NULL, NULL);
}

static words_t read_words(const cm_reply_t *reply, apr_pool_t *pool)
{
    words_t words = {.error = "", .hint = "", .code = "", .pool = pool};
    cm_json_t json;

    words.parked = apr_array_make(pool, 4, sizeof(cm_parked_t));
    cm_json_init(&json, reply->data, reply->size, pool);
    read_object(&json, read_member, &words);
    return words;
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
    words_t words = read_words(reply, pool);
    cm_code_e code = code_of_status(reply->status);
    cm_error_t *err;

    if (strcasecmp(words.code, cm_error_code_name(CM_EPOCH)) == 0)
        code = CM_EPOCH;
    else if (strcasecmp(words.code, cm_error_code_name(CM_PROTOCOL)) == 0)
        code = CM_PROTOCOL;
    else if (strcasecmp(words.code, cm_error_code_name(CM_PAUSED)) == 0)
        code = CM_PAUSED;
    err = CM_FAIL(pool, code, "the peer answers %d: %s", reply->status,
                  *words.error ? words.error : cm_error_code_meaning(code));
    if (*words.hint)
        cm_error_hint(err, pool, "%s (there)", words.hint);
    else if (code == CM_PEER_FAILED)
        cm_error_hint(err, pool, "the error log of the peer's httpd says why");
    return err;
}

apr_array_header_t *cm_remote_error_parked(const cm_reply_t *reply,
                                           int *applied, apr_pool_t *pool)
{
    words_t words = read_words(reply, pool);

    *applied = words.applied < 0 || words.applied > APPLIED_MAX
                   ? 0
                   : (int)words.applied;
    return words.parked;
}
