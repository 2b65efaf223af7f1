/* The row filter: see filter.h. */
#include "outbox/filter.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "store/dialect.h"
#include "schema/expression.h"
#include "record/keys.h"
#include "outbox/known.h"
#include "outbox/missing.h"

/* Parents of parents that are asked for: references may be a circle. */
#define MOST_PARENTS 4

#define SAVEPOINT "filter"

/* A model, and the SQL that says which of its rows "t" are inside. */
typedef struct filter_t {
    cm_node_t *node;
    const cm_table_t *table;
    int capture;
    apr_hash_t *changes; /* cm_known_t: see known.h */
    const char *inside;
    apr_array_header_t *parents;  /* const cm_model_t * */
    apr_array_header_t *outsides; /* const char *: SQL of the local id of each
                                     of these parents, if it is outside: one
                                     that stays, and then one that is gone */
    apr_pool_t *pool;
} filter_t;

/* Return whether a name may go on with C. */
static int is_of_name(char c)
{
    return apr_isalnum(c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

int cm_filter_names(const cm_model_t *model, const char *column)
{
    const char *at = model->publishes ? model->where : NULL;
    const apr_size_t length = strlen(column);

    for (; at && (at = strcasestr(at, column)) != NULL; at++)
        if ((at == model->where || !is_of_name(at[-1])) &&
            !is_of_name(at[length]))
            return 1;
    return 0;
}

/* Return whether COLUMN must hold a record. */
static int is_needed(const cm_column_t *column)
{
    return column->carried && (column->reference || column->named_by) &&
           !column->nullable && !column->none;
}

/* Return whether COLUMN can refer to a record of MODEL. */
static int can_refer(const cm_column_t *column, const cm_model_t *model)
{
    return column->named_by ? model->columns.key->nelts == 1
                            : !strcmp(column->reference, model->name);
}

static int may_apply(const cm_node_t *node, const cm_model_t *model, int depth);

/* Return whether a record to which REFERENCE leads may stay here. */
static int may_stay(const cm_node_t *node, const cm_reference_t *reference,
                    int depth)
{
    const apr_array_header_t *models = node->settings->models;
    int i;

    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);

        if (cm_settings_refers_to(reference, model) &&
            may_apply(node, model, depth))
            return 1;
    }
    return 0;
}

/* Return whether records of MODEL may stay here, as far as can be said without
 * its table. DEPTH counts parents. */
static int may_apply(const cm_node_t *node, const cm_model_t *model, int depth)
{
    const apr_array_header_t *references = model->columns.references;
    int i;

    if (!model->publishes || model->where || depth == MOST_PARENTS)
        return model->publishes && model->where;
    for (i = 0; i < references->nelts; i++) {
        const cm_reference_t *reference =
            &APR_ARRAY_IDX(references, i, cm_reference_t);

        if (!reference->none && may_stay(node, reference, depth + 1))
            return 1;
    }
    return 0;
}

int cm_filter_depends(const cm_node_t *node, const cm_model_t *model,
                      const cm_column_t *column)
{
    const apr_array_header_t *models = node->settings->models;
    int i;

    if (cm_filter_names(model, column->name))
        return 1;
    for (i = 0; is_needed(column) && model->publishes && i < models->nelts;
         i++) {
        const cm_model_t *parent = APR_ARRAY_IDX(models, i, cm_model_t *);

        if (can_refer(column, parent) && may_apply(node, parent, 1))
            return 1;
    }
    return 0;
}

/* Return whether any model has a filter. */
static int any_filter(const cm_settings_t *settings)
{
    int i;

    for (i = 0; i < settings->models->nelts; i++)
        if (APR_ARRAY_IDX(settings->models, i, cm_model_t *)->where)
            return 1;
    return 0;
}

/* The same as may_apply(), by the tables: *APPLIES. */
static cm_error_t *applies_to(int *applies, cm_node_t *node,
                              const cm_model_t *model, int depth,
                              apr_pool_t *pool)
{
    const apr_array_header_t *models = node->settings->models;
    const cm_table_t *table;
    int i, j;

    *applies = model->publishes && model->where;
    if (*applies || !may_apply(node, model, depth))
        return NULL;
    CM_TRY(cm_node_table(&table, node, model, pool));
    for (i = 0; i < table->column_count; i++)
        for (j = 0; is_needed(&table->columns[i]) && j < models->nelts; j++) {
            const cm_model_t *parent = APR_ARRAY_IDX(models, j, cm_model_t *);

            if (can_refer(&table->columns[i], parent) && !*applies)
                CM_TRY(applies_to(applies, node, parent, depth + 1, pool));
        }
    return NULL;
}

