/* The mappings of records that have just been written. */
#include "apply/internal.h"

#include "node/graves.h"
#include "outbox/aliases.h"
#include "outbox/missing.h"
#include "outbox/overtaken.h"

static apr_array_header_t *local_ids(const cm_chunk_t *chunk, apr_pool_t *pool)
{
    apr_array_header_t *ids =
        apr_array_make(pool, chunk->count, sizeof(const char *));
    int i;

    for (i = 0; i < chunk->count; i++)
        APR_ARRAY_PUSH(ids, const char *) = chunk->mappings[i].local_id;
    return ids;
}

/* New records without an identity get one of this node. */
static cm_error_t *name_new(cm_run_t *run, const cm_chunk_t *chunk,
                            apr_pool_t *scratch_pool)
{
    const cm_model_t *model = chunk->table->model;
    apr_hash_t *lives;
    int i;

    if (chunk->records[0]->entry || chunk->kind != CM_EFFECT_CREATE)
        return NULL;
    CM_TRY(cm_mapping_lives(&lives, run->node, model,
                            local_ids(chunk, scratch_pool), scratch_pool));
    for (i = 0; i < chunk->count; i++) {
        cm_mapping_t *mapping = &chunk->mappings[i];
        const int *life =
            apr_hash_get(lives, mapping->local_id, APR_HASH_KEY_STRING);

        mapping->identity = cm_mapping_identity_of_local(
            run->node, model, mapping->local_id,
            life ? *life : cm_mapping_first_life(run->node, model), run->pool);
    }
    return NULL;
}

/* Fail while messages of this run may be about the row that had the id of
 * MAPPING before: repeated in parts, they find that it is gone. */
static cm_error_t *check_unnamed(const cm_run_t *run, const cm_chunk_t *chunk,
                                 const cm_mapping_t *mapping, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->table == chunk->table && record->entry &&
            !cm_aliases_compare(record->entry->identity, mapping->identity))
            return CM_FAIL(pool, CM_BUSY,
                           "a foreign key deleted a record of model '%s' while "
                           "messages about it were applied",
                           chunk->table->model->name);
    }
    return NULL;
}

/* A foreign key has deleted the row of MAPPING in this run. What was captured
 * of it names an id that another record has now, so its delete is written here.
 */
static cm_error_t *bury(cm_run_t *run, const cm_chunk_t *chunk,
                        cm_mapping_t *mapping, apr_pool_t *pool)
{
    const cm_model_t *model = chunk->table->model;
    apr_int64_t clock;

    CM_TRY(cm_overtaken_is_deleted(&clock, run->node, model, mapping->local_id,
                                   pool));
    if (!clock)
        return NULL;
    CM_TRY(check_unnamed(run, chunk, mapping, pool));
    if (clock <= mapping->clocks.clock)
        clock = mapping->clocks.clock + 1;
    APR_ARRAY_PUSH(run->burials, cm_burial_t) = (cm_burial_t){
        .model = model, .mapping = *mapping, .clock = clock, .unsent = 1};
    APR_ARRAY_PUSH(run->graves, cm_grave_t) =
        (cm_grave_t){model, mapping->local_id, mapping->identity};
    mapping->deleted_at = clock;
    mapping->clocks = (cm_clocks_t){.clock = clock};
    return NULL;
}

/* The database may assign the same id again after TRUNCATE, or after a foreign
 * key has deleted a row: remove it from the mapping of the record that had it
 * before. */
static cm_error_t *free_ids(cm_run_t *run, const cm_chunk_t *chunk,
                            apr_pool_t *scratch_pool)
{
    apr_array_header_t *stale =
        apr_array_make(scratch_pool, 1, sizeof(cm_mapping_t *));
    apr_hash_index_t *index;
    apr_hash_t *found;

    if (!chunk->records[0]->alone ||
        (chunk->kind != CM_EFFECT_CREATE && !chunk->records[0]->effect->moves))
        return NULL;
    CM_TRY(cm_mapping_by_local_id(&found, run->node, chunk->table->model->type,
                                  local_ids(chunk, scratch_pool), run->pool));
    for (index = apr_hash_first(scratch_pool, found); index;
         index = apr_hash_next(index)) {
        cm_mapping_t *mapping = apr_hash_this_val(index);

        if (!cm_aliases_compare(mapping->identity, chunk->mappings[0].identity))
            continue;
        CM_TRY(bury(run, chunk, mapping, scratch_pool));
        mapping->local_id = NULL;
        mapping->changed = 1;
        APR_ARRAY_PUSH(stale, cm_mapping_t *) = mapping;
    }
    return cm_mapping_save(run->node, stale, scratch_pool);
}

