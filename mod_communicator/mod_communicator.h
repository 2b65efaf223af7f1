/* The facade's door: what the files of the module share.
 *
 * A request at the endpoint goes through endpoint.c (is it ours?), exchange.c
 * (from whom?), pull.c or push.c (what?), database.c (a connection of
 * mod_dbd's, as short as can be) and answer.c. refusal.c sees to what httpd
 * itself answers there. */
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

/* Per server and virtual host. */
typedef struct mod_server_t {
    cm_settings_t *settings;
    int endpoints; /* how many <Location>s in it have Communicator On */
    mod_status_cache_t *cache; /* of this process; NULL: no name is set */
    mod_sample_t *sample;      /* of all processes; NULL: nobody looks */
} mod_server_t;

/* Per directory; never from .htaccess. */
typedef struct mod_location_t {
    int on;           /* Communicator On, Off; -1: not said */
    const char *path; /* of the <Location> that said so */
    int status;       /* CommunicatorStatus On, Off; -1: not said */
} mod_location_t;

/* One request at the endpoint. */
typedef struct mod_exchange_t {
    request_rec *r;
    apr_pool_t *pool; /* lives as long as the request's, for what is large */
    const cm_settings_t *settings;
    const cm_peer_settings_t *peer; /* who it is from */
    int gem;           /* no Communicator-Protocol: part A of docs/wire.md */
    cm_claim_t claim;  /* what the peer says of its history */
    apr_int64_t clock; /* the peer's, or 0 */
    int insists;       /* it is to be served in spite of a pause */
    const char *own_epoch;      /* of the database here, once it is known */
    const cm_peer_t *known;     /* what is known of the peer, once it is read */
    cm_withheld_sum_t withheld; /* of our messages, from the peer ... */
    cm_withheld_sum_t theirs;   /* ... of its messages, from us, as it says */
    cm_node_t *node;            /* while a connection is held, else NULL */
} mod_exchange_t;

/* The directives, and what is made of them. */
extern const command_rec mod_commands[];
void *mod_server_create(apr_pool_t *pool, server_rec *server);
void *mod_server_merge(apr_pool_t *pool, void *base, void *over);
void *mod_location_create(apr_pool_t *pool, char *path);
void *mod_location_merge(apr_pool_t *pool, void *base, void *over);

/* Hooks. */
int mod_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                     server_rec *server);
int mod_endpoint_translate(request_rec *r);
int mod_endpoint_map(request_rec *r);
int mod_endpoint_type(request_rec *r);
int mod_exchange_handler(request_rec *r);
void mod_refusal_insert(request_rec *r);
void mod_refusal_insert_error(request_rec *r);
apr_status_t mod_refusal_filter(ap_filter_t *filter, apr_bucket_brigade *in);
void mod_memory_child_init(apr_pool_t *pool, server_rec *server);

/* Return a pool for the exchange in R: it goes with the request's. */
apr_pool_t *mod_memory_pool(const request_rec *r);

/* Expect that the exchange works on SIZE bytes: when they are many, the memory
 * goes back to the system when the request ends. */
void mod_memory_expect(const mod_exchange_t *exchange, apr_size_t size);

/* Return the words of the line NAME that holds for SERVER, of a module whose
 * own settings nobody else sees, or NULL. */
const char *mod_check_line(const server_rec *server, const char *name);

/* Return the location's settings when R asks for exactly that path (whether
 * it is switched on there or off), else NULL. */
const mod_location_t *mod_endpoint_of(request_rec *r);

/* Return whether R comes from a gem. */
int mod_is_gem(const request_rec *r);

/* Answer a pull (GET, HEAD), a push (POST); return what a handler returns. */
int mod_pull(mod_exchange_t *exchange);
int mod_push(mod_exchange_t *exchange);

/* Answer what a peer of ours asks about the records here (POST ?verify), or
 * publish those that it names (?repair). */
int mod_verify(mod_exchange_t *exchange);

/* Run WORK with a node on a connection of mod_dbd's, which is given back when
 * it is done; again on another connection when the first is dead or the
 * database busy. Results belong into the exchange's pool. */
typedef cm_error_t *(*mod_work_t)(mod_exchange_t *exchange, void *baton);
cm_error_t *mod_database_run(mod_exchange_t *exchange, mod_work_t work,
                             void *baton) CM_UNUSED_RESULT;

/* The same for httpd itself: run WORK with the node of SERVER. What it gives
 * and the error live in POOL. */
typedef cm_error_t *(*mod_node_work_t)(cm_node_t *node, void *baton,
                                       apr_pool_t *pool);
cm_error_t *mod_database_use(server_rec *server, const cm_settings_t *settings,
                             mod_node_work_t work, void *baton,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Try what is parked of the peer again, and say again what refers to records
 * that were missing; return whether there is news. That it cannot be done is
 * logged, and fails nothing. */
int mod_retry_parked(mod_exchange_t *exchange);

/* Note that the peer was here (exchange->known), and refuse one whose history
 * does not fit (CM_EPOCH), and all but who insists while the node is paused
 * (CM_PAUSED). PUSH says which of its times to set. */
cm_error_t *mod_contact(mod_exchange_t *exchange, int push) CM_UNUSED_RESULT;

/* Set *QUIET when a peer of ours that holds all that we have sent needs no
 * more than to be told that nothing is new, and exchange->known. */
cm_error_t *mod_contact_quiet(int *quiet,
                              mod_exchange_t *exchange) CM_UNUSED_RESULT;

/* Note for status and monitors that a push (else: a pull) of the peer failed
 * because of ERR, unless that passes by itself; and that one went well, within
 * the work with the node. That it cannot be noted fails nothing. */
void mod_contact_failed(mod_exchange_t *exchange, int push,
                        const cm_error_t *err);
void mod_contact_went_well(mod_exchange_t *exchange, int push);

/* Read the request's body into *BODY, within the limits; returns 0 or what
 * the handler is to return, the refusal being sent. */
int mod_body_read(cm_buffer_t **body, mod_exchange_t *exchange);

/* Give the value of KEY in the query, decoded, or NULL. */
const char *mod_query(const request_rec *r, const char *key);

/* Give the whole number that is the value of KEY in the query: 0, or 1 when
 * it is there. Fails with CM_MALFORMED when it is something else. */
cm_error_t *mod_query_number(int *there, apr_int64_t *number,
                             const request_rec *r,
                             const char *key) CM_UNUSED_RESULT;

/* Answer with STATUS and SIZE bytes of BODY, which the exchange's pool holds,
 * and with the headers of ours. To a gem text/html, else application/json. */
int mod_answer(mod_exchange_t *exchange, int status, const char *body,
               apr_size_t size);

/* Refuse with STATUS for CODE: to a gem by a status that it does not take for
 * success, to ours with a JSON object that has ERROR and HINT (or NULL).
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

/* Set a header or a note of R to NUMBER. */
void mod_answer_number(request_rec *r, const char *header, apr_int64_t number);
void mod_note_number(request_rec *r, const char *note, apr_int64_t number);

#endif
