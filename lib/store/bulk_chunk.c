/* The statements that bulk.c runs: see internal.h. */
#include "store/bulk_lists.h"
#include "store/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/sql.h"

/* Bytes of SQL and parameters together. */
#define STATEMENT_LIMIT (8 * 1024 * 1024)

cm_bulk_chunk_t cm_bulk_chunk_begin(const cm_bulk_t *bulk,
                                    const cm_dialect_t *dialect,
                                    const char *template, apr_pool_t *pool)
{
    return (cm_bulk_chunk_t){.bulk = bulk,
                             .dialect = dialect,
                             .template = template,
                             .same = apr_pcalloc(pool, bulk->column_count + 1)};
}

const cm_datum_t *cm_bulk_chunk_row(const cm_bulk_chunk_t *chunk, int row)
{
    return (const cm_datum_t *)chunk->bulk->cells->elts +
           (apr_size_t)(chunk->first + row) * chunk->bulk->column_count;
}

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

static const char *key_comparison(const cm_bulk_chunk_t *chunk,
                                  apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const char *text = "";
    int i;

    for (i = 0; i < bulk->key_count; i++)
        text =
            apr_pstrcat(pool, text, i ? " AND t." : "t.", bulk->columns[i].name,
                        " = ", chunk->dialect->ops->value(bulk, i, pool), NULL);
    return text;
}

static const char *assignments(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const char *text = "";
    int i;

    for (i = bulk->key_count; i < bulk->column_count; i++)
        text =
            apr_pstrcat(pool, text, i > bulk->key_count ? ", " : "",
                        chunk->dialect->ops->assign, bulk->columns[i].name,
                        " = ", chunk->dialect->ops->value(bulk, i, pool), NULL);
    return text;
}

/* What templates may name. */
static const char *part(const void *baton, const char *name, apr_pool_t *pool)
{
    const cm_bulk_chunk_t *chunk = baton;
    const cm_dialect_ops_t *ops = chunk->dialect->ops;
    const cm_bulk_t *bulk = chunk->bulk;

    if (!strcmp(name, "table"))
        return bulk->table;
    if (!strcmp(name, "columns"))
        return list(bulk, bulk->column_count, "", pool);
    if (!strcmp(name, "key_columns"))
        return list(bulk, bulk->key_count, "t.", pool);
    if (!strcmp(name, "first_column"))
        return bulk->columns[0].name;
    if (!strcmp(name, "rows"))
        return ops->insert_rows(chunk, pool);
    if (!strcmp(name, "defaults"))
        return cm_dialect_repeat(ops->default_row, ", ", chunk->rows, pool);
    if (!strcmp(name, "source"))
        return ops->source(chunk, pool);
    if (!strcmp(name, "match"))
        return key_comparison(chunk, pool);
    if (!strcmp(name, "assignments"))
        return assignments(chunk, pool);
    if (!strcmp(name, "listed_keys"))
        return cm_bulk_lists_numbers(chunk, pool);
    if (!strcmp(name, "listed_assignments"))
        return cm_bulk_lists_assignments(chunk, pool);
    if (!strcmp(name, "parameters")) /* of one row, a statement of its own */
        return cm_dialect_repeat("%s", ", ", bulk->column_count, pool);
    if (!strcmp(name, "condition"))
        return chunk->condition;
    return chunk->expressions;
}

const char *cm_bulk_chunk_sql(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    return cm_sql_fill_by(chunk->template, part, chunk, pool);
}

static int form(const cm_datum_t *cell)
{
    return !cell->data    ? 0
           : cell->binary ? 1
                          : 2 * !!memchr(cell->data, 0, cell->size);
}

/* Rows whose cells have the same forms need the same SQL. */
static int same_forms(const cm_datum_t *a, const cm_datum_t *b, int count)
{
    int i;

    for (i = 0; i < count; i++)
        if (form(&a[i]) != form(&b[i]))
            return 0;
    return 1;
}

/* Where rows are parameters, each number of rows is another statement that
 * stays prepared. So only a few numbers are used. */
static int round_rows(int rows)
{
    static const int sizes[] = {500, 100, 20, 4, 1};
    int i = 0;

    while (sizes[i] > rows)
        i++;
    return sizes[i];
}

/* The most rows that the next statement may take. */
static int most_rows(const cm_bulk_chunk_t *chunk)
{
    const cm_dialect_t *dialect = chunk->dialect;
    int most = cm_bulk_rows(chunk->bulk) - chunk->first;

    if (most > dialect->ops->row_limit)
        most = dialect->ops->row_limit;
    if (!dialect->ops->arrays &&
        most > dialect->ops->parameter_limit / chunk->bulk->column_count)
        most = dialect->ops->parameter_limit / chunk->bulk->column_count;
    if (most > 1 && strstr(chunk->template, "{parameters}"))
        most = 1;
    return most;
}

static int equal(const cm_datum_t *a, const cm_datum_t *b)
{
    if (a->binary || b->binary || !a->data || !b->data)
        return !a->data && !b->data;
    return a->size == b->size &&
           (a->data == b->data || !memcmp(a->data, b->data, a->size));
}

/* Where values are given by column, a column with one value needs it only once.
 * Not so the keys of a look-up: a key that begins with a constant makes the
 * planner prefer another, worse index. */
static void find_same(cm_bulk_chunk_t *chunk)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const cm_datum_t *first = cm_bulk_chunk_row(chunk, 0), *row = first;
    int keys = strstr(chunk->template, "{match}") ? bulk->key_count : 0;
    int i, j, varies = 0;

    for (j = 0; j < bulk->column_count; j++)
        chunk->same[j] = j >= keys && !(first[j].data && first[j].binary);
    for (i = 1; i < chunk->rows; i++) {
        row += bulk->column_count;
        for (j = 0; j < bulk->column_count; j++)
            if (chunk->same[j] && !equal(&row[j], &first[j]))
                chunk->same[j] = 0;
    }
    for (j = 0; j < bulk->column_count; j++)
        varies |= !chunk->same[j];
    /* Something has to say how many rows there are. */
    if (!varies && bulk->column_count)
        chunk->same[0] = 0;
}

int cm_bulk_chunk_next(cm_bulk_chunk_t *chunk)
{
    int arrays = chunk->dialect->ops->arrays != NULL;
    int by_column = arrays || chunk->listed;
    int columns = chunk->bulk->column_count, most, rows, i;
    const cm_datum_t *row, *first;
    apr_size_t size = 0;

    chunk->first += chunk->rows;
    most = most_rows(chunk);
    first = row = cm_bulk_chunk_row(chunk, 0);
    for (rows = 0; rows < most; rows++, row += columns) {
        for (i = 0; i < columns; i++)
            size += row[i].size;
        if (rows && size > STATEMENT_LIMIT)
            break;
        if (rows && !arrays && !same_forms(row, first, columns))
            break;
    }
    chunk->rows = rows && !by_column ? round_rows(rows) : rows;
    if (rows && by_column)
        find_same(chunk);
    return rows > 0;
}

const cm_datum_t *cm_bulk_chunk_arguments(int *count,
                                          const cm_bulk_chunk_t *chunk,
                                          apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const cm_dialect_ops_t *ops = chunk->dialect->ops;

    if (chunk->listed)
        return cm_bulk_lists_arguments(count, chunk, pool);
    *count = bulk->column_count;
    if (ops->arrays)
        return ops->arrays(chunk, pool);
    *count *= chunk->rows;
    return cm_bulk_chunk_row(chunk, 0);
}
