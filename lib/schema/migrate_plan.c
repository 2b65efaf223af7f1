/* Which of Communicator's tables a database has, and which steps of a migration
 * it needs. */
#include "schema/migrate_internal.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "store/dialect.h"
#include "store/sql.h"

int cm_migrate_plan_version_of(const char *file)
{
    return apr_isdigit(*file) ? (int)apr_atoi64(file) : 0;
}

const char *cm_migrate_plan_sql(const cm_store_t *store, const char *name,
                                apr_pool_t *pool)
{
    return cm_sql_section(cm_dialect_of_store(store)->driver, "schema.sql",
                          name, pool);
}

/* Find out (section KIND of schema.sql) whether THING exists:
 * "outbound_messages", "outbound_messages.seq". */
static cm_error_t *exists(int *there, cm_store_t *store, const char *kind,
                          const char *thing, apr_pool_t *scratch_pool)
{
    const char *dot = strchr(thing, '.');
    cm_datum_t arguments[2];
    cm_rows_t *rows;

    arguments[0] = cm_datum_text(
        dot ? apr_pstrmemdup(scratch_pool, thing, dot - thing) : thing);
    arguments[1] = cm_datum_text(dot ? dot + 1 : NULL);
    CM_TRY(cm_statement_select(&rows, store,
                               cm_migrate_plan_sql(store, kind, scratch_pool),
                               arguments, dot ? 2 : 1, scratch_pool));
    *there = rows->count > 0;
    return NULL;
}

/* Find out whether CONDITION holds: "when column outbound_messages.seq". */
static cm_error_t *holds(int *result, cm_store_t *store, const char *condition,
                         apr_pool_t *scratch_pool)
{
    const char *word, *kind, *thing;
    char *state, *text = apr_pstrdup(scratch_pool, condition);

    word = apr_strtok(text, " ", &state);
    kind = apr_strtok(NULL, " ", &state);
    thing = apr_strtok(NULL, " ", &state);
    CM_TRY(exists(result, store, kind, thing, scratch_pool));
    if (!strcmp(word, "unless"))
        *result = !*result;
    return NULL;
}

int cm_migrate_plan_known(const cm_store_t *store)
{
    const char *driver = cm_dialect_of_store(store)->driver;
    const cm_sql_file_t *file;
    int known = 0;

    for (file = cm_sql_files; file->driver; file++)
        if (!strcmp(file->driver, driver) &&
            cm_migrate_plan_version_of(file->name) > known)
            known = cm_migrate_plan_version_of(file->name);
    return known;
}

cm_error_t *cm_migrate_plan_version(int *present, int *known, cm_store_t *store,
                                    apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;
    int there;

    *known = cm_migrate_plan_known(store);
    *present = 0;
    CM_TRY(exists(&there, store, "table", "communicator_schema", scratch_pool));
    if (!there)
        return NULL;
    CM_TRY(cm_statement_select(&rows, store,
                               "SELECT max(version) FROM communicator_schema",
                               NULL, 0, scratch_pool));
    *present = (int)cm_cell_number(rows, 0, 0);
    return NULL;
}

cm_error_t *cm_migrate_plan(apr_array_header_t **steps, cm_store_t *store,
                            const char *file, apr_pool_t *pool)
{
    const char *driver = cm_dialect_of_store(store)->driver;
    apr_array_header_t *sections = cm_sql_sections(driver, file, pool);
    int i, j, needed;

    *steps = apr_array_make(pool, sections->nelts, sizeof(cm_sql_section_t));
    for (i = 0; i < sections->nelts; i++) {
        const cm_sql_section_t *section =
            &APR_ARRAY_IDX(sections, i, cm_sql_section_t);

        needed = 1;
        for (j = 0; j < section->conditions->nelts && needed; j++)
            CM_TRY(holds(&needed, store,
                         APR_ARRAY_IDX(section->conditions, j, const char *),
                         pool));
        if (needed)
            APR_ARRAY_PUSH(*steps, cm_sql_section_t) = *section;
    }
    return NULL;
}
