/* Whether a table can be synchronised: see judge.h. */
#include "schema/judge.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "store/sql.h"
#include "schema/expression.h"
#include "schema/migrate.h"
#include "schema/records.h"

/* What section "judge" of sql/DRIVER/catalog.sql may find. TEXT is a format for
 * the table's name and the detail of the row. */
typedef struct charge_t {
    const char *name;
    int refused;
    int published; /* only where the model is published */
    const char *text, *hint;
} charge_t;

static const charge_t charges[] = {
    {"engine", 1, 0,
     "table '%s' uses the storage engine %s, which cannot roll back: a change "
     "that the application rolls back would be published",
     "ALTER TABLE %s ENGINE=InnoDB"},
    {"partition", 1, 1,
     "table '%s' is a partition of '%s': what is written to that table would "
     "not be published",
     "use the partitioned table for the model: table="},
    {"child", 0, 1,
     "table '%s' inherits from '%s': changes made through that table fire no "
     "trigger",
     "let the application change the rows through '%s' itself"},
    {"parent", 0, 1,
     "tables inherit from '%s' (%s): rows inserted into them fire no trigger",
     "give each of them a model of its own, or use partitions"},
    {"unlogged", 0, 0,
     "table '%s' is UNLOGGED: a crash of the server empties it, and no delete "
     "is published then",
     "ALTER TABLE %s SET LOGGED"},
    {"cascades", 0, 1,
     "what foreign keys do to '%s' along with %s is seen by no trigger",
     "have the same foreign keys on the other side, or let the application "
     "change the rows itself"},
    {NULL, 0, 0, NULL, NULL},
};

/* As is_used(), in a database whose tables have an earlier version. If that is
 * just being changed, the answer is yes, which lets it go on. */
static cm_error_t *was_used(int *used, cm_store_t *store,
                            const cm_model_t *model, apr_pool_t *pool)
{
    const cm_datum_t type = cm_datum_text(model->type);
    cm_rows_t *rows;
    cm_error_t *err;

    err = cm_statement_select(&rows, store,
                              "SELECT 1 FROM communicator_mappings"
                              " WHERE local_record_type = %s LIMIT 1",
                              &type, 1, pool);
    if (err && err->code != CM_SCHEMA)
        return err;
    *used = err || rows->count;
    return NULL;
}

/* Return whether records of MODEL are synchronised already. */
static cm_error_t *is_used(int *used, cm_store_t *store,
                           const cm_model_t *model, apr_pool_t *pool)
{
    const cm_records_t *records;
    int present, known;
    apr_hash_t *all;
    cm_rows_t *rows;

    *used = 0;
    CM_TRY(cm_migrate_version(&present, &known, store, pool));
    if (!present)
        return NULL;
    if (present < CM_RECORDS_VERSION)
        return was_used(used, store, model, pool);
    CM_TRY(cm_records_read(&all, store, pool));
    records = apr_hash_get(all, model->type, APR_HASH_KEY_STRING);
    if (!records)
        return NULL;
    CM_TRY(cm_statement_select(
        &rows, store,
        apr_pstrcat(pool, "SELECT 1 FROM ", records->table, " LIMIT 1", NULL),
        NULL, 0, pool));
    *used = rows->count;
    return NULL;
}

/* Return how to forbid NULL in KEY, a column of TABLE. */
static const char *key_hint(const cm_table_t *table, const cm_column_t *key,
                            const cm_types_t *types, apr_pool_t *pool)
{
    const char *type = *key->type ? key->type : "TEXT";
    apr_hash_t *values = apr_hash_make(pool);

    apr_hash_set(values, "table", APR_HASH_KEY_STRING, table->model->table);
    apr_hash_set(values, "key", APR_HASH_KEY_STRING, key->name);
    apr_hash_set(values, "type", APR_HASH_KEY_STRING, type);
    return cm_sql_fill(types->not_null, values, pool);
}

/* A row whose key is NULL is not a record. */
static cm_error_t *judge_key(apr_array_header_t *findings, cm_store_t *store,
                             const cm_table_t *table, const cm_column_t *key,
                             apr_pool_t *pool)
{
    const cm_model_t *model = table->model;
    int used;

    if (!key->nullable)
        return NULL;
    CM_TRY(is_used(&used, store, model, pool));
    APR_ARRAY_PUSH(findings, cm_finding_t) = (cm_finding_t){
        .refused = 1,
        .used = used,
        .text = apr_psprintf(pool,
                             "the key '%s' of table '%s' may be NULL: a row "
                             "without a key cannot be synchronised",
                             key->name, model->table),
        .hint = key_hint(table, key, cm_types_of(cm_dialect_of_store(store)),
                         pool)};
    return NULL;
}

