/* A model as it is on each side: see verify.h. */
#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "schema/expression.h"
#include "record/alike.h"
#include "outbox/filter.h"
#include "outbox/stamp.h"
#include "verify/verify.h"

#define PAGE 1000

/* Return whether COLUMN is compared. A key that does not travel is not: it is
 * the identity, or differs from node to node. Nor is what one side does not
 * take from the other. */
static int is_compared(const cm_table_t *table, const cm_column_t *column)
{
    return column && column->carried && !column->generated &&
           column != cm_table_own_key(table) &&
           cm_settings_model_takes(table->model, column->name);
}

static const char *reference_text(const cm_column_t *column, apr_pool_t *pool)
{
    return column->named_by
               ? apr_pstrcat(pool, "{", column->named_by->name, "}", NULL)
               : column->reference;
}

static void add_columns(apr_array_header_t *columns, const cm_table_t *table,
                        apr_pool_t *pool)
{
    int i;

    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if (!is_compared(table, column))
            continue;
        APR_ARRAY_PUSH(columns, cm_verify_column_t) =
            (cm_verify_column_t){.name = column->name,
                                 .reference = reference_text(column, pool),
                                 .value_class = column->value_class,
                                 .loose = column->loose};
    }
}

static cm_error_t *find_origins(apr_array_header_t *origins, cm_node_t *node,
                                const cm_records_t *records, apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    /* SQLite would sort the origins of all records, in memory. */
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_pstrcat(pool, "SELECT origin FROM (SELECT DISTINCT origin FROM ",
                    records->table,
                    " WHERE origin > '') AS origins ORDER BY origin", NULL),
        NULL, 0, pool));
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(origins, const char *) = cm_cell_text(rows, i, 0);
    return NULL;
}

/* Return SQL for the records that were never sent. One that was inserted just
 * now has a message, and no mapping yet. "%s" is the name of the model. */
static const char *unpublished_sql(const cm_table_t *table,
                                   const cm_records_t *records,
                                   apr_pool_t *pool)
{
    return apr_pstrcat(pool, " FROM ", table->quoted, " AS t WHERE ",
                       cm_records_lack(table, records, pool),
                       " AND NOT EXISTS (SELECT 1 FROM outbound_messages AS o"
                       " WHERE o.seq IS NULL AND o.model = %s"
                       " AND o.local_record_id = ",
                       table->key_exact, ")", NULL);
}

static cm_error_t *count_unpublished(apr_int64_t *count, cm_node_t *node,
                                     const cm_table_t *table,
                                     const cm_records_t *records,
                                     const char *where, apr_pool_t *pool)
{
    const cm_datum_t name = cm_datum_text(table->model->name);

    return cm_statement_number(
        count, node->store,
        apr_pstrcat(pool, "SELECT COUNT(*)",
                    unpublished_sql(table, records, pool), where, NULL),
        &name, 1, pool);
}

/* Add to *COUNT those of ROWS, keys of records, that leave. */
static cm_error_t *add_leaving(apr_int64_t *count, cm_node_t *node,
                               const cm_model_t *model, const cm_rows_t *rows,
                               apr_pool_t *pool)
{
    apr_array_header_t *ids =
        apr_array_make(pool, rows->count + 1, sizeof(const char *));
    apr_hash_index_t *at;
    apr_hash_t *found;
    int i;

    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(ids, const char *) = cm_cell_text(rows, i, 0);
    CM_TRY(cm_filter_find(&found, node, model, ids, 0, NULL, pool));
    for (at = apr_hash_first(pool, found); at; at = apr_hash_next(at))
        *count += ((const cm_filter_row_t *)apr_hash_this_val(at))->inside;
    return NULL;
}

/* Count those that leave where the row filter fails for some of them: they are
 * asked page by page, and those for which it fails one by one. */
