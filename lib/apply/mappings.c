/* The mappings of records that have just been written. */
#include "apply/internal.h"

#include "outbox/missing.h"

/* A mapping that this run has saved before has an id by now: read it, or the
 * mapping would be inserted twice. */
static cm_error_t *learn_id(cm_run_t *run, const cm_record_t *record,
                            cm_mapping_t *mapping, apr_pool_t *scratch_pool)
{
    apr_array_header_t *identities =
        apr_array_make(scratch_pool, 1, sizeof(cm_identity_t));
    const cm_mapping_t *found;
    apr_hash_t *all;

    if (mapping->id || !record->entry || !record->entry->found->saved)
        return NULL;
    APR_ARRAY_PUSH(identities, cm_identity_t) = mapping->identity;
    CM_TRY(cm_mapping_by_identity(&all, run->node, mapping->type, identities,
                                  scratch_pool));
    found = apr_hash_get(all, cm_identity_key(mapping->identity, scratch_pool),
                         APR_HASH_KEY_STRING);
    if (found)
        mapping->id = found->id;
    return NULL;
}

static apr_array_header_t *local_ids(const cm_mapping_t *mappings, int count,
                                     apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, count, sizeof(const char *));
    int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(ids, const char *) = mappings[i].local_id;
    return ids;
}

/* New records without an identity get one of this node. */
static cm_error_t *name_new(cm_run_t *run, cm_record_t **records,
                            cm_mapping_t *mappings, int count,
                            apr_pool_t *scratch_pool)
{
    const cm_model_t *model = records[0]->table->model;
    apr_hash_t *lives;
    int i;

    if (records[0]->entry || records[0]->effect->kind != CM_EFFECT_CREATE)
        return NULL;
    CM_TRY(cm_mapping_lives(&lives, run->node, model,
                            local_ids(mappings, count, scratch_pool),
                            scratch_pool));
    for (i = 0; i < count; i++) {
        cm_mapping_t *mapping = &mappings[i];
        const int *life =
            apr_hash_get(lives, mapping->local_id, APR_HASH_KEY_STRING);

        mapping->identity = cm_mapping_identity_of_local(
            run->node, model, mapping->local_id,
            life ? *life : cm_mapping_first_life(run->node, model), run->pool);
    }
    return NULL;
}

/* After TRUNCATE the database hands out the same ids again: remove the id from
 * the mapping of the record that had it before. */
static cm_error_t *free_ids(cm_run_t *run, cm_record_t **records,
                            const cm_mapping_t *mappings, int count,
                            apr_pool_t *scratch_pool)
{
    apr_array_header_t *stale =
        apr_array_make(scratch_pool, 1, sizeof(cm_mapping_t *));
    apr_hash_index_t *index;
    apr_hash_t *found;

    if (!records[0]->alone || records[0]->effect->kind != CM_EFFECT_CREATE)
        return NULL;
    CM_TRY(cm_mapping_by_local_id(
        &found, run->node, records[0]->table->model->type,
        local_ids(mappings, count, scratch_pool), scratch_pool));
    for (index = apr_hash_first(scratch_pool, found); index;
         index = apr_hash_next(index)) {
        cm_mapping_t *mapping = apr_hash_this_val(index);

        if (mapping->id == mappings[0].id)
            continue;
        mapping->local_id = NULL;
        mapping->changed = 1;
        APR_ARRAY_PUSH(stale, cm_mapping_t *) = mapping;
    }
    return cm_mapping_save(run->node, stale, scratch_pool);
}

/* A record that takes its row over from an earlier life of a shared key ends
 * that life: its mapping gives the id up. */
static cm_error_t *end_earlier_lives(cm_run_t *run, cm_record_t **records,
                                     int count, apr_pool_t *scratch_pool)
{
    apr_array_header_t *ended =
        apr_array_make(scratch_pool, 1, sizeof(cm_mapping_t *));
    int i;

    for (i = 0; i < count; i++) {
        const cm_mapping_t *earlier = records[i]->row->earlier;
        cm_mapping_t *mapping;

        if (!earlier || !records[i]->effect->save)
            continue;
        mapping = apr_pmemdup(scratch_pool, earlier, sizeof(*mapping));
        mapping->local_id = NULL;
        mapping->clocks.older = NULL;
        mapping->deleted_at = mapping->clocks.clock;
        mapping->changed = 1;
        APR_ARRAY_PUSH(ended, cm_mapping_t *) = mapping;
    }
    return cm_mapping_save(run->node, ended, scratch_pool);
}

/* Note the shared keys that records have again: what refers to them here now
 * refers to another record. */
static cm_error_t *note_reused(cm_run_t *run, cm_record_t **records,
                               const cm_mapping_t *mappings, int count,
                               apr_pool_t *scratch_pool)
{
    const cm_model_t *model = records[0]->table->model;
    apr_array_header_t *reused =
        apr_array_make(scratch_pool, 1, sizeof(const char *));
    int i;

    for (i = 0; model->shared_keys && i < count; i++)
        if (records[i]->effect->save && !mappings[i].id &&
            mappings[i].local_id &&
            cm_identity_life(mappings[i].identity.original_id) > 1)
            APR_ARRAY_PUSH(reused, const char *) = mappings[i].local_id;
    return cm_missing_note(run->node, model, reused, scratch_pool);
}

cm_error_t *cm_mappings_write(cm_run_t *run, cm_record_t **records,
                              cm_mapping_t *mappings, int count,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *changed =
        apr_array_make(scratch_pool, count, sizeof(cm_mapping_t *));
    int i;

    CM_TRY(name_new(run, records, mappings, count, scratch_pool));
    CM_TRY(free_ids(run, records, mappings, count, scratch_pool));
    CM_TRY(end_earlier_lives(run, records, count, scratch_pool));
    CM_TRY(note_reused(run, records, mappings, count, scratch_pool));
    for (i = 0; i < count; i++) {
        if (!records[i]->effect->save)
            continue;
        CM_TRY(learn_id(run, records[i], &mappings[i], scratch_pool));
        APR_ARRAY_PUSH(changed, cm_mapping_t *) = &mappings[i];
    }
    return cm_mapping_save(run->node, changed, scratch_pool);
}
