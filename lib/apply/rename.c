/* A new record that continues another one, whose key its sender has changed:
 * the row is given its new key in place. So it keeps what is only here, and
 * foreign keys with ON UPDATE CASCADE keep what refers to it. For the merge,
 * and for every other node, the one record is deleted and the other is new.
 *
 * That is done only where the sender knew all that is here of the record, so
 * nothing can conflict. Else, and where the database refuses the new key, the
 * new record gets a row of its own, and the old one goes by its delete. */
#include "apply/heirs_internal.h"
#include "apply/sender_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "store/dialect.h"
#include "record/canonical.h"
#include "record/fit.h"
#include "record/keys.h"
#include "node/graves.h"
#include "outbox/aliases.h"
#include "outbox/missing.h"

/* Return whether MESSAGE changes a column that has changed here, too, since its
 * sender received it. MAPPING: of the record here. */
static int conflicts(const cm_message_t *message, const cm_mapping_t *mapping)
{
    int i;

    for (i = 0; message->has_base && i < message->attributes->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(message->attributes, i, cm_attribute_t).name;

        if (cm_sender_changed(message, name) &&
            cm_clocks_of(&mapping->clocks, name) >
                cm_sender_base(message, name))
            return 1;
    }
    return 0;
}

/* Return whether the sender of MESSAGE knew what is here of the record that it
 * continues, by its MAPPING, in all columns that it brings. The row keeps the
 * others. The base names the clocks of all columns, as in a delete. */
static int is_known(const cm_message_t *message, const cm_table_t *table,
                    const cm_mapping_t *mapping)
{
    int i;

    for (i = 0; i < message->attributes->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(message->attributes, i, cm_attribute_t).name;
        const apr_int64_t *base =
            message->base.older
                ? apr_hash_get(message->base.older, name, APR_HASH_KEY_STRING)
                : NULL;

        if (cm_table_settable(table, name) >= 0 &&
            cm_clocks_of(&mapping->clocks, name) >
                (base ? *base : message->base.clock))
            return 0;
    }
    return 1;
}

/* Return whether the messages about RECORD (NULL: none) that come with the one
 * that continues it leave nothing to be decided, so that they need not be
 * merged. */
static int are_plain(const cm_record_t *record, const cm_mapping_t *mapping)
{
    int i;

    for (i = record ? record->next : 0; record && i < record->tasks->nelts;
         i++) {
        const cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);

        if (task->fault || task->item->decision != CM_DECIDE_NOT ||
            cm_message_is_ahead(task->message, mapping->clocks.clock,
                                cm_clock_now()) ||
            (task->message->action == CM_UPDATE &&
             (task->message->from_gem || conflicts(task->message, mapping))))
            return 0;
    }
    return 1;
}

/* Return the mapping of the record that TASK continues, if its row may become
 * that of the new record; else NULL. */
static const cm_mapping_t *former_of(const cm_task_t *task)
{
    const cm_message_t *message = task->message;
    const cm_record_t *record = task->record;
    const cm_mapping_t *mapping;
    const cm_entry_t *former;

    if (!task->counterpart || message->action != CM_CREATE || task->fault ||
        task->done || task->item->decision != CM_DECIDE_NOT || !record ||
        !record->entry || record->entry->found->mapping || !message->has_base ||
        !record->table->model->deletes)
        return NULL;
    former = cm_directory_main(task->counterpart);
    mapping = former->found->mapping;
    if (!mapping || !mapping->local_id || mapping->deleted_at ||
        !is_known(message, record->table, mapping) ||
        cm_message_is_ahead(message, 0, cm_clock_now()) ||
        !are_plain(former->record, mapping))
        return NULL;
    /* with match= that row may have been found already */
    return record->row->raw && strcmp(record->row->wanted, mapping->local_id)
               ? NULL
               : mapping;
}

