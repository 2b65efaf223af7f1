/* The clocks of a record: see clocks.h. */
#include "record/clocks.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/json.h"
#include "base/json_write.h"
#include "record/message.h"

/* Give COLUMN the CLOCK. Return whether it had none. */
static int put(apr_hash_t **older, const char *column, apr_int64_t clock,
               apr_pool_t *pool)
{
    const apr_ssize_t size = (apr_ssize_t)strlen(column);
    apr_int64_t *kept;
    int is_new;

    if (!*older)
        *older = apr_hash_make(pool);
    kept = apr_hash_get(*older, column, size);
    is_new = !kept;
    if (is_new) {
        kept = apr_palloc(pool, sizeof(*kept));
        apr_hash_set(*older, apr_pstrmemdup(pool, column, size), size, kept);
    }
    *kept = clock;
    return is_new;
}

/* Give COLUMN, or what is not here, the CLOCK. Return whether it had none. */
static int put_named(cm_clocks_t *clocks, const char *column, apr_int64_t clock,
                     apr_pool_t *pool)
{
    const int is_new = !clocks->elsewhere;

    if (strcmp(column, CM_CLOCKS_ELSEWHERE))
        return put(&clocks->older, column, clock, pool);
    clocks->elsewhere = clock;
    return is_new;
}

/* Read VALUE, which must not exceed the record's CLOCK (0: unknown). Returns 0
 * when it is not such a clock. */
static int read_clock(apr_int64_t *number, const cm_value_t *value,
                      apr_int64_t clock)
{
    return cm_json_integer(number, value) && *number >= 0 &&
           *number <= (clock ? clock : CM_CLOCK_MAX);
}

static cm_error_t *too_many(apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_MALFORMED,
                   "there are more clocks than a table can have columns");
}

cm_error_t *cm_clocks_read_object(cm_clocks_t *clocks, apr_int64_t clock,
                                  const char *text, apr_pool_t *pool)
{
    cm_json_t json;
    cm_value_t name, value;
    apr_int64_t number;
    int count = 0;

    *clocks = (cm_clocks_t){.clock = clock};
    if (!text || !*text)
        return NULL;
    cm_json_init(&json, text, strlen(text), pool);
    cm_json_open(&json, '{');
    while (cm_json_next(&json, '}', &count)) {
        if (count > CM_COLUMNS_MOST)
            return too_many(pool);
        if (!cm_json_name(&json, &name) || !cm_json_value(&json, &value))
            break;
        if (!read_clock(&number, &value, clock))
            return CM_FAIL(pool, CM_MALFORMED,
                           "the clock of column '%s' is not a clock, or newer "
                           "than the record's",
                           name.data);
        (void)put_named(clocks, name.data, number, pool);
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "clocks cannot be read", pool);
    return NULL;
}

/* Read the list of a row. Unlike on the wire (message_read.c), it begins with a
 * clock and ends with a name. */
static cm_error_t *read_list(cm_clocks_t *clocks, cm_json_t *json)
{
    cm_kind_e last = CM_ABSENT;
    cm_value_t value;
    apr_int64_t number = 0;
    int count = 0;

    cm_json_open(json, '[');
    while (cm_json_next(json, ']', &count) && cm_json_value(json, &value)) {
        if (count > 2 * CM_COLUMNS_MOST)
            return too_many(json->pool);
        if (value.kind == CM_TEXT && last != CM_ABSENT) {
            if (!put_named(clocks, value.data, number, json->pool))
                return CM_FAIL(json->pool, CM_MALFORMED,
                               "column '%s' has two clocks", value.data);
        }
        else if (value.kind != CM_NUMBER || last == CM_NUMBER ||
                 !read_clock(&number, &value, clocks->clock))
            return CM_FAIL(json->pool, CM_MALFORMED,
                           "'%s' is not a clock before its columns, or newer "
                           "than the record's",
                           value.data ? value.data : "null");
        last = value.kind;
    }
    if (!cm_json_done(json))
        return cm_json_error(json, "clocks cannot be read", json->pool);
    if (last == CM_NUMBER)
        return CM_FAIL(json->pool, CM_MALFORMED,
                       "the last clock has no column");
    return NULL;
}

cm_error_t *cm_clocks_read(cm_clocks_t *clocks, apr_int64_t clock,
                           const char *text, apr_pool_t *pool)
{
    cm_json_t json;

    cm_json_init(&json, text ? text : "", text ? strlen(text) : 0, pool);
    if (cm_json_peek(&json) != '[')
        return cm_clocks_read_object(clocks, clock, text, pool);
    *clocks = (cm_clocks_t){.clock = clock};
    return read_list(clocks, &json);
}

