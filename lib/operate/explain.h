/* The history of one record: its mapping, its messages, and values that lost.
 */
#ifndef CM_OPERATE_EXPLAIN_H
#define CM_OPERATE_EXPLAIN_H

#include "node/mapping.h"

/* One message of the record, sent or received. */
typedef struct cm_event_t {
    const char *peer;    /* in: from; out: NULL, or where it came from */
    apr_int64_t id;      /* seq; 0: not numbered yet */
    const char *action;  /* NULL: not known */
    const char *changed; /* JSON list of columns; NULL: all */
    apr_int64_t clock;
    const char *error; /* in: why it is parked, or that it was discarded */
    int done;          /* in: applied; out: handed over */
} cm_event_t;

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

#endif
