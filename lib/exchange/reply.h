/* What a reply means: is it the peer's at all, and what does it say?
 *
 * A reply with the header Communicator-Protocol is ours. Without it, it is a
 * gem's only when it looks like one (docs/wire.md). Everything else comes
 * from something in between: a proxy, a login page, httpd itself. */
#ifndef CM_EXCHANGE_REPLY_H
#define CM_EXCHANGE_REPLY_H

#include "node/epoch.h"
#include "outbox/withheld.h"
#include "exchange/transport.h"

#define CM_OUR_PROTOCOL 2

typedef enum cm_peer_kind_e {
    CM_PEER_UNKNOWN,
    CM_PEER_OURS,
    CM_PEER_GEM
} cm_peer_kind_e;

/* What a refused request may mean for one of several messages in it. */
typedef enum cm_refusal_e {
    CM_REFUSAL_OF_ALL, /* nothing: the peer cannot be used at present */
    CM_REFUSAL_MAYBE,  /* the message, or a temporary failure */
    CM_REFUSAL_DATA,   /* its content is refused */
    CM_REFUSAL_SIZE    /* it is too large */
} cm_refusal_e;

/* What a peer of ours says of itself in each reply. */
typedef struct cm_reply_sender_t {
    apr_int64_t protocol; /* its version */
    const char *node;     /* its name, or NULL */
    int accepts_gzip;     /* requests may be packed */
    cm_claim_t claim;     /* its history */
    int has_clock;
    apr_int64_t clock_offset;   /* its clock - ours */
    cm_withheld_sum_t withheld; /* of its messages, from us */
} cm_reply_sender_t;

/* What it says in the reply to a pull. */
typedef struct cm_reply_pull_t {
    apr_int64_t last; /* the seq that the batch reaches */
    int more;         /* there is more */
    apr_int64_t pending, oldest, parked;
} cm_reply_pull_t;

/* Numbers are -1 where the reply does not say. */
typedef struct cm_reply_t {
    cm_peer_kind_e kind;
    int status;
    const char *data; /* as in cm_transport_reply_t */
    apr_size_t size;
    const cm_buffer_t *packed;
    cm_reply_sender_t sender;
    cm_reply_pull_t pull;
    apr_int64_t received; /* push: what it holds of ours */
    apr_int64_t wanted;   /* 409: the number that must come next */
    const char *strange;  /* a header of ours whose value is not valid, or
                             NULL: such a reply is refused */
    int stopped;          /* it waits for a person to deal with a message */
    int later;            /* it names a time to try again */
} cm_reply_t;

/* Judge RAW, the answer to a GET. *REPLY is set even on failure. Succeeds for
 * 200 with a list. Fails with the code that fits the status: CM_UNAUTHORIZED,
 * CM_FORBIDDEN, CM_NOT_FOUND, CM_GAP, CM_EPOCH, CM_PEER_FAILED, ..., or
 * CM_PROTOCOL when it is not an answer of a peer. */
cm_error_t *cm_reply_judge_get(cm_reply_t **reply,
                               const cm_transport_reply_t *raw,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Judge RAW, the answer to a POST: succeeds only when the whole batch is safe
 * there. Fails as cm_reply_judge_get(), and with CM_TOO_LARGE. */
cm_error_t *cm_reply_judge_post(cm_reply_t **reply,
                                const cm_transport_reply_t *raw,
                                apr_pool_t *pool) CM_UNUSED_RESULT;

/* Judge RAW, the answer to a question that only ours understand: succeeds for
 * 200. Fails as cm_reply_judge_get(). */
cm_error_t *cm_reply_judge_answer(cm_reply_t **reply,
                                  const cm_transport_reply_t *raw,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return what ERR, with which a request failed, may mean for a message in it.
 * RAW is what came back; REPLY what was made of it, or NULL. */
cm_refusal_e cm_reply_refusal(const cm_transport_reply_t *raw,
                              const cm_reply_t *reply, const cm_error_t *err);

/* Return which messages of a batch the peer has parked, as REPLY says:
 * cm_parked_t, empty when it does not say. */
apr_array_header_t *cm_reply_parked(const cm_reply_t *reply, apr_pool_t *pool);

/* Return the beginning of DATA, at most MOST characters, fit for a terminal:
 * control characters and all that is not ASCII become spaces. */
const char *cm_reply_excerpt(const char *data, apr_size_t size, apr_size_t most,
                             apr_pool_t *pool);

#endif
