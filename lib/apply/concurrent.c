/* What a gem did not know. Its messages have neither clocks nor a base, and
 * bring the whole record. What was changed here by a message that the gem did
 * not have when it wrote its own must not get the gem's older value, and the
 * gem, which has got or will get our whole record, must get it once more. */
#include "apply/sender_internal.h"

#include <apr_strings.h>

#include "store/dialect.h"
#include "record/cast.h"
#include "outbox/overtaken.h"

/* The messages of so many records are looked for at a time. */
#define CHUNK 500

/* Return the keys of the rows that messages of this run are about: const char
 * *. */
static apr_array_header_t *keys_of(const cm_run_t *run, apr_pool_t *pool)
{
    apr_array_header_t *keys =
        apr_array_make(pool, run->records->nelts, sizeof(char *));
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_row_t *row = CM_NTH(run->records, i, cm_record_t)->row;

        if (row->local_id)
            APR_ARRAY_PUSH(keys, const char *) = row->local_id;
    }
    return keys;
}

/* Read what the gem did not know of COUNT of the rows with KEYS from FIRST on.
 * There may be far more of other rows: all that a first load has queued. */
static cm_error_t *read_clocks(cm_rows_t **rows, cm_run_t *run,
                               const apr_array_header_t *keys, int first,
                               int count, apr_pool_t *scratch_pool)
{
    apr_array_header_t *arguments =
        apr_array_make(scratch_pool, count + 2, sizeof(cm_datum_t));
    int i;

    APR_ARRAY_PUSH(arguments, cm_datum_t) =
        cm_datum_number(run->apply.since, scratch_pool);
    APR_ARRAY_PUSH(arguments, cm_datum_t) = cm_datum_text(run->peer);
    for (i = first; i < first + count; i++)
        APR_ARRAY_PUSH(arguments, cm_datum_t) =
            cm_datum_text(APR_ARRAY_IDX(keys, i, const char *));
    return cm_statement_select(
        rows, run->node->store,
        apr_pstrcat(scratch_pool,
                    "SELECT model, local_record_id, clock"
                    " FROM outbound_messages"
                    " WHERE seq >= %s AND (source IS NULL OR source <> %s)"
                    " AND (changed_columns IS NULL OR changed_columns <> '[]')"
                    " AND local_record_id IN (",
                    cm_dialect_repeat("%s", ", ", count, scratch_pool), ")",
                    NULL),
        (const cm_datum_t *)arguments->elts, arguments->nelts, scratch_pool);
}

/* Note the clocks of ROWS in RUN->unknown. */
static void note_clocks(cm_run_t *run, const cm_rows_t *rows)
{
    int i;

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
}

cm_error_t *cm_concurrent_read(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_array_header_t *keys;
    cm_rows_t *rows;
    int first, count;

    if (!run->apply.since)
        return NULL;
    run->unknown = apr_hash_make(run->pool);
    keys = keys_of(run, scratch_pool);
    for (first = 0; first < keys->nelts; first += count) {
        count = keys->nelts - first < CHUNK ? keys->nelts - first : CHUNK;
        CM_TRY_FOR(read_clocks(&rows, run, keys, first, count, scratch_pool),
                   scratch_pool, "cannot read what '%s' did not know",
                   run->peer);
        note_clocks(run, rows);
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

/* A gem brings the whole record. What was changed here and it did not know
 * stays, and the gem's value of it is kept as a conflict, unless that node is
 * to win. */
static void keep_unknown(cm_run_t *run, const cm_record_t *record,
                         const cm_task_t *task, cm_state_t *incoming)
{
    const cm_model_t *model = record->table->model;
    const int yields = model->conflict == CM_CONFLICT_NODE &&
                       !strcmp(model->conflict_node, run->peer);
    int i;

    for (i = 0; i < incoming->count; i++) {
        const cm_field_t *here = &record->effect->state->fields[i];
        cm_field_t *there = &incoming->fields[i];

        if (there->value.kind == CM_ABSENT || here->value.kind == CM_ABSENT ||
            !cm_concurrent_is_unknown(run, record, here->clock))
            continue;
        if (yields)
            cm_conflicts_note(run, record, task->message, i, here, there);
        else
            cm_conflicts_note(run, record, task->message, i, there, here);
        if (!yields)
            *there = (cm_field_t){.value = {.kind = CM_ABSENT}};
        task->message->recast |= !yields;
    }
}

void cm_concurrent_stamp(cm_run_t *run, const cm_record_t *record,
                         cm_task_t *task, cm_state_t *incoming)
{
    const cm_state_t *state = record->effect->state;
    cm_message_t *message = task->message;
    apr_int64_t clock = task->item->arrived;
    int i;

    if (!task->item->attempts && clock <= state->clock)
        clock = state->clock + 1;
    for (i = 0; i < incoming->count; i++) {
        if (!cm_cast_is_kept(&record->table->columns[i],
                             incoming->fields[i].value, state->fields[i].value,
                             run->pool))
            continue;
        message->recast |= cm_value_compare(incoming->fields[i].value,
                                            state->fields[i].value) != 0;
        incoming->fields[i].value = state->fields[i].value;
    }
    cm_state_stamp(incoming, state, clock);
    keep_unknown(run, record, task, incoming);
    if (!record->here->exists)
        incoming->clock = clock;
    message->clocks = (cm_clocks_t){.clock = clock};
    message->base = (cm_clocks_t){.clock = 0};
    for (i = 0; i < incoming->count; i++) {
        const int field = cm_merge_field_of(record->table, i);
        const cm_field_t *here = &state->fields[field];
        const char *name = record->table->columns[i].name;

        if (incoming->fields[field].value.kind != CM_ABSENT)
            cm_clocks_set(&message->base, name, here->clock, run->pool);
        else if (here->value.kind != CM_ABSENT)
            cm_clocks_set(&message->clocks, name, here->clock, run->pool);
    }
}
