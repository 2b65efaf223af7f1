/* The history of one record: its mapping, its messages, and values that lost.
 */
#ifndef CM_OPERATE_EXPLAIN_H
#define CM_OPERATE_EXPLAIN_H

#include "node/mapping.h"
#include "operate/history.h"

typedef struct cm_loss_t {
    const char *column;     /* NULL: a whole message, discarded */
    const char *lost, *won; /* JSON; NULL: not known */
    apr_int64_t lost_clock, won_clock, at;
    const char *peer;
    apr_int64_t message_id;
} cm_loss_t;

typedef struct cm_story_t {
    cm_mapping_t *mapping;        /* NULL: none */
    const char *key;              /* the local id, as asked or found */
    int exists;                   /* the row is here */
    apr_array_header_t *out, *in; /* cm_event_t, newest first, the last 20 */
    apr_array_header_t *losses;   /* cm_loss_t, in the same way */
} cm_story_t;

/* Read the history of the record of MODEL with the local ID, or (ORIGIN not
 * NULL) of the one that has that id at ORIGIN. */
cm_error_t *cm_explain_record(cm_story_t **story, cm_node_t *node,
                              const cm_model_t *model, const char *origin,
                              const char *id,
                              apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Find the identity of the record of MODEL with the local ID; of one that has
 * no mapping, the identity that it would get. */
cm_error_t *cm_explain_identity(cm_identity_t *identity, cm_node_t *node,
                                const cm_model_t *model, const char *id,
                                apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
