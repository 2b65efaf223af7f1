/* The history: messages sent and received, by time, model, record. What was
 * received is in inbound_messages while it is parked (CommunicatorHistory rows:
 * always), and in the packed batches of communicator_received; what was sent is
 * in outbound_messages or in the packed batches of communicator_batches, until
 * it is purged. */
#ifndef CM_OPERATE_HISTORY_H
#define CM_OPERATE_HISTORY_H

#include "node/node.h"
#include "record/identity.h"

/* What to find. NULL or 0: any. */
typedef struct cm_history_query_t {
    const char *peer;       /* sent to, or received from, this one */
    const char *model;      /* the name on the wire */
    cm_identity_t identity; /* of one record of MODEL ... */
    const char *local_id;   /* ... and what it is called here */
    apr_int64_t since;      /* sent or received since, microseconds */
    int limit;              /* the newest of them, at least 1 */
} cm_history_query_t;

/* A message sent or received. */
typedef struct cm_event_t {
    int sent;          /* 0: received */
    const char *peer;  /* received from; sent: NULL, or where it came from */
    apr_int64_t id;    /* its number; 0: it has none yet */
    apr_int64_t at;    /* received, or captured, microseconds; 0: unknown */
    const char *model; /* NULL: not known */
    cm_identity_t record;
    const char *action;  /* NULL: not known */
    const char *changed; /* JSON list of columns; NULL: all, or not known */
    apr_int64_t clock;
    const char *body;  /* {"model":{...}} */
    const char *error; /* received: why it is parked, or "discarded" */
    int done;          /* received: applied; sent: handed over */
} cm_event_t;

/* Find the messages that match QUERY, newest first: *EVENTS, cm_event_t. The
 * batches are unpacked one by one, so that a rare record may take a while.
 * Fails with CM_MALFORMED when a batch is damaged. */
cm_error_t *cm_history_sent(apr_array_header_t **events, cm_node_t *node,
                            const cm_history_query_t *query,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;
cm_error_t *cm_history_received(apr_array_header_t **events, cm_node_t *node,
                                const cm_history_query_t *query,
                                apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Read a date, or date and time, in UTC: microseconds since 1970. Returns 0
 * when the SIZE bytes of TEXT are none. */
int cm_history_moment(apr_int64_t *at, const char *text, apr_size_t size);

/* Join two lists of events, newest first, and keep LIMIT of them. */
apr_array_header_t *cm_history_join(const apr_array_header_t *some,
                                    const apr_array_header_t *others, int limit,
                                    apr_pool_t *pool);

#endif
