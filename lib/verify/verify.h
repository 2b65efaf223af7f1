/* Verifying: do both sides hold the same records?
 *
 * Records are compared by identity, model by model and origin by origin. The
 * ids of an origin, in the order of their bytes, are cut into stretches, and
 * these into parts. Each side computes a digest per part, from values that are
 * read in bounded chunks. Where a part differs, digests per record are
 * compared, and where a record differs, its values. This file is what both
 * sides do; wire.h is what they send each other, compare.h what the asking side
 * does. */
#ifndef CM_VERIFY_VERIFY_H
#define CM_VERIFY_VERIFY_H

#include "record/alike.h"
#include "record/message.h"
#include "node/mapping.h"
#include "node/node.h"

typedef struct cm_verify_column_t {
    const char *name;
    const char *reference; /* model that it refers to; or {COLUMN} that names
                              it; or NULL */
    cm_class_e value_class;
    int loose; /* decimals come back without their scale */
    cm_like_e like;
} cm_verify_column_t;

/* A model on one side. */
typedef struct cm_verify_shape_t {
    int known; /* it is configured; else nothing below is set */
    int receives, publishes, deletes, shared_keys;
    apr_int64_t records;         /* mappings of records that are alive */
    apr_int64_t unpublished;     /* records without a mapping, never sent */
    apr_int64_t rows;            /* of the table that we can see, without those
                                    of deleted records and those that were never
                                    sent and where= keeps here; -1: not known */
    int filtered;                /* row level security may hide some from us */
    apr_int64_t hidden;          /* records with a mapping that it hides */
    apr_array_header_t *columns; /* cm_verify_column_t: those that are sent */
    apr_array_header_t
        *origins; /* const char *: nodes that created records of it */
} cm_verify_shape_t;

/* A model that is being verified. Values of references are the keys
 * (cm_identity_key()) of the records that they refer to. */
typedef struct cm_verify_t {
    cm_node_t *node;
    const char *peer;
    const cm_table_t *table;
    const apr_array_header_t *columns; /* cm_verify_column_t: those compared */
    apr_hash_t *places;                /* name -> int *: position among them */
} cm_verify_t;

/* The ids of ORIGIN after AFTER ("": from the first) up to UNTIL (NULL: to the
 * last). */
typedef struct cm_stretch_t {
    const char *origin, *after, *until;
} cm_stretch_t;

/* A number of 128 bits. The digests of a part's records are added up, so that
 * their order does not matter. */
typedef struct cm_digest_t {
    apr_uint64_t high, low;
} cm_digest_t;

typedef struct cm_verify_item_t {
    const char *original_id;
    cm_digest_t digest;
    apr_int64_t clock;
} cm_verify_item_t;

typedef struct cm_verify_part_t {
    apr_int64_t count;
    cm_digest_t digest;
} cm_verify_part_t;

/* What one side knows about a record. */
typedef struct cm_verify_state_t {
    cm_identity_t asked;
    cm_identity_t identity; /* the one that stays here; origin NULL: unknown */
    apr_int64_t clock, deleted_at;
    int pending;              /* messages of it are under way or parked */
    int parked;               /* a message of it is parked or withheld */
    int outside;              /* it is here, and where= keeps it here: no values
                                 are given */
    const cm_value_t *values; /* by column; NULL: it is not here */
    const apr_int64_t *clocks;
} cm_verify_state_t;

/* --- shape.c --- */

/* Describe the model NAME as it is here; what was committed is stamped first.
 * BRIEF: nothing is stamped or counted, and no origins are listed. Fails as
 * cm_node_table(). */
cm_error_t *cm_verify_shape(cm_verify_shape_t **shape, cm_node_t *node,
                            const char *name, int brief,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Return the columns (cm_verify_column_t) that both sides have, with what
 * counts as equal in them. *LEFT_OUT: the names (const char *) of those that
 * only one side has, or that refer to different models. */
apr_array_header_t *cm_verify_shape_common(apr_array_header_t **left_out,
                                           const cm_verify_shape_t *here,
                                           const cm_verify_shape_t *there,
                                           apr_pool_t *pool);

/* Begin to verify the model NAME by COLUMNS. Fails with CM_CONFIG when there
 * is no such model, and as cm_node_table(). */
cm_error_t *cm_verify_shape_open(cm_verify_t **verify, cm_node_t *node,
                                 const char *peer, const char *name,
                                 const apr_array_header_t *columns,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* --- values.c --- */

/* Read the records with COUNT LOCAL_IDS: (*ROWS)[i] has the values by column,
 * or is NULL where there is no such record. *BYTES: how much was read. */
cm_error_t *cm_verify_values(const cm_value_t ***rows, apr_size_t *bytes,
                             const cm_verify_t *verify,
                             const char *const *local_ids, int count,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the model to whose records COLUMN refers in the row with VALUES. NULL:
 * to none, or a column that is not compared names it. */
const cm_model_t *cm_verify_values_model(const cm_verify_t *verify,
                                         const cm_column_t *column,
                                         const cm_value_t *values);

/* Return how many records to read next, when COUNT records took BYTES; both are
 * 0 the first time. */
int cm_verify_values_pace(int count, apr_size_t bytes);

/* --- read.c --- */

/* Find the id of the COUNT-th record of STRETCH: *BOUND, NULL when there are
 * fewer. Every database sorts ids by their bytes: the column is binary. */
cm_error_t *cm_verify_read_bound(const char **bound, const cm_verify_t *verify,
                                 const cm_stretch_t *stretch, int count,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read the records of STRETCH, which the caller keeps short, with their
 * digests: cm_verify_item_t, sorted by the bytes of their ids. */
cm_error_t *cm_verify_read_items(apr_array_header_t **items,
                                 const cm_verify_t *verify,
                                 const cm_stretch_t *stretch,
                                 apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Sum ITEMS up: a cm_verify_part_t for each of BOUNDS (const char *, the last
 * may be NULL: no end), of the items up to it. */
apr_array_header_t *cm_verify_read_parts(const apr_array_header_t *items,
                                         const apr_array_header_t *bounds,
                                         apr_pool_t *pool);

/* Return those of BOUNDS that are before UNTIL, and UNTIL. */
apr_array_header_t *cm_verify_read_cut(const apr_array_header_t *bounds,
                                       const char *until, apr_pool_t *pool);

/* --- states.c --- */

/* Read the states of the records NAMES (cm_identity_t), from the first on:
 * cm_verify_state_t, at least one, and not many more than MOST bytes. What was
 * committed is stamped first. */
cm_error_t *cm_verify_states(apr_array_header_t **states,
                             const cm_verify_t *verify,
                             const apr_array_header_t *names, apr_size_t most,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
