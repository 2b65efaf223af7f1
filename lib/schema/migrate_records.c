/* The tables of records, one for each class of the models: made, and filled
 * from communicator_mappings, the one table of earlier versions. Every step may
 * be interrupted and is then done again. */
#include "schema/migrate_internal.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "store/dialect.h"
#include "store/sql.h"
#include "schema/records.h"
#include "schema/table.h"

/* SQLite allows 500 SELECTs in a UNION, and as many in each of those. */
#define MOST_PARTS 100

/* A class whose table is to be there. */
typedef struct class_t {
    const char *type;
    const cm_table_t *table;     /* of one of its models; NULL: none is there */
    const cm_records_t *records; /* NULL: it has no table of records yet */
    int number, integer;
    int matched; /* a model of it has match=, so records may have other names */
} class_t;

typedef struct records_t {
    cm_migration_t *migration;
    apr_array_header_t *classes; /* class_t, by number */
    apr_hash_t *by_type;         /* type -> class_t's index + 1, as int * */
    int is_old;                  /* the one table is still there */
    int has_changed;             /* the view must be made again */
    apr_pool_t *pool;
} records_t;

static cm_error_t *ask(cm_rows_t **rows, const records_t *at, const char *name)
{
    return cm_statement_section(rows, at->migration->store, "records.sql", name,
                                NULL, 0, at->pool);
}

/* Return section NAME of records.sql with VALUES filled in. */
static const char *section(const records_t *at, const char *name,
                           apr_hash_t *values)
{
    const char *driver = cm_dialect_of_store(at->migration->store)->driver;

    return cm_sql_fill(cm_sql_section(driver, "records.sql", name, at->pool),
                       values, at->pool);
}

static void set(apr_hash_t *values, const char *name, const char *value)
{
    apr_hash_set(values, name, APR_HASH_KEY_STRING, value);
}

/* Return what the sections say of ONE; COLUMN holds a local id. */
static apr_hash_t *values_of(const records_t *at, const class_t *one,
                             const char *column)
{
    const char *kind = one->integer ? "integer" : "text";
    apr_hash_t *values = apr_hash_make(at->pool);

    set(values, "table", cm_records_table(one->number, at->pool));
    set(values, "type",
        cm_store_literal(at->migration->store, one->type, at->pool));
    set(values, "type_words", apr_psprintf(at->pool, "class %s", one->type));
    set(values, "number", apr_itoa(at->pool, one->number));
    set(values, "integer", one->integer ? "1" : "0");
    set(values, "column", column);
    set(values, "id_type",
        section(at, apr_pstrcat(at->pool, "id_type.", kind, NULL), values));
    set(values, "id",
        section(at, apr_pstrcat(at->pool, "id.", kind, NULL), values));
    return values;
}

/* Do the step WHAT, section NAME with VALUES. */
static cm_error_t *step(const records_t *at, const char *what, const char *name,
                        apr_hash_t *values)
{
    return cm_migrate_step(
        at->migration, cm_sql_fill(what, values, at->pool),
        cm_sql_statements(section(at, name, values), at->pool));
}

static class_t *add_class(records_t *at, const char *type)
{
    const int *index = apr_hash_get(at->by_type, type, APR_HASH_KEY_STRING);
    int count = at->classes->nelts + 1;
    class_t *one;

    if (index)
        return &APR_ARRAY_IDX(at->classes, *index - 1, class_t);
    one = apr_array_push(at->classes);
    *one = (class_t){.type = type};
    apr_hash_set(at->by_type, type, APR_HASH_KEY_STRING,
                 apr_pmemdup(at->pool, &count, sizeof(count)));
    return one;
}

static int compare_classes(const void *a, const void *b)
{
    return ((const class_t *)a)->number - ((const class_t *)b)->number;
}

