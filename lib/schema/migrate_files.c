/* The numbered files of migrations, sql/DRIVER/NNN-*.sql: which of their steps
 * this database needs, and doing them. */
#include "schema/migrate_internal.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "store/sql.h"
#include "schema/records.h"

/* Return the version in the name of a migration, "001-create.sql"; 0: FILE is
 * not a migration. */
static int version_of(const char *file)
{
    return apr_isdigit(*file) ? (int)apr_atoi64(file) : 0;
}

int cm_migrate_files_known(const cm_store_t *store)
{
    const char *driver = cm_dialect_of_store(store)->driver;
    const cm_sql_file_t *file;
    int known = 0;

    for (file = cm_sql_files; file->driver; file++)
        if (!strcmp(file->driver, driver) && version_of(file->name) > known)
            known = version_of(file->name);
    return known;
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
    CM_TRY(cm_statement_section(&rows, store, "schema.sql", kind, arguments,
                                dot ? 2 : 1, scratch_pool));
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

/* The condition of a step that waits for all triggers to be renewed: until then
 * they work as an earlier version made them. */
#define RENEWED "when triggers renewed"

/* Return whether SECTION waits for the triggers. */
static int is_late(const cm_sql_section_t *section)
{
    return section->conditions->nelts &&
           !strcmp(APR_ARRAY_IDX(section->conditions, 0, const char *),
                   RENEWED);
}

/* Find the sections (cm_sql_section_t) of FILE whose conditions hold before any
 * is run, so that a real run does what a dry run says: those that wait for the
 * triggers when they are renewed, before that the others. */
static cm_error_t *plan(apr_array_header_t **steps, cm_migration_t *migration,
                        const char *file, apr_pool_t *pool)
{
    const char *driver = cm_dialect_of_store(migration->store)->driver;
    apr_array_header_t *sections = cm_sql_sections(driver, file, pool);
    int i, j, needed;

    *steps = apr_array_make(pool, sections->nelts, sizeof(cm_sql_section_t));
    for (i = 0; i < sections->nelts; i++) {
        const cm_sql_section_t *section =
            &APR_ARRAY_IDX(sections, i, cm_sql_section_t);

        needed = is_late(section) == migration->renewed;
        for (j = is_late(section); j < section->conditions->nelts && needed;
             j++)
            CM_TRY(holds(&needed, migration->store,
                         APR_ARRAY_IDX(section->conditions, j, const char *),
                         pool));
        if (needed)
            APR_ARRAY_PUSH(*steps, cm_sql_section_t) = *section;
    }
    return NULL;
}

/* Return whether a step of FILE waits for the triggers. */
static int has_late_step(const cm_migration_t *migration, const char *file)
{
    apr_array_header_t *sections = cm_sql_sections(
        cm_dialect_of_store(migration->store)->driver, file, migration->pool);
    int i;

    for (i = 0; i < sections->nelts; i++)
        if (is_late(&APR_ARRAY_IDX(sections, i, cm_sql_section_t)))
            return 1;
    return 0;
}

/* Note that FILE is done. */
static cm_error_t *note_version(cm_migration_t *migration, const char *file)
{
    apr_pool_t *pool = migration->pool;

    cm_migrate_set(migration, "version", apr_itoa(pool, version_of(file)));
    cm_migrate_set(migration, "name",
                   cm_store_literal(migration->store, file, pool));
    cm_migrate_set(
        migration, "now",
        apr_psprintf(pool, "%" APR_INT64_T_FMT, (apr_int64_t)cm_clock_now()));
    return cm_migrate_section(
        migration, "notes that the tables have version {version}", "record");
}

static cm_error_t *run_file(cm_migration_t *migration, const char *file)
{
    apr_array_header_t *steps;
    int i;

    CM_TRY(plan(&steps, migration, file, migration->pool));
    for (i = 0; i < steps->nelts; i++)
        CM_TRY(cm_migrate_sql(migration,
                              APR_ARRAY_IDX(steps, i, cm_sql_section_t).what,
                              APR_ARRAY_IDX(steps, i, cm_sql_section_t).text));
    if (version_of(file) == CM_RECORDS_VERSION && !migration->renewed)
        CM_TRY(cm_migrate_records(migration));
    return NULL;
}

cm_error_t *cm_migrate_files_run(cm_migration_t *migration, int *present)
{
    const char *driver = cm_dialect_of_store(migration->store)->driver;
    const int before = *present;
    const cm_sql_file_t *file;
    int waits = 0;

    for (file = cm_sql_files; file->driver; file++) {
        if (strcmp(file->driver, driver) || version_of(file->name) <= before)
            continue;
        CM_TRY(run_file(migration, file->name));
        waits |= !migration->renewed && has_late_step(migration, file->name);
        if (waits)
            continue;
        CM_TRY(note_version(migration, file->name));
        *present = version_of(file->name);
    }
    return NULL;
}
