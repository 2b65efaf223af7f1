/* What the files of the module share, file by file.
 *
 * A request at the endpoint passes through
 *   endpoint.c   is this URL ours?
 *   exchange.c   who sent the request, and may this peer do so?
 *   pull.c, push.c, verify.c   what it asks for: one file for each
 *   database.c   the work is done on a connection of mod_dbd
 *   contact.c    what is remembered of the peer: when it called, its epoch,
 *                whether it failed
 *   answer.c     what goes back
 * request.c reads the body and the query, allocator.c keeps the memory, and
 * refusal.c rewrites what httpd itself answers there. The status page and the
 * watchdog are in status.h. */
#ifndef MOD_COMMUNICATOR_H
#define MOD_COMMUNICATOR_H

#include <httpd.h>
#include <http_config.h>
#include <util_filter.h>

#include "config/settings.h"
#include "node/epoch.h"
#include "outbox/withheld.h"
#include "inbox/inbox.h"

extern module AP_MODULE_DECLARE_DATA communicator_module;

typedef struct mod_status_cache_t mod_status_cache_t; /* status.c */
typedef struct mod_sample_t mod_sample_t;             /* status.h */

/* Settings of a server or virtual host. */
typedef struct mod_server_t {
    cm_settings_t *settings;
    int endpoints;             /* number of <Location>s with Communicator On */
    mod_status_cache_t *cache; /* of this process; NULL: no name is set */
    mod_sample_t *sample;      /* of all processes; NULL: it is not watched */
} mod_server_t;

/* Settings of a section of the configuration; never from .htaccess. */
typedef struct mod_location_t {
    int on;           /* Communicator On, Off; -1: not set */
    const char *path; /* of the <Location> that sets it */
    int status;       /* CommunicatorStatus On, Off; -1: not set */
} mod_location_t;

/* What the headers of a request say. */
typedef struct mod_said_t {
    cm_claim_t claim;           /* about the peer's history */
    apr_int64_t clock;          /* the peer's, or 0 */
    int insists;                /* it wants an answer during a pause, too */
    cm_withheld_sum_t withheld; /* of the peer's messages, from us */
} mod_said_t;

/* One request at the endpoint. */
typedef struct mod_exchange_t {
    request_rec *r;
    apr_pool_t *pool; /* lives as long as the request's, for what is large */
    const cm_settings_t *settings;
    const cm_peer_settings_t *peer; /* who sent it */
    int gem; /* no Communicator-Protocol: part A of docs/wire.md */
    mod_said_t said;
    const char *own_epoch;      /* of the database here, once it is read */
    const cm_peer_t *known;     /* the peer's row, once it is read */
    cm_withheld_sum_t withheld; /* of our messages, from the peer */
    cm_node_t *node;            /* while a connection is held, else NULL */
} mod_exchange_t;

/* --- directives.c, server.c, check.c: the configuration --- */

extern const command_rec mod_directives[];

/* Create and merge what a server's and a section's directives set. */
void *mod_server_create(apr_pool_t *pool, server_rec *server);
void *mod_server_merge(apr_pool_t *pool, void *base, void *over);
void *mod_server_location_create(apr_pool_t *pool, char *path);
void *mod_server_location_merge(apr_pool_t *pool, void *base, void *over);

/* Return the module's settings of SERVER, or NULL when an earlier server in
 * httpd's list has the very same ones, or none has a name. */
mod_server_t *mod_server_own(server_rec *first, server_rec *server);

/* Hooks: check the configuration, and print it on request. */
int mod_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                     server_rec *server);
void mod_check_dump(apr_pool_t *pconf, server_rec *server);

/* --- endpoint.c: is this URL ours? --- */

/* Hooks: keep the request from being mapped to anything else. */
int mod_endpoint_translate(request_rec *r);
int mod_endpoint_map(request_rec *r);
int mod_endpoint_type(request_rec *r);

/* Return the location's settings when R asks for exactly that path (whether
 * it is switched on there or off), else NULL. */
const mod_location_t *mod_endpoint_of(request_rec *r);

/* Return whether R comes from a gem. */
int mod_endpoint_is_gem(const request_rec *r);

/* --- exchange.c: who sent the request; then pull.c, push.c or verify.c --- */

/* Hook: handle a request at the endpoint. */
int mod_exchange_handler(request_rec *r);

/* Answer a pull (GET, HEAD) or a push (POST); return what a handler returns. */
int mod_pull(mod_exchange_t *exchange);
int mod_push(mod_exchange_t *exchange);

/* Retry what is parked of the peer, and ask again for records that messages
 * refer to; return whether there is something new to send. A failure is
 * logged, and changes nothing else. */
int mod_push_retry_parked(mod_exchange_t *exchange);

