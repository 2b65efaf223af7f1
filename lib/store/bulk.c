/* Many rows in one statement: see bulk.h. */
#include "store/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define INSERT "INSERT INTO {table} ({columns}) {rows}"

cm_bulk_t *cm_bulk_create(const char *table, const cm_bulk_column_t *columns,
                          int column_count, int key_count, apr_pool_t *pool)
{
    cm_bulk_t *bulk = apr_pcalloc(pool, sizeof(*bulk));

    bulk->table = table;
    bulk->columns = columns;
    bulk->column_count = column_count;
    bulk->key_count = key_count;
    bulk->cells = apr_array_make(pool, 4 * column_count, sizeof(cm_datum_t));
    bulk->pool = pool;
    return bulk;
}

cm_bulk_t *cm_bulk_create_defaults(const char *table,
                                   const cm_bulk_column_t *column, int rows,
                                   apr_pool_t *pool)
{
    cm_bulk_t *bulk = cm_bulk_create(table, column, 0, 0, pool);

    bulk->defaults = rows;
    return bulk;
}

void cm_bulk_reserve(cm_bulk_t *bulk, int rows)
{
    bulk->cells = apr_array_make(bulk->pool, rows * bulk->column_count,
                                 sizeof(cm_datum_t));
}

void cm_bulk_add(cm_bulk_t *bulk, cm_datum_t cell)
{
    APR_ARRAY_PUSH(bulk->cells, cm_datum_t) = cell;
}

void cm_bulk_row(cm_bulk_t *bulk, const char *format, ...)
{
    const cm_datum_t null = cm_datum_text(NULL);
    apr_int64_t number;
    va_list cells;

    va_start(cells, format);
    for (; *format; format++)
        switch (*format) {
        case 't':
            cm_bulk_add(bulk, cm_datum_text(va_arg(cells, const char *)));
            break;
        case 'd':
            cm_bulk_add(bulk, va_arg(cells, cm_datum_t));
            break;
        default:
            number = va_arg(cells, apr_int64_t);
            cm_bulk_add(bulk, *format == 'z' && !number
                                  ? null
                                  : cm_datum_number(number, bulk->pool));
        }
    va_end(cells);
}

int cm_bulk_rows(const cm_bulk_t *bulk)
{
    return bulk->column_count ? bulk->cells->nelts / bulk->column_count
                              : bulk->defaults;
}

/* Return whether the statement of CHUNK is prepared and stays so. MySQL would
 * cut a parameter that is a cell of a source to 65535 bytes. */
static int is_kept(const cm_store_t *store, const cm_bulk_chunk_t *chunk)
{
    return !chunk->listed &&
           !(store->cuts_parameters && strstr(chunk->template, "{source}"));
}

static cm_error_t *run_chunk(cm_rows_t **rows, apr_int64_t *affected,
                             cm_store_t *store, const cm_bulk_chunk_t *chunk,
                             apr_pool_t *pool)
{
    const cm_call_t call = cm_bulk_chunk_call(chunk, pool);

    if (chunk->kept)
        return cm_prepared_call(rows, affected, store, &call, 1, pool);
    return cm_statement_call(rows, affected, store, &call, pool);
}

/* Run the statement made from TEMPLATE for all rows and add their number to
 * *SUM. */
static cm_error_t *run_chunks(apr_int64_t *sum, cm_store_t *store,
                              const char *template, const cm_bulk_t *bulk,
                              apr_pool_t *scratch_pool)
{
    cm_bulk_chunk_t chunk =
        cm_bulk_chunk_begin(bulk, store->dialect, template, scratch_pool);
    apr_pool_t *iterpool;
    cm_error_t *err = NULL;

    chunk.kept = is_kept(store, &chunk);
    apr_pool_create(&iterpool, scratch_pool);
    while (!err && cm_bulk_chunk_next(&chunk)) {
        apr_int64_t affected = 0;

        apr_pool_clear(iterpool);
        err = run_chunk(NULL, &affected, store, &chunk, iterpool);
        *sum += affected;
    }
    if (err)
        err = cm_error_copy(err, scratch_pool);
    apr_pool_destroy(iterpool);
    return err;
}