/* The classes that have a table of records, by number. */
static cm_error_t *add_present(records_t *at)
{
    cm_store_t *store = at->migration->store;
    apr_hash_index_t *index;
    int present, known, i;
    apr_hash_t *all;

    CM_TRY(cm_migrate_version(&present, &known, store, at->pool));
    if (present < CM_RECORDS_VERSION && at->migration->dry_run)
        return NULL;
    CM_TRY(cm_records_read(&all, store, at->pool));
    for (index = apr_hash_first(at->pool, all); index;
         index = apr_hash_next(index)) {
        const cm_records_t *records = apr_hash_this_val(index);

        *(class_t *)apr_array_push(at->classes) =
            (class_t){.type = records->type,
                      .records = records,
                      .number = records->number,
                      .integer = records->keys_are_integers};
    }
    qsort(at->classes->elts, at->classes->nelts, sizeof(class_t),
          compare_classes);
    for (i = 1; i <= at->classes->nelts; i++)
        apr_hash_set(at->by_type,
                     APR_ARRAY_IDX(at->classes, i - 1, class_t).type,
                     APR_HASH_KEY_STRING, apr_pmemdup(at->pool, &i, sizeof(i)));
    return NULL;
}

/* The classes of the models. The table of one that only receives may be made
 * later. */
static void add_models(records_t *at)
{
    const apr_array_header_t *models = at->migration->settings->models;
    int i;

    for (i = 0; i < models->nelts; i++) {
        const cm_table_t *table =
            APR_ARRAY_IDX(at->migration->all, i, const cm_table_t *);
        class_t *one =
            add_class(at, APR_ARRAY_IDX(models, i, cm_model_t *)->type);

        if (table)
            one->table = table;
        one->matched |=
            APR_ARRAY_IDX(models, i, cm_model_t *)->columns.match->nelts > 0;
    }
}

/* The classes in the one table of earlier versions, also of models that are no
 * longer configured. */
static cm_error_t *add_old(records_t *at)
{
    cm_rows_t *rows;
    int i;

    CM_TRY(ask(&rows, at, "old"));
    at->is_old = rows->count;
    if (!at->is_old)
        return NULL;
    CM_TRY(ask(&rows, at, "old.types"));
    for (i = 0; i < rows->count; i++)
        add_class(at, cm_cell_text(rows, i, 0));
    return NULL;
}

static cm_error_t *make_table(const records_t *at, class_t *one, int number)
{
    apr_hash_t *values;

    one->number = number;
    one->integer = one->table && cm_records_integer_keys(one->table);
    values = values_of(at, one, "b.local_record_id");
    CM_TRY(step(at, "makes the table of the records of {type_words}", "create",
                values));
    return step(at, "notes the table of the records of {type_words}", "note",
                values);
}

static cm_error_t *change_ids(records_t *at, class_t *one)
{
    at->has_changed = 1;
    one->integer = !one->integer;
    return step(at, "changes the ids of the records of {type_words}", "retype",
                values_of(at, one, "local_id"));
}

/* Give the table of ONE the index that finds other names of a record, unless it
 * has it already. */
static cm_error_t *index_names(const records_t *at, const class_t *one,
                               int is_new)
{
    const char *table = cm_records_table(one->number, at->pool);
    const cm_datum_t arguments[] = {
        cm_datum_text(table),
        cm_datum_text(apr_pstrcat(at->pool, table, "_same", NULL))};
    cm_rows_t *rows = NULL;

    if (!one->matched)
        return NULL;
    if (!is_new)
        CM_TRY(cm_statement_section(&rows, at->migration->store, "schema.sql",
                                    "index", arguments, 2, at->pool));
    if (rows && rows->count)
        return NULL;
    return step(at,
                "lets the other names of the records of {type_words} be found",
                "names", values_of(at, one, "local_id"));
}

/* Make the table of ONE, or change the type of its ids to that of the keys. */
static cm_error_t *make_or_change(records_t *at, class_t *one, int number)
{
    const cm_database_e database =
        cm_dialect_of_store(at->migration->store)->database;
    int is_new = !one->records;

    if (is_new) {
        CM_TRY(make_table(at, one, number));
    }
    else if (one->table &&
             one->integer != cm_records_integer_keys(one->table)) {
        CM_TRY(change_ids(at, one));
        is_new = database == CM_SQLITE3; /* there it is another table */
    }
    return index_names(at, one, is_new);
}

