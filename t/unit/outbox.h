/* A node with authors and posts, and what a trigger or an application puts
 * into its outbox. */
#ifndef TEST_OUTBOX_H
#define TEST_OUTBOX_H

#include "database.h"
#include "settings.h"
#include "tap.h"

#include "outbox/read.h"
#include "outbox/stamp.h"

/* More than any test puts into the outbox. */
extern const cm_limits_t outbox_plenty;

/* Return a node with authors, and posts that refer to one; their other columns
 * are text. What it has sent stays in rows, which tests can look at. */
cm_node_t *outbox_node(cm_store_t *store, apr_pool_t *pool);

/* Put a row into the outbox as a trigger does; CHANGED may be NULL. */
void outbox_capture(cm_node_t *node, const char *model, const char *id,
                    const char *action, const char *body, const char *changed,
                    apr_int64_t clock, apr_pool_t *pool);

/* Put a row into the outbox as an application does. */
void outbox_say(cm_node_t *node, const char *body, const char *origin,
                const char *original_id, apr_pool_t *pool);

/* Number all messages; return how many there were. */
apr_int64_t outbox_stamp(cm_node_t *node, apr_pool_t *pool);

/* Return the messages for the peer "there" behind AFTER. */
cm_batch_t *outbox_read_after(cm_node_t *node, apr_int64_t after,
                              apr_pool_t *pool);

/* Return message NUMBER of BATCH as it goes over the wire, without "[". */
const char *outbox_wire(const cm_batch_t *batch, int number, int gem,
                        apr_pool_t *pool);

#define POST(x)      "{\"post\":{" x "}}"
#define WIRE_POST(x) "\"body\":\"{\\\"post\\\":{" x "}}\""
#define HERE(id)     "\"origin\":\"here\",\"original_id\":" id

#endif
