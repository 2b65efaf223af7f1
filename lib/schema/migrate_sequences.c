/* Sequences that are behind: they were when rows came by a dump or by logical
 * replication, or while the login could not move them. */
#include "schema/migrate_internal.h"

#include <apr_strings.h>

#include "schema/sequence.h"

static cm_error_t *set(cm_migration_t *migration, const cm_behind_t *behind)
{
    const cm_sequence_t *sequence = &behind->sequence;
    apr_pool_t *pool = migration->pool;
    const char *sql = apr_psprintf(
        pool, "SELECT setval(CAST(%s AS regclass), %" APR_INT64_T_FMT ")",
        cm_store_literal(migration->store, sequence->name, pool),
        behind->highest);
    int refused;

    if (sequence->may_set)
        cm_migrate_report(
            migration,
            apr_psprintf(pool,
                         "sets the sequence '%s' to the highest '%s', "
                         "%" APR_INT64_T_FMT,
                         sequence->name, sequence->column, behind->highest),
            sql);
    if (sequence->may_set && !migration->dry_run)
        CM_TRY(cm_sequence_follow(&refused, migration->store, sequence,
                                  behind->highest, pool));
    if (!sequence->may_set)
        cm_migrate_report(
            migration,
            apr_pstrcat(pool, "warning: ", cm_sequence_text(behind, pool), "; ",
                        cm_sequence_remedy(sequence, pool), NULL),
            NULL);
    return NULL;
}

cm_error_t *cm_migrate_sequences(cm_migration_t *migration, int i)
{
    const cm_table_t *table =
        APR_ARRAY_IDX(migration->all, i, const cm_table_t *);
    apr_pool_t *pool = migration->pool;
    apr_array_header_t *list;
    int j;

    if (!table)
        return NULL;
    CM_TRY(cm_sequence_behind(&list, migration->store, table, pool));
    for (j = 0; j < list->nelts; j++)
        CM_TRY(set(migration, &APR_ARRAY_IDX(list, j, cm_behind_t)));
    return NULL;
}
