/* A node with a small blog, and peers that send it messages: for the tests of
 * the inbox. */
#ifndef TEST_INBOX_H
#define TEST_INBOX_H

#include "database.h"
#include "settings.h"
#include "tap.h"

#include "store/dialect.h"
#include "schema/migrate.h"
#include "inbox/inbox.h"

static void inbox_ignore(void *baton, const char *what, const char *sql)
{
    (void)baton;
    (void)what;
    (void)sql;
}

static void inbox_tables(cm_store_t *store)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    const char *serial = database == CM_PGSQL ? "serial PRIMARY KEY"
                         : database == CM_MYSQL
                             ? "integer PRIMARY KEY AUTO_INCREMENT"
                             : "integer PRIMARY KEY AUTOINCREMENT";
    apr_pool_t *pool = cm_store_pool(store);

    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE authors (id %s, name varchar(40)"
                              " NOT NULL UNIQUE, born date, best_id integer)",
                              serial));
    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE posts (id %s, author_id integer,"
                              " title varchar(40) NOT NULL, text text,"
                              " secret varchar(40), FOREIGN KEY (author_id)"
                              " REFERENCES authors (id))",
                              serial));
    database_run(store,
                 "CREATE TABLE tags (name varchar(40) NOT NULL PRIMARY KEY,"
                 " color varchar(40))");
}

static inline cm_settings_t *inbox_settings(apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model;

    settings_add_peer(settings, "there", pool);
    model = settings_add_model(settings, "author", "authors", "id", pool);
    model->type = "Author";
    APR_ARRAY_PUSH(model->references, cm_reference_t) =
        (cm_reference_t){"best_id", "post"};
    model = settings_add_model(settings, "post", "posts", "id", pool);
    model->type = "Post";
    APR_ARRAY_PUSH(model->references, cm_reference_t) =
        (cm_reference_t){"author_id", "author"};
    APR_ARRAY_PUSH(model->except, const char *) = "secret";
    model = settings_add_model(settings, "tag", "tags", "name", pool);
    model->type = "Tag";
    model->shared_keys = 1;
    return settings;
}

static inline cm_node_t *inbox_node(cm_store_t *store, cm_settings_t *settings,
                                    apr_pool_t *pool)
{
    cm_node_t *node;

    inbox_tables(store);
    database_must(cm_migrate_run(store, settings, 0, inbox_ignore, NULL, pool));
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

/* Let PEER send TEXT, a list of messages, behind AFTER. */
static cm_error_t *inbox_send(cm_receipt_t **receipt, cm_node_t *node,
                              const char *peer, apr_int64_t after,
                              const char *text, int gem, apr_pool_t *pool)
{
    cm_batch_t *batch = apr_pcalloc(pool, sizeof(*batch));
    apr_int64_t wanted = 0;

    *receipt = NULL;
    batch->after = after;
    text = database_soon(text, pool);
    database_must(
        cm_message_read_batch(&batch->messages, text, strlen(text), pool));
    return cm_inbox_receive(receipt, &wanted, node, peer, batch, gem, pool);
}

/* The same, expected to work; returns how many messages took effect. */
static inline int inbox_take(cm_node_t *node, apr_int64_t after,
                             const char *text, apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    int i;

    database_must(inbox_send(&receipt, node, "there", after, text, 0, pool));
    for (i = 0; i < receipt->parked->nelts; i++)
        printf("# parked: %s\n",
               APR_ARRAY_IDX(receipt->parked, i, cm_parked_t).reason);
    return receipt->applied;
}

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

#endif
