/* Many rows in one statement: see cm_bulk.h. */
#include "cm_store_internal.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define RETURNING " RETURNING $e"

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

void cm_bulk_add(cm_bulk_t *bulk, cm_datum_t cell)
{
    APR_ARRAY_PUSH(bulk->cells, cm_datum_t) = cell;
}

int cm_bulk_rows(const cm_bulk_t *bulk)
{
    return bulk->column_count ? bulk->cells->nelts / bulk->column_count : 1;
}

static const cm_datum_t *row_at(const cm_bulk_t *bulk, int row)
{
    return (const cm_datum_t *)bulk->cells->elts +
           (apr_size_t)row * bulk->column_count;
}

/* Rows that go in one statement. */
typedef struct chunk_t {
    const cm_bulk_t *bulk;
    const cm_dialect_ops_t *ops;
    const char *expressions; /* to give back */
    const char *condition;
    int first, rows;
} chunk_t;

static const char *list(const cm_bulk_t *bulk, int count, const char *before,
                        apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < count; i++)
        text = apr_pstrcat(pool, text, i ? ", " : "", before,
                           bulk->columns[i].name, NULL);
    return text;
}

static const char *key_comparison(const chunk_t *chunk, apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const char *text = "";
    int i;

    for (i = 0; i < bulk->key_count; i++)
        text =
            apr_pstrcat(pool, text, i ? " AND t." : "t.", bulk->columns[i].name,
                        " = ", chunk->ops->value(bulk, i, pool), NULL);
    return text;
}

static const char *assignments(const chunk_t *chunk, apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const char *text = "";
    int i;

    for (i = bulk->key_count; i < bulk->column_count; i++)
        text = apr_pstrcat(pool, text, i > bulk->key_count ? ", " : "",
                           chunk->ops->assign, bulk->columns[i].name, " = ",
                           chunk->ops->value(bulk, i, pool), NULL);
    return text;
}

static const char *part(const chunk_t *chunk, char letter, apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;

    switch (letter) {
    case 't':
        return bulk->table;
    case 'c':
        return list(bulk, bulk->column_count, "", pool);
    case 'q':
        return list(bulk, bulk->key_count, "t.", pool);
    case 'f':
        return bulk->columns[0].name;
    case 'r':
        return chunk->ops->insert_rows(bulk, chunk->rows, pool);
    case 'v':
        return chunk->ops->source(bulk, chunk->rows, pool);
    case 'k':
        return key_comparison(chunk, pool);
    case 's':
        return assignments(chunk, pool);
    case 'w':
        return chunk->condition;
    default:
        return chunk->expressions;
    }
}

/* Return TEMPLATE with its parts filled in. */
static const char *fill(const char *template, const chunk_t *chunk,
                        apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 16, sizeof(char *));

    while (*template) {
        apr_size_t plain = strcspn(template, "$");

        APR_ARRAY_PUSH(parts, const char *) =
            apr_pstrmemdup(pool, template, plain);
        template += plain;
        if (!*template)
            break;
        APR_ARRAY_PUSH(parts, const char *) = part(chunk, template[1], pool);
        template += 2;
    }
    return apr_array_pstrcat(pool, parts, 0);
}

static int form(const cm_datum_t *cell)
{
    return !cell->data    ? 0
           : cell->binary ? 1
                          : 2 * !!memchr(cell->data, 0, cell->size);
}

/* Rows whose cells are bound alike make the same SQL. */
static int same_forms(const cm_datum_t *a, const cm_datum_t *b, int count)
{
    int i;

    for (i = 0; i < count; i++)
        if (form(&a[i]) != form(&b[i]))
            return 0;
    return 1;
}

/* Where rows are parameters every number of rows is another statement, kept
 * prepared: so only a few numbers are used. */
static int round_rows(int rows)
{
    static const int sizes[] = {500, 100, 20, 4, 1};
    int i = 0;

    while (sizes[i] > rows)
        i++;
    return sizes[i];
}