cm_error_t *cm_filter_applies(int *applies, cm_node_t *node,
                              const cm_model_t *model, apr_pool_t *scratch_pool)
{
    *applies = 0;
    return any_filter(node->settings)
               ? applies_to(applies, node, model, 0, scratch_pool)
               : NULL;
}

/* Return SQL that compares the key of TABLE in the rows A and B. */
static const char *same_key(const cm_table_t *table, const char *a,
                            const char *b, apr_pool_t *pool)
{
    const char *sql = "";
    int i;

    for (i = 0; i < table->key_count; i++)
        sql = apr_pstrcat(pool, sql, i ? " AND " : "", a, ".",
                          table->keys[i]->quoted, " = ", b, ".",
                          table->keys[i]->quoted, NULL);
    return sql;
}

/* Return SQL: the row ALIAS of TABLE matches. The condition names columns only,
 * so it stands where no other table's are near. */
static const char *matches(const cm_table_t *table, const char *alias,
                           apr_pool_t *pool)
{
    if (!table->model->where)
        return "1 = 1";
    return apr_pstrcat(
        pool, "EXISTS (SELECT 1 FROM ", table->quoted,
        " AS communicator_row WHERE ",
        same_key(table, "communicator_row", alias, pool), " AND (",
        cm_dialect_doubled(table->model->where, '%', pool), "\n))", NULL);
}

/* Return SQL: peers know the record of row ALIAS of TABLE. */
static cm_error_t *is_row_known(const char **sql, const filter_t *filter,
                                const cm_table_t *table, const char *alias)
{
    apr_pool_t *pool = filter->pool;

    return cm_known_sql(
        sql, filter->node, table->model,
        apr_pstrcat(pool, alias, ".", table->keys[0]->quoted, NULL),
        cm_expression_with_alias(table->key_text, alias, pool), filter->changes,
        pool);
}

/* Return SQL: COLUMN of row ALIAS refers to a record of MODEL, or "". */
static const char *is_named(const cm_column_t *column, const cm_model_t *model,
                            const char *alias, apr_pool_t *pool)
{
    if (!column->named_by)
        return "";
    return apr_pstrcat(pool, " AND CAST(", alias, ".", column->named_by->quoted,
                       " AS char(255)) IN ('", model->name, "', '",
                       cm_dialect_doubled(model->type, '\'', pool), "')", NULL);
}

static cm_error_t *outside_sql(const char **stays, const char **gone,
                               filter_t *filter, const cm_table_t *child,
                               const cm_column_t *column,
                               const cm_model_t *model, const char *alias,
                               int depth);

/* Give *SQL: row ALIAS of TABLE matches, and so do the records that it needs.
 * DEPTH counts parents. */
static cm_error_t *inside_sql(const char **sql, filter_t *filter,
                              const cm_table_t *table, const char *alias,
                              int depth)
{
    const apr_array_header_t *models = filter->node->settings->models;
    const char *stays, *gone;
    int i, j;

    *sql = matches(table, alias, filter->pool);
    for (i = 0; i < table->column_count && depth < MOST_PARENTS; i++)
        for (j = 0; is_needed(&table->columns[i]) && j < models->nelts; j++) {
            CM_TRY(outside_sql(&stays, &gone, filter, table, &table->columns[i],
                               APR_ARRAY_IDX(models, j, cm_model_t *), alias,
                               depth + 1));
            if (stays)
                *sql = apr_pstrcat(filter->pool, *sql, " AND ", stays,
                                   " IS NULL AND ", gone, " IS NULL", NULL);
        }
    return NULL;
}

/* Give *SQL: the local id to which row ALIAS of CHILD refers in COLUMN, if
 * PARENT has no such row, nor do peers know it or the row's own record. The
 * parent was deleted before it left; where there is a foreign key, the row is
 * gone with it. */
static cm_error_t *absent_sql(const char **sql, filter_t *filter,
                              const cm_table_t *child,
                              const cm_column_t *column,
                              const cm_table_t *parent, const char *alias)
{
    apr_pool_t *pool = filter->pool;
    const cm_table_t named = {.keys = &column, .key_count = 1};
    const char *value = apr_pstrcat(pool, alias, ".", column->quoted, NULL);
    const char *id = cm_expression_key(
        &named, filter->node->store, apr_pstrcat(pool, alias, ".", NULL), pool);
    const char *parent_known, *own_known;

    CM_TRY(cm_known_sql(&parent_known, filter->node, parent->model, value, id,
                        filter->changes, pool));
    CM_TRY(is_row_known(&own_known, filter, child, alias));
    *sql = apr_pstrcat(pool, "CASE WHEN NOT EXISTS (SELECT 1 FROM ",
                       parent->quoted, " AS absent WHERE absent.",
                       parent->keys[0]->quoted, " = ", value, ") AND NOT ",
                       parent_known, " AND NOT ", own_known,
                       is_named(column, parent->model, alias, pool), " THEN ",
                       id, " END", NULL);
    return NULL;
}

