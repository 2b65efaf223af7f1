/* check: what its parts share. Every part goes on whatever fails, so that one
 * run lists all problems.
 *
 * To add a line: about models, a function in judges[] of check_database.c;
 * about the database or this node, one in the list of cm_check_database();
 * about peers, a call in check_peer.c. */
#ifndef CHECK_H
#define CHECK_H

#include "command.h"

struct json_object;

typedef struct cm_check_t {
    cm_client_t *client;      /* store and node: NULL where they failed */
    struct json_object *list; /* with --json */
    int status;               /* of the first failure */
    int standby;              /* the database takes no writes */
    apr_pool_t *pool;
} cm_check_t;

/* Print a line: the verdict on WHAT, and what to do, or NULL. */
void cm_check_say(cm_check_t *check, cm_verdict_e verdict, const char *what,
                  const char *remedy);

/* Say how a step went: "ok WHAT", or why it failed; returns whether it went
 * well. */
int cm_check_went(cm_check_t *check, const char *what, const cm_error_t *err);

/* Judge database, tables, rights, this node's state, and every model. */
void cm_check_database(cm_check_t *check);

/* Judge the way to the peer, or remember when it was here last. */
void cm_check_peer(cm_check_t *check, const cm_peer_settings_t *peer);

#endif