/* Make CHUNK the rows after it; return 0 when there are none. */
static int chunk_next(chunk_t *chunk, const cm_dialect_t *dialect)
{
    const cm_bulk_t *bulk = chunk->bulk;
    int columns = bulk->column_count, left, rows, i;
    apr_size_t size = 0;

    chunk->ops = dialect->ops;
    chunk->first += chunk->rows;
    left = cm_bulk_rows(bulk) - chunk->first;
    if (left > dialect->row_limit)
        left = dialect->row_limit;
    if (!dialect->ops->arrays && left > dialect->parameter_limit / columns)
        left = dialect->parameter_limit / columns;
    for (rows = 0; rows < left; rows++) {
        const cm_datum_t *row = row_at(bulk, chunk->first + rows);

        for (i = 0; i < columns; i++)
            size += row[i].size;
        if (rows && (size > dialect->statement_limit ||
                     (!dialect->ops->arrays &&
                      !same_forms(row, row_at(bulk, chunk->first), columns))))
            break;
    }
    chunk->rows = rows && !dialect->ops->arrays ? round_rows(rows) : rows;
    return rows > 0;
}

static const cm_datum_t *chunk_arguments(int *count, const chunk_t *chunk,
                                         apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;

    *count = bulk->column_count;
    if (chunk->ops->arrays)
        return chunk->ops->arrays(bulk, chunk->first, chunk->rows, pool);
    *count *= chunk->rows;
    return row_at(bulk, chunk->first);
}

/* Run the statement made from TEMPLATE for all rows; *TOTAL counts. */
static cm_error_t *run(apr_int64_t *total, cm_store_t *store,
                       const char *template, const cm_bulk_t *bulk,
                       apr_pool_t *scratch_pool)
{
    chunk_t chunk = {.bulk = bulk};
    apr_pool_t *iterpool;
    cm_error_t *err = NULL;

    *total = 0;
    apr_pool_create(&iterpool, scratch_pool);
    while (!err && chunk_next(&chunk, store->dialect)) {
        const cm_datum_t *arguments;
        apr_int64_t affected = 0;
        int count;

        apr_pool_clear(iterpool);
        arguments = chunk_arguments(&count, &chunk, iterpool);
        err =
            cm_prepared_run(&affected, store, fill(template, &chunk, iterpool),
                            arguments, count, 1, iterpool);
        *total += affected;
    }
    if (err)
        err = cm_error_copy(err, scratch_pool);
    apr_pool_destroy(iterpool);
    return err;
}

/* Make *TOTAL, rows sent, the number of rows that were new. */
static cm_error_t *leave_out_kept(apr_int64_t *total, cm_store_t *store,
                                  const cm_bulk_t *bulk, apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_store_select(&rows, store, store->dialect->ops->count_kept, NULL,
                           0, pool));
    *total = cm_bulk_rows(bulk) - cm_cell_number(rows, 0, 0);
    return NULL;
}

cm_error_t *cm_bulk_insert(apr_int64_t *inserted, cm_store_t *store,
                           const cm_bulk_t *bulk, cm_present_e present,
                           apr_pool_t *scratch_pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const char *template = ops->insert;
    apr_int64_t total;
    int count_kept;

    if (present == CM_PRESENT_KEEP)
        template = apr_pstrcat(scratch_pool, template, ops->keep, NULL);
    count_kept = present == CM_PRESENT_KEEP && inserted && ops->count_kept;
    if (count_kept)
        CM_TRY(cm_store_run(NULL, store, ops->count_before, NULL, 0,
                            scratch_pool));
    CM_TRY(run(&total, store, template, bulk, scratch_pool));
    if (count_kept)
        CM_TRY(leave_out_kept(&total, store, bulk, scratch_pool));
    if (inserted)
        *inserted = total;
    return NULL;
}

cm_error_t *cm_bulk_update(apr_int64_t *updated, cm_store_t *store,
                           const cm_bulk_t *bulk, apr_pool_t *scratch_pool)
{
    apr_int64_t total;

    CM_TRY(run(&total, store, store->dialect->ops->update, bulk, scratch_pool));
    if (updated)
        *updated = total;
    return NULL;
}