/* Give the columns FIRST to LAST the clock NUMBER. */
static cm_error_t *put_range(cm_clocks_t *clocks, int first, int last,
                             apr_int64_t clock, const cm_records_t *records,
                             apr_pool_t *pool)
{
    for (; first <= last; first++) {
        const char *name =
            !first ? CM_CLOCKS_ELSEWHERE
            : first < records->names->nelts
                ? APR_ARRAY_IDX(records->names, first, const char *)
                : NULL;

        if (!name)
            return CM_FAIL(pool, CM_SCHEMA,
                           "column %d of class '%s' is unknown", first,
                           records->type);
        (void)put_named(clocks, name, clock, pool);
    }
    return NULL;
}

/* Read one "AGE:COLUMNS" at *AT, and move *AT behind it. */
static cm_error_t *read_group(cm_clocks_t *clocks, const char **at,
                              const cm_records_t *records, apr_pool_t *pool)
{
    char *end;
    const apr_int64_t age = apr_strtoi64(*at, &end, 10);
    long first, last;

    if (end == *at || *end != ':' || age < 0 || age > clocks->clock)
        return CM_FAIL(pool, CM_MALFORMED, "clocks cannot be read: '%s'", *at);
    do {
        *at = end + 1;
        first = last = strtol(*at, &end, 10);
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        if (end == *at || first < 0 || last < first || last >= CM_COLUMNS_MOST)
            return CM_FAIL(pool, CM_MALFORMED, "clocks cannot be read: '%s'",
                           *at);
        CM_TRY(put_range(clocks, (int)first, (int)last, clocks->clock - age,
                         records, pool));
    } while (*end == ',');
    *at = end;
    return NULL;
}

cm_error_t *cm_clocks_unpack(cm_clocks_t *clocks, apr_int64_t clock,
                             const char *text, const cm_records_t *records,
                             apr_pool_t *pool)
{
    if (!text || *text == '[' || *text == '{')
        return cm_clocks_read(clocks, clock, text, pool);
    *clocks = (cm_clocks_t){.clock = clock};
    while (*text) {
        CM_TRY(read_group(clocks, &text, records, pool));
        if (*text && *text++ != ' ')
            return CM_FAIL(pool, CM_MALFORMED, "clocks cannot be read: '%s'",
                           text - 1);
    }
    return NULL;
}

typedef struct older_t {
    const char *name;
    apr_int64_t clock;
} older_t;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const older_t *)a)->name, ((const older_t *)b)->name);
}

static int compare_clocks(const void *a, const void *b)
{
    apr_int64_t first = ((const older_t *)a)->clock;
    apr_int64_t second = ((const older_t *)b)->clock;

    return first == second ? compare_names(a, b)
                           : (first < second) - (first > second);
}

/* Return whether the columns that are not here have a clock of their own. */
static int has_elsewhere(const cm_clocks_t *clocks)
{
    return clocks->elsewhere && clocks->elsewhere != clocks->clock;
}

/* Return how many columns have a clock of their own. */
static int count_older(const cm_clocks_t *clocks)
{
    return has_elsewhere(clocks) +
           (clocks->older ? (int)apr_hash_count(clocks->older) : 0);
}

/* Sort what is older in CLOCKS by COMPARE; return how many. */
static int sort(older_t **sorted, const cm_clocks_t *clocks,
                int (*compare)(const void *, const void *), apr_pool_t *pool)
{
    int i = 0, count = count_older(clocks);
    apr_hash_index_t *at;

    if (!count)
        return 0;
    *sorted = apr_palloc(pool, count * sizeof(**sorted));
    if (has_elsewhere(clocks))
        (*sorted)[i++] = (older_t){CM_CLOCKS_ELSEWHERE, clocks->elsewhere};
    for (at = clocks->older ? apr_hash_first(pool, clocks->older) : NULL; at;
         at = apr_hash_next(at))
        (*sorted)[i++] = (older_t){apr_hash_this_key(at),
                                   *(const apr_int64_t *)apr_hash_this_val(at)};
    qsort(*sorted, count, sizeof(**sorted), compare);
    return count;
}

const char *cm_clocks_list(const cm_clocks_t *clocks, apr_pool_t *pool)
{
    older_t *older;
    int i, count = sort(&older, clocks, compare_clocks, pool);
    cm_buffer_t *json;

    if (!count)
        return NULL;
    json = cm_buffer_create(count * 20 + 20, pool);
    cm_json_write_open(json, NULL, '[');
    for (i = 0; i < count; i++) {
        if (!i || older[i].clock != older[i - 1].clock)
            cm_json_write_number(json, NULL, older[i].clock);
        cm_json_write_text(json, NULL, older[i].name);
    }
    cm_buffer_append(json, "]", 2);
    return json->data;
}

/* A column of a table of records. */
typedef struct numbered_t {
    apr_int64_t clock;
    int number;
} numbered_t;