cm_error_t *cm_rename_lock(cm_run_t *run, apr_pool_t *scratch_pool)
{
    cm_rows_t *ignored;
    int i;

    for (i = 0; i < run->tasks->nelts; i++) {
        cm_task_t *task = CM_NTH(run->tasks, i, cm_task_t);
        const cm_mapping_t *mapping = former_of(task);
        cm_keys_t *keys;

        if (!mapping)
            continue;
        keys = cm_keys_create(run->node->store, task->table, scratch_pool);
        if (!cm_keys_add(keys, mapping->local_id, task, 0))
            continue;
        CM_TRY(cm_keys_select(&ignored, keys, NULL, 1, scratch_pool));
        task->locked_id = mapping->local_id;
    }
    return NULL;
}

/* Return the attribute NAME of TASK, or NULL. */
static const cm_attribute_t *attribute_of(const cm_task_t *task,
                                          const char *name)
{
    const apr_array_header_t *attributes = task->message->attributes;
    int i;

    for (i = 0; i < attributes->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(attributes, i, cm_attribute_t).name, name))
            return &APR_ARRAY_IDX(attributes, i, cm_attribute_t);
    return NULL;
}

/* Set *VALUE to what the new record of TASK has in COLUMN of its key. Returns 0
 * if that is not known. */
static int key_value(cm_value_t *value, cm_run_t *run, const cm_task_t *task,
                     const cm_column_t *column)
{
    const cm_attribute_t *attribute = attribute_of(task, column->name);
    const cm_entry_t *parent;

    if (cm_table_own_key(task->table)) {
        *value = cm_value_of(
            CM_TEXT,
            cm_identity_without_life(
                NULL, task->record->entry->identity.original_id, run->pool));
        return 1;
    }
    if (!attribute || attribute->value.kind <= CM_NULL)
        return 0;
    parent = cm_directory_parent(run, attribute);
    if (parent && !parent->found->local_id)
        return 0;
    *value = parent
                 ? cm_value_of(CM_TEXT, parent->found->local_id)
                 : cm_canonical_normalise(column, attribute->value, run->pool);
    return 1;
}

/* Return whether the database gives the keys of TABLE: then the row keeps its
 * own. */
static int gives_keys(const cm_table_t *table)
{
    const cm_column_t *own = cm_table_own_key(table);

    return own && !table->model->shared_keys &&
           (table->key_generated || own->has_default);
}

/* Give the row *KEY the key that the message of TASK brings. Fails if it cannot
 * have it. */
static cm_error_t *change_key(const char **key, cm_run_t *run,
                              const cm_task_t *task, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(run->node->store);
    const cm_table_t *table = task->table;
    const int count = table->key_count;
    cm_bulk_column_t *columns = cm_keys_columns(table, count, pool);
    cm_datum_t *cells = apr_palloc(pool, 2 * count * sizeof(*cells));
    cm_bulk_t *bulk;
    apr_int64_t changed;
    cm_rows_t *rows;
    int i;

    memcpy(columns + count, columns, count * sizeof(*columns));
    bulk = cm_bulk_create(table->quoted, columns, 2 * count, count, pool);
    if (!cm_keys_cells(cells, table, *key, dialect, pool))
        return CM_FAIL(pool, CM_REJECTED, "'%s' is not a key", *key);
    for (i = 0; i < count; i++) {
        cm_value_t value;

        if (!key_value(&value, run, task, table->keys[i]))
            return CM_FAIL(pool, CM_REJECTED, "the new key is not known");
        CM_TRY(cm_fit_value(&cells[count + i], table->keys[i], value, dialect,
                            pool));
    }
    for (i = 0; i < 2 * count; i++)
        cm_bulk_add(bulk, cells[i]);
    CM_TRY(cm_node_applying(run->node, table, pool));
    CM_TRY(cm_bulk_update(&changed, run->node->store, bulk, pool));
    bulk = cm_bulk_create(table->quoted, columns, count, count, pool);
    for (i = 0; i < count; i++)
        cm_bulk_add(bulk, cells[count + i]);
    CM_TRY(cm_bulk_select(&rows, run->node->store, table->key_text, bulk, NULL,
                          0, pool));
    if (changed != 1 || rows->count != 1)
        return CM_FAIL(pool, CM_REJECTED, "the row did not get its new key");
    for (i = 0; i < count; i++)
        cm_follow_cell(run, table, table->keys[i], &cells[count + i]);
    *key = apr_pstrdup(run->pool, cm_cell_text(rows, 0, 0));
    return NULL;
}

