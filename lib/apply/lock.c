/* First lock the rows, then stamp local changes, then read. In any other order
 * a local change that commits in between would be overwritten here, but win on
 * the other nodes. */
#include "apply/match_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/captured.h"
#include "record/keys.h"
#include "outbox/filter.h"
#include "outbox/stamp.h"

#define STAMP_LIMIT 1000

static const cm_row_t nothing;

void cm_lock_set_row(cm_run_t *run, cm_record_t *record, const char *wanted,
                     const cm_datum_t *raw, const char *local_id)
{
    cm_row_t *row = apr_palloc(run->pool, sizeof(*row));

    *row = (cm_row_t){wanted, raw, local_id, NULL};
    record->row = row;
}

static cm_record_t *add_record(cm_run_t *run, const cm_task_t *task,
                               cm_entry_t *entry)
{
    cm_record_t *record = apr_pcalloc(run->pool, sizeof(*record));

    record->table = task->table;
    record->row = &nothing;
    record->entry = entry;
    record->tasks = apr_array_make(run->pool, 1, sizeof(cm_task_t *));
    if (entry)
        entry->record = record;
    APR_ARRAY_PUSH(run->records, cm_record_t *) = record;
    return record;
}

/* Set the record of each task. A faulty message whose record is known holds up
 * the later ones of that record, so that their order is kept. */
static void assign_records(cm_run_t *run)
{
    int i;

    for (i = 0; i < run->tasks->nelts; i++) {
        cm_task_t *task = CM_NTH(run->tasks, i, cm_task_t);
        cm_entry_t *entry = task->entry ? cm_directory_main(task->entry) : NULL;

        if (!task->table)
            continue;
        task->record = entry ? entry->record : NULL;
        if (!task->record)
            task->record = add_record(run, task, entry);
        APR_ARRAY_PUSH(task->record->tasks, cm_task_t *) = task;
    }
}

static int life_of(const cm_record_t *record)
{
    return record->entry && record->table->model->shared_keys
               ? cm_identity_life(record->entry->identity.original_id)
               : 0;
}

/* Put RECORD into the chain of lives that begins with HEAD, the latest; return
 * the new head. */
static cm_record_t *link_life(cm_record_t *head, cm_record_t *record)
{
    cm_record_t *at = head;

    if (!head || life_of(head) < life_of(record)) {
        record->earlier = head;
        return record;
    }
    while (at->earlier && life_of(at->earlier) > life_of(record))
        at = at->earlier;
    record->earlier = at->earlier;
    at->earlier = record;
    return head;
}

/* With shared keys the lives of a key have one row: let each record know the
 * life before its own. */
static void link_lives(cm_run_t *run)
{
    apr_hash_t *heads = apr_hash_make(run->pool);
    int later = 0, i;

    for (i = 0; i < run->records->nelts; i++)
        later |= life_of(CM_NTH(run->records, i, cm_record_t)) > 1;
    for (i = 0; later && i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        const char *key;

        if (!life_of(record))
            continue;
        key = apr_pstrcat(
            run->pool, record->table->model->name, "\n",
            cm_identity_without_life(NULL, record->entry->identity.original_id,
                                     run->pool),
            NULL);
        apr_hash_set(
            heads, key, APR_HASH_KEY_STRING,
            link_life(apr_hash_get(heads, key, APR_HASH_KEY_STRING), record));
    }
}

/* Return the local id that RECORD may have, or NULL. */
static const char *wanted_id(const cm_run_t *run, const cm_record_t *record)
{
    if (!record->entry)
        return NULL;
    if (record->entry->found->mapping)
        return record->entry->found->local_id;
    if (record->match == CM_MATCH_FOUND)
        return record->row->wanted;
    return cm_directory_probe(run, record->entry);
}

cm_keys_t *cm_lock_keys(apr_hash_t *all, cm_store_t *store,
                        const cm_table_t *table, apr_pool_t *pool)
{
    cm_keys_t *keys =
        apr_hash_get(all, table->model->name, APR_HASH_KEY_STRING);

    if (!keys) {
        keys = cm_keys_create(store, table, pool);
        apr_hash_set(all, table->model->name, APR_HASH_KEY_STRING, keys);
    }
    return keys;
}

