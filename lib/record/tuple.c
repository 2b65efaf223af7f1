/* Keys of several columns: see tuple.h. */
#include "record/tuple.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json.h"
#include "base/json_write.h"

int cm_tuple_read(const char **parts, int count, const char *key,
                  apr_pool_t *pool)
{
    cm_value_t value;
    cm_json_t json;
    int read = 0;

    if (count == 1) {
        parts[0] = key;
        return 1;
    }
    cm_json_init(&json, key, strlen(key), pool);
    if (!cm_json_open(&json, '['))
        return 0;
    while (cm_json_next(&json, ']', &read)) {
        if (read > count || !cm_json_value(&json, &value) ||
            value.kind != CM_TEXT || strlen(value.data) != value.size)
            return 0;
        parts[read - 1] = value.data;
    }
    return cm_json_done(&json) && read == count;
}

const char *cm_tuple_write(const char *const *parts, int count,
                           apr_pool_t *pool)
{
    cm_buffer_t *json;
    int i;

    if (count == 1)
        return parts[0];
    json = cm_buffer_create(64, pool);
    cm_json_write_open(json, NULL, '[');
    for (i = 0; i < count; i++)
        cm_json_write_text(json, NULL, parts[i]);
    cm_buffer_append(json, "]", 2);
    return json->data;
}

const char *cm_tuple_of_word(const char *word, int count, apr_pool_t *pool)
{
    const char **parts = apr_palloc(pool, count * sizeof(*parts));
    char *rest = apr_pstrdup(pool, word);
    int i;

    if (count == 1)
        return word;
    if (cm_tuple_read(parts, count, word, pool))
        return cm_tuple_write(parts, count, pool);
    for (i = 0; i < count && rest; i++) {
        parts[i] = rest;
        rest = strchr(rest, ',');
        if (rest)
            *rest++ = '\0';
    }
    return i < count || rest ? word : cm_tuple_write(parts, count, pool);
}
