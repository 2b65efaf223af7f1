/* check: what its parts share. Each part goes on whatever fails, so that one
 * run lists all problems.
 *
 * To add a line: about models, a function in judges[] of check_database.c;
 * about the database or this node, one in the list of sync_check_database();
 * about peers, a call in check_peer.c; about the catalog, one in
 * check_catalog.c. */
#ifndef CHECK_H
#define CHECK_H

#include "exchange/session.h"
#include "client.h"

typedef struct sync_check_t {
    sync_client_t *client;    /* store and node: NULL where they failed; status:
                                 of the first failure */
    struct json_object *list; /* with --json */
    int standby;              /* the database takes no writes */
    struct cm_capture_t *capture; /* asked once for all models, as is: */
    apr_hash_t *records;          /* of cm_records_read(); NULL: not yet */
} sync_check_t;

/* Print a line: the verdict on what FORMAT says, and what to do (HINT, may be
 * NULL). */
void sync_check_say(sync_check_t *check, sync_verdict_e verdict,
                    const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Print how the step that FORMAT names went: ok, or why it failed (ERR).
 * Returns whether it went well. */
int sync_check_went(sync_check_t *check, const cm_error_t *err,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Judge database, tables, rights, this node's state, and every model. */
void sync_check_database(sync_check_t *check);

/* Judge the models by the catalog: foreign keys that references= does not
 * cover, keys that both sides give, columns that stay empty, triggers. */
void sync_check_catalog(sync_check_t *check);

/* Judge by SESSION, which has greeted, whether the models of its peer fit those
 * of this node. */
void sync_check_models(sync_check_t *check, cm_session_t *session);

/* Judge the way to PEER, step by step; of one that connects to this node, say
 * when it did so last. */
void sync_check_peer(sync_check_t *check, const cm_peer_settings_t *peer);

#endif