/* Add the row of RECORD to ALL if it has to be locked. Returns whether it has.
 * If two records have the same key, the row is that of the mapped one. */
static int add_wanted(cm_run_t *run, cm_record_t *record, apr_hash_t *all,
                      apr_pool_t *pool)
{
    const char *id = record->fast ? NULL : wanted_id(run, record);

    if (!id || (record->row->wanted && !strcmp(record->row->wanted, id)))
        return 0;
    cm_lock_set_row(run, record, id, NULL, record->row->local_id);
    return cm_keys_add(cm_lock_keys(all, run->node->store, record->table, pool),
                       id, record, record->entry->found->mapping != NULL);
}

static cm_error_t *lock_rows(cm_run_t *run, const cm_keys_t *keys)
{
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_keys_select(&rows, keys, keys->table->capture, 1, run->pool));
    for (i = 0; i < rows->count; i++) {
        const char *id = cm_cell_text(rows, i, 0);
        cm_record_t *record = cm_keys_find(keys, id);
        const cm_datum_t *raw = cm_cell(rows, i, 1);

        if (!record)
            continue;
        CM_TRY(cm_captured_complete(&raw, run->node->store, keys->table, id,
                                    run->pool));
        cm_lock_set_row(run, record, record->row->wanted, raw, id);
    }
    return NULL;
}

/* Lock the rows of all records that are not locked yet; *LOCKED counts them. */
static cm_error_t *lock_wanted(int *locked, cm_run_t *run,
                               apr_pool_t *scratch_pool)
{
    apr_hash_t *all = apr_hash_make(scratch_pool);
    apr_hash_index_t *index;
    int i;

    *locked = 0;
    for (i = 0; i < run->records->nelts; i++)
        *locked += add_wanted(run, CM_NTH(run->records, i, cm_record_t), all,
                              scratch_pool);
    for (index = apr_hash_first(scratch_pool, all); index;
         index = apr_hash_next(index))
        CM_TRY(lock_rows(run, apr_hash_this_val(index)));
    return NULL;
}

cm_error_t *cm_lock_record(cm_run_t *run, cm_record_t *record,
                           apr_pool_t *scratch_pool)
{
    apr_hash_t *all = apr_hash_make(scratch_pool);

    if (!add_wanted(run, record, all, scratch_pool))
        return NULL;
    return lock_rows(
        run, cm_lock_keys(all, run->node->store, record->table, scratch_pool));
}

/* Take the node's lock, and stamp. */
static cm_error_t *stamp(cm_run_t *run, apr_pool_t *scratch_pool)
{
    cm_stamping_t stamping = {.limit = STAMP_LIMIT};
    int stamped;

    do {
        CM_TRY(cm_stamp_some(&stamped, run->node, &stamping, scratch_pool));
    } while (stamped);
    return NULL;
}

/* Return whether the row of MAPPING is RECORD's. With shared keys the same key
 * is the same record, even if the mapping has another identity: earlier
 * versions used the key as the database writes it. A later life of the key
 * takes the row over from an earlier one, whose delete was not received
 * (deletes=no) or comes too late. */
static int has_shared_row(cm_run_t *run, cm_record_t *record,
                          const cm_mapping_t *mapping)
{
    const int life = cm_identity_life(mapping->identity.original_id);
    cm_row_t *row;

    if (!record->table->model->shared_keys)
        return 0;
    if (!strcmp(mapping->identity.origin, "*") && life != life_of(record)) {
        if (life > life_of(record))
            return 0;
        row = apr_pmemdup(run->pool, record->row, sizeof(*row));
        row->earlier = mapping;
        record->row = row;
        return 1;
    }
    cm_directory_set(run, record->entry, mapping, mapping->local_id);
    cm_lock_set_row(run, record, mapping->local_id, record->row->raw,
                    record->row->local_id);
    return 1;
}

static void disown(cm_run_t *run, cm_record_t *record)
{
    cm_lock_set_row(run, record, record->row->wanted, NULL,
                    record->row->local_id);
}