/* Give *STAYS: the local id of the parent of row ALIAS of CHILD in COLUMN, if
 * it is a record of MODEL that stays here, and *GONE: if it is gone; NULL: none
 * has to. */
static cm_error_t *outside_sql(const char **stays, const char **gone,
                               filter_t *filter, const cm_table_t *child,
                               const cm_column_t *column,
                               const cm_model_t *model, const char *alias,
                               int depth)
{
    cm_node_t *node = filter->node;
    apr_pool_t *pool = filter->pool;
    const char *own = apr_psprintf(pool, "p%d", depth), *inside, *known;
    const cm_table_t *table;
    int applies = 0;

    *stays = NULL;
    if (can_refer(column, model))
        CM_TRY(applies_to(&applies, node, model, depth, pool));
    if (!applies)
        return NULL;
    CM_TRY(cm_node_table(&table, node, model, pool));
    if (column->named_by && table->keys[0]->value_class != column->value_class)
        return NULL;
    CM_TRY(inside_sql(&inside, filter, table, own, depth));
    CM_TRY(is_row_known(&known, filter, table, own));
    CM_TRY(absent_sql(gone, filter, child, column, table, alias));
    *stays = apr_pstrcat(pool, "(SELECT ",
                         cm_expression_with_alias(table->key_text, own, pool),
                         " FROM ", table->quoted, " AS ", own, " WHERE ", own,
                         ".", table->keys[0]->quoted, " = ", alias, ".",
                         column->quoted, is_named(column, model, alias, pool),
                         " AND NOT (", inside, ") AND NOT ", known, ")", NULL);
    return NULL;
}

cm_error_t *cm_filter_sql(const char **sql, cm_node_t *node,
                          const cm_model_t *model, apr_pool_t *pool)
{
    filter_t filter = {.node = node, .pool = pool};
    int applies;

    *sql = NULL;
    CM_TRY(cm_filter_applies(&applies, node, model, pool));
    if (!applies)
        return NULL;
    CM_TRY(cm_node_table(&filter.table, node, model, pool));
    return inside_sql(sql, &filter, filter.table, "t", 0);
}

static cm_error_t *open_filter(filter_t *filter, cm_node_t *node,
                               const cm_model_t *model, int capture,
                               apr_hash_t *changes, apr_pool_t *pool)
{
    const apr_array_header_t *models = node->settings->models;
    const char *stays, *gone;
    int i, j;

    *filter = (filter_t){
        .node = node, .capture = capture, .changes = changes, .pool = pool};
    filter->parents = apr_array_make(pool, 2, sizeof(const cm_model_t *));
    filter->outsides = apr_array_make(pool, 2, sizeof(const char *));
    CM_TRY(cm_node_table(&filter->table, node, model, pool));
    filter->inside = matches(filter->table, "t", pool);
    for (i = 0; i < filter->table->column_count; i++) {
        const cm_column_t *column = &filter->table->columns[i];

        for (j = 0; is_needed(column) && j < models->nelts; j++) {
            const cm_model_t *parent = APR_ARRAY_IDX(models, j, cm_model_t *);

            CM_TRY(outside_sql(&stays, &gone, filter, filter->table, column,
                               parent, "t", 1));
            if (!stays)
                continue;
            APR_ARRAY_PUSH(filter->outsides, const char *) = stays;
            APR_ARRAY_PUSH(filter->outsides, const char *) = gone;
            APR_ARRAY_PUSH(filter->parents, const cm_model_t *) = parent;
        }
    }
    return NULL;
}

/* What is selected behind the key. */
enum {
    INSIDE = 1,
    CAPTURE,
    PARENTS
};

static cm_error_t *select_rows(cm_rows_t **rows, const filter_t *filter,
                               const cm_keys_t *keys)
{
    apr_pool_t *pool = filter->pool;
    const char *expressions = apr_pstrcat(pool, "CASE WHEN ", filter->inside,
                                          " THEN 1 ELSE 0 END, ", NULL);
    int i;

    expressions = apr_pstrcat(
        pool, expressions,
        filter->capture
            ? apr_pstrcat(pool, "CASE WHEN ", filter->inside, " THEN ",
                          filter->table->capture, " END", NULL)
            : "NULL",
        NULL);
    for (i = 0; i < filter->outsides->nelts; i++)
        expressions =
            apr_pstrcat(pool, expressions, ", ",
                        APR_ARRAY_IDX(filter->outsides, i, const char *), NULL);
    return cm_keys_select(rows, keys, expressions, 0, pool);
}

/* Return the place among the OUTSIDES of a parent of row I of ROWS, or -1: one
 * that stays, or else (*GONE) one that is gone. */