/* Answer a question about the records here (POST ?verify), or publish the
 * records that it names (?repair). */
int mod_verify(mod_exchange_t *exchange);

/* --- database.c: a connection of mod_dbd --- */

/* Run WORK with a node on a connection of mod_dbd's, which is given back
 * afterwards; again on another connection when the first is dead or the
 * database busy. Results belong into the exchange's pool. */
typedef cm_error_t *(*mod_database_work_t)(mod_exchange_t *exchange,
                                           void *baton);
cm_error_t *mod_database_run(mod_exchange_t *exchange, mod_database_work_t work,
                             void *baton) CM_UNUSED_RESULT;

/* The same outside of a request: run WORK with the node of SERVER. Its results
 * and the error live in POOL. */
typedef cm_error_t *(*mod_database_node_work_t)(cm_node_t *node, void *baton,
                                                apr_pool_t *pool);
cm_error_t *mod_database_use(server_rec *server, const cm_settings_t *settings,
                             mod_database_node_work_t work, void *baton,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* --- contact.c: what is remembered of the peer --- */

/* Read the peer into exchange->known, and note that it called. Refuse a peer
 * whose history does not fit (CM_EPOCH), and during a pause everyone who does
 * not insist (CM_PAUSED). PUSH: which of its times to set. */
cm_error_t *mod_contact(mod_exchange_t *exchange, int push) CM_UNUSED_RESULT;

/* Set *QUIET, and exchange->known, when a peer that holds everything that we
 * have sent only has to hear that there is nothing new. */
cm_error_t *mod_contact_quiet(int *quiet,
                              mod_exchange_t *exchange) CM_UNUSED_RESULT;

/* Note for status and monitors that a push (else: a pull) of the peer failed
 * because of ERR, unless ERR is transient; and that one went well, within the
 * work with the node. If it cannot be noted, that is logged. */
void mod_contact_failed(mod_exchange_t *exchange, int push,
                        const cm_error_t *err);
void mod_contact_went_well(mod_exchange_t *exchange, int push);

/* --- request.c: what the request carries --- */

/* Read the request's body into *BODY, within the limits; return 0, or what
 * the handler has to return after a refusal. */
int mod_request_body(cm_buffer_t **body, mod_exchange_t *exchange);

/* Return the value of KEY in the query, decoded, or NULL. */
const char *mod_request_value(const request_rec *r, const char *key);

/* Read the whole number that is the value of KEY in the query; *THERE: whether
 * KEY is there. Fails with CM_MALFORMED when it is something else. */
cm_error_t *mod_request_number(int *there, apr_int64_t *number,
                               const request_rec *r,
                               const char *key) CM_UNUSED_RESULT;

/* --- answer.c: what goes back --- */

/* Answer with STATUS, our headers, and SIZE bytes of BODY, which is in the
 * exchange's pool. To a gem text/html, else application/json. */
int mod_answer(mod_exchange_t *exchange, int status, const char *body,
               apr_size_t size);

/* Refuse with STATUS for CODE: a gem gets a status that it does not take for
 * success, a peer of ours a JSON object with ERROR and HINT (or NULL).
 * Logs nothing. */
int mod_answer_refusal(mod_exchange_t *exchange, int status, cm_code_e code,
                       const char *error, const char *hint);

/* Log ERR, once, and refuse with what it means. */
int mod_answer_error(mod_exchange_t *exchange, const cm_error_t *err);

/* Refuse a push that does not begin with the message WANTED. */
int mod_answer_gap(mod_exchange_t *exchange, apr_int64_t wanted,
                   const cm_error_t *err);

/* Return the body of a refusal with STATUS to a gem. */
const char *mod_answer_gem_body(int status);

/* Set a header, or a note for the access log, of R to NUMBER. */
void mod_answer_number(request_rec *r, const char *header, apr_int64_t number);
void mod_answer_note(request_rec *r, const char *note, apr_int64_t number);

/* --- refusal.c: httpd's own answers at an endpoint --- */

/* Hooks and filter: make them answers that a gem understands. */
void mod_refusal_insert(request_rec *r);
void mod_refusal_insert_error(request_rec *r);
apr_status_t mod_refusal_filter(ap_filter_t *filter, apr_bucket_brigade *in);

/* --- allocator.c: the memory of exchanges --- */

/* Hook: create the allocator of this process. */
void mod_allocator_child_init(apr_pool_t *pool, server_rec *server);

/* Return a pool for the exchange in R: it goes with the request's. */
apr_pool_t *mod_allocator_pool(const request_rec *r);

/* Expect that the exchange works on SIZE bytes: when they are many, the memory
 * goes back to the system when the request ends. */
void mod_allocator_expect(const mod_exchange_t *exchange, apr_size_t size);

#endif
