/* Listings: see listing.h. */
#include "listing.h"

#include <apr_strings.h>
#include <json.h>

#include "base/number.h"
#include "operate/health.h"

static int is_end(const sync_column_t *column)
{
    return !column->title && !column->key;
}

static const void *row_of(const apr_array_header_t *rows, int i)
{
    return rows->elts + (apr_size_t)i * (apr_size_t)rows->elt_size;
}

static const char *number_text(const sync_column_t *column, apr_int64_t number,
                               apr_pool_t *pool)
{
    if (!number && column->none)
        return column->none;
    if (column->kind == SYNC_FIELD_AGE)
        return sync_output_ago(number, pool);
    if (column->kind == SYNC_FIELD_MOMENT)
        return sync_output_moment(number, pool);
    if (column->kind == SYNC_FIELD_SPAN)
        return cm_health_judge_span(number, pool);
    if (column->kind == SYNC_FIELD_COUNT)
        return cm_number_grouped(number, pool);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, number);
}

static const char *cell_of(const sync_column_t *column, const void *row,
                           apr_pool_t *pool)
{
    const void *field = (const char *)row + column->offset;
    const char *text;

    if (column->cell)
        return column->cell(row, pool);
    if (column->kind == SYNC_FIELD_INT || column->kind == SYNC_FIELD_TRUTH)
        return number_text(column, *(const int *)field, pool);
    if (column->kind == SYNC_FIELD_RECORD)
        return sync_output_record(field, pool);
    if (column->kind != SYNC_FIELD_TEXT)
        return number_text(column, *(const apr_int64_t *)field, pool);
    text = *(const char *const *)field;
    if (!text)
        return column->none ? column->none : "";
    text = cm_clean(text, pool);
    return column->most ? apr_psprintf(pool, "%.*s", column->most, text) : text;
}

void sync_listing_table(const sync_output_t *output,
                        const sync_column_t *columns,
                        const apr_array_header_t *rows, apr_pool_t *pool)
{
    apr_array_header_t *cells = apr_array_make(pool, 64, sizeof(char *));
    const sync_column_t *column;
    int count = 0, i;

    for (column = columns; !is_end(column); column++)
        if (column->title) {
            APR_ARRAY_PUSH(cells, const char *) = column->title;
            count++;
        }
    for (i = 0; i < rows->nelts; i++)
        for (column = columns; !is_end(column); column++)
            if (column->title)
                APR_ARRAY_PUSH(cells, const char *) =
                    cell_of(column, row_of(rows, i), pool);
    sync_output_table(output, cells, count);
}

static void add_member(json_object *json, const sync_column_t *column,
                       const void *row, apr_pool_t *pool)
{
    const void *field = (const char *)row + column->offset;

    switch (column->kind) {
    case SYNC_FIELD_RECORD:
        sync_output_add_text(json, column->key,
                             sync_output_record(field, pool));
        return;
    case SYNC_FIELD_TEXT:
        sync_output_add_text(json, column->key, *(const char *const *)field);
        return;
    case SYNC_FIELD_AGE:
    case SYNC_FIELD_MOMENT:
        sync_output_add_moment(json, column->key, *(const apr_int64_t *)field,
                               pool);
        return;
    case SYNC_FIELD_SPAN:
        sync_output_add_span(json, column->key, *(const apr_int64_t *)field);
        return;
    case SYNC_FIELD_NUMBER:
    case SYNC_FIELD_COUNT:
        sync_output_add_number(json, column->key, *(const apr_int64_t *)field);
        return;
    case SYNC_FIELD_INT:
        sync_output_add_number(json, column->key, *(const int *)field);
        return;
    case SYNC_FIELD_TRUTH:
        sync_output_add_truth(json, column->key, *(const int *)field);
        return;
    case SYNC_FIELD_COMPUTED:
        sync_output_add_text(json, column->key, column->cell(row, pool));
        return;
    }
}

json_object *sync_listing_json(json_object *list, const sync_column_t *columns,
                               const apr_array_header_t *rows, apr_pool_t *pool)
{
    const sync_column_t *column;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        json_object *json = json_object_new_object();

        for (column = columns; !is_end(column); column++)
            if (column->key)
                add_member(json, column, row_of(rows, i), pool);
        json_object_array_add(list, json);
    }
    return list;
}