static int outside_parent(int *gone, const filter_t *filter,
                          const cm_rows_t *rows, int i)
{
    int place;

    for (*gone = 0; *gone < 2; ++*gone)
        for (place = *gone; place < filter->outsides->nelts; place += 2)
            if (cm_cell_text(rows, i, PARENTS + place))
                return place;
    return -1;
}

/* Note the parent of row I of ROWS that keeps it here, at PLACE. */
static cm_error_t *note_parent(const filter_t *filter, const cm_rows_t *rows,
                               int i, int place)
{
    apr_array_header_t *ids =
        apr_array_make(filter->pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(ids, const char *) = cm_cell_text(rows, i, PARENTS + place);
    return cm_missing_note(
        filter->node,
        APR_ARRAY_IDX(filter->parents, place / 2, const cm_model_t *), ids,
        filter->pool);
}

static cm_error_t *add_rows(apr_hash_t *found, const filter_t *filter,
                            const cm_keys_t *keys, const cm_rows_t *rows)
{
    int i, place;

    for (i = 0; i < rows->count; i++) {
        const char *id = cm_keys_find(keys, cm_cell_text(rows, i, 0));
        cm_filter_row_t *row = apr_pcalloc(filter->pool, sizeof(*row));

        if (!id)
            continue;
        apr_hash_set(found, id, APR_HASH_KEY_STRING, row);
        row->inside = (int)cm_cell_number(rows, i, INSIDE);
        row->capture = filter->capture ? cm_cell(rows, i, CAPTURE) : NULL;
        place =
            row->inside ? outside_parent(&row->orphan, filter, rows, i) : -1;
        if (place < 0) {
            row->orphan = 0;
            continue;
        }
        row->inside = 0;
        CM_TRY(note_parent(filter, rows, i, place));
    }
    return NULL;
}

/* Select as select_rows(); in a transaction that survives a failure. */
static cm_error_t *try_rows(cm_rows_t **rows, const filter_t *filter,
                            const cm_keys_t *keys)
{
    cm_store_t *store = filter->node->store;
    apr_pool_t *pool = filter->pool;
    cm_error_t *err;

    if (!cm_transaction_is_open(store))
        return select_rows(rows, filter, keys);
    CM_TRY(cm_transaction_savepoint(store, SAVEPOINT, pool));
    err = select_rows(rows, filter, keys);
    if (!err)
        return cm_transaction_release(store, SAVEPOINT, pool);
    if (err->code != CM_BUSY && err->code != CM_UNAVAILABLE)
        CM_TRY(cm_transaction_rollback_to(store, SAVEPOINT, pool));
    return err;
}

/* Fail if the condition cannot be used at all. */
static cm_error_t *probe(const filter_t *filter)
{
    cm_rows_t *rows;

    return cm_statement_select(
        &rows, filter->node->store,
        apr_pstrcat(filter->pool, "SELECT 1 FROM ", filter->table->quoted,
                    " AS t WHERE 1 = 0 AND ", filter->inside, NULL),
        NULL, 0, filter->pool);
}

/* Find the COUNT ids in IDS. If the condition fails for some, find those for
 * which it does not. */
static cm_error_t *find_some(apr_hash_t *found, const filter_t *filter,
                             const char *const *ids, int count)
{
    cm_keys_t *keys =
        cm_keys_create(filter->node->store, filter->table, filter->pool);
    cm_filter_row_t *row;
    cm_rows_t *rows;
    cm_error_t *err;
    int i;

    for (i = 0; i < count; i++)
        cm_keys_add(keys, ids[i], ids[i], 0);
    err = try_rows(&rows, filter, keys);
    if (!err)
        return add_rows(found, filter, keys, rows);
    if (err->code != CM_REJECTED && err->code != CM_DATABASE)
        return err;
    CM_TRY(probe(filter));
    if (count > 1) {
        CM_TRY(find_some(found, filter, ids, count / 2));
        return find_some(found, filter, ids + count / 2, count - count / 2);
    }
    row = apr_pcalloc(filter->pool, sizeof(*row));
    row->failed = 1;
    apr_hash_set(found, ids[0], APR_HASH_KEY_STRING, row);
    return NULL;
}

cm_error_t *cm_filter_find(apr_hash_t **found, cm_node_t *node,
                           const cm_model_t *model,
                           const apr_array_header_t *local_ids, int capture,
                           apr_hash_t *changes, apr_pool_t *result_pool)
{
    filter_t filter;

    *found = apr_hash_make(result_pool);
    if (!local_ids->nelts)
        return NULL;
    CM_TRY(open_filter(&filter, node, model, capture, changes, result_pool));
    CM_TRY_FOR(find_some(*found, &filter, (const char *const *)local_ids->elts,
                         local_ids->nelts),
               result_pool, "cannot use where= of model '%s'", model->name);
    return NULL;
}
