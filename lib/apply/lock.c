/* Lock, stamp, read: in any other order a local change that commits in
 * between would be overwritten here and win elsewhere. */
#include "apply/apply.h"

#include <string.h>

#include <apr_strings.h>

#include "record/canonical.h"
#include "record/capture_row.h"
#include "outbox/stamp.h"

#define STAMP_LIMIT 1000

static cm_record_t *add_record(cm_apply_t *run, const cm_item_t *item,
                               cm_known_t *known)
{
    cm_record_t *record = apr_pcalloc(run->pool, sizeof(*record));

    record->table = item->table;
    record->known = known;
    record->items = apr_array_make(run->pool, 1, sizeof(cm_item_t *));
    if (known)
        known->record = record;
    APR_ARRAY_PUSH(run->records, cm_record_t *) = record;
    return record;
}

/* Give each item its record. One that cannot be read but says whose it is
 * holds up its record: the order is kept. */
static void assign_records(cm_apply_t *run)
{
    int i;

    for (i = 0; i < run->items->nelts; i++) {
        cm_item_t *item = CM_NTH(run->items, i, cm_item_t);
        cm_known_t *known = item->known ? cm_known_same(item->known) : NULL;

        if (!item->table)
            continue;
        item->record = known ? known->record : NULL;
        if (!item->record)
            item->record = add_record(run, item, known);
        APR_ARRAY_PUSH(item->record->items, cm_item_t *) = item;
    }
}

/* Return the local id that RECORD may have, or NULL. */
static const char *wanted_id(const cm_apply_t *run, const cm_record_t *record)
{
    if (!record->known)
        return NULL;
    if (record->known->mapping)
        return record->known->local_id;
    if (record->matched == CM_MATCH_FOUND)
        return record->asked;
    return cm_known_probe(run, record->known);
}

/* Rows of one table that are to be locked. */
typedef struct asking_t {
    const cm_table_t *table;
    cm_bulk_t *keys;
    apr_hash_t *records; /* key -> cm_record_t * */
} asking_t;

static asking_t *asking_of(apr_hash_t *askings, const cm_table_t *table,
                           apr_pool_t *pool)
{
    asking_t *asking =
        apr_hash_get(askings, table->model->name, APR_HASH_KEY_STRING);
    cm_bulk_column_t *column;

    if (asking)
        return asking;
    column = apr_palloc(pool, sizeof(*column));
    *column = (cm_bulk_column_t){table->key->quoted, table->key->type};
    asking = apr_palloc(pool, sizeof(*asking));
    asking->table = table;
    asking->keys = cm_bulk_create(table->quoted, column, 1, 1, pool);
    asking->records = apr_hash_make(pool);
    apr_hash_set(askings, table->model->name, APR_HASH_KEY_STRING, asking);
    return asking;
}

static int ask_row(cm_apply_t *run, cm_record_t *record, apr_hash_t *askings,
                   apr_pool_t *pool)
{
    const char *id = wanted_id(run, record);
    asking_t *asking;
    const char *key;

    if (!id || (record->asked && !strcmp(record->asked, id)))
        return 0;
    record->asked = id;
    record->row = NULL;
    asking = asking_of(askings, record->table, pool);
    key = cm_known_add_key(run, record->table, id, asking->keys);
    if (!key)
        return 0;
    if (record->known->mapping ||
        !apr_hash_get(asking->records, key, APR_HASH_KEY_STRING))
        apr_hash_set(asking->records, key, APR_HASH_KEY_STRING, record);
    return 1;
}

static cm_error_t *lock_rows(cm_apply_t *run, const asking_t *asking,
                             apr_pool_t *scratch_pool)
{
    const char *wanted = apr_pstrcat(scratch_pool, asking->table->key_text,
                                     ", ", asking->table->capture, NULL);
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_bulk_select(&rows, run->node->store, wanted, asking->keys, NULL,
                          1, run->pool));
    for (i = 0; i < rows->count; i++) {
        cm_record_t *record = apr_hash_get(
            asking->records,
            cm_canonical_key(asking->table, cm_cell_text(rows, i, 0),
                             cm_dialect_of_store(run->node->store),
                             scratch_pool),
            APR_HASH_KEY_STRING);

        if (!record)
            continue;
        record->row = cm_cell(rows, i, 1);
        record->local_id = cm_cell_text(rows, i, 0);
        CM_TRY(cm_capture_row_whole(&record->row, run->node->store,
                                    asking->table, record->local_id,
                                    run->pool));
    }
    return NULL;
}

