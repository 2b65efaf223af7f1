/* What a gem did not know. Its messages have neither clocks nor a base, and
 * bring the whole record. What was changed here by a message that the gem did
 * not have when it wrote its own must not get the gem's older value, and the
 * gem, which has got or will get our whole record, must get it once more. */
#include "apply/internal.h"

#include <apr_strings.h>

#include "outbox/overtaken.h"

static cm_error_t *read_clocks(cm_rows_t **rows, cm_run_t *run,
                               apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_number(run->apply.since, scratch_pool),
        cm_datum_text(run->peer)};

    return cm_statement_select(
        rows, run->node->store,
        "SELECT model, local_record_id, clock FROM outbound_messages"
        " WHERE seq >= %s AND (source IS NULL OR source <> %s)"
        " AND local_record_id IS NOT NULL"
        " AND (changed_columns IS NULL OR changed_columns <> '[]')",
        arguments, 2, scratch_pool);
}

cm_error_t *cm_concurrent_read(cm_run_t *run, apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;
    int i;

    if (!run->apply.since)
        return NULL;
    run->unknown = apr_hash_make(run->pool);
    CM_TRY_FOR(read_clocks(&rows, run, scratch_pool), scratch_pool,
               "cannot read what '%s' did not know", run->peer);
    for (i = 0; i < rows->count; i++) {
        const char *key = cm_overtaken_key(cm_cell_text(rows, i, 0),
                                           cm_cell_text(rows, i, 1), run->pool);
        apr_hash_t *clocks =
            apr_hash_get(run->unknown, key, APR_HASH_KEY_STRING);

        if (!clocks) {
            clocks = apr_hash_make(run->pool);
            apr_hash_set(run->unknown, key, APR_HASH_KEY_STRING, clocks);
        }
        apr_hash_set(clocks, apr_pstrdup(run->pool, cm_cell_text(rows, i, 2)),
                     APR_HASH_KEY_STRING, "");
    }
    return NULL;
}

/* Return the clocks of what the gem did not know of RECORD; NULL: it knew all.
 */
static apr_hash_t *clocks_of(const cm_run_t *run, const cm_record_t *record)
{
    if (!run->unknown || !apr_hash_count(run->unknown) || !record->here->exists)
        return NULL;
    return apr_hash_get(run->unknown,
                        cm_overtaken_key(record->table->model->name,
                                         record->here->local_id, run->pool),
                        APR_HASH_KEY_STRING);
}

int cm_concurrent_is_unknown(const cm_run_t *run, const cm_record_t *record,
                             apr_int64_t clock)
{
    apr_hash_t *clocks = clocks_of(run, record);

    return clocks &&
           apr_hash_get(clocks,
                        apr_psprintf(run->pool, "%" APR_INT64_T_FMT, clock),
                        APR_HASH_KEY_STRING);
}

void cm_concurrent_tell(cm_run_t *run, const cm_record_t *record)
{
    if (record->tasks->nelts &&
        CM_NTH(record->tasks, 0, cm_task_t)->message->from_gem &&
        clocks_of(run, record))
        cm_forward_state(run, record);
}