static const char *index_hint(const cm_table_t *table, apr_pool_t *pool)
{
    return apr_psprintf(pool, "CREATE UNIQUE INDEX %s_key ON %s (%s)",
                        table->model->name, table->quoted,
                        cm_expression_keys(table, "", pool));
}

/* Nothing keeps two rows from having the same key. */
static void judge_index(apr_array_header_t *findings, const cm_table_t *table,
                        apr_pool_t *pool)
{
    if (table->key_is_unique)
        return;
    APR_ARRAY_PUSH(findings, cm_finding_t) = (cm_finding_t){
        .text = apr_psprintf(pool,
                             "table '%s' has no unique index on '%s': each "
                             "message searches all its rows, and a second row "
                             "with the same values is withheld",
                             table->model->table, table->model->key),
        .hint = index_hint(table, pool)};
}

cm_error_t *cm_judge_rows(apr_array_header_t *findings, cm_store_t *store,
                          const cm_table_t *table, apr_pool_t *pool)
{
    const cm_model_t *model = table->model;
    const char *names = cm_expression_keys(table, "", pool);
    cm_rows_t *rows;
    int used;

    if (table->key_is_unique)
        return NULL;
    CM_TRY(cm_statement_select(
        &rows, store,
        apr_psprintf(pool,
                     "SELECT %s FROM (SELECT %s FROM %s GROUP BY %s"
                     " HAVING count(*) > 1 LIMIT 1) AS t",
                     table->key_text, names, table->quoted, names),
        NULL, 0, pool));
    if (!rows->count)
        return NULL;
    CM_TRY(is_used(&used, store, model, pool));
    APR_ARRAY_PUSH(findings, cm_finding_t) = (cm_finding_t){
        .refused = 1,
        .used = used,
        .text =
            apr_psprintf(pool,
                         "several rows of table '%s' are %s in '%s': they "
                         "cannot be told apart",
                         model->table, cm_cell_text(rows, 0, 0), model->key),
        .hint = apr_psprintf(pool, "delete all but one of them, then %s",
                             index_hint(table, pool))};
    return NULL;
}

/* Names that are listed at most. */
#define NAMES_SHOWN 5

/* Select what COLUMN of TABLE, which names models, holds: each text once. */
static cm_error_t *select_names(cm_rows_t **rows, cm_store_t *store,
                                const cm_table_t *table,
                                const cm_column_t *column, apr_pool_t *pool)
{
    return cm_statement_select(
        rows, store,
        apr_psprintf(pool,
                     "SELECT name FROM (SELECT DISTINCT %s AS name FROM %s"
                     " WHERE %s IS NOT NULL) AS names ORDER BY name",
                     column->quoted, table->quoted, column->quoted),
        NULL, 0, pool);
}

static cm_error_t *judge_name(apr_array_header_t *findings, cm_store_t *store,
                              const cm_settings_t *settings,
                              const cm_table_t *table, const cm_column_t *name,
                              apr_pool_t *pool)
{
    const char *unknown = NULL;
    cm_rows_t *rows;
    int i, count = 0;

    CM_TRY(select_names(&rows, store, table, name, pool));
    for (i = 0; i < rows->count; i++) {
        const char *value = cm_cell_text(rows, i, 0);

        if (*value && !cm_settings_model_of_type(settings, value) &&
            count++ < NAMES_SHOWN)
            unknown = unknown ? apr_pstrcat(pool, unknown, "', '", value, NULL)
                              : value;
    }
    if (unknown)
        APR_ARRAY_PUSH(findings, cm_finding_t) = (cm_finding_t){
            .text = apr_psprintf(pool,
                                 "'%s' of table '%s' has '%s'%s, which "
                                 "is the name or class of no model: '%s' is "
                                 "sent as it is there",
                                 name->name, table->model->table, unknown,
                                 count > NAMES_SHOWN ? " and others" : "",
                                 name->names->name),
            .hint = "declare a model of that name on both sides"};
    return NULL;
}

