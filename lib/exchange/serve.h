/* The serving side of the conversation: a request in, an answer out.
 *
 *   request.c  reads query and body
 *   admit.c    who sent the request, and may this peer do so?
 *   serve_pull.c, serve_push.c, serve_verify.c   what it asks for
 *   serve_recover.c  histories that do not fit are mended
 *   serve_wait.c a request that waits for the next message
 *   contact.c  what is remembered of the peer: when it called, its epoch,
 *              whether it failed
 *   serve.c    what goes back
 *
 * docs/wire.md is the protocol. */
#ifndef CM_EXCHANGE_SERVE_H
#define CM_EXCHANGE_SERVE_H

#include <apr_tables.h>

#include "config/settings.h"
#include "node/epoch.h"
#include "node/peer.h"
#include "outbox/outbox.h"
#include "outbox/withheld.h"
#include "exchange/host.h"

/* Statuses of HTTP. */
enum {
    CM_HTTP_OK = 200,
    CM_HTTP_ACCEPTED = 202,
    CM_HTTP_BAD_REQUEST = 400,
    CM_HTTP_UNAUTHORIZED = 401,
    CM_HTTP_FORBIDDEN = 403,
    CM_HTTP_BAD_METHOD = 405,
    CM_HTTP_TIME_OUT = 408,
    CM_HTTP_CONFLICT = 409,
    CM_HTTP_TOO_LARGE = 413,
    CM_HTTP_BAD_TYPE = 415,
    CM_HTTP_UNPROCESSABLE = 422,
    CM_HTTP_FAILED = 500,
    CM_HTTP_UNAVAILABLE = 503
};

/* A request at the endpoint. */
typedef struct cm_request_t {
    const char *method; /* "GET", "HEAD", "POST" or another one */
    const char *query;  /* as it was sent, without "?"; NULL: none */
    const apr_table_t *headers;
    const char *user; /* who logged in; NULL: nobody */
    int off;          /* the endpoint is switched off */
} cm_request_t;

/* What goes back: with status 0 nothing, for the server has answered. */
typedef struct cm_answer_t {
    int status;
    const char *type;     /* Content-Type */
    int packed;           /* Content-Encoding: gzip */
    apr_table_t *headers; /* the others */
    apr_table_t *notes;   /* "communicator-...": for the access log */
    const char *body;
    apr_size_t size;
} cm_answer_t;

/* What the headers of a request say. */
typedef struct cm_said_t {
    cm_claim_t claim;           /* about the peer's history */
    apr_int64_t clock;          /* the peer's; -1: not said */
    apr_int64_t pending;        /* messages for us; -1: not said */
    int insists;                /* it wants an answer during a pause, too */
    cm_withheld_sum_t withheld; /* of the peer's messages, from us */
} cm_said_t;

/* One request and its answer. */
typedef struct cm_exchange_t {
    const cm_request_t *request;
    const cm_host_t *host;
    const cm_settings_t *settings;
    const cm_peer_settings_t *peer; /* who sent it; NULL: not known yet */
    int gem; /* no Communicator-Protocol: part A of docs/wire.md */
    const cm_buffer_t *packed; /* the body as it came, if packed, else NULL */
    cm_said_t said;
    const char *own_epoch;      /* of the database here, once it is read */
    const cm_peer_t *known;     /* the peer's row, once it is read */
    cm_withheld_sum_t withheld; /* of our messages, from the peer */
    cm_node_t *node;            /* while a connection is held, else NULL */
    cm_answer_t answer;
    apr_pool_t *pool;
} cm_exchange_t;

/* Begin the exchange of REQUEST by a node with SETTINGS. All of it lives in
 * POOL. */
cm_exchange_t *cm_serve_begin(const cm_request_t *request,
                              const cm_settings_t *settings,
                              const cm_host_t *host, apr_pool_t *pool);

/* Find exchange->answer. */
void cm_serve(cm_exchange_t *exchange);

