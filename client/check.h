/* check: what its parts share. Every part goes on whatever fails, so that one
 * run lists all problems.
 *
 * To add a line: about models, a function in judges[] of check_database.c;
 * about the database or this node, one in the list of sync_check_database();
 * about peers, a call in check_peer.c. */
#ifndef CHECK_H
#define CHECK_H

#include "command.h"
#include "config/settings.h"

struct json_object;

typedef struct sync_check_t {
    sync_client_t *client;    /* store and node: NULL where they failed */
    struct json_object *list; /* with --json */
    int status;               /* of the first failure */
    int standby;              /* the database takes no writes */
    apr_pool_t *pool;
} sync_check_t;

/* Print a line: the verdict on WHAT, and what to do, or NULL. */
void sync_check_say(sync_check_t *check, sync_verdict_e verdict,
                    const char *what, const char *hint);

/* Say how a step went: "ok WHAT", or why it failed; returns whether it went
 * well. */
int sync_check_went(sync_check_t *check, const char *what,
                    const cm_error_t *err);

/* Judge database, tables, rights, this node's state, and every model. */
void sync_check_database(sync_check_t *check);

/* Judge the way to the peer, or remember when it was here last. */
void sync_check_peer(sync_check_t *check, const cm_peer_settings_t *peer);

#endif
