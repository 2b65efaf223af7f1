/* The application's tables: see table.h. */
#include "schema/table.h"

#include <string.h>

#include <apr_strings.h>

#include "store/sql.h"
#include "schema/expression.h"

/* Of the statement in sql/DRIVER/catalog.sql. */
#define MOST_ARGUMENTS 16

/* What sql/DRIVER/catalog.sql gives. */
enum {
    NAME,
    TYPE,
    BASE,
    LENGTH,
    OCTETS,
    PRECISION,
    SCALE,
    FRACTION,
    NULLABLE,
    HAS_DEFAULT,
    GENERATED,
    UNIQUE,
    GIVES_KEYS,
    KIND,
    IS_UNSIGNED,
    ON_UPDATE,
    OWN_TRIGGERS,
    DECLARED
};

static int cell_number(const cm_rows_t *rows, int row, int column)
{
    return (int)cm_cell_number(rows, row, column);
}

static void fill_column(cm_column_t *column, const cm_rows_t *rows, int row,
                        const cm_store_t *store, const cm_model_t *model,
                        apr_pool_t *pool)
{
    const cm_types_t *types = cm_types_of(cm_dialect_of_store(store));
    const char *base = cm_cell_text(rows, row, BASE);
    const cm_reference_t *reference;

    memset(column, 0, sizeof(*column));
    column->name = apr_pstrdup(pool, cm_cell_text(rows, row, NAME));
    column->quoted = cm_store_quote(store, column->name, pool);
    column->type = cm_dialect_doubled(cm_cell_text(rows, row, TYPE), '%', pool);
    if (cm_cell_text(rows, row, DECLARED))
        column->declared =
            cm_dialect_doubled(cm_cell_text(rows, row, DECLARED), '%', pool);
    column->length = cell_number(rows, row, LENGTH);
    column->octets = cm_cell_number(rows, row, OCTETS);
    column->precision = cell_number(rows, row, PRECISION);
    column->scale = cell_number(rows, row, SCALE);
    column->fraction = cell_number(rows, row, FRACTION);
    column->nullable = cell_number(rows, row, NULLABLE);
    column->has_default = cell_number(rows, row, HAS_DEFAULT);
    column->generated = cell_number(rows, row, GENERATED);
    column->is_unsigned = cell_number(rows, row, IS_UNSIGNED);
    column->on_update = cell_number(rows, row, ON_UPDATE);
    cm_types_classify(column, base, types);
    reference = cm_settings_model_reference(model, column->name);
    column->reference = reference ? reference->model : NULL;
    column->none = reference ? reference->none : NULL;
    column->carried =
        !column->generated && cm_settings_model_carries(model, column->name);
    column->capture = types->raw(column, base, pool);
}

static cm_error_t *check_kind(const cm_model_t *model, const char *kind,
                              apr_pool_t *pool)
{
    if (!strcmp(kind, "table") || !strcmp(kind, "partitioned"))
        return NULL;
    if (!strcmp(kind, "system versioned"))
        return cm_error_hint(
            CM_FAIL(pool, CM_SCHEMA,
                    "table '%s' is system-versioned, which is not supported",
                    model->table),
            pool, "ALTER TABLE %s DROP SYSTEM VERSIONING", model->table);
    return cm_error_hint(CM_FAIL(pool, CM_SCHEMA, "'%s' is a %s, not a table",
                                 model->table, kind),
                         pool, "name the table behind it: table=");
}

/* Set TABLE->keys to the columns that the model names. */
static cm_error_t *find_keys(cm_table_t *table, apr_pool_t *result_pool,
                             apr_pool_t *scratch_pool)
{
    const cm_model_t *model = table->model;
    const apr_array_header_t *names = model->columns.key;
    int i;

    table->key_travels = cm_settings_model_key_travels(model);
    table->keys = apr_palloc(result_pool, names->nelts * sizeof(*table->keys));
    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        cm_column_t *column =
            apr_hash_get(table->by_name, name, APR_HASH_KEY_STRING);

        if (!column)
            return cm_error_hint(CM_FAIL(scratch_pool, CM_SCHEMA,
                                         "table '%s' has no column '%s'",
                                         model->table, name),
                                 scratch_pool, "name its key column: key=");
        column->is_key = 1;
        table->keys[table->key_count++] = column;
    }
    return NULL;
}

/* Check that COLUMN of TABLE, or NULL, can name the model of REFERENCE. */
static cm_error_t *check_type(const cm_table_t *table,
                              const cm_column_t *column,
                              const cm_reference_t *reference, apr_pool_t *pool)
{
    const char *why = NULL;

    if (!column)
        why = "does not exist";
    else if (column->generated)
        why = "is generated";
    else if (column->value_class != CM_CLASS_TEXT &&
             column->value_class != CM_CLASS_ANY)
        why = "does not hold texts";
    if (!why)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_SCHEMA,
                "column '%s' of table '%s' cannot name the model that '%s' "
                "refers to: it %s",
                reference->type, table->model->table, reference->column, why),
        pool, "name the column that holds names of models: references=%s:{...}",
        reference->column);
}

