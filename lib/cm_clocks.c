/* The clocks of a record: see cm_clocks.h. */
#include "cm_clocks.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "cm_json.h"
#include "cm_message.h"

static void put(apr_hash_t **older, const char *column, apr_int64_t clock,
                apr_pool_t *pool)
{
    apr_int64_t *kept;

    if (!*older)
        *older = apr_hash_make(pool);
    kept = apr_hash_get(*older, column, APR_HASH_KEY_STRING);
    if (!kept) {
        kept = apr_palloc(pool, sizeof(*kept));
        apr_hash_set(*older, apr_pstrdup(pool, column), APR_HASH_KEY_STRING,
                     kept);
    }
    *kept = clock;
}

cm_error_t *cm_clocks_read(cm_clocks_t *clocks, apr_int64_t clock,
                           const char *text, apr_pool_t *pool)
{
    cm_json_t json;
    cm_value_t name, value;
    apr_int64_t number;
    int count = 0;

    clocks->clock = clock;
    clocks->older = NULL;
    if (!text || !*text)
        return NULL;
    cm_json_init(&json, text, strlen(text), pool);
    cm_json_open(&json, '{');
    while (cm_json_next(&json, '}', &count)) {
        if (!cm_json_name(&json, &name) || !cm_json_value(&json, &value))
            break;
        if (!cm_json_integer(&number, &value) || number < 0 ||
            number > (clock ? clock : CM_CLOCK_MAX))
            return CM_FAIL(pool, CM_MALFORMED,
                           "the clock of column '%s' is none, or newer than "
                           "the record's",
                           name.data);
        put(&clocks->older, name.data, number, pool);
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "clocks cannot be read", pool);
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *cm_clocks_text(const cm_clocks_t *clocks, apr_pool_t *pool)
{
    int count = clocks->older ? (int)apr_hash_count(clocks->older) : 0;
    const char **names;
    apr_hash_index_t *at;
    cm_buffer_t *buffer;
    int i = 0;

    if (!count)
        return NULL;
    names = apr_palloc(pool, count * sizeof(*names));
    for (at = apr_hash_first(pool, clocks->older); at; at = apr_hash_next(at))
        names[i++] = apr_hash_this_key(at);
    qsort(names, count, sizeof(*names), compare_names);
    buffer = cm_buffer_create(count * 40, pool);
    for (i = 0; i < count; i++) {
        cm_buffer_raw(buffer, i ? "," : "{");
        cm_buffer_string(buffer, names[i], strlen(names[i]));
        cm_buffer_raw(buffer, ":");
        cm_buffer_number(buffer, cm_clocks_of(clocks, names[i]));
    }
    cm_buffer_append(buffer, "}", 2);
    return buffer->data;
}

apr_int64_t cm_clocks_of(const cm_clocks_t *clocks, const char *column)
{
    const apr_int64_t *clock = NULL;

    if (clocks->older)
        clock = apr_hash_get(clocks->older, column, APR_HASH_KEY_STRING);
    return clock ? *clock : clocks->clock;
}

void cm_clocks_set(cm_clocks_t *clocks, const char *column, apr_int64_t clock,
                   apr_pool_t *pool)
{
    if (clock != clocks->clock)
        put(&clocks->older, column, clock, pool);
    else if (clocks->older)
        apr_hash_set(clocks->older, column, APR_HASH_KEY_STRING, NULL);
}