/* The same; *TOTAL (may be NULL) gets their number. */
static cm_error_t *run(apr_int64_t *total, cm_store_t *store,
                       const char *template, const cm_bulk_t *bulk,
                       apr_pool_t *scratch_pool)
{
    apr_int64_t sum = 0;
    int begun;

    CM_TRY(cm_transaction_begin_alone(&begun, store, scratch_pool));
    CM_TRY(cm_transaction_end_alone(
        begun, store, run_chunks(&sum, store, template, bulk, scratch_pool),
        scratch_pool));
    if (total)
        *total = sum;
    return NULL;
}

cm_error_t *cm_bulk_insert(apr_int64_t *inserted, cm_store_t *store,
                           const cm_bulk_t *bulk, cm_present_e present,
                           apr_pool_t *scratch_pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const char *template = INSERT;
    cm_rows_t *rows;

    if (present == CM_PRESENT_FAIL)
        return run(inserted, store, template, bulk, scratch_pool);
    template = apr_pstrcat(scratch_pool, template, ops->keep, NULL);
    if (!inserted || !ops->count_kept)
        return run(inserted, store, template, bulk, scratch_pool);
    CM_TRY(cm_statement_run(NULL, store, ops->count_before, NULL, 0,
                            scratch_pool));
    CM_TRY(run(NULL, store, template, bulk, scratch_pool));
    CM_TRY(cm_statement_select(&rows, store, ops->count_kept, NULL, 0,
                               scratch_pool));
    *inserted = cm_bulk_rows(bulk) - cm_cell_number(rows, 0, 0);
    return NULL;
}

cm_error_t *cm_bulk_update(apr_int64_t *updated, cm_store_t *store,
                           const cm_bulk_t *bulk, apr_pool_t *scratch_pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const int listed =
        ops->update_listed && cm_bulk_chunk_can_list(bulk, store->packet_limit);

    return run(updated, store, listed ? ops->update_listed : ops->update, bulk,
               scratch_pool);
}

cm_error_t *cm_bulk_delete(apr_int64_t *deleted, cm_store_t *store,
                           const cm_bulk_t *bulk, apr_pool_t *scratch_pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const char *template = ops->remove;

    if (ops->remove_listed && bulk->column_count == 1)
        template = ops->remove_listed;
    else if (ops->remove_any && cm_bulk_chunk_can_search(bulk))
        template = ops->remove_any;
    return run(deleted, store, template, bulk, scratch_pool);
}

/* Return the error of FOUND rows where CHUNK has inserted more. */
static cm_error_t *kept_out(int found, const cm_bulk_chunk_t *chunk,
                            apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_REJECTED,
                   "%d of %d rows of table %s were inserted: a trigger "
                   "or rule of the application keeps the others out",
                   found, chunk->rows, chunk->bulk->table);
}

static cm_error_t *keys_append(apr_array_header_t *keys, const cm_rows_t *rows,
                               const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    int i;

    if (rows->count != chunk->rows)
        return kept_out(rows->count, chunk, pool);
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(keys, const char *) = cm_cell_text(rows, i, 0);
    return NULL;
}

/* Give *FIRST and *STEP, the numbers that the last INSERT was given. */
static cm_error_t *read_numbers(apr_int64_t *first, apr_int64_t *step,
                                cm_store_t *store, const cm_bulk_key_t *key,
                                apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(&rows, store, store->dialect->ops->given_numbers,
                               NULL, 0, pool));
    *first = cm_cell_number(rows, 0, 0);
    *step = cm_cell_number(rows, 0, 1);
    if (*first)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_REJECTED,
                "a new row has no key %s that the database would tell",
                key->given),
        pool,
        "MySQL tells only those of AUTO_INCREMENT; with keys=shared the key "
        "comes with the message");
}

/* Return the place of COLUMN among those of BULK, or -1. */
static int place_of(const cm_bulk_t *bulk, const char *column)
{
    int i;

    for (i = 0; i < bulk->column_count; i++)
        if (!strcmp(bulk->columns[i].name, column))
            return i;
    return -1;
}

/* Give *MADE, the keys of the rows that CHUNK has inserted, each with its place
 * behind it: the cells of the rows, or the numbers that the database gave. */