/* Join the columns that refer to records with those that name their models. */
static cm_error_t *find_types(cm_table_t *table, apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < table->column_count; i++) {
        cm_column_t *column = &table->columns[i];
        const cm_reference_t *reference =
            cm_settings_model_reference(table->model, column->name);
        cm_column_t *type;

        if (!reference || !reference->type)
            continue;
        type =
            apr_hash_get(table->by_name, reference->type, APR_HASH_KEY_STRING);
        CM_TRY(check_type(table, type, reference, scratch_pool));
        column->named_by = type;
        type->names = column;
    }
    return NULL;
}

static cm_error_t *not_unique(const cm_model_t *model, apr_pool_t *pool)
{
    return cm_error_hint(CM_FAIL(pool, CM_SCHEMA,
                                 "column '%s' of table '%s' is not a key: "
                                 "it has no unique index of its own",
                                 model->key, model->table),
                         pool, "name its key column: key=");
}

/* Return whether all columns of the index that begins at row *AT of ROWS, from
 * section "unique", belong to the key of TABLE, and move *AT to the next index.
 */
static int is_within_key(const cm_table_t *table, const cm_rows_t *rows,
                         int *at)
{
    const char *index = cm_cell_text(rows, *at, 0);
    int within = 1, some = 0;

    for (; *at < rows->count && !strcmp(cm_cell_text(rows, *at, 0), index);
         ++*at) {
        const char *name = cm_cell_text(rows, *at, 1);
        const cm_column_t *column = name ? cm_table_column(table, name) : NULL;

        some |= column && column->is_key;
        within &= (column && column->is_key) || cm_cell_number(rows, *at, 2);
    }
    return within && some;
}

/* Find out whether two rows can have the same key: never if it is one column.
 */
static cm_error_t *check_unique(cm_table_t *table, const cm_rows_t *rows,
                                cm_store_t *store, apr_pool_t *pool)
{
    cm_rows_t *indexes;
    int at = 0;

    if (table->key_count == 1) {
        table->key_is_unique =
            cell_number(rows, (int)(table->keys[0] - table->columns), UNIQUE);
        return table->key_is_unique ? NULL : not_unique(table->model, pool);
    }
    CM_TRY(cm_table_ask(&indexes, store, "catalog.sql", "unique", table->model,
                        pool));
    while (at < indexes->count && !table->key_is_unique)
        table->key_is_unique = is_within_key(table, indexes, &at);
    return NULL;
}

static cm_error_t *check_key(const cm_table_t *table, const cm_column_t *key,
                             const cm_dialect_t *dialect, apr_pool_t *pool)
{
    const cm_model_t *model = table->model;

    if (key->value_class == CM_CLASS_BINARY ||
        (key->is_bits && !dialect->bits_as_text))
        return CM_FAIL(pool, CM_SCHEMA,
                       "the key '%s' of table '%s' is binary, which cannot "
                       "identify a record",
                       key->name, model->table);
    if (model->shared_keys && key->generated)
        return CM_FAIL(pool, CM_SCHEMA,
                       "the key '%s' of table '%s' is always generated, so "
                       "it cannot be shared",
                       key->name, model->table);
    if (model->counts_keys &&
        (key->value_class != CM_CLASS_INTEGER || key->is_bits))
        return cm_error_hint(
            CM_FAIL(pool, CM_SCHEMA,
                    "newkey=max needs a key that is an integer: '%s' of table "
                    "'%s' is none",
                    key->name, model->table),
            pool,
            "leave newkey= out: keys that are text or UUIDs do not meet unless "
            "they mean the same");
    if (model->counts_keys && key->generated)
        return CM_FAIL(pool, CM_SCHEMA,
                       "the key '%s' of table '%s' is always generated, so "
                       "newkey=max cannot give it",
                       key->name, model->table);
    if (table->key_travels && key->generated)
        return CM_FAIL(pool, CM_SCHEMA,
                       "the key '%s' of table '%s' is always generated, so "
                       "it cannot be received",
                       key->name, model->table);
    return NULL;
}

static cm_error_t *read_keys(cm_table_t *table, const cm_rows_t *rows,
                             cm_store_t *store, apr_pool_t *result_pool,
                             apr_pool_t *scratch_pool)
{
    int i;

    CM_TRY(find_keys(table, result_pool, scratch_pool));
    CM_TRY(check_unique(table, rows, store, scratch_pool));
    for (i = 0; i < table->key_count; i++)
        CM_TRY(check_key(table, table->keys[i], cm_dialect_of_store(store),
                         scratch_pool));
    if (cm_table_own_key(table))
        table->key_generated = cell_number(
            rows, (int)(table->keys[0] - table->columns), GIVES_KEYS);
    table->key_given = cm_expression_key(table, store, "", result_pool);
    table->key_text = cm_expression_key(table, store, "t.", result_pool);
    table->key_exact = apr_pstrcat(result_pool, table->key_text,
                                   cm_dialect_of_store(store)->exact, NULL);
    return NULL;
}