/* Log a line, unless the host does not log at LEVEL. */
void cm_serve_log(const cm_exchange_t *exchange, cm_log_e level,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Answer with STATUS, our headers, and SIZE bytes of BODY. To a gem text/html,
 * else application/json. */
void cm_serve_send(cm_exchange_t *exchange, int status, const char *body,
                   apr_size_t size);

/* The same where BODY may be PACKED by gzip already; or NULL. */
void cm_serve_send_packed(cm_exchange_t *exchange, int status, const char *body,
                          apr_size_t size, const cm_buffer_t *packed);

/* Refuse with STATUS for CODE: a gem gets a status that it does not take for
 * success, a peer of ours a JSON object with ERROR and HINT (or NULL).
 * Logs nothing. */
void cm_serve_refuse(cm_exchange_t *exchange, int status, cm_code_e code,
                     const char *error, const char *hint);

/* Refuse by 403 with TEXT, which the log has too, as NUMBER (log.h). Returns 0,
 * for the checks of a request. */
int cm_serve_forbid(cm_exchange_t *exchange, const char *number,
                    const char *text, const char *hint);

/* Log ERR, once, and refuse with what it means. */
void cm_serve_error(cm_exchange_t *exchange, const cm_error_t *err);

/* Return the body of a refusal with STATUS to a gem. */
const char *cm_serve_gem_body(int status);

/* --- admit.c --- */

/* Find the peer, and read what it says about itself. Returns 0 when it has
 * refused the request. */
int cm_admit(cm_exchange_t *exchange);

/* --- serve_pull.c, serve_push.c, serve_verify.c --- */

/* Answer a pull (GET, HEAD), a push (POST), or a question about the records
 * here (POST ?verify), which may publish the records that it names
 * (?repair). */
void cm_serve_pull(cm_exchange_t *exchange);
void cm_serve_push(cm_exchange_t *exchange);
void cm_serve_verify(cm_exchange_t *exchange);

/* --- serve_recover.c --- */

/* Answer a POST with recover=: say how the histories look from here, and do
 * what is asked for where they do not fit. */
void cm_serve_recover(cm_exchange_t *exchange);

/* Retry what is parked of the peer, and ask again for records that messages
 * refer to; return whether there is something new to send. A failure is
 * logged, and changes nothing else. */
int cm_serve_push_retry(cm_exchange_t *exchange);

/* --- serve_wait.c --- */

/* How a request wants to wait. */
typedef struct cm_serve_wait_t {
    int asked;           /* it has wait= */
    apr_int64_t seconds; /* how long at most; 0: not at all */
    apr_int64_t pause;   /* milliseconds between two looks */
} cm_serve_wait_t;

/* Read wait= and every= of the query, within our bounds; those of a gem and of
 * HEAD count for nothing. Fails with CM_MALFORMED. */
cm_error_t *cm_serve_wait_read(cm_serve_wait_t *wait,
                               const cm_exchange_t *exchange) CM_UNUSED_RESULT;

/* Wait until something is committed that may be for the peer, above message
 * AFTER: *FOUND, and *PENDING counts it. Ends without when the time is over,
 * the server is stopping, or the caller has hung up; at once when no more
 * requests may wait here. Fails as host->use_node(). */
cm_error_t *cm_serve_wait(cm_pending_t *pending, int *found,
                          const cm_serve_wait_t *wait, apr_int64_t after,
                          const cm_exchange_t *exchange) CM_UNUSED_RESULT;

/* --- serve.c: the database --- */

/* Run WORK, which finds exchange->node set, by host->use_node(). Results
 * belong into the exchange's pool. */
typedef cm_error_t *(*cm_serve_work_t)(cm_exchange_t *exchange, void *baton);
cm_error_t *cm_serve_with_node(cm_exchange_t *exchange, cm_serve_work_t work,
                               void *baton) CM_UNUSED_RESULT;

/* --- contact.c: what is remembered of the peer --- */

/* Read the peer into exchange->known. Fails with CM_EPOCH when its history does
 * not fit. */
cm_error_t *cm_contact_read(cm_exchange_t *exchange) CM_UNUSED_RESULT;

/* Return ERR, or, if it is CM_EPOCH and the request was sent before others that
 * were served, CM_LOCKED: what it says and asks for is out of date. */
cm_error_t *cm_contact_late(const cm_exchange_t *exchange,
                            cm_error_t *err) CM_UNUSED_RESULT;

/* Read the peer, and note that it called. During a pause refuse everyone who
 * does not insist (CM_PAUSED). PUSH: which of its times to set. */
cm_error_t *cm_contact(cm_exchange_t *exchange, int push) CM_UNUSED_RESULT;

/* Find out by one statement whether there is nothing new for the peer, the
 * usual case: its claim fits; it holds all our messages and has confirmed them;
 * they are numbered, and the records that they refer to are here; none of its
 * messages is parked, none of ours withheld, and it withholds what it did
 * before; the node is not paused; and its last pull was noted a moment ago.
 * Then *QUIET is set, a pull gets an empty answer, and nothing is written:
 * exchange->known has name, epoch, confirmed, received, received_clock,
 * last_pull_at and held. Otherwise the pull must be served in full. */
cm_error_t *cm_contact_quiet(int *quiet,
                             cm_exchange_t *exchange) CM_UNUSED_RESULT;

/* Return whether the peer has no messages that we lack: then whatever we
 * refused is gone. exchange->known is read. */
int cm_contact_has_all(const cm_exchange_t *exchange);

/* Note for status and monitors that a push (else: a pull) of the peer failed
 * because of ERR, unless ERR is transient; and that one went well, within the
 * work with the node. If it cannot be noted, that is logged. */
void cm_contact_failed(cm_exchange_t *exchange, int push,
                       const cm_error_t *err);
void cm_contact_went_well(cm_exchange_t *exchange, int push);

/* --- request.c: what the request carries --- */

/* Read the request's body into *BODY, unpacked, within the limits. Returns 0
 * when it has refused the request. */
int cm_request_body(cm_buffer_t **body, cm_exchange_t *exchange);

/* Return the value of KEY in QUERY (may be NULL), decoded, or NULL. */
const char *cm_request_value(const char *query, const char *key,
                             apr_pool_t *pool);

/* Read the whole number that is the value of KEY in QUERY; without KEY, NUMBER
 * stays as it is. Fails with CM_MALFORMED when it is something else. */
cm_error_t *cm_request_number(apr_int64_t *number, const char *query,
                              const char *key,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the value of the request's header NAME, or NULL. */
const char *cm_request_header(const cm_exchange_t *exchange, const char *name);

/* Return whether the request is a HEAD: it changes nothing. */
int cm_request_is_head(const cm_exchange_t *exchange);

/* Return whether the request names KEY in its query. */
int cm_request_has(const cm_exchange_t *exchange, const char *key);

/* Tell the host how much memory the exchange needs. */
void cm_request_expect(const cm_exchange_t *exchange, apr_size_t size);

#endif