static int compare_numbered(const void *a, const void *b)
{
    const numbered_t *first = a, *second = b;

    return first->clock == second->clock ? first->number - second->number
                                         : (first->clock < second->clock) -
                                               (first->clock > second->clock);
}

/* Set *SORTED to what is in CLOCKS->older, by clock and number. Returns how
 * many; -1: a column has no number. */
static int sort_numbered(numbered_t **sorted, const cm_clocks_t *clocks,
                         const cm_records_t *records, apr_pool_t *pool)
{
    apr_hash_index_t *at;
    int count = 0;

    *sorted = apr_palloc(pool, count_older(clocks) * sizeof(**sorted));
    if (has_elsewhere(clocks))
        (*sorted)[count++] = (numbered_t){clocks->elsewhere, 0};
    for (at = clocks->older ? apr_hash_first(pool, clocks->older) : NULL; at;
         at = apr_hash_next(at)) {
        const int *number = apr_hash_get(
            records->numbers, apr_hash_this_key(at), APR_HASH_KEY_STRING);

        if (!number)
            return -1;
        (*sorted)[count++] =
            (numbered_t){*(const apr_int64_t *)apr_hash_this_val(at), *number};
    }
    qsort(*sorted, count, sizeof(**sorted), compare_numbered);
    return count;
}

/* Append the columns FIRST to LAST. */
static void pack_range(cm_buffer_t *text, int first, int last)
{
    cm_buffer_number(text, first);
    if (last == first)
        return;
    cm_buffer_append(text, "-", 1);
    cm_buffer_number(text, last);
}

const char *cm_clocks_pack(const cm_clocks_t *clocks,
                           const cm_records_t *records, apr_pool_t *pool)
{
    apr_int64_t last_clock = -1;
    numbered_t *older;
    cm_buffer_t *text;
    int i, last, count;

    if (!count_older(clocks))
        return NULL;
    count = sort_numbered(&older, clocks, records, pool);
    if (count < 0)
        return cm_clocks_list(clocks, pool);
    text = cm_buffer_create(count * 4 + 32, pool);
    for (i = 0; i < count; i = last + 1) {
        for (last = i; last + 1 < count &&
                       older[last + 1].clock == older[i].clock &&
                       older[last + 1].number == older[last].number + 1;)
            last++;
        if (older[i].clock == last_clock) {
            cm_buffer_append(text, ",", 1);
        }
        else {
            cm_buffer_raw(text, i ? " " : "");
            cm_buffer_number(text, clocks->clock - older[i].clock);
            cm_buffer_append(text, ":", 1);
        }
        last_clock = older[i].clock;
        pack_range(text, older[i].number, older[last].number);
    }
    cm_buffer_append(text, "", 1);
    return text->data;
}

const char *cm_clocks_text(const cm_clocks_t *clocks, apr_pool_t *pool)
{
    older_t *older;
    int i, count = sort(&older, clocks, compare_names, pool);
    cm_buffer_t *json;

    if (!count)
        return NULL;
    json = cm_buffer_create(count * 40, pool);
    cm_json_write_open(json, NULL, '{');
    for (i = 0; i < count; i++)
        cm_json_write_number(json, older[i].name, older[i].clock);
    cm_buffer_append(json, "}", 2);
    return json->data;
}

apr_int64_t cm_clocks_of(const cm_clocks_t *clocks, const char *column)
{
    const apr_int64_t *clock = NULL;

    if (clocks->older)
        clock = apr_hash_get(clocks->older, column, APR_HASH_KEY_STRING);
    return clock ? *clock : clocks->clock;
}

apr_int64_t cm_clocks_elsewhere(const cm_clocks_t *clocks)
{
    return clocks->elsewhere ? clocks->elsewhere : clocks->clock;
}

void cm_clocks_name(cm_clocks_t *base, const char *column, apr_int64_t clock,
                    apr_pool_t *pool)
{
    if (!base->older || clock > base->clock)
        base->clock = clock;
    (void)put(&base->older, column, clock, pool);
}

const char *cm_clocks_base(const cm_clocks_t *base, apr_pool_t *pool)
{
    int differ = has_elsewhere(base);
    apr_hash_index_t *at;

    for (at = base->older ? apr_hash_first(pool, base->older) : NULL;
         at && !differ; at = apr_hash_next(at))
        differ = *(const apr_int64_t *)apr_hash_this_val(at) != base->clock;
    return differ ? cm_clocks_text(base, pool)
                  : apr_psprintf(pool, "%" APR_INT64_T_FMT, base->clock);
}

void cm_clocks_set(cm_clocks_t *clocks, const char *column, apr_int64_t clock,
                   apr_pool_t *pool)
{
    if (clock != clocks->clock)
        put(&clocks->older, column, clock, pool);
    else if (clocks->older)
        apr_hash_set(clocks->older, column, APR_HASH_KEY_STRING, NULL);
}