/* A record that takes its row over from an earlier life of a shared key ends
 * that life: its mapping gives the id up. Its delete, when it comes, may be
 * older than what has changed here, and has to be handed on. */
static cm_error_t *end_earlier_lives(cm_run_t *run, const cm_chunk_t *chunk,
                                     apr_pool_t *scratch_pool)
{
    apr_array_header_t *ended =
        apr_array_make(scratch_pool, 1, sizeof(cm_mapping_t *));
    int i;

    for (i = 0; i < chunk->count; i++) {
        const cm_record_t *record = chunk->records[i];
        cm_mapping_t *mapping;

        if (!record->row->earlier || !record->effect->save)
            continue;
        mapping =
            apr_pmemdup(scratch_pool, record->row->earlier, sizeof(*mapping));
        mapping->local_id = NULL;
        mapping->deleted_at = CM_CLOCK_OLDEST;
        mapping->clocks = (cm_clocks_t){.clock = mapping->clocks.clock};
        if (!mapping->clocks.clock)
            mapping->clocks.clock = CM_CLOCK_OLDEST;
        mapping->changed = 1;
        APR_ARRAY_PUSH(ended, cm_mapping_t *) = mapping;
    }
    return cm_mapping_save(run->node, ended, scratch_pool);
}

/* Return whether RUN has deleted the record of MODEL with LOCAL_ID. */
static int is_buried(const cm_run_t *run, const cm_model_t *model,
                     const char *local_id)
{
    int i;

    for (i = 0; i < run->graves->nelts; i++) {
        const cm_grave_t *grave = &APR_ARRAY_IDX(run->graves, i, cm_grave_t);

        if (grave->model == model && !strcmp(grave->local_id, local_id))
            return 1;
    }
    return 0;
}

/* Return the id of a row that another record has now: the next life of a
 * shared key, the one that a person keeps against a delete, or one whose key
 * was taken until this run deleted its row (so it was written alone); or NULL.
 */
static const char *id_of_other(const cm_run_t *run, const cm_record_t *record,
                               const cm_mapping_t *mapping)
{
    const cm_model_t *model = record->table->model;

    if (record->effect->revived)
        return record->here->local_id;
    if (record->alone && !mapping->stored && mapping->local_id &&
        is_buried(run, model, mapping->local_id))
        return mapping->local_id;
    return model->shared_keys && record->effect->save && !mapping->stored &&
                   mapping->local_id &&
                   cm_identity_life(mapping->identity.original_id) > 1
               ? mapping->local_id
               : NULL;
}

/* Note the ids of rows that other records have now: what refers to them here
 * did not change, but is to be sent again. */
static cm_error_t *note_reused(cm_run_t *run, const cm_chunk_t *chunk,
                               apr_pool_t *scratch_pool)
{
    const cm_model_t *model = chunk->table->model;
    apr_array_header_t *reused =
        apr_array_make(scratch_pool, 1, sizeof(const char *));
    int i;

    for (i = 0; i < chunk->count; i++) {
        const char *id =
            id_of_other(run, chunk->records[i], &chunk->mappings[i]);

        if (id)
            APR_ARRAY_PUSH(reused, const char *) = id;
    }
    return cm_missing_note(run->node, model, reused, scratch_pool);
}

cm_error_t *cm_mappings_write(cm_run_t *run, const cm_chunk_t *chunk,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *changed =
        apr_array_make(scratch_pool, chunk->count, sizeof(cm_mapping_t *));
    int i;

    CM_TRY(name_new(run, chunk, scratch_pool));
    CM_TRY(free_ids(run, chunk, scratch_pool));
    CM_TRY(end_earlier_lives(run, chunk, scratch_pool));
    CM_TRY(note_reused(run, chunk, scratch_pool));
    for (i = 0; i < chunk->count; i++) {
        if (!chunk->records[i]->effect->save)
            continue;
        APR_ARRAY_PUSH(changed, cm_mapping_t *) = &chunk->mappings[i];
    }
    return cm_mapping_save(run->node, changed, scratch_pool);
}
