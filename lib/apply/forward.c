/* What this node sends because of the messages that it applied. A hub forwards
 * them to its other peers, and what a peer has lost goes back to it. Where
 * conflict=NODE or a person let an older value win, that value is published
 * again to all. */
#include "apply/match_internal.h"
#include "apply/sender_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "store/dialect.h"
#include "record/keys.h"
#include "outbox/aliases.h"
#include "outbox/append.h"
#include "outbox/overtaken.h"

/* A record that has aliases (match=) is sent under its main identity, which the
 * other peers have received from here. */
static void rename_references(cm_run_t *run, cm_message_t *message)
{
    int i;

    for (i = 0; message->attributes && i < message->attributes->nelts; i++) {
        cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);
        const cm_entry_t *parent = cm_directory_parent(run, attribute);

        if (parent)
            attribute->reference = parent->identity;
    }
}

/* Return whether the peer that has sent the message of TASK has lost it. */
static int is_lost(const cm_run_t *run, const cm_task_t *task)
{
    return task->message->id <= run->apply.lost;
}

/* Let the base of MESSAGE name the columns that it changed, even if one clock
 * would do: then other nodes merge it, as we did. It may bring what an earlier
 * message, which did not come here, had changed (apply/fast.c). */
static void spread_base(cm_message_t *message, apr_pool_t *pool)
{
    int i;

    if (!message->has_base || message->action != CM_UPDATE ||
        (message->base.older && apr_hash_count(message->base.older)))
        return;
    message->base.older = apr_hash_make(pool);
    for (i = 0; i < message->attributes->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(message->attributes, i, cm_attribute_t).name;

        if (cm_sender_changed(message, name))
            apr_hash_set(message->base.older, name, APR_HASH_KEY_STRING,
                         &message->base.clock);
    }
}

static void add_forward(cm_run_t *run, cm_bulk_t *list, cm_task_t *task,
                        apr_int64_t seq, apr_pool_t *pool)
{
    cm_message_t *message = task->message;
    const char *here = run->node->settings->name;
    const cm_entry_t *entry = task->record->entry;

    if (message->from_gem)
        message->has_base = 1;
    if (!task->record->fast)
        spread_base(message, run->pool);
    rename_references(run, message);
    if (task->counterpart)
        message->counterpart = cm_directory_main(task->counterpart)->identity;
    cm_append_add(list, &(cm_append_t){
                            .seq = seq,
                            .model = message->model,
                            .local_id = entry->found->local_id,
                            .action = message->action,
                            .body = {message->body, message->body_size, 0},
                            .clock = message->clocks.clock,
                            .clocks = cm_clocks_list(&message->clocks, pool),
                            .base = cm_message_write_base(message, pool),
                            .refs = cm_message_write_refs(message, pool),
                            .identity = entry->identity,
                            .source = is_lost(run, task) ? here : run->peer,
                        });
}

void cm_forward_state(cm_run_t *run, const cm_record_t *record)
{
    int i;

    for (i = 0; i < run->republish->nelts; i++)
        if (APR_ARRAY_IDX(run->republish, i, cm_republish_t).record == record)
            return;
    APR_ARRAY_PUSH(run->republish, cm_republish_t) =
        (cm_republish_t){.record = record, .captured = 1, .changed = "[]"};
}

/* Queue the messages that have changed records, and that somebody lacks; *SEQ
 * is the last number. With match= others look for the values of a new record,
 * so they must not get any for which we have not looked. */
static cm_error_t *forward(apr_int64_t *seq, cm_run_t *run,
                           apr_pool_t *scratch_pool)
{
    const int is_hub = run->node->settings->peers->nelts > 1;
    cm_bulk_t *list = cm_append_create(scratch_pool);
    int i;

    for (i = 0; i < run->tasks->nelts; i++) {
        cm_task_t *task = CM_NTH(run->tasks, i, cm_task_t);

        if (!task->done || !task->changed || (!is_hub && !is_lost(run, task)) ||
            cm_match_is_passed(run, task))
            continue;
        if (task->message->recast)
            cm_forward_state(run, task->record);
        else
            add_forward(run, list, task, ++*seq, scratch_pool);
    }
    return cm_append_write(NULL, run->node, list, scratch_pool);
}

