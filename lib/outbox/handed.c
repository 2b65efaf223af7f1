/* Keys that changed hands in a chunk. Rows that refer to such a key did not
 * change, but refer to another record now, or to none: see missing.h. */
#include "outbox/internal.h"

#include <string.h>

#include "outbox/missing.h"

/* Return those ids of GROUP that deleted records had which new records have
 * again: ALIVE; or which had none when this was numbered. */
static apr_array_header_t *reused_ids(const cm_stamp_model_t *group, int alive,
                                      apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(const char *));
    int i;

    for (i = 0; i < group->reused->ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(group->reused->ids, i, const char *);

        if (!apr_hash_get(group->alive, id, APR_HASH_KEY_STRING) == !alive)
            APR_ARRAY_PUSH(ids, const char *) = id;
    }
    return ids;
}

/* Return who has the key, or continues the record, of number I of MOVED in the
 * end. */
static const cm_mapping_t *last_heir(const apr_array_header_t *moved, int i)
{
    const cm_mapping_t *heir = APR_ARRAY_IDX(moved, i, cm_moved_t).heir;

    for (i++; i < moved->nelts; i++)
        if (APR_ARRAY_IDX(moved, i, cm_moved_t).owner == heir)
            heir = APR_ARRAY_IDX(moved, i, cm_moved_t).heir;
    return heir;
}

/* Note the keys that records of GROUP have given up: rows that still hold them
 * are to follow, or refer to whoever has taken the key. */
static cm_error_t *note_moved(cm_stamp_t *stamp, const cm_stamp_model_t *group,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *heirs =
        apr_array_make(scratch_pool, 4, sizeof(cm_missing_heir_t));
    int i;

    for (i = 0; i < group->moved->nelts; i++) {
        const cm_moved_t *moved = &APR_ARRAY_IDX(group->moved, i, cm_moved_t);
        const cm_mapping_t *holder =
            apr_hash_get(group->alive, moved->former, APR_HASH_KEY_STRING);
        const cm_mapping_t *heir = last_heir(group->moved, i);
        const int taken = holder && holder != moved->owner && holder != heir;

        if (taken || (heir->local_id && strcmp(heir->local_id, moved->former)))
            APR_ARRAY_PUSH(heirs, cm_missing_heir_t) =
                (cm_missing_heir_t){moved->former, heir->local_id, taken};
    }
    return cm_missing_note_heirs(stamp->node, group->model, heirs,
                                 scratch_pool);
}

/* Note the ids of GROUP that new records have again. Such a record may still
 * have no number. */
static cm_error_t *note_reused(cm_stamp_t *stamp, const cm_stamp_model_t *group,
                               apr_pool_t *scratch_pool)
{
    CM_TRY(cm_missing_note(stamp->node, group->model,
                           reused_ids(group, 1, scratch_pool), scratch_pool));
    if (!group->table)
        return NULL;
    return cm_missing_note_here(stamp->node, group->model,
                                reused_ids(group, 0, scratch_pool),
                                scratch_pool);
}

cm_error_t *cm_handed_note(cm_stamp_t *stamp, apr_pool_t *scratch_pool)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(scratch_pool, stamp->models); at;
         at = apr_hash_next(at)) {
        const cm_stamp_model_t *group = apr_hash_this_val(at);

        CM_TRY(note_reused(stamp, group, scratch_pool));
        CM_TRY(note_moved(stamp, group, scratch_pool));
    }
    return NULL;
}