void cm_table_names(cm_datum_t names[2], const cm_model_t *model,
                    apr_pool_t *pool)
{
    const char *table = model->table, *dot = strchr(table, '.');

    names[0] =
        cm_datum_text(dot ? apr_pstrmemdup(pool, table, dot - table) : NULL);
    names[1] = cm_datum_text(dot ? dot + 1 : table);
}

cm_error_t *cm_table_ask(cm_rows_t **rows, cm_store_t *store, const char *file,
                         const char *name, const cm_model_t *model,
                         apr_pool_t *pool)
{
    cm_datum_t names[2], arguments[MOST_ARGUMENTS];
    const char *sql =
        cm_sql_section(cm_dialect_of_store(store)->driver, file, name, pool);
    const char *place;
    int count = 0;

    /* In some databases they are needed more than once. */
    *rows = apr_pcalloc(pool, sizeof(**rows));
    if (!sql)
        return NULL;
    cm_table_names(names, model, pool);
    for (place = sql; (place = strstr(place, "%s")) && count < MOST_ARGUMENTS;
         place++, count++)
        arguments[count] = names[count % 2];
    return cm_prepared_select(rows, store, sql, arguments, count, 0, pool);
}

/* Return how MODEL's table= is read. */
static const char *name_of(const cm_model_t *model, apr_pool_t *pool)
{
    cm_datum_t names[2];

    cm_table_names(names, model, pool);
    if (!names[0].data)
        return apr_psprintf(pool, "'%s'", model->table);
    return apr_psprintf(pool, "'%s' in schema '%s'", names[1].data,
                        names[0].data);
}

static cm_error_t *read_rows(cm_rows_t **rows, cm_store_t *store,
                             const cm_model_t *model, apr_pool_t *pool)
{
    CM_TRY(cm_table_ask(rows, store, "catalog.sql", "columns", model, pool));
    if ((*rows)->count)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_SCHEMA, "there is no table %s", name_of(model, pool)),
        pool,
        "create it, or correct table= of model '%s', or DBDParams if this is "
        "not the application's database; if it is gone for good, remove model "
        "'%s': what waits of it is skipped then",
        model->name, model->name);
}

cm_error_t *cm_table_read(cm_table_t **table_out, cm_store_t *store,
                          const cm_model_t *model, apr_pool_t *result_pool,
                          apr_pool_t *scratch_pool)
{
    cm_table_t *table = apr_pcalloc(result_pool, sizeof(*table));
    cm_rows_t *rows;
    int i;

    CM_TRY(read_rows(&rows, store, model, scratch_pool));
    CM_TRY(check_kind(model, cm_cell_text(rows, 0, KIND), scratch_pool));
    table->model = model;
    table->quoted = cm_store_quote_table(store, model->table, result_pool);
    table->partitioned = !strcmp(cm_cell_text(rows, 0, KIND), "partitioned");
    table->own_triggers = cell_number(rows, 0, OWN_TRIGGERS);
    table->column_count = rows->count;
    table->columns =
        apr_palloc(result_pool, rows->count * sizeof(*table->columns));
    table->by_name = apr_hash_make(result_pool);
    table->next = apr_pcalloc(result_pool, sizeof(*table->next));
    for (i = 0; i < rows->count; i++) {
        cm_column_t *column = &table->columns[i];

        fill_column(column, rows, i, store, model, result_pool);
        apr_hash_set(table->by_name, column->name, APR_HASH_KEY_STRING, column);
    }
    CM_TRY(find_types(table, scratch_pool));
    CM_TRY(read_keys(table, rows, store, result_pool, scratch_pool));
    table->capture = cm_expression_body(table, store, result_pool);
    *table_out = table;
    return NULL;
}

cm_error_t *cm_table_has_more(int *more, const cm_table_t *table,
                              cm_store_t *store, apr_pool_t *scratch_pool)
{
    cm_rows_t *names;
    int i;

    CM_TRY(cm_table_ask(&names, store, "catalog.sql", "names", table->model,
                        scratch_pool));
    for (i = 0, *more = 0; i < names->count && !*more; i++)
        *more = !cm_table_column(table, cm_cell_text(names, i, 0));
    return NULL;
}

const cm_column_t *cm_table_column(const cm_table_t *table, const char *name)
{
    const cm_column_t *column = &table->columns[*table->next];

    if (strcmp(column->name, name))
        column = apr_hash_get(table->by_name, name, APR_HASH_KEY_STRING);
    if (column)
        *table->next = (int)(column - table->columns + 1) % table->column_count;
    return column;
}

int cm_table_settable(const cm_table_t *table, const char *name)
{
    const cm_column_t *column = cm_table_column(table, name);

    if (!column || !column->carried || column->generated ||
        (column->is_key && !table->key_travels))
        return -1;
    return column - table->columns;
}

const cm_column_t *cm_table_own_key(const cm_table_t *table)
{
    return table->key_travels ? NULL : table->keys[0];
}
