/* Reading JSON strictly: see json.h. */
#include "base/json.h"

#include <string.h>

#include <apr_strings.h>

void cm_json_init(cm_json_t *json, const char *text, apr_size_t size,
                  apr_pool_t *pool)
{
    memset(json, 0, sizeof(*json));
    json->at = json->begin = text;
    json->end = text + size;
    json->pool = pool;
}

static int fail(cm_json_t *json, const char *problem)
{
    if (!json->problem)
        json->problem = problem;
    return 0;
}

char cm_json_peek(cm_json_t *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\n' ||
                                    *json->at == '\r' || *json->at == '\t'))
        json->at++;
    return json->at < json->end && !json->problem ? *json->at : 0;
}

static int expect(cm_json_t *json, char wanted, const char *problem)
{
    if (cm_json_peek(json) != wanted)
        return fail(json, problem);
    json->at++;
    return 1;
}

int cm_json_open(cm_json_t *json, char bracket)
{
    if (json->depth == CM_JSON_DEPTH)
        return fail(json, "nested too deeply");
    if (!expect(json, bracket,
                bracket == '[' ? "expected an array" : "expected an object"))
        return 0;
    json->depth++;
    return 1;
}

int cm_json_next(cm_json_t *json, char close, int *count)
{
    if (json->problem)
        return 0;
    if (cm_json_peek(json) == close) {
        json->at++;
        json->depth--;
        return 0;
    }
    if (*count && !expect(json, ',', "a comma is missing"))
        return 0;
    ++*count;
    return 1;
}

int cm_json_done(cm_json_t *json)
{
    if (cm_json_peek(json) || (!json->problem && json->at < json->end))
        return fail(json, "something follows the end");
    return !json->problem;
}

cm_error_t *cm_json_error(const cm_json_t *json, const char *what,
                          apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_MALFORMED, "%s: %s at byte %" APR_SIZE_T_FMT, what,
                   json->problem ? json->problem : "unexpected value",
                   (apr_size_t)(json->at - json->begin));
}

/* Skip the string at the cursor, which is behind its quote. */
static int skip_string(cm_json_t *json, int *escaped)
{
    const char *problem = NULL;

    json->at = cm_json_text_end(json->at, json->end, escaped, &problem);
    return problem ? fail(json, problem) : 1;
}

static int read_string(cm_json_t *json, cm_value_t *value)
{
    const char *start;
    int escaped;

    if (!expect(json, '"', "expected a string"))
        return 0;
    start = json->at;
    if (!skip_string(json, &escaped))
        return 0;
    value->kind = CM_TEXT;
    if (escaped) {
        cm_json_text_decode(value, start, json->at - 1, json->pool);
    }
    else {
        value->size = json->at - 1 - start;
        value->data = apr_pstrmemdup(json->pool, start, value->size);
    }
    return 1;
}

int cm_json_name(cm_json_t *json, cm_value_t *name)
{
    return read_string(json, name) && expect(json, ':', "a colon is missing");
}

static int skip_digits(cm_json_t *json)
{
    const char *start = json->at;

    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return json->at > start;
}

static int skip_number(cm_json_t *json)
{
    if (*json->at == '-')
        json->at++;
    if (json->at < json->end && *json->at == '0')
        json->at++;
    else if (!skip_digits(json))
        return fail(json, "expected a value");
    if (json->at < json->end && *json->at == '.') {
        json->at++;
        if (!skip_digits(json))
            return fail(json, "a number is not complete");
    }
    if (json->at < json->end && (*json->at | 0x20) == 'e') {
        json->at++;
        if (json->at < json->end && (*json->at == '+' || *json->at == '-'))
            json->at++;
        if (!skip_digits(json))
            return fail(json, "a number is not complete");
    }
    return 1;
}

static int skip_word(cm_json_t *json, const char *word)
{
    apr_size_t size = strlen(word);

    if ((apr_size_t)(json->end - json->at) < size ||
        memcmp(json->at, word, size))
        return fail(json, "expected a value");
    json->at += size;
    return 1;
}

static int skip_container(cm_json_t *json, char open)
{
    char close = open == '[' ? ']' : '}';
    int count = 0, escaped;

    if (!cm_json_open(json, open))
        return 0;
    while (cm_json_next(json, close, &count)) {
        if (open == '{' && (!expect(json, '"', "expected a name") ||
                            !skip_string(json, &escaped) ||
                            !expect(json, ':', "a colon is missing")))
            return 0;
        if (!cm_json_skip(json, NULL, NULL))
            return 0;
    }
    return !json->problem;
}

int cm_json_skip(cm_json_t *json, const char **start, apr_size_t *size)
{
    char first = cm_json_peek(json);
    const char *from = json->at;
    int done, escaped;

    if (first == '"') {
        json->at++;
        done = skip_string(json, &escaped);
    }
    else if (first == '[' || first == '{') {
        done = skip_container(json, first);
    }
    else if (first == 't' || first == 'f' || first == 'n') {
        done = skip_word(json, first == 't'   ? "true"
                               : first == 'f' ? "false"
                                              : "null");
    }
    else {
        done = first ? skip_number(json) : fail(json, "expected a value");
    }
    if (start) {
        *start = from;
        *size = json->at - from;
    }
    return done;
}

int cm_json_value(cm_json_t *json, cm_value_t *value)
{
    char first = cm_json_peek(json);
    const char *start;

    if (first == '"')
        return read_string(json, value);
    if (!cm_json_skip(json, &start, &value->size))
        return 0;
    value->data =
        first == 'n' ? NULL : apr_pstrmemdup(json->pool, start, value->size);
    switch (first) {
    case '[':
    case '{':
        value->kind = CM_JSON;
        break;
    case 't':
    case 'f':
        value->kind = CM_BOOLEAN;
        break;
    case 'n':
        value->kind = CM_NULL;
        value->size = 0;
        break;
    default:
        value->kind = CM_NUMBER;
    }
    return 1;
}

int cm_json_integer(apr_int64_t *number, const cm_value_t *value)
{
    const char *at = value->data, *end;
    apr_int64_t sum = 0;
    int negative;

    if (value->kind != CM_NUMBER && value->kind != CM_TEXT)
        return 0;
    end = at + value->size;
    negative = at < end && *at == '-';
    at += negative;
    if (at == end || *at < '0' || *at > '9')
        return 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (sum > (APR_INT64_MAX - (*at - '0')) / 10)
            return 0;
        sum = sum * 10 + (*at - '0');
    }
    if (at < end && *at == '.' && at + 1 < end)
        while (++at < end && *at == '0')
            ;
    *number = negative ? -sum : sum;
    return at == end;
}