cm_error_t *cm_forward_messages(cm_run_t *run, apr_pool_t *scratch_pool)
{
    const int is_hub = run->node->settings->peers->nelts > 1;
    /* the tasks are in the order of their messages */
    const int lost =
        run->tasks->nelts && is_lost(run, CM_NTH(run->tasks, 0, cm_task_t));
    apr_int64_t seq, before;

    if (!is_hub && !lost && !run->burials->nelts)
        return NULL;
    CM_TRY(cm_node_lock(&seq, run->node, scratch_pool));
    before = seq;
    if (is_hub || lost)
        CM_TRY(forward(&seq, run, scratch_pool));
    CM_TRY(cm_aliases_bury(&seq, run->node, run->burials, scratch_pool));
    return seq > before ? cm_node_set_last_seq(run->node, seq, scratch_pool)
                        : NULL;
}

/* Return the names of the columns as a JSON array; NULL: all. */
static const char *changed_text(const cm_republish_t *republish,
                                apr_pool_t *pool)
{
    cm_buffer_t *json = cm_buffer_create(64, pool);
    int i;

    if (republish->revived)
        return NULL;
    cm_json_write_open(json, NULL, '[');
    for (i = 0; i < republish->columns->nelts; i++) {
        int column = APR_ARRAY_IDX(republish->columns, i, cm_decided_t).column;

        cm_json_write_text(json, NULL,
                           republish->record->table->columns[column].name);
    }
    cm_buffer_append(json, "]", 2);
    return json->data;
}

/* Return NAMES (const char *) as a JSON array. */
static const char *names_text(const apr_array_header_t *names, apr_pool_t *pool)
{
    cm_buffer_t *json = cm_buffer_create(64, pool);
    int i;

    cm_json_write_open(json, NULL, '[');
    for (i = 0; i < names->nelts; i++)
        cm_json_write_text(json, NULL, APR_ARRAY_IDX(names, i, const char *));
    cm_buffer_append(json, "]", 2);
    return json->data;
}

/* Return what was known of the peer's values when these columns were decided:
 * column -> clock. The stamp makes it a part of the base. */
static const char *seen_text(const cm_republish_t *republish, apr_pool_t *pool)
{
    const apr_array_header_t *columns = republish->columns;
    cm_clocks_t seen = {.clock = 0};
    int i;

    for (i = 0; !republish->revived && i < columns->nelts; i++) {
        cm_decided_t decided = APR_ARRAY_IDX(columns, i, cm_decided_t);

        cm_clocks_set(&seen,
                      republish->record->table->columns[decided.column].name,
                      decided.seen, pool);
    }
    return cm_clocks_text(&seen, pool);
}

/* Return whether the row of REPUBLISH has to be read: a record that is deleted
 * has none, and what is not published needs none. */
static int needs_row(const cm_republish_t *republish)
{
    const cm_record_t *record = republish->record;

    return record->table->model->publishes && !republish->orphan &&
           record->here->local_id;
}

/* Lock and read the rows that are published again. *ALL: as of cm_lock_keys(),
 * the keys with const cm_datum_t **, the raw rows; NULL: it is gone. */