static cm_error_t *count_each(apr_int64_t *count, cm_node_t *node,
                              const cm_table_t *table,
                              const cm_records_t *records, apr_pool_t *pool)
{
    const cm_datum_t name = cm_datum_text(table->model->name);
    apr_int64_t offset = 0;
    apr_pool_t *iterpool;
    cm_rows_t *rows;

    *count = 0;
    apr_pool_create(&iterpool, pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(cm_statement_select(
            &rows, node->store,
            apr_psprintf(
                iterpool,
                "SELECT %s%s ORDER BY %s LIMIT %d OFFSET"
                " %" APR_INT64_T_FMT,
                table->key_text, unpublished_sql(table, records, iterpool),
                cm_expression_keys(table, "t.", iterpool), PAGE, offset),
            &name, 1, iterpool));
        CM_TRY(add_leaving(count, node, table->model, rows, iterpool));
        offset += PAGE;
    } while (rows->count == PAGE);
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Where the database may hide rows from us, count the records that it hides:
 * those that have a mapping, but no row that we see. */
static cm_error_t *count_hidden(cm_verify_shape_t *shape, cm_node_t *node,
                                const cm_table_t *table,
                                const cm_records_t *records, apr_pool_t *pool)
{
    const cm_datum_t name = cm_datum_text(table->quoted);
    const char *filtered = cm_dialect_of_store(node->store)->filtered;
    apr_int64_t found;

    if (!filtered)
        return NULL;
    CM_TRY(cm_statement_number(&found, node->store,
                               apr_pstrcat(pool, "SELECT CASE WHEN ", filtered,
                                           " THEN 1 ELSE 0 END", NULL),
                               &name, 1, pool));
    shape->filtered = (int)found;
    if (!shape->filtered)
        return NULL;
    CM_TRY(cm_statement_number(
        &found, node->store,
        apr_pstrcat(pool, "SELECT COUNT(*) FROM ", table->quoted,
                    " AS t WHERE EXISTS (SELECT 1 FROM ", records->table,
                    " AS m WHERE m.local_id = ",
                    cm_records_id(table, records, pool), ")", NULL),
        NULL, 0, pool));
    shape->hidden = found < shape->records ? shape->records - found : 0;
    return NULL;
}

/* Count what was never sent. Rows that the row filter keeps here do not count
 * at all. */
static cm_error_t *count_unsent(cm_verify_shape_t *shape, cm_node_t *node,
                                const cm_table_t *table,
                                const cm_records_t *records, apr_pool_t *pool)
{
    const char *leaves;
    apr_int64_t all;
    cm_error_t *err;

    CM_TRY(count_unpublished(&all, node, table, records, "", pool));
    shape->unpublished = all;
    CM_TRY(cm_filter_sql(&leaves, node, table->model, pool));
    if (!leaves || !all)
        return NULL;
    err = count_unpublished(&shape->unpublished, node, table, records,
                            apr_pstrcat(pool, " AND ", leaves, NULL), pool);
    if (err && (err->code == CM_REJECTED || err->code == CM_DATABASE))
        err = count_each(&shape->unpublished, node, table, records, pool);
    CM_TRY(err);
    shape->rows -= all - shape->unpublished;
    return NULL;
}

/* A row that a person keeps against a delete is not a record. */
static cm_error_t *count_records(cm_verify_shape_t *shape, cm_node_t *node,
                                 const cm_table_t *table,
                                 const cm_records_t *records, apr_pool_t *pool)
{
    apr_int64_t kept;

    CM_TRY(cm_statement_number(
        &shape->rows, node->store,
        apr_pstrcat(pool, "SELECT COUNT(*) FROM ", table->quoted, NULL), NULL,
        0, pool));
    CM_TRY(cm_statement_number(&shape->records, node->store,
                               apr_pstrcat(pool, "SELECT COUNT(*) FROM ",
                                           records->table,
                                           " WHERE local_id IS NOT NULL"
                                           " AND deleted_at IS NULL",
                                           NULL),
                               NULL, 0, pool));
    CM_TRY(cm_statement_number(&kept, node->store,
                               apr_pstrcat(pool, "SELECT COUNT(*) FROM ",
                                           records->table,
                                           " WHERE local_id IS NOT NULL"
                                           " AND deleted_at IS NOT NULL",
                                           NULL),
                               NULL, 0, pool));
    shape->rows -= kept;
    CM_TRY(count_hidden(shape, node, table, records, pool));
    return count_unsent(shape, node, table, records, pool);
}

cm_error_t *cm_verify_shape(cm_verify_shape_t **shape_out, cm_node_t *node,
                            const char *name, int brief,
                            apr_pool_t *result_pool)
{
    const cm_model_t *model = cm_settings_model(node->settings, name);
    cm_verify_shape_t *shape = apr_pcalloc(result_pool, sizeof(*shape));
    const cm_records_t *records;
    const cm_table_t *table;
    apr_int64_t stamped;

    *shape_out = shape;
    shape->columns =
        apr_array_make(result_pool, 16, sizeof(cm_verify_column_t));
    shape->origins = apr_array_make(result_pool, 4, sizeof(const char *));
    if (!model)
        return NULL;
    CM_TRY(cm_node_table(&table, node, model, result_pool));
    shape->known = 1;
    shape->receives = model->receives;
    shape->publishes = model->publishes;
    shape->deletes = model->deletes;
    shape->shared_keys = model->shared_keys;
    add_columns(shape->columns, table, result_pool);
    if (brief)
        return NULL;
    CM_TRY(cm_stamp_all(&stamped, node, result_pool));
    CM_TRY(cm_node_records(&records, node, model->type, result_pool));
    CM_TRY_FOR(find_origins(shape->origins, node, records, result_pool),
               result_pool, "cannot read the mappings");
    CM_TRY_FOR(count_records(shape, node, table, records, result_pool),
               result_pool, "cannot count the records of model '%s'", name);
    return NULL;
}

static int is_either(const cm_verify_column_t *a, const cm_verify_column_t *b,
                     cm_class_e value_class)
{
    return a->value_class == value_class || b->value_class == value_class;
}

static cm_like_e like_of(const cm_verify_column_t *a,
                         const cm_verify_column_t *b)
{
    if (is_either(a, b, CM_CLASS_JSON))
        return CM_LIKE_JSON;
    if (a->value_class == b->value_class)
        return a->value_class == CM_CLASS_DECIMAL && (a->loose || b->loose)
                   ? CM_LIKE_NUMBER
                   : CM_LIKE_EXACT;
    if (is_either(a, b, CM_CLASS_BOOLEAN))
        return CM_LIKE_BOOLEAN;
    if (is_either(a, b, CM_CLASS_DECIMAL) || is_either(a, b, CM_CLASS_FLOAT))
        return CM_LIKE_NUMBER;
    if (is_either(a, b, CM_CLASS_DATE))
        return CM_LIKE_MOMENT;
    return CM_LIKE_EXACT;
}

/* Return the columns of SHAPE by their names. */
static apr_hash_t *index_columns(const cm_verify_shape_t *shape,
                                 apr_pool_t *pool)
{
    apr_hash_t *by_name = apr_hash_make(pool);
    int i;

    for (i = 0; i < shape->columns->nelts; i++) {
        const cm_verify_column_t *column =
            &APR_ARRAY_IDX(shape->columns, i, cm_verify_column_t);

        apr_hash_set(by_name, column->name, APR_HASH_KEY_STRING, column);
    }
    return by_name;
}

static int is_same_reference(const cm_verify_column_t *a,
                             const cm_verify_column_t *b)
{
    if (!a->reference || !b->reference)
        return a->reference == b->reference;
    return !strcmp(a->reference, b->reference);
}

apr_array_header_t *cm_verify_shape_common(apr_array_header_t **left_out,
                                           const cm_verify_shape_t *here,
                                           const cm_verify_shape_t *there,
                                           apr_pool_t *pool)
{
    apr_array_header_t *common =
        apr_array_make(pool, 16, sizeof(cm_verify_column_t));
    apr_hash_t *known_here = index_columns(here, pool);
    apr_hash_t *known_there = index_columns(there, pool);
    int i;

    *left_out = apr_array_make(pool, 4, sizeof(const char *));
    for (i = 0; i < here->columns->nelts; i++) {
        cm_verify_column_t column =
            APR_ARRAY_IDX(here->columns, i, cm_verify_column_t);
        const cm_verify_column_t *other =
            apr_hash_get(known_there, column.name, APR_HASH_KEY_STRING);

        if (!other || !is_same_reference(&column, other)) {
            APR_ARRAY_PUSH(*left_out, const char *) = column.name;
            continue;
        }
        column.like = like_of(&column, other);
        APR_ARRAY_PUSH(common, cm_verify_column_t) = column;
    }
    for (i = 0; i < there->columns->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(there->columns, i, cm_verify_column_t).name;

        if (!apr_hash_get(known_here, name, APR_HASH_KEY_STRING))
            APR_ARRAY_PUSH(*left_out, const char *) = name;
    }
    return common;
}

cm_error_t *cm_verify_shape_open(cm_verify_t **verify_out, cm_node_t *node,
                                 const char *peer, const char *name,
                                 const apr_array_header_t *columns,
                                 apr_pool_t *pool)
{
    const cm_model_t *model = cm_settings_model(node->settings, name);
    cm_verify_t *verify = apr_pcalloc(pool, sizeof(*verify));
    int i;

    if (!model)
        return CM_FAIL(pool, CM_CONFIG, "there is no model '%s'", name);
    verify->node = node;
    verify->peer = peer;
    CM_TRY(cm_node_table(&verify->table, node, model, pool));
    verify->columns = columns;
    verify->places = apr_hash_make(pool);
    for (i = 0; i < columns->nelts; i++) {
        const char *column = APR_ARRAY_IDX(columns, i, cm_verify_column_t).name;

        if (!is_compared(verify->table,
                         cm_table_column(verify->table, column)) ||
            apr_hash_get(verify->places, column, APR_HASH_KEY_STRING))
            return CM_FAIL(pool, CM_MALFORMED,
                           "model '%s' sends no column '%.255s', or it is "
                           "asked for twice",
                           name, column);
        apr_hash_set(verify->places, column, APR_HASH_KEY_STRING,
                     apr_pmemdup(pool, &i, sizeof(i)));
    }
    *verify_out = verify;
    return NULL;
}
