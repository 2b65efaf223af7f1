/* See inbox.h. */
#include "inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outbox/read.h"
#include "outbox/stamp.h"

void inbox_tables(cm_store_t *store, apr_pool_t *pool)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    const char *serial = database == CM_PGSQL ? "serial PRIMARY KEY"
                         : database == CM_MYSQL
                             ? "integer PRIMARY KEY AUTO_INCREMENT"
                             : "integer PRIMARY KEY AUTOINCREMENT";

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

void inbox_put_back(cm_store_t *store, const char *table, apr_pool_t *pool)
{
    const char *insert = apr_psprintf(
        pool, "INSERT INTO %s (id, name) VALUES (OLD.id, 'back');", table);
    const char *body = apr_psprintf(pool, "BEGIN %s END", insert);

    if (cm_dialect_of_store(store)->database == CM_PGSQL) {
        database_run(
            store,
            apr_psprintf(pool,
                         "CREATE FUNCTION put_back() RETURNS trigger LANGUAGE"
                         " plpgsql AS $$BEGIN %s RETURN NULL; END$$",
                         insert));
        body = "EXECUTE FUNCTION put_back()";
    }
    database_run(store,
                 apr_pstrcat(pool, "CREATE TRIGGER put_back AFTER DELETE ON ",
                             table, " FOR EACH ROW ", body, NULL));
}

cm_settings_t *inbox_settings(apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model;

    settings_add_peer(settings, "there", pool);
    model = settings_add_model(settings, "author", "authors", "id", pool);
    model->type = "Author";
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "best_id", .model = "post"};
    model = settings_add_model(settings, "post", "posts", "id", pool);
    model->type = "Post";
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "author_id", .model = "author"};
    APR_ARRAY_PUSH(model->columns.except, const char *) = "secret";
    model = settings_add_model(settings, "tag", "tags", "name", pool);
    model->type = "Tag";
    model->shared_keys = 1;
    return settings;
}

cm_model_t *inbox_model(cm_settings_t *settings, const char *name)
{
    int i;

    for (i = 0; i < settings->models->nelts; i++) {
        cm_model_t *model = APR_ARRAY_IDX(settings->models, i, cm_model_t *);

        if (!strcmp(model->name, name))
            return model;
    }
    abort();
}

cm_node_t *inbox_node(cm_store_t *store, cm_settings_t *settings,
                      apr_pool_t *pool)
{
    cm_node_t *node;

    inbox_tables(store, pool);
    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

cm_error_t *inbox_send(cm_receipt_t **receipt, cm_node_t *node,
                       const char *peer, apr_int64_t after, const char *text,
                       int gem, apr_pool_t *pool)
{
    cm_batch_t *batch = apr_pcalloc(pool, sizeof(*batch));
    apr_int64_t wanted = 0;

    *receipt = NULL;
    batch->after = after;
    text = database_soon(text, pool);
    database_must(
        cm_message_read_batch(&batch->messages, text, strlen(text), 0, pool));
    return cm_inbox_receive(receipt, &wanted, node, peer, batch, gem, pool);
}

int inbox_take(cm_node_t *node, apr_int64_t after, const char *text,
               apr_pool_t *pool)
{
    cm_receipt_t *receipt;
    int i;

    database_must(inbox_send(&receipt, node, "there", after, text, 0, pool));
    for (i = 0; i < receipt->parked->nelts; i++)
        printf("# parked: %s\n",
               APR_ARRAY_IDX(receipt->parked, i, cm_parked_t).reason);
    return receipt->applied;
}

cm_batch_t *inbox_outgoing(cm_node_t *node, const char *peer, apr_pool_t *pool)
{
    const cm_limits_t limits = {100, 1 << 20};
    cm_batch_t *batch;

    database_must(cm_outbox_read(
        &batch, node, &(cm_reading_t){.peer = peer, .limits = limits}, pool,
        pool));
    return batch;
}

const char *inbox_value(cm_node_t *node, const char *sql, apr_pool_t *pool)
{
    return database_value(node->store, sql, pool);
}

cm_node_t *inbox_disputed(cm_store_t *store, cm_settings_t *settings,
                          cm_conflict_e conflict, apr_pool_t *pool)
{
    cm_node_t *node;

    inbox_model(settings, "post")->conflict = conflict;
    node = inbox_node(store, settings, pool);
    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "post", 7, "create", 1000,
                    TEXT("title", "a") "," TEXT("text", "t"), ) "]",
        pool);
    database_run(store, "UPDATE posts SET title = 'here'");
    return node;
}

int inbox_decide(cm_node_t *node, apr_int64_t id, cm_decision_e decision,
                 apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(id));
    cm_receipt_t *receipt;

    APR_ARRAY_PUSH(ids, apr_int64_t) = id;
    database_must(
        cm_inbox_retry_decided(&receipt, node, "there", ids, decision, pool));
    database_must(cm_stamp_all(&(apr_int64_t){0}, node, pool));
    return receipt->applied;
}

const char *inbox_last_said(cm_node_t *node, const char *clock,
                            apr_pool_t *pool)
{
    const char *sql = apr_pstrcat(
        pool, "SELECT action FROM outbound_messages WHERE clock > ", clock,
        " AND body LIKE '%%\"here\"%%' ORDER BY seq DESC LIMIT 1", NULL);

    return inbox_value(node, sql, pool);
}