cm_error_t *cm_lock_records(int *locked, cm_apply_t *run,
                            const apr_array_header_t *records,
                            apr_pool_t *scratch_pool)
{
    apr_hash_t *askings = apr_hash_make(scratch_pool);
    apr_hash_index_t *index;
    int i;

    *locked = 0;
    for (i = 0; i < records->nelts; i++)
        *locked += ask_row(run, CM_NTH(records, i, cm_record_t), askings,
                           scratch_pool);
    for (index = apr_hash_first(scratch_pool, askings); index;
         index = apr_hash_next(index)) {
        asking_t *asking = apr_hash_this_val(index);

        if (cm_bulk_rows(asking->keys))
            CM_TRY(lock_rows(run, asking, scratch_pool));
    }
    return NULL;
}

static cm_error_t *stamp(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    cm_stamping_t stamping = {.limit = STAMP_LIMIT};
    apr_int64_t last_seq;
    int stamped;

    CM_TRY(cm_node_lock(&last_seq, run->node, scratch_pool));
    do {
        CM_TRY(cm_stamp_some(&stamped, run->node, &stamping, scratch_pool));
    } while (stamped);
    return NULL;
}

/* With shared keys the same key is the same record, whatever name it was given
 * once: earlier versions named it as the database wrote the key. */
static int is_same_record(cm_record_t *record, cm_mapping_t *mapping)
{
    if (!record->table->model->shared_keys)
        return 0;
    record->known->mapping = mapping;
    record->known->stored = 1;
    record->known->local_id = mapping->local_id;
    record->asked = mapping->local_id;
    return 1;
}

/* A row that has the id of an unmapped record of ours may be another one. */
static cm_error_t *disown_rows(cm_apply_t *run, const cm_table_t *table,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids =
        apr_array_make(scratch_pool, 4, sizeof(const char *));
    apr_hash_t *found;
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->table == table && record->row && record->known &&
            !record->known->mapping)
            APR_ARRAY_PUSH(ids, const char *) = record->local_id;
    }
    if (!ids->nelts)
        return NULL;
    CM_TRY(cm_mapping_by_local_id(&found, run->node, table->model->type, ids,
                                  run->pool));
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        cm_mapping_t *mapping;

        if (record->table != table || !record->row || record->known->mapping)
            continue;
        mapping = apr_hash_get(found, record->local_id, APR_HASH_KEY_STRING);
        if (mapping && !is_same_record(record, mapping))
            record->row = NULL;
    }
    return NULL;
}

static cm_error_t *disown_all(cm_apply_t *run, apr_pool_t *scratch_pool)
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

/* A row that cannot be read is the matter of the messages for it. */
static void read_state(cm_apply_t *run, cm_record_t *record)
{
    const cm_error_t *err =
        cm_apply_read_record(run, record, record->exists ? record->row : NULL);

    record->unreadable = NULL;
    if (err)
        record->unreadable =
            cm_error_make(run->pool, err->code, err, __FILE__, __LINE__,
                          "the row '%s' of table '%s' here cannot be read",
                          record->local_id, record->table->model->table);
}

static cm_error_t *read_states(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        const char *id = wanted_id(run, record);

        record->exists = record->row && id && !strcmp(id, record->asked);
        read_state(run, record);
    }
    CM_TRY(cm_apply_read_references(run, scratch_pool));
    return cm_known_find_parents(run, scratch_pool);
}

/* Ask for the mappings, unless they are still of VERSION; which is then the
 * one that is known. */
static cm_error_t *refresh(apr_int64_t *version, cm_apply_t *run,
                           apr_pool_t *scratch_pool)
{
    if (run->node->mappings_version == *version)
        return NULL;
    *version = run->node->mappings_version;
    return cm_known_refresh(run, scratch_pool);
}

/* Stamping may name further rows: they are locked, too, and what committed
 * before that is stamped again. */
static cm_error_t *lock_all(cm_apply_t *run, apr_int64_t version,
                            apr_pool_t *scratch_pool)
{
    int count, stamped = 0;

    for (;;) {
        CM_TRY(cm_lock_records(&count, run, run->records, scratch_pool));
        if (!count && stamped) {
            CM_TRY(cm_match_run(&count, run, scratch_pool));
            if (!count)
                return NULL;
        }
        CM_TRY(stamp(run, scratch_pool));
        CM_TRY(refresh(&version, run, scratch_pool));
        stamped = 1;
    }
}

cm_error_t *cm_lock_run(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    apr_int64_t last_seq, version = -1;

    /* The version is read first: a change that comes in between is noticed. */
    CM_TRY(cm_node_refresh(&last_seq, run->node, scratch_pool));
    CM_TRY(refresh(&version, run, scratch_pool));
    assign_records(run);
    CM_TRY(lock_all(run, version, scratch_pool));
    CM_TRY(cm_names_adopt(run, scratch_pool));
    CM_TRY(disown_all(run, scratch_pool));
    return read_states(run, scratch_pool);
}