/* Return the columns of ONE that have no number yet, as rows: "(3, 7, 'a')". */
static const char *new_columns(const records_t *at, const class_t *one)
{
    int number = one->records ? one->records->names->nelts : 1, i;
    const char *values = "";

    for (i = 0; one->table && i < one->table->column_count; i++) {
        const char *name = one->table->columns[i].name;

        if (one->records &&
            apr_hash_get(one->records->numbers, name, APR_HASH_KEY_STRING))
            continue;
        if (!number)
            number = 1;
        values = apr_psprintf(
            at->pool, "%s%s\n(%d, %d, %s)", values, *values ? "," : "",
            one->number, number++,
            cm_store_literal(at->migration->store, name, at->pool));
    }
    return *values ? values : NULL;
}

static cm_error_t *number_columns(const records_t *at, const class_t *one)
{
    const char *columns = new_columns(at, one);
    apr_hash_t *values;

    if (!columns)
        return NULL;
    values = values_of(at, one, "local_id");
    set(values, "values", columns);
    return step(at, "gives the columns of {type_words} their numbers", "number",
                values);
}

/* Return whether the view shows the tables of all classes. */
static cm_error_t *is_shown(int *shown, const records_t *at)
{
    const char *definition, *found;
    cm_rows_t *rows;
    int i;

    CM_TRY(ask(&rows, at, "view.definition"));
    definition = rows->count ? cm_cell_text(rows, 0, 0) : NULL;
    *shown = definition != NULL;
    for (i = 0; *shown && i < at->classes->nelts; i++) {
        const char *table = cm_records_table(
            APR_ARRAY_IDX(at->classes, i, class_t).number, at->pool);
        const apr_size_t length = strlen(table);

        for (found = strstr(definition, table);
             found && apr_isdigit(found[length]);)
            found = strstr(found + length, table);
        *shown = found != NULL;
    }
    return NULL;
}

/* Return the SELECT of all classes. */
static const char *all_parts(const records_t *at)
{
    const char *all = "", *some = "";
    int i;

    for (i = 0; i < at->classes->nelts; i++) {
        const class_t *one = &APR_ARRAY_IDX(at->classes, i, class_t);

        some = apr_pstrcat(
            at->pool, some, *some ? "\nUNION ALL\n" : "",
            section(at, "view.part", values_of(at, one, "local_id")), NULL);
        if ((i + 1) % MOST_PARTS && i + 1 < at->classes->nelts)
            continue;
        all =
            apr_psprintf(at->pool, "%s%s SELECT * FROM (\n%s\n) AS part%d", all,
                         *all ? "\nUNION ALL" : "", some, i / MOST_PARTS);
        some = "";
    }
    return *all ? all : section(at, "view.none", apr_hash_make(at->pool));
}

static cm_error_t *show_all(const records_t *at)
{
    apr_hash_t *values = apr_hash_make(at->pool);
    int shown;

    CM_TRY(is_shown(&shown, at));
    if (shown && !at->has_changed)
        return NULL;
    set(values, "parts", all_parts(at));
    return step(at,
                "lets communicator_mappings show what is known of all "
                "records",
                "view", values);
}

static cm_error_t *move_old(const records_t *at)
{
    int i;

    for (i = 0; i < at->classes->nelts; i++)
        CM_TRY(step(at,
                    "moves what is known of the records of {type_words} into "
                    "their table",
                    "move",
                    values_of(at, &APR_ARRAY_IDX(at->classes, i, class_t),
                              "b.local_record_id")));
    return step(at, "drops the table communicator_mappings of earlier versions",
                "old.drop", apr_hash_make(at->pool));
}

cm_error_t *cm_migrate_records(cm_migration_t *migration)
{
    records_t at = {.migration = migration, .pool = migration->pool};
    int i, last = 0;

    at.classes = apr_array_make(at.pool, 16, sizeof(class_t));
    at.by_type = apr_hash_make(at.pool);
    CM_TRY(add_present(&at));
    add_models(&at);
    CM_TRY(add_old(&at));
    for (i = 0; i < at.classes->nelts; i++) {
        class_t *one = &APR_ARRAY_IDX(at.classes, i, class_t);

        CM_TRY(make_or_change(&at, one, last + 1));
        last = one->number;
        CM_TRY(number_columns(&at, one));
    }
    if (at.is_old)
        CM_TRY(move_old(&at));
    return show_all(&at);
}
