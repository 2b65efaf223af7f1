/* The statements that bulk.c runs: see internal.h.
 *
 * MariaDB and MySQL find rows by lists of keys where they can: joining the rows
 * given, as for the other databases, would cost as much there as the update
 * itself. */
#include "store/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/sql.h"

/* Bytes of SQL and parameters together. */
#define STATEMENT_LIMIT (8 * 1024 * 1024)

/* The same, where an update lists its keys. */
#define LISTED_LIMIT (1024 * 1024)

cm_bulk_chunk_t cm_bulk_chunk_begin(const cm_bulk_t *bulk,
                                    const cm_dialect_t *dialect,
                                    const char *template, apr_pool_t *pool)
{
    return (cm_bulk_chunk_t){.bulk = bulk,
                             .dialect = dialect,
                             .template = template,
                             .listed = template == dialect->ops->update_listed,
                             .kept = 1,
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

/* Return "t.b = v.c1, t.c = v.c2" for the columns behind the key. */
static const char *assignments(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = chunk->dialect->ops;
    const cm_bulk_t *bulk = chunk->bulk;
    const char *text = "";
    int i;

    for (i = bulk->key_count; i < bulk->column_count; i++)
        text = apr_pstrcat(pool, text, *text ? ", " : "", ops->assign,
                           bulk->columns[i].name, " = ",
                           ops->value(bulk, i, pool), NULL);
    return text;
}

/* Return the condition for the rows with the keys of CHUNK. */
static const char *match(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = chunk->dialect->ops;
    const cm_bulk_t *bulk = chunk->bulk;
    const char *text = "";
    int i;

    for (i = 0; i < bulk->key_count; i++)
        text = apr_pstrcat(pool, text, i ? " AND " : "",
                           apr_psprintf(pool, ops->match, bulk->columns[i].name,
                                        ops->value(bulk, i, pool)),
                           NULL);
    return text;
}

/* Return the values of the keys in CHUNK. */
static const char *key_values(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const char *text = "";
    int i;

    for (i = 0; i < bulk->key_count; i++)
        text = apr_pstrcat(pool, text, i ? ", " : "",
                           chunk->dialect->ops->value(bulk, i, pool), NULL);
    return text;
}

static int is_integer(const cm_datum_t *cell)
{
    apr_size_t sign, digits;

    if (!cell->data || cell->kind == CM_DATUM_BYTES)
        return 0;
    sign = *cell->data == '-';
    digits = strspn(cell->data + sign, "0123456789");
    return digits > 0 && digits <= 20 && sign + digits == cell->size;
}

/* Return whether BULK is no larger than a batch is by default, and fits in a
 * packet even if every byte has to be escaped. */
static int is_short(const cm_bulk_t *bulk, apr_size_t packet_limit)
{
    const cm_datum_t *cells = (const cm_datum_t *)bulk->cells->elts;
    apr_size_t size = 0;
    int i;

    for (i = 0; i < bulk->cells->nelts; i++)
        size += cells[i].size + 8;
    return size <= LISTED_LIMIT && (!packet_limit || 3 * size < packet_limit);
}

int cm_bulk_chunk_can_list(const cm_bulk_t *bulk, apr_size_t packet_limit)
{
    const char *type = bulk->columns[0].type;
    const cm_bulk_chunk_t all = {.bulk = bulk};
    int i;

    if (bulk->key_count != 1 || !type || !strstr(type, "int"))
        return 0;
    for (i = 0; i < cm_bulk_rows(bulk); i++)
        if (!is_integer(cm_bulk_chunk_row(&all, i)))
            return 0;
    return is_short(bulk, packet_limit);
}

/* Return the condition for the keys of CHUNK, of which only the first column
 * differs. */
static const char *any(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_bulk_column_t *columns = chunk->bulk->columns;
    const char *text = "", *type = columns[0].type;
    int i;

    for (i = 1; i < chunk->bulk->column_count; i++)
        text =
            apr_pstrcat(pool, text, "t.", columns[i].name, " = %s AND ", NULL);
    return apr_pstrcat(pool, text, "t.", columns[0].name, " = ANY (%s::text[]",
                       type ? "::" : "", type ? type : "", type ? "[])" : ")",
                       NULL);
}

static const char *listed_keys(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    apr_array_header_t *numbers =
        apr_array_make(pool, chunk->rows, sizeof(char *));
    int i;

    for (i = 0; i < chunk->rows; i++)
        APR_ARRAY_PUSH(numbers, const char *) =
            cm_bulk_chunk_row(chunk, i)->data;
    return apr_array_pstrcat(pool, numbers, ',');
}

/* Choose the values of a row by the place of its key in the list. The first
 * assignment finds the place, the others use it: they are made from left to
 * right. */
static const char *listed_assignments(const cm_bulk_chunk_t *chunk,
                                      apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const char *values = cm_dialect_repeat("%s", ",", chunk->rows, pool);
    const char *text = "", *place;
    int i;

    place = apr_pstrcat(pool, "@communicator_place := FIELD(t.",
                        bulk->columns[0].name, ",", listed_keys(chunk, pool),
                        ")", NULL);
    for (i = 1; i < bulk->column_count; i++) {
        text = apr_pstrcat(pool, text, i > 1 ? ", t." : "t.",
                           bulk->columns[i].name, " = ", NULL);
        if (chunk->same[i]) {
            text = apr_pstrcat(pool, text, "%s", NULL);
            continue;
        }
        text = apr_pstrcat(pool, text, "ELT(", place, ",", values, ")", NULL);
        place = "@communicator_place";
    }
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
        return match(chunk, pool);
    if (!strcmp(name, "any"))
        return any(chunk, pool);
    if (!strcmp(name, "key_values"))
        return key_values(chunk, pool);
    if (!strcmp(name, "assignments"))
        return assignments(chunk, pool);
    if (!strcmp(name, "listed_keys"))
        return listed_keys(chunk, pool);
    if (!strcmp(name, "listed_assignments"))
        return listed_assignments(chunk, pool);
    if (!strcmp(name, "cells")) /* of all rows */
        return cm_dialect_repeat("%s", ", ", chunk->rows * bulk->column_count,
                                 pool);
    if (!strcmp(name, "parameters")) /* of one row, a statement of its own */
        return cm_dialect_repeat("%s", ", ", bulk->column_count, pool);
    if (!strcmp(name, "condition"))
        return chunk->condition;
    return chunk->expressions;
}

/* Rows whose cells have the same forms need the same SQL. */
static int same_forms(const cm_datum_t *a, const cm_datum_t *b, int count)
{
    int i;

    for (i = 0; i < count; i++)
        if (cm_prepared_form(&a[i]) != cm_prepared_form(&b[i]))
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
    if (a->kind == CM_DATUM_BYTES || b->kind == CM_DATUM_BYTES || !a->data ||
        !b->data)
        return !a->data && !b->data;
    return a->size == b->size && a->kind == b->kind &&
           (a->data == b->data || !memcmp(a->data, b->data, a->size));
}

int cm_bulk_chunk_can_search(const cm_bulk_t *bulk)
{
    const cm_bulk_chunk_t all = {.bulk = bulk};
    const cm_datum_t *first, *row;
    int i, j;

    if (bulk->columns[0].type && strcmp(bulk->columns[0].type, "bigint"))
        return 0;
    for (j = 1; j < bulk->column_count; j++)
        if (bulk->columns[j].type)
            return 0;
    first = cm_bulk_chunk_row(&all, 0);
    for (i = 0; i < cm_bulk_rows(bulk); i++) {
        row = cm_bulk_chunk_row(&all, i);
        if (row->kind == CM_DATUM_BYTES)
            return 0;
        for (j = 1; j < bulk->column_count; j++)
            if (!row[j].data || !equal(&row[j], &first[j]))
                return 0;
    }
    return 1;
}

/* Where values are given by column, a column with one value needs it only once,
 * and bytes of a single row need not be digits in an array. Not so the keys of
 * a look-up: a key that begins with a constant makes the planner prefer
 * another, worse index. */
static void find_same(cm_bulk_chunk_t *chunk)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const cm_datum_t *first = cm_bulk_chunk_row(chunk, 0), *row = first;
    int keys = strstr(chunk->template, "{match}") ? bulk->key_count : 0;
    int i, j, varies = 0;

    for (j = 0; j < bulk->column_count; j++)
        chunk->same[j] = j >= keys && (chunk->rows == 1 || !first[j].data ||
                                       first[j].kind != CM_DATUM_BYTES);
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
    chunk->rows = rows && !by_column && chunk->kept ? round_rows(rows) : rows;
    if (rows && by_column)
        find_same(chunk);
    return rows > 0;
}

/* Column by column; one value for a column that is the same in all rows. */
static const cm_datum_t *
listed_arguments(int *count, const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    apr_array_header_t *arguments = apr_array_make(
        pool, chunk->rows * bulk->column_count, sizeof(cm_datum_t));
    int i, j;

    for (j = 1; j < bulk->column_count; j++)
        for (i = 0; i < (chunk->same[j] ? 1 : chunk->rows); i++)
            APR_ARRAY_PUSH(arguments, cm_datum_t) =
                cm_bulk_chunk_row(chunk, i)[j];
    *count = arguments->nelts;
    return (const cm_datum_t *)arguments->elts;
}

cm_call_t cm_bulk_chunk_call(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = chunk->dialect->ops;
    cm_call_t call = {.sql = cm_sql_fill_by(chunk->template, part, chunk, pool),
                      .arguments = cm_bulk_chunk_row(chunk, 0),
                      .count = chunk->rows * chunk->bulk->column_count};

    if (chunk->listed) {
        call.arguments = listed_arguments(&call.count, chunk, pool);
    }
    else if (ops->arrays) {
        call.arguments = ops->arrays(chunk, pool);
        call.count = chunk->bulk->column_count;
    }
    return call;
}
