/* All tables of the application's database: see catalog.h. */
#include "schema/catalog.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "schema/types.h"

typedef struct reading_t {
    cm_store_t *store;
    cm_catalog_t *catalog;
    apr_hash_t *by_name; /* name -> cm_catalog_table_t * */
    apr_pool_t *pool;
} reading_t;

/* Return "schema.table", or "table" if the schema, a cell before it, is NULL.
 */
static const char *full_name(const cm_rows_t *rows, int row, int cell,
                             apr_pool_t *pool)
{
    const char *schema = cm_cell_text(rows, row, cell);
    const char *name = cm_cell_text(rows, row, cell + 1);

    return schema ? apr_pstrcat(pool, schema, ".", name, NULL) : name;
}

static cm_error_t *ask(cm_rows_t **rows, const reading_t *reading,
                       const char *section)
{
    return cm_statement_section(rows, reading->store, "tables.sql", section,
                                NULL, 0, reading->pool);
}

/* Return the table that ROW is about, or NULL: it is not listed. */
static cm_catalog_table_t *table_of(const reading_t *reading,
                                    const cm_rows_t *rows, int row)
{
    return apr_hash_get(reading->by_name,
                        full_name(rows, row, 0, reading->pool),
                        APR_HASH_KEY_STRING);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(cm_catalog_table_t *const *)a)->name,
                  (*(cm_catalog_table_t *const *)b)->name);
}

static cm_error_t *read_tables(reading_t *reading)
{
    apr_array_header_t *tables = reading->catalog->tables;
    apr_pool_t *pool = reading->pool;
    cm_rows_t *rows;
    int i;

    CM_TRY(ask(&rows, reading, "tables"));
    for (i = 0; i < rows->count; i++) {
        cm_catalog_table_t *table = apr_pcalloc(pool, sizeof(*table));
        const char *schema = cm_cell_text(rows, i, 0);

        table->name = full_name(rows, i, 0, pool);
        table->kind = cm_cell_text(rows, i, 2);
        table->detail = cm_cell_text(rows, i, 3);
        table->writable = !strchr(cm_cell_text(rows, i, 1), '.') &&
                          (!schema || !strchr(schema, '.'));
        table->columns = apr_array_make(pool, 8, sizeof(cm_catalog_column_t));
        table->uniques = apr_array_make(pool, 2, sizeof(cm_catalog_unique_t));
        table->foreign = apr_array_make(pool, 2, sizeof(cm_catalog_foreign_t));
        table->hazards = apr_array_make(pool, 2, sizeof(cm_catalog_hazard_t));
        APR_ARRAY_PUSH(tables, cm_catalog_table_t *) = table;
        apr_hash_set(reading->by_name, table->name, APR_HASH_KEY_STRING, table);
    }
    qsort(tables->elts, tables->nelts, tables->elt_size, by_name);
    return NULL;
}

static cm_error_t *read_columns(reading_t *reading)
{
    const cm_types_t *types = cm_types_of(cm_dialect_of_store(reading->store));
    cm_rows_t *rows;
    int i;

    CM_TRY(ask(&rows, reading, "columns"));
    for (i = 0; i < rows->count; i++) {
        cm_catalog_table_t *table = table_of(reading, rows, i);
        cm_column_t column = {.type = cm_cell_text(rows, i, 3)};

        if (!table)
            continue;
        cm_types_classify(&column, cm_cell_text(rows, i, 4), types);
        APR_ARRAY_PUSH(table->columns, cm_catalog_column_t) =
            (cm_catalog_column_t){
                .name = cm_cell_text(rows, i, 2),
                .type = cm_cell_text(rows, i, 3),
                .value_class = column.value_class,
                .nullable = cm_cell_number(rows, i, 5) != 0,
                .zero = cm_cell_number(rows, i, 6) != 0,
                .given = cm_cell_number(rows, i, 7) != 0,
                .generated = cm_cell_number(rows, i, 8) != 0,
            };
    }
    return NULL;
}

static cm_error_t *read_uniques(reading_t *reading)
{
    cm_catalog_unique_t *unique = NULL;
    cm_catalog_table_t *last = NULL;
    cm_rows_t *rows;
    int i;

    CM_TRY(ask(&rows, reading, "unique"));
    for (i = 0; i < rows->count; i++) {
        cm_catalog_table_t *table = table_of(reading, rows, i);
        const char *name = cm_cell_text(rows, i, 2);

        if (!table)
            continue;
        if (table != last || strcmp(unique->name, name)) {
            unique = apr_array_push(table->uniques);
            unique->name = name;
            unique->primary = cm_cell_number(rows, i, 3) != 0;
            unique->columns =
                apr_array_make(reading->pool, 2, sizeof(const char *));
            last = table;
        }
        APR_ARRAY_PUSH(unique->columns, const char *) =
            cm_cell_text(rows, i, 4);
    }
    return NULL;
}

/* Return NAME as its table or column has it, where case does not matter. */
static const char *known_column(const cm_catalog_table_t *table,
                                const char *name)
{
    const cm_catalog_column_t *column =
        table && name ? cm_catalog_column(table, name) : NULL;

    return column ? column->name : name;
}