static cm_error_t *made_keys(cm_bulk_t **made, cm_store_t *store,
                             const cm_bulk_chunk_t *chunk,
                             const cm_bulk_key_t *key, apr_pool_t *pool)
{
    cm_bulk_column_t *columns =
        apr_pcalloc(pool, (key->count + 1) * sizeof(*columns));
    int *places = apr_palloc(pool, key->count * sizeof(*places));
    apr_int64_t first = 0, step = 0;
    int i, row;

    for (i = 0; i < key->count; i++) {
        columns[i] = key->columns[i];
        places[i] = place_of(chunk->bulk, columns[i].name);
        if (places[i] < 0)
            CM_TRY(read_numbers(&first, &step, store, key, pool));
    }
    *made = cm_bulk_create(chunk->bulk->table, columns, key->count + 1,
                           key->count, pool);
    for (row = 0; row < chunk->rows; row++) {
        for (i = 0; i < key->count; i++)
            if (places[i] < 0)
                cm_bulk_row(*made, "n", first + row * step);
            else
                cm_bulk_add(*made, cm_bulk_chunk_row(chunk, row)[places[i]]);
        cm_bulk_row(*made, "n", (apr_int64_t)row);
    }
    return NULL;
}

/* Append the keys of the rows that CHUNK has inserted, as the table has them,
 * where the database does not return them. */
static cm_error_t *keys_find(apr_array_header_t *keys, cm_store_t *store,
                             const cm_bulk_chunk_t *chunk,
                             const cm_bulk_key_t *key, apr_pool_t *pool)
{
    const char **found = apr_pcalloc(pool, (chunk->rows + 1) * sizeof(*found));
    const char *place;
    cm_bulk_t *made;
    cm_rows_t *rows;
    int i, count = 0;

    CM_TRY(made_keys(&made, store, chunk, key, pool));
    place = store->dialect->ops->value(made, key->count, pool);
    CM_TRY(cm_bulk_select(&rows, store,
                          apr_pstrcat(pool, place, ", ", key->text, NULL), made,
                          NULL, 0, pool));
    /* Where the key has no unique index, other rows may have it, too. */
    for (i = 0; i < rows->count; i++)
        found[cm_cell_number(rows, i, 0)] = cm_cell_text(rows, i, 1);
    for (i = 0; i < chunk->rows; i++)
        count += found[i] != NULL;
    if (count != chunk->rows)
        return kept_out(count, chunk, pool);
    for (i = 0; i < chunk->rows; i++)
        APR_ARRAY_PUSH(keys, const char *) = found[i];
    return NULL;
}

/* Insert the rows of CHUNK, and append their keys. */
static cm_error_t *insert_chunk(apr_array_header_t *keys, cm_store_t *store,
                                const cm_bulk_chunk_t *chunk,
                                const cm_bulk_key_t *key, apr_pool_t *pool)
{
    const int keep = chunk->bulk->column_count && chunk->kept;
    const cm_call_t call = cm_bulk_chunk_call(chunk, pool);
    cm_rows_t *rows;

    if (store->returns_keys) {
        if (keep)
            CM_TRY(cm_prepared_call(&rows, NULL, store, &call, 1, pool));
        else
            CM_TRY(cm_statement_call(&rows, NULL, store, &call, pool));
        return keys_append(keys, rows, chunk, pool);
    }
    CM_TRY(
        cm_statement_execute(store, store->dialect->ops->forget_numbers, pool));
    CM_TRY(cm_statement_call(NULL, NULL, store, &call, pool));
    return keys_find(keys, store, chunk, key, pool);
}

/* Rows without any value: as many as CHUNK's bulk says, at once where the
 * database has a form for that. */
static cm_error_t *insert_defaults(apr_array_header_t *keys, cm_store_t *store,
                                   cm_bulk_chunk_t *chunk,
                                   const cm_bulk_key_t *key, apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const int most = ops->default_row ? ops->row_limit : 1;
    int left = chunk->bulk->defaults;

    for (; left > 0; left -= chunk->rows) {
        chunk->rows = left < most ? left : most;
        CM_TRY(insert_chunk(keys, store, chunk, key, pool));
    }
    return NULL;
}

