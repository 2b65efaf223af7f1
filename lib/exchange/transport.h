/* How requests get to a peer: functions that the program gives, so that nothing
 * here knows HTTP's library. communicator-sync gives those of client/http.c; a
 * test may call the serving side (answer.h) in the same process. */
#ifndef CM_EXCHANGE_TRANSPORT_H
#define CM_EXCHANGE_TRANSPORT_H

#include <apr_tables.h>

#include "base/buffer.h"
#include "base/error.h"

/* What came back. DATA is NUL-terminated behind SIZE and lives until the next
 * request. */
typedef struct cm_transport_reply_t {
    int status;    /* 0: no whole reply came */
    int unreached; /* the request did not even leave */
    apr_table_t *headers;
    const char *data;
    apr_size_t size;
    const cm_buffer_t *packed; /* DATA as it came, by gzip, or NULL */
    apr_int64_t began, ended;  /* this host's clock, microseconds */
} cm_transport_reply_t;

/* What is sent: as it is, and packed, or NULL. */
typedef struct cm_transport_body_t {
    const char *data;
    apr_size_t size;
    const cm_buffer_t *packed;
} cm_transport_body_t;

typedef struct cm_transport_t {
    /* Return BODY, whose JSON may be packed already, as it is sent: packed
     * where the peer accepts that, else not. */
    cm_transport_body_t (*pack)(void *baton, cm_transport_body_t body,
                                apr_pool_t *pool);

    /* Send BODY with QUERY ("from_id=1&limit=5", may be NULL): POST; without a
     * body GET. Both stay as they are until the reply is there. The peer is at
     * work when this returns, and so may the caller be. */
    void (*send)(void *baton, const char *query,
                 const cm_transport_body_t *body, apr_pool_t *pool);

    /* Wait for the reply, with the POOL of send(). *REPLY is any answer,
     * whatever its status. Fails with CM_NETWORK, CM_TIMEOUT, CM_TLS,
     * CM_TOO_LARGE (the reply), CM_PROTOCOL (no HTTP); even then *REPLY says
     * how far it came. */
    cm_error_t *(*finish)(cm_transport_reply_t **reply, void *baton,
                          apr_pool_t *pool);

    /* Note whether the peer ACCEPTS packed bodies. */
    void (*accept_gzip)(void *baton, int accepts);

    apr_table_t *headers; /* sent with each request; the session sets them */
    void *baton;
} cm_transport_t;

/* Send a POST of SIZE bytes of JSON in DATA, and wait for the reply. QUERY may
 * be NULL. Fails as finish(). */
cm_error_t *cm_transport_post(cm_transport_reply_t **reply,
                              const cm_transport_t *transport,
                              const char *query, const char *data,
                              apr_size_t size,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