static cm_error_t *read_rows(apr_hash_t **all, cm_run_t *run, apr_pool_t *pool)
{
    apr_hash_index_t *index;
    int i;

    *all = apr_hash_make(pool);
    for (i = 0; i < run->republish->nelts; i++) {
        const cm_republish_t *republish =
            &APR_ARRAY_IDX(run->republish, i, cm_republish_t);
        const cm_record_t *record = republish->record;

        if (needs_row(republish))
            (void)cm_keys_add(
                cm_lock_keys(*all, run->node->store, record->table, pool),
                record->here->local_id,
                apr_pcalloc(pool, sizeof(const cm_datum_t *)), 0);
    }
    for (index = apr_hash_first(pool, *all); index;
         index = apr_hash_next(index)) {
        const cm_keys_t *keys = apr_hash_this_val(index);
        cm_rows_t *rows;

        CM_TRY(cm_keys_select(&rows, keys, keys->table->capture, 1, pool));
        for (i = 0; i < rows->count; i++) {
            const cm_datum_t **raw =
                cm_keys_find(keys, cm_cell_text(rows, i, 0));

            if (raw)
                *raw = cm_cell(rows, i, 1);
        }
    }
    return NULL;
}

/* Return what the trigger would write for the row of REPUBLISH, one of ALL. */
static cm_datum_t raw_body(const cm_republish_t *republish, apr_hash_t *all,
                           apr_pool_t *pool)
{
    const cm_record_t *record = republish->record;
    const char *name = record->table->model->name;
    const cm_keys_t *keys = apr_hash_get(all, name, APR_HASH_KEY_STRING);
    const cm_datum_t **raw = needs_row(republish)
                                 ? cm_keys_find(keys, record->here->local_id)
                                 : NULL;
    cm_buffer_t *json;

    if (!raw || !*raw)
        return cm_datum_text(NULL);
    json = cm_buffer_create(256, pool);
    cm_json_write_open(json, NULL, '{');
    if ((*raw)->data)
        cm_json_write_raw(json, name, (*raw)->data, (*raw)->size);
    else /* too large: it is read when it is sent */
        cm_json_write_truth(json, name, 1);
    cm_buffer_append(json, "}", 2);
    return (cm_datum_t){json->data, json->size - 1, 0};
}

/* What is published again. */
typedef struct publishing_t {
    const cm_run_t *run;
    apr_hash_t *rows; /* of read_rows() */
    cm_bulk_t *list;
    apr_array_header_t *settled; /* cm_settled_t */
    apr_int64_t last;            /* the clock of the last decision */
} publishing_t;

/* Return the clock that a decision about RECORD gets when it has a number: it
 * is the next change of it. */
static apr_int64_t next_clock(publishing_t *publishing,
                              const cm_record_t *record)
{
    const apr_int64_t now = cm_clock_now(), here = record->here->state->clock;

    if (publishing->last <= here)
        publishing->last = here + 1;
    else
        publishing->last++;
    if (publishing->last < now)
        publishing->last = now;
    return publishing->last;
}

/* Make MESSAGE say what was decided, and remember that. */
static void add_decided(publishing_t *publishing, cm_append_t *message,
                        const cm_republish_t *republish, apr_pool_t *pool)
{
    message->changed = changed_text(republish, pool);
    message->base = seen_text(republish, pool);
    if (republish->revived)
        return;
    message->clock = next_clock(publishing, republish->record);
    cm_decided_settle(publishing->settled, publishing->run, republish->record,
                      republish->columns, message->clock);
}

/* Add the message of REPUBLISH to the list; none if its row is gone, or if its
 * model is not published here. */
static void add_republished(publishing_t *publishing,
                            const cm_republish_t *republish, apr_pool_t *pool)
{
    const cm_record_t *record = republish->record;
    cm_append_t message = {
        .model = record->table->model->name,
        .local_id = record->here->local_id,
        .action = republish->revived ? CM_CREATE : CM_UPDATE,
        .clock = cm_clock_now(),
    };

    if (!record->table->model->publishes) {
        if (republish->columns && !republish->orphan && !republish->revived)
            cm_decided_settle(publishing->settled, publishing->run, record,
                              republish->columns, 0);
        return;
    }
    if (republish->orphan) {
        /* as a state, because its mapping has the clock already */
        message = cm_append_delete(record->table->model,
                                   record->entry->identity, pool);
    }
    else {
        message.body = raw_body(republish, publishing->rows, pool);
        if (!message.body.data)
            return;
        message.changed = republish->changed;
        if (republish->renewed) {
            message.changed = names_text(republish->renewed, pool);
            message.clock = 0; /* so only these columns move */
        }
        else if (!republish->captured)
            add_decided(publishing, &message, republish, pool);
    }
    cm_append_add(publishing->list, &message);
}