static cm_error_t *read_foreign(reading_t *reading)
{
    cm_catalog_foreign_t *foreign = NULL;
    cm_catalog_table_t *last = NULL;
    apr_pool_t *pool = reading->pool;
    cm_rows_t *rows;
    int i;

    CM_TRY(ask(&rows, reading, "foreign"));
    for (i = 0; i < rows->count; i++) {
        cm_catalog_table_t *table = table_of(reading, rows, i);
        const char *name = cm_cell_text(rows, i, 2);
        const char *parent = full_name(rows, i, 4, pool);
        const cm_catalog_table_t *found =
            cm_catalog_table(reading->catalog, parent);

        if (!table)
            continue;
        if (table != last || strcmp(foreign->name, name)) {
            foreign = apr_array_push(table->foreign);
            foreign->name = name;
            foreign->parent = found ? found->name : parent;
            foreign->columns = apr_array_make(pool, 1, sizeof(const char *));
            foreign->those = apr_array_make(pool, 1, sizeof(const char *));
            foreign->refuses = cm_cell_number(rows, i, 7) != 0;
            last = table;
        }
        APR_ARRAY_PUSH(foreign->columns, const char *) =
            known_column(table, cm_cell_text(rows, i, 3));
        APR_ARRAY_PUSH(foreign->those, const char *) =
            known_column(found, cm_cell_text(rows, i, 6));
    }
    return NULL;
}

/* Name the columns of the parent where a foreign key does not. */
static void complete_foreign(const cm_catalog_t *catalog,
                             const cm_catalog_foreign_t *foreign)
{
    const cm_catalog_table_t *parent =
        cm_catalog_table(catalog, foreign->parent);
    const cm_catalog_unique_t *key = parent ? cm_catalog_primary(parent) : NULL;
    int i;

    for (i = 0; key && i < foreign->those->nelts; i++)
        if (!APR_ARRAY_IDX(foreign->those, i, const char *) &&
            i < key->columns->nelts)
            APR_ARRAY_IDX(foreign->those, i, const char *) =
                APR_ARRAY_IDX(key->columns, i, const char *);
}

cm_error_t *cm_catalog_read(cm_catalog_t **catalog, cm_store_t *store,
                            apr_pool_t *pool)
{
    reading_t reading = {.store = store, .pool = pool};
    int i, j;

    *catalog = apr_pcalloc(pool, sizeof(**catalog));
    (*catalog)->tables = apr_array_make(pool, 64, sizeof(cm_catalog_table_t *));
    reading.catalog = *catalog;
    reading.by_name = apr_hash_make(pool);
    CM_TRY(read_tables(&reading));
    CM_TRY(read_columns(&reading));
    CM_TRY(read_uniques(&reading));
    CM_TRY(read_foreign(&reading));
    for (i = 0; i < (*catalog)->tables->nelts; i++) {
        const cm_catalog_table_t *table =
            APR_ARRAY_IDX((*catalog)->tables, i, cm_catalog_table_t *);

        for (j = 0; j < table->foreign->nelts; j++)
            complete_foreign(*catalog, &APR_ARRAY_IDX(table->foreign, j,
                                                      cm_catalog_foreign_t));
    }
    return NULL;
}

cm_error_t *cm_catalog_read_hazards(const cm_catalog_t *catalog,
                                    cm_store_t *store, apr_pool_t *pool)
{
    static const char *const kinds[] = {[CM_HAZARD_TRIGGER] = "trigger",
                                        [CM_HAZARD_SECURITY] = "row security",
                                        [CM_HAZARD_SUBSCRIPTION] =
                                            "subscription",
                                        [CM_HAZARD_DEFINER] = "definer",
                                        [CM_HAZARD_DEFERRABLE] = "deferrable",
                                        [CM_HAZARD_INCREMENT] = "increment",
                                        [CM_HAZARD_ON_UPDATE] = "on update"};
    cm_rows_t *rows;
    int i, kind;

    CM_TRY(cm_statement_section(&rows, store, "tables.sql", "hazards", NULL, 0,
                                pool));
    for (i = 0; i < rows->count; i++) {
        const cm_catalog_table_t *table =
            cm_catalog_table(catalog, full_name(rows, i, 0, pool));

        for (kind = 0; strcmp(kinds[kind], cm_cell_text(rows, i, 2)); kind++)
            ;
        if (table)
            APR_ARRAY_PUSH(table->hazards, cm_catalog_hazard_t) =
                (cm_catalog_hazard_t){.kind = kind,
                                      .name = cm_cell_text(rows, i, 3),
                                      .body = cm_cell_text(rows, i, 4)};
    }
    return NULL;
}

const cm_catalog_table_t *cm_catalog_table(const cm_catalog_t *catalog,
                                           const char *name)
{
    const cm_catalog_table_t *alike = NULL;
    int i;

    for (i = 0; i < catalog->tables->nelts; i++) {
        const cm_catalog_table_t *table =
            APR_ARRAY_IDX(catalog->tables, i, cm_catalog_table_t *);

        if (!strcmp(table->name, name))
            return table;
        if (!strcasecmp(table->name, name))
            alike = table;
    }
    return alike;
}

const cm_catalog_column_t *cm_catalog_column(const cm_catalog_table_t *table,
                                             const char *name)
{
    const cm_catalog_column_t *alike = NULL;
    int i;

    for (i = 0; i < table->columns->nelts; i++) {
        const cm_catalog_column_t *column =
            &APR_ARRAY_IDX(table->columns, i, cm_catalog_column_t);

        if (!strcmp(column->name, name))
            return column;
        if (!strcasecmp(column->name, name))
            alike = column;
    }
    return alike;
}

const cm_catalog_unique_t *cm_catalog_primary(const cm_catalog_table_t *table)
{
    int i;

    for (i = 0; i < table->uniques->nelts; i++) {
        const cm_catalog_unique_t *unique =
            &APR_ARRAY_IDX(table->uniques, i, cm_catalog_unique_t);

        if (unique->primary)
            return unique;
    }
    return NULL;
}

int cm_catalog_is_own(const cm_catalog_table_t *table)
{
    const char *dot = strrchr(table->name, '.');
    const char *name = dot ? dot + 1 : table->name;

    return !strncmp(name, "communicator_", strlen("communicator_")) ||
           !strcmp(name, "outbound_messages") ||
           !strcmp(name, "inbound_messages");
}