cm_error_t *cm_bulk_insert_keys(apr_array_header_t **keys, cm_store_t *store,
                                const cm_bulk_t *bulk, const cm_bulk_key_t *key,
                                apr_pool_t *result_pool)
{
    const char *insert =
        bulk->column_count ? INSERT : store->dialect->ops->insert_default;
    cm_bulk_chunk_t chunk = cm_bulk_chunk_begin(
        bulk, store->dialect,
        apr_pstrcat(result_pool, insert,
                    store->returns_keys ? " RETURNING {expressions}" : "",
                    NULL),
        result_pool);

    chunk.expressions = key->given;
    chunk.kept = store->returns_keys && store->dialect->ops->selects_kept;
    *keys = apr_array_make(result_pool, cm_bulk_rows(bulk), sizeof(char *));
    if (!bulk->column_count)
        return insert_defaults(*keys, store, &chunk, key, result_pool);
    while (cm_bulk_chunk_next(&chunk))
        CM_TRY(insert_chunk(*keys, store, &chunk, key, result_pool));
    return NULL;
}

static int cell_compare(const cm_datum_t *a, const cm_datum_t *b)
{
    apr_size_t size = a->size < b->size ? a->size : b->size;
    int order = size ? memcmp(a->data, b->data, size) : 0;

    if (order)
        return order;
    return a->size < b->size ? -1 : a->size > b->size;
}

static int row_compare(const void *a, const void *b, void *count)
{
    const cm_datum_t *left = a, *right = b;
    int i, order = 0;

    for (i = 0; i < *(int *)count && !order; i++)
        order = cell_compare(&left[i], &right[i]);
    return order;
}

/* Return KEYS sorted, so that locks are taken in one order everywhere, each
 * key once, so that a row is found once. */
static cm_bulk_t *distinct(const cm_bulk_t *keys, apr_pool_t *pool)
{
    cm_bulk_t *sorted = apr_pmemdup(pool, keys, sizeof(*keys));
    int columns = keys->column_count, rows = cm_bulk_rows(keys), i, kept = 0;
    apr_size_t size = columns * sizeof(cm_datum_t);
    char *cells;

    sorted->cells = apr_array_copy(pool, keys->cells);
    cells = sorted->cells->elts;
    qsort_r(cells, rows, size, row_compare, &columns);
    for (i = 0; i < rows; i++)
        if (!kept ||
            row_compare(cells + (kept - 1) * size, cells + i * size, &columns))
            memmove(cells + kept++ * size, cells + i * size, size);
    sorted->cells->nelts = kept * columns;
    return sorted;
}

cm_error_t *cm_bulk_select(cm_rows_t **rows, cm_store_t *store,
                           const char *expressions, const cm_bulk_t *keys,
                           const char *condition, int lock,
                           apr_pool_t *result_pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const int any = ops->select_any && !lock && cm_bulk_chunk_can_search(keys);
    const char *also = any ? " AND ({condition})" : " WHERE ({condition})";
    cm_bulk_chunk_t chunk = cm_bulk_chunk_begin(
        distinct(keys, result_pool), store->dialect,
        apr_pstrcat(result_pool, any ? ops->select_any : ops->select,
                    condition ? also : "", lock ? ops->lock : "", NULL),
        result_pool);
    apr_array_header_t *cells = NULL;
    cm_rows_t *found;

    chunk.expressions = expressions;
    chunk.condition = condition;
    chunk.kept = ops->selects_kept;
    *rows = apr_pcalloc(result_pool, sizeof(**rows));
    while (cm_bulk_chunk_next(&chunk)) {
        apr_array_header_t more = {.elt_size = sizeof(cm_datum_t)};

        CM_TRY(run_chunk(&found, NULL, store, &chunk, result_pool));
        more.elts = (char *)found->cells;
        more.nelts = found->count * found->columns;
        if (!cells)
            cells = apr_array_make(result_pool,
                                   cm_bulk_rows(chunk.bulk) * found->columns,
                                   sizeof(cm_datum_t));
        apr_array_cat(cells, &more);
        (*rows)->count += found->count;
        (*rows)->columns = found->columns;
    }
    if (cells)
        (*rows)->cells = (const cm_datum_t *)cells->elts;
    return NULL;
}