/* Return whether RECORD, of TABLE, has a row but no mapping. */
static int is_unmapped(const cm_record_t *record, const cm_table_t *table)
{
    return record->table == table && record->row->raw && record->entry &&
           !record->entry->found->mapping;
}

/* RECORD has a row that is no record yet. If a row filter may have kept it, its
 * values are an application's, as those of a row that match= finds. */
static void adopt_kept(cm_record_t *record, int filtered)
{
    if (filtered)
        record->match = CM_MATCH_FOUND;
}

/* A row with the id of an unmapped record may belong to another record: then
 * the mappings say so. */
static cm_error_t *disown_rows(cm_run_t *run, const cm_table_t *table,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids =
        apr_array_make(scratch_pool, 4, sizeof(const char *));
    apr_hash_t *found;
    int i, filtered;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (is_unmapped(record, table))
            APR_ARRAY_PUSH(ids, const char *) = record->row->local_id;
    }
    if (!ids->nelts)
        return NULL;
    CM_TRY(cm_mapping_by_local_id(&found, run->node, table->model->type, ids,
                                  run->pool));
    CM_TRY(cm_filter_applies(&filtered, run->node, table->model, scratch_pool));
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        const cm_mapping_t *mapping;

        if (!is_unmapped(record, table))
            continue;
        mapping =
            apr_hash_get(found, record->row->local_id, APR_HASH_KEY_STRING);
        if (!mapping)
            adopt_kept(record, filtered);
        else if (!has_shared_row(run, record, mapping))
            disown(run, record);
    }
    return NULL;
}

static cm_error_t *disown_all(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_t *seen = apr_hash_make(scratch_pool);
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_table_t *table = CM_NTH(run->records, i, cm_record_t)->table;

        if (apr_hash_get(seen, table->model->name, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, table->model->name, APR_HASH_KEY_STRING, table);
        CM_TRY(disown_rows(run, table, scratch_pool));
    }
    return NULL;
}

/* If a record has another id than the one for which its row was locked, the row
 * is not its own. */
static void disown_others(cm_run_t *run)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        const char *id = wanted_id(run, record);

        if (record->row->raw && (!id || strcmp(id, record->row->wanted)))
            disown(run, record);
    }
}

/* Read the mappings, unless *VERSION, which was read last, is still current. */
static cm_error_t *refresh(apr_int64_t *version, cm_run_t *run,
                           apr_pool_t *scratch_pool)
{
    if (run->node->mappings_version == *version)
        return NULL;
    *version = run->node->mappings_version;
    return cm_directory_refresh(run, scratch_pool);
}

/* Stamping may map further rows to records of this run. They are locked, too,
 * and what was committed before that is stamped in the next pass. */
static cm_error_t *lock_and_stamp(cm_run_t *run, apr_int64_t version,
                                  apr_pool_t *scratch_pool)
{
    int count, stamped = 0;

    for (;;) {
        CM_TRY(lock_wanted(&count, run, scratch_pool));
        if (!count && stamped) {
            CM_TRY(cm_match_find(&count, run, scratch_pool));
            if (!count)
                return NULL;
        }
        CM_TRY(stamp(run, scratch_pool));
        CM_TRY(refresh(&version, run, scratch_pool));
        stamped = 1;
    }
}

cm_error_t *cm_lock_all(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_int64_t last_seq, version = -1;
    int renamed;

    /* Read before the mappings, so that a change in between is noticed. */
    CM_TRY(cm_node_refresh(&last_seq, run->node, scratch_pool));
    CM_TRY(refresh(&version, run, scratch_pool));
    assign_records(run);
    link_lives(run);
    CM_TRY(cm_fast_write(run, scratch_pool));
    CM_TRY(cm_rename_lock(run, scratch_pool));
    CM_TRY(lock_and_stamp(run, version, scratch_pool));
    CM_TRY(cm_fast_finish(run, scratch_pool));
    CM_TRY(cm_rename_rows(run, scratch_pool));
    CM_TRY(lock_wanted(&renamed, run, scratch_pool));
    CM_TRY(cm_adopt_matching(run, scratch_pool));
    CM_TRY(disown_all(run, scratch_pool));
    disown_others(run);
    return NULL;
}