/* Return when the record of MAPPING, which TASK continues, was deleted, as far
 * as TASK says: after all that its sender knew of it. Columns that the sender
 * does not have may be newer here. Its delete may be older than those, but has
 * to be newer than this when it comes, or it would not be forwarded. */
static apr_int64_t end_clock(const cm_task_t *task, const cm_mapping_t *mapping)
{
    const apr_int64_t here = mapping->clocks.clock;
    const apr_int64_t known = task->message->base.clock;
    const apr_int64_t clock = known < here ? known : here;

    return clock ? clock : CM_CLOCK_OLDEST;
}

/* Return when the record of ENTRY was deleted: its delete may be among the
 * messages of this run, which have nothing more to change then. */
static apr_int64_t end_tasks(const cm_run_t *run, const cm_entry_t *entry,
                             apr_int64_t clock)
{
    cm_record_t *record = entry->record;
    int i;

    for (i = 0; record && i < record->tasks->nelts; i++) {
        cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);

        if (task->fault)
            break;
        if (task->message->clocks.clock > clock)
            clock = task->message->clocks.clock;
        task->done = task->changed = 1;
        task->error = NULL;
        record->next = i + 1;
    }
    if (record && record->here) {
        cm_here_t *here = apr_pmemdup(run->pool, record->here, sizeof(*here));

        here->exists = 0;
        record->here = here;
        record->effect = NULL;
        record->error = NULL;
    }
    return clock;
}

/* The record of ENTRY, in row LOCAL_ID, is deleted. */
static void end_former(cm_run_t *run, const cm_task_t *task,
                       const char *local_id, apr_array_header_t *saved)
{
    cm_entry_t *entry = cm_directory_main(task->counterpart);
    const cm_mapping_t *found = entry->found->mapping;
    cm_mapping_t *mapping = apr_pmemdup(run->pool, found, sizeof(*mapping));
    const cm_model_t *model = task->table->model;
    apr_int64_t newest = mapping->clocks.clock;

    if (!mapping->stored) /* it is among SAVED already */
        mapping = (cm_mapping_t *)found;
    mapping->deleted_at = end_tasks(run, entry, end_clock(task, found));
    if (model->columns.match->nelts && mapping->stored)
        APR_ARRAY_PUSH(run->burials, cm_burial_t) = (cm_burial_t){
            .model = model,
            .mapping = *found,
            .clock = mapping->deleted_at,
            /* the message forwarded will name the identity that stayed */
            .by = apr_pmemdup(run->pool, &task->message->counterpart,
                              sizeof(cm_identity_t)),
            .heir = task->record->entry->identity};
    APR_ARRAY_PUSH(run->graves, cm_grave_t) =
        (cm_grave_t){model, local_id, mapping->identity};
    if (newest < mapping->deleted_at)
        newest = mapping->deleted_at;
    mapping->clocks = (cm_clocks_t){.clock = newest};
    mapping->local_id = NULL;
    mapping->heir = task->record->entry->identity;
    mapping->changed = 1;
    cm_directory_set(run, entry, mapping, NULL);
    if (mapping != found)
        APR_ARRAY_PUSH(saved, cm_mapping_t *) = mapping;
}

/* The new record of TASK has the row LOCAL_ID. Its columns are older than any
 * that a message brings. */
static void begin_record(cm_run_t *run, const cm_task_t *task,
                         const char *local_id, apr_array_header_t *saved)
{
    cm_entry_t *entry = task->record->entry;
    cm_mapping_t *mapping = apr_pcalloc(run->pool, sizeof(*mapping));

    mapping->type = entry->model->type;
    mapping->identity = entry->identity;
    mapping->local_id = local_id;
    mapping->changed = 1;
    cm_directory_set(run, entry, mapping, local_id);
    cm_lock_set_row(run, task->record, NULL, NULL, NULL);
    task->record->match = CM_MATCH_NONE;
    task->record->renamed = 1;
    APR_ARRAY_PUSH(saved, cm_mapping_t *) = mapping;
}

/* Publish the columns that the row had and that the message does not bring: on
 * other nodes the new record lacks them. */
