/* A node with a small blog, and peers that send it messages: for the tests of
 * the inbox. */
#ifndef TEST_INBOX_H
#define TEST_INBOX_H

#include "database.h"
#include "settings.h"
#include "tap.h"

#include "inbox/inbox.h"

/* Make tables of authors, posts (which refer to each other) and tags. */
void inbox_tables(cm_store_t *store, apr_pool_t *pool);

/* Let a trigger of the application put each deleted row of TABLE back, with the
 * name 'back'. MariaDB lets no trigger change its own table. */
void inbox_put_back(cm_store_t *store, const char *table, apr_pool_t *pool);

/* Return settings for these tables, with the peer "there". */
cm_settings_t *inbox_settings(apr_pool_t *pool);

/* Return the model NAME of SETTINGS, to change it. */
cm_model_t *inbox_model(cm_settings_t *settings, const char *name);

/* Make the tables and open the node, for the first time. */
cm_node_t *inbox_node(cm_store_t *store, cm_settings_t *settings,
                      apr_pool_t *pool);

/* Let PEER send TEXT, a list of messages, behind AFTER. */
cm_error_t *inbox_send(cm_receipt_t **receipt, cm_node_t *node,
                       const char *peer, apr_int64_t after, const char *text,
                       int gem, apr_pool_t *pool);

/* The same, expected to work; returns how many messages took effect. */
int inbox_take(cm_node_t *node, apr_int64_t after, const char *text,
               apr_pool_t *pool);

/* Return what the node sends to PEER from the beginning, up to 100 messages. */
cm_batch_t *inbox_outgoing(cm_node_t *node, const char *peer, apr_pool_t *pool);

/* Return the first cell of what SQL selects from the node's database. */
const char *inbox_value(cm_node_t *node, const char *sql, apr_pool_t *pool);

/* Make a post that both sides have, the number 7 there, and of which the
 * application has changed the title here to 'here': that is not stamped yet. */
cm_node_t *inbox_disputed(cm_store_t *store, cm_settings_t *settings,
                          cm_conflict_e conflict, apr_pool_t *pool);

/* Decide about message ID of "there"; returns how many took effect. */
int inbox_decide(cm_node_t *node, apr_int64_t id, cm_decision_e decision,
                 apr_pool_t *pool);

/* Return what was done last to the record with our title, at a clock above
 * CLOCK. */
const char *inbox_last_said(cm_node_t *node, const char *clock,
                            apr_pool_t *pool);

/* A message of ours: attributes as they stand in a JSON string. */
#define MESSAGE(id, model, original, action, clock, attributes, more)          \
    "{\"id\":" #id ",\"origin\":\"there\",\"original_id\":" #original          \
    ",\"action\":\"" action "\",\"clock\":" #clock more                        \
    ",\"body\":\"{\\\"" model "\\\":{" attributes "}}\"}"
#define TEXT(name, value) "\\\"" name "\\\":\\\"" value "\\\""
#define NONE(name)        "\\\"" name "\\\":null"
#define BASE(clock)       ",\"base\":" #clock
#define REF(column, model, original)                                           \
    ",\"refs\":{\"" column "\":{\"model\":\"" model                            \
    "\",\"origin\":\"there\",\"original_id\":" #original "}}"

/* A new author, and a new post of one. */
#define AUTHOR(id, original, name)                                             \
    MESSAGE(id, "author", original, "create", 1000, TEXT("name", name), )
#define POST(id, original, title, author)                                      \
    MESSAGE(id, "post", original, "create", 1000,                              \
            TEXT("title", title) ",\\\"author_id\\\":99",                      \
            REF("author_id", "author", author))

#endif