cm_error_t *cm_bulk_delete(apr_int64_t *deleted, cm_store_t *store,
                           const cm_bulk_t *bulk, apr_pool_t *scratch_pool)
{
    apr_int64_t total;

    CM_TRY(run(&total, store, store->dialect->ops->remove, bulk, scratch_pool));
    if (deleted)
        *deleted = total;
    return NULL;
}

/* Select with the statement made from TEMPLATE for one chunk. */
static cm_error_t *select_chunk(cm_rows_t **rows, cm_store_t *store,
                                const char *template, const chunk_t *chunk,
                                apr_pool_t *pool)
{
    const char *sql = fill(template, chunk, pool);
    const cm_datum_t *arguments;
    int count;

    arguments = chunk_arguments(&count, chunk, pool);
    if (store->dialect->ops->selects_kept)
        return cm_prepared_select(rows, store, sql, arguments, count, 1, pool);
    return cm_store_select(rows, store, sql, arguments, count, pool);
}

static cm_error_t *insert_default(cm_rows_t **rows, cm_store_t *store,
                                  chunk_t *chunk, apr_pool_t *pool)
{
    const char *template;

    chunk->ops = store->dialect->ops;
    template = apr_pstrcat(pool, chunk->ops->insert_default, RETURNING, NULL);
    return cm_store_select(rows, store, fill(template, chunk, pool), NULL, 0,
                           pool);
}

static void keys_append(apr_array_header_t *keys, const cm_rows_t *rows)
{
    int i;

    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(keys, const char *) = cm_cell_text(rows, i, 0);
}

cm_error_t *cm_bulk_insert_keys(apr_array_header_t **keys, cm_store_t *store,
                                const cm_bulk_t *bulk, const char *key_column,
                                apr_pool_t *result_pool)
{
    chunk_t chunk = {.bulk = bulk, .expressions = key_column};
    const char *template =
        apr_pstrcat(result_pool, store->dialect->ops->insert, RETURNING, NULL);
    cm_rows_t *rows;

    *keys = apr_array_make(result_pool, cm_bulk_rows(bulk), sizeof(char *));
    if (!bulk->column_count) {
        CM_TRY(insert_default(&rows, store, &chunk, result_pool));
        keys_append(*keys, rows);
        return NULL;
    }
    while (chunk_next(&chunk, store->dialect)) {
        CM_TRY(select_chunk(&rows, store, template, &chunk, result_pool));
        if (rows->count != chunk.rows)
            return CM_FAIL(result_pool, CM_REJECTED,
                           "%d of %d rows were inserted: a rule or trigger of "
                           "table %s holds the others back",
                           rows->count, chunk.rows, bulk->table);
        keys_append(*keys, rows);
    }
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
    chunk_t chunk = {.bulk = distinct(keys, result_pool),
                     .expressions = expressions,
                     .condition = condition};
    apr_array_header_t *cells =
        apr_array_make(result_pool, 16, sizeof(cm_datum_t));
    const char *template = ops->select;
    cm_rows_t *found;

    *rows = apr_pcalloc(result_pool, sizeof(**rows));
    if (condition)
        template = apr_pstrcat(result_pool, template, " WHERE ($w)", NULL);
    if (lock)
        template = apr_pstrcat(result_pool, template, ops->lock, NULL);
    while (chunk_next(&chunk, store->dialect)) {
        apr_array_header_t more = {.elt_size = sizeof(cm_datum_t)};

        CM_TRY(select_chunk(&found, store, template, &chunk, result_pool));
        more.elts = (char *)found->cells;
        more.nelts = found->count * found->columns;
        apr_array_cat(cells, &more);
        (*rows)->count += found->count;
        (*rows)->columns = found->columns;
    }
    (*rows)->cells = (const cm_datum_t *)cells->elts;
    return NULL;
}