static void publish_rest(cm_run_t *run, const cm_task_t *task)
{
    const cm_table_t *table = task->table;
    cm_buffer_t *names = cm_buffer_create(64, run->pool);
    int i, any = 0;

    cm_json_write_open(names, NULL, '[');
    for (i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;

        if (cm_table_settable(table, name) < 0 || attribute_of(task, name))
            continue;
        cm_json_write_text(names, NULL, name);
        any = 1;
    }
    cm_buffer_append(names, "]", 2);
    if (any)
        APR_ARRAY_PUSH(run->republish, cm_republish_t) = (cm_republish_t){
            .record = task->record, .captured = 1, .changed = names->data};
}

cm_error_t *cm_rename_give_row(cm_run_t *run, const cm_task_t *task,
                               const char *local_id, apr_pool_t *scratch_pool)
{
    apr_array_header_t *saved =
        apr_array_make(scratch_pool, 1, sizeof(cm_mapping_t *));

    begin_record(run, task, local_id, saved);
    publish_rest(run, task);
    run->moved++;
    CM_TRY(cm_mapping_save(run->node, saved, scratch_pool));
    CM_TRY(cm_lock_record(run, task->record, scratch_pool));
    return cm_apply_read_again(run, task->record, scratch_pool);
}

/* Let the new record of TASK have the row of the one that it continues, if the
 * database allows it. */
static cm_error_t *rename_row(cm_run_t *run, const cm_task_t *task,
                              const cm_mapping_t *former,
                              apr_array_header_t *saved, apr_pool_t *pool)
{
    cm_store_t *store = run->node->store;
    const char *old = former->local_id, *key = old;
    cm_error_t *err = NULL;

    CM_TRY(cm_transaction_savepoint(store, "new_key", pool));
    if (!gives_keys(task->table))
        err = change_key(&key, run, task, pool);
    if (!err && run->strict)
        err = cm_transaction_check_deferred(&run->deferred, store, run->pool,
                                            pool);
    if (err && cm_write_is_fatal(run, err))
        return err;
    if (err)
        CM_TRY(cm_transaction_rollback_to(store, "new_key", pool));
    CM_TRY(cm_transaction_release(store, "new_key", pool));
    if (err && !task->table->model->counts_keys)
        return NULL;
    if (err) /* it need not have the same key as there */
        key = old;
    end_former(run, task, old, saved);
    begin_record(run, task, key, saved);
    publish_rest(run, task);
    run->moved++;
    if (!cm_dialect_of_store(store)->cascades_hidden)
        return NULL;
    saved = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(saved, const char *) = key;
    return cm_missing_note(run->node, task->table->model, saved, pool);
}

/* Return whether the row of FORMER was locked for TASK, or is of this run. */
static int is_locked(const cm_task_t *task, const cm_mapping_t *former)
{
    return !former->stored ||
           (task->locked_id && !strcmp(task->locked_id, former->local_id));
}

cm_error_t *cm_rename_rows(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_array_header_t *saved =
        apr_array_make(scratch_pool, 4, sizeof(cm_mapping_t *));
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < run->tasks->nelts; i++) {
        const cm_task_t *task = CM_NTH(run->tasks, i, cm_task_t);
        const cm_mapping_t *former = former_of(task);

        apr_pool_clear(iterpool);
        if (former && is_locked(task, former))
            CM_TRY(rename_row(run, task, former, saved, iterpool));
    }
    apr_pool_destroy(iterpool);
    return cm_mapping_save(run->node, saved, scratch_pool);
}

cm_error_t *cm_rename_late(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int i;

    CM_TRY(cm_rename_rows(run, scratch_pool));
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (!record->renamed || record->row->wanted)
            continue;
        CM_TRY(cm_lock_record(run, record, scratch_pool));
        CM_TRY(cm_apply_read_again(run, record, scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_rename_due(cm_run_t *run, apr_pool_t *scratch_pool)
{
    if (run->tentative || run->created == run->looked_at)
        return NULL;
    run->looked_at = run->created;
    return cm_rename_late(run, scratch_pool);
}

int cm_rename_may_come(const cm_record_t *record)
{
    const cm_task_t *task =
        CM_NTH(record->tasks, record->next, const cm_task_t);
    const cm_mapping_t *former = former_of(task);

    return former && is_locked(task, former);
}
