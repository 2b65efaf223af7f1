/* Reading the outbox for a peer: its messages in order, as they are sent. */
#ifndef CM_OUTBOX_READ_H
#define CM_OUTBOX_READ_H

#include "record/message.h"
#include "node/node.h"
#include "outbox/stamp.h"

/* How much a batch may hold. */
typedef struct cm_limits_t {
    int messages;
    apr_int64_t bytes; /* one message alone may be larger */
} cm_limits_t;

/* One row of the outbox on its way out. */
typedef struct cm_outgoing_t {
    cm_message_t message;    /* its id is the seq until it is sent */
    const cm_table_t *table; /* NULL: not of a configured model */
    int captured;            /* written by a trigger: its body is raw */
    int forwarded;           /* from a peer: its references stand in it */
    int incomplete;          /* what it lacks is read from the record's row */
    const char *local_id;    /* of the record here, or NULL */
    const char *held;        /* why it is not sent, or NULL */
    const char *unreadable;  /* why no peer can be sent it, or NULL */
} cm_outgoing_t;

/* Change ROW into what a peer that is not a Communicator accepts (lib/gem/), or
 * set ROW->held. */
typedef void cm_outgoing_fit_t(cm_outgoing_t *row, const char *peer,
                               apr_pool_t *result_pool);

/* What to read. */
typedef struct cm_reading_t {
    const char *peer;
    apr_int64_t after; /* messages with a seq above this one ... */
    apr_int64_t until; /* ... up to this one; 0: no end */
    cm_limits_t limits;
    const cm_stamped_t *stamped;  /* cm_stamping_t.stamped: where this is just
                                     what is wanted, it is not read again; or
                                     NULL */
    cm_outgoing_fit_t *fit;       /* NULL: the peer is a Communicator */
    apr_array_header_t *left_out; /* gets the rows (cm_outgoing_t) that FIT
                                     holds back, or that are withheld from the
                                     peer; NULL: nobody wants them */
    apr_int64_t first_id; /* number of the first message, the others follow
                             without a gap; 0: their seqs */
} cm_reading_t;

/* Messages for one peer, in order. */
typedef struct cm_batch_t {
    apr_int64_t after; /* the seq that the batch follows */
    apr_int64_t last;  /* the seq that it reaches, with what is left out */
    apr_array_header_t *messages; /* cm_message_t * */
    apr_int64_t first_seq;        /* of the first of them */
    int more;                     /* there is more to read */
    int held_back; /* messages left out: not for this peer, or unreadable */
    const char *held_reason; /* why the first of them was, or NULL */
    apr_int64_t clock;       /* a peer that called: its own; else 0 */
    int lacks; /* received: the peer withholds, or may withhold, messages */
    apr_int64_t since; /* received from a gem: it did not have our messages from
                          this seq on when it wrote these; 0: not known */
    const cm_buffer_t *packed; /* its messages, packed by gzip, as they came or
                                  were stamped; NULL: they were not so */
} cm_batch_t;

/* Read messages for READING->peer that are stamped. Bodies are canonical. What
 * cannot be read is withheld from the peer (withheld.h). Fails with CM_EPOCH
 * when messages are purged that the peer had confirmed. */
cm_error_t *cm_outbox_read(cm_batch_t **batch, cm_node_t *node,
                           const cm_reading_t *reading, apr_pool_t *result_pool,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