/* Return whether writing records of this run may have changed other rows. */
static int has_consequences(const cm_run_t *run)
{
    int i;

    for (i = 0; i < run->records->nelts; i++)
        if (CM_NTH(run->records, i, cm_record_t)->table->own_triggers)
            return 1;
    return run->graves->nelts > 0 || run->moved;
}

/* Return the records of this run that are here, for cm_overtaken_delete(). */
static apr_hash_t *records_here(const cm_run_t *run, apr_pool_t *pool)
{
    apr_hash_t *records = apr_hash_make(pool);
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->here && record->here->exists)
            apr_hash_set(records,
                         cm_overtaken_key(record->table->model->name,
                                          record->here->local_id, pool),
                         APR_HASH_KEY_STRING, record);
    }
    return records;
}

/* Return the records that this run has inserted: others can use their keys,
 * too, even where the database gives them. None where nobody else writes now.
 */
static apr_hash_t *keys_brought(const cm_run_t *run, apr_pool_t *pool)
{
    apr_hash_t *keys = apr_hash_make(pool);
    int i;

    if (cm_dialect_of_store(run->node->store)->one_writer)
        return keys;
    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        const cm_model_t *model = record->table->model;

        if ((!record->row->raw || record->renamed) && !record->fast &&
            record->here && record->here->exists)
            apr_hash_set(
                keys,
                cm_overtaken_key(model->name, record->here->local_id, pool),
                APR_HASH_KEY_STRING, model->name);
    }
    return keys;
}

/* Return the record of UPDATE; of no message: the row that is there. */
static const cm_record_t *record_of(cm_run_t *run, const cm_overtaken_t *update)
{
    cm_record_t *record;
    cm_here_t *here;

    if (update->record)
        return update->record;
    record = apr_pcalloc(run->pool, sizeof(*record));
    here = apr_pcalloc(run->pool, sizeof(*here));
    here->exists = 1;
    here->local_id = update->local_id;
    record->table = update->model;
    record->here = here;
    return record;
}

cm_error_t *cm_forward_overtaken(cm_run_t *run, apr_pool_t *scratch_pool)
{
    const cm_overtaking_t by = {run->graves, records_here(run, scratch_pool),
                                run->referring,
                                keys_brought(run, scratch_pool)};
    apr_array_header_t *updates;
    int i;

    if (!has_consequences(run) && !apr_hash_count(by.created))
        return NULL;
    CM_TRY(
        cm_overtaken_delete(&updates, run->node, &by, run->pool, scratch_pool));
    for (i = 0; i < updates->nelts; i++) {
        const cm_overtaken_t *update =
            &APR_ARRAY_IDX(updates, i, cm_overtaken_t);

        APR_ARRAY_PUSH(run->republish, cm_republish_t) =
            (cm_republish_t){.record = record_of(run, update),
                             .captured = 1,
                             .changed = update->changed};
    }
    return NULL;
}

cm_error_t *cm_forward_republish(cm_run_t *run, apr_pool_t *scratch_pool)
{
    publishing_t publishing = {
        .run = run,
        .list = cm_append_create(scratch_pool),
        .settled = apr_array_make(scratch_pool, 1, sizeof(cm_settled_t))};
    int i;

    CM_TRY(read_rows(&publishing.rows, run, scratch_pool));
    for (i = 0; i < run->republish->nelts; i++)
        add_republished(&publishing,
                        &APR_ARRAY_IDX(run->republish, i, cm_republish_t),
                        scratch_pool);
    CM_TRY_FOR(cm_decisions_keep(run->node, publishing.settled, scratch_pool),
               scratch_pool, "cannot remember what was decided");
    return cm_append_write(NULL, run->node, publishing.list, scratch_pool);
}