cm_error_t *cm_judge_names(apr_array_header_t *findings, cm_store_t *store,
                           const cm_settings_t *settings,
                           const cm_table_t *table, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < table->column_count; i++)
        if (table->columns[i].names)
            CM_TRY(judge_name(findings, store, settings, table,
                              &table->columns[i], pool));
    return NULL;
}

/* --- orphans --- */

/* Judge the rows of TABLE whose COLUMN refers to PARENT; where another column
 * says so, those in which that one is NAME. */
static cm_error_t *count_orphans(apr_array_header_t *findings,
                                 cm_store_t *store, const cm_table_t *table,
                                 const cm_column_t *column,
                                 const cm_model_t *parent, const char *name,
                                 apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(name);
    cm_table_t *there;
    apr_int64_t count;

    CM_TRY(cm_table_read(&there, store, parent, pool, pool));
    if (there->keys[0]->value_class != column->value_class)
        return NULL;
    CM_TRY(cm_statement_number(
        &count, store,
        apr_pstrcat(pool, "SELECT COUNT(*) FROM ", table->quoted,
                    " AS c WHERE NOT EXISTS (SELECT 1 FROM ", there->quoted,
                    " AS p WHERE p.", there->keys[0]->quoted, " = c.",
                    column->quoted, ")",
                    name ? apr_pstrcat(pool, " AND c.",
                                       column->named_by->quoted, " = %s", NULL)
                         : "",
                    NULL),
        &argument, name ? 1 : 0, pool));
    if (count)
        APR_ARRAY_PUSH(findings, cm_finding_t) = (cm_finding_t){
            .text = apr_psprintf(
                pool,
                "'%s' of table '%s' leads to no row of '%s': %" APR_INT64_T_FMT
                " row%s, which the peer parks",
                column->name, table->model->table, parent->table, count,
                count == 1 ? "" : "s"),
            .hint = "delete them, or give them a parent"};
    return NULL;
}

cm_error_t *cm_judge_orphans(apr_array_header_t *findings, cm_store_t *store,
                             const cm_settings_t *settings,
                             const cm_table_t *table, const cm_column_t *column,
                             apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    if (!column->named_by) {
        const cm_model_t *parent =
            cm_settings_model(settings, column->reference);

        return parent ? count_orphans(findings, store, table, column, parent,
                                      NULL, pool)
                      : NULL;
    }
    CM_TRY(select_names(&rows, store, table, column->named_by, pool));
    for (i = 0; i < rows->count; i++) {
        const char *name = cm_cell_text(rows, i, 0);
        const cm_model_t *parent = cm_settings_model_of_type(settings, name);

        if (parent)
            CM_TRY(count_orphans(findings, store, table, column, parent, name,
                                 pool));
    }
    return NULL;
}

cm_error_t *cm_judge_table(apr_array_header_t **findings, cm_store_t *store,
                           const cm_table_t *table, apr_pool_t *pool)
{
    const cm_model_t *model = table->model;
    const charge_t *charge;
    cm_rows_t *rows;
    int i;

    *findings = apr_array_make(pool, 4, sizeof(cm_finding_t));
    for (i = 0; i < table->key_count; i++)
        CM_TRY(judge_key(*findings, store, table, table->keys[i], pool));
    judge_index(*findings, table, pool);
    CM_TRY(cm_table_ask(&rows, store, "catalog.sql", "judge", model, pool));
    for (charge = charges; charge->name; charge++)
        for (i = 0; i < rows->count; i++)
            if (!strcmp(cm_cell_text(rows, i, 0), charge->name) &&
                (model->publishes || !charge->published))
                APR_ARRAY_PUSH(*findings, cm_finding_t) = (cm_finding_t){
                    .refused = charge->refused,
                    .text = apr_psprintf(pool, charge->text, model->table,
                                         cm_cell_text(rows, i, 1)),
                    .hint = apr_psprintf(pool, charge->hint, model->table)};
    return NULL;
}

cm_error_t *cm_judge_error(const apr_array_header_t *findings, int used,
                           apr_pool_t *pool)
{
    int i;

    for (i = 0; i < findings->nelts; i++) {
        const cm_finding_t *finding = &APR_ARRAY_IDX(findings, i, cm_finding_t);

        if (finding->refused && (used || !finding->used))
            return cm_error_hint(CM_FAIL(pool, CM_SCHEMA, "%s", finding->text),
                                 pool, "%s", finding->hint);
    }
    return NULL;
}
