/* Captured changes that messages have overtaken.
 *
 * Applying a message can change other rows: ON DELETE SET NULL, or a trigger of
 * the application. Where the same transaction then writes these rows too, their
 * captured changes must not be sent as they are:
 * - of a row that is deleted: they are numbered after the commit, when the
 *   mapping no longer has the local id, so the record would come back as a new
 *   one;
 * - of a row that is updated: they hold the values from before, which would get
 *   the clocks of the values that the messages have brought.
 *
 * - of a row that was made to refer to another one, or to nothing, since what
 * it referred to is deleted (apply/release.c, apply/heirs.c): they hold the key
 *   from before, which another record may have by now.
 *
 * The same is true of a key that a message has brought: the application may
 * have inserted and deleted it after the stamp, while the message's row waited
 * for it. */
#ifndef CM_OUTBOX_OVERTAKEN_H
#define CM_OUTBOX_OVERTAKEN_H

#include "node/graves.h"

/* A captured update that was deleted. */
typedef struct cm_overtaken_t {
    const void *record;   /* as it is in WRITTEN; or NULL: */
    const void *model;    /* as it is in REFERRING, */
    const char *local_id; /* and the row there */
    const char *changed;  /* the names of the columns, as captured */
} cm_overtaken_t;

/* What the messages of a transaction have done. */
typedef struct cm_overtaking_t {
    const apr_array_header_t *graves; /* cm_grave_t: records that are deleted */
    apr_hash_t *written;   /* key -> any pointer: records that were updated */
    apr_hash_t *referring; /* a model's name -> any pointer: some of its rows
                              were made to refer to others, or to nothing */
    apr_hash_t *created;   /* key -> the name of its model: rows that were
                              inserted */
} cm_overtaking_t;

/* Return the key of a record in WRITTEN or CREATED. */
const char *cm_overtaken_key(const char *model, const char *local_id,
                             apr_pool_t *pool);

/* Find out whether the last that was captured of the row LOCAL_ID of MODEL, and
 * has no number yet, is that it was deleted: *CLOCK, else 0. */
cm_error_t *cm_overtaken_is_deleted(apr_int64_t *clock, cm_node_t *node,
                                    const cm_model_t *model,
                                    const char *local_id,
                                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Delete what was captured in the open transaction, which has stamped what was
 * committed before: all changes of records that are deleted, except of a row
 * that the application has put back under the same id; and updates of records
 * that were written, or may refer to others now, which *UPDATES lists
 * (cm_overtaken_t), those of the same columns once. Fails with CM_BUSY if a row
 * that messages have inserted was inserted or deleted by others since the
 * stamp: repeat the transaction. */
cm_error_t *cm_overtaken_delete(apr_array_header_t **updates, cm_node_t *node,
                                const cm_overtaking_t *by,
                                apr_pool_t *result_pool,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
