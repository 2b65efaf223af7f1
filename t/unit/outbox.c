/* See outbox.h. */
#include "outbox.h"

const cm_limits_t outbox_plenty = {1000, 1 << 20};

static void outbox_tables(cm_store_t *store)
{
    database_run(store, "CREATE TABLE authors (id integer PRIMARY KEY,"
                        " name varchar(40))");
    database_run(store, "CREATE TABLE posts (id integer PRIMARY KEY,"
                        " author_id integer, title varchar(40), text text,"
                        " secret varchar(40), created_at timestamp NULL)");
}

cm_node_t *outbox_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_reference_t reference = {.column = "author_id", .model = "author"};
    cm_model_t *model;
    cm_node_t *node;

    outbox_tables(store);
    settings_add_peer(settings, "there", pool);
    settings_add_model(settings, "author", "authors", "id", pool);
    model = settings_add_model(settings, "post", "posts", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) = reference;
    APR_ARRAY_PUSH(model->columns.except, const char *) = "secret";
    settings_migrate_quietly(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    node->history = CM_HISTORY_ROWS;
    return node;
}

void outbox_capture(cm_node_t *node, const char *model, const char *id,
                    const char *action, const char *body, const char *changed,
                    apr_int64_t clock, apr_pool_t *pool)
{
    cm_datum_t arguments[] = {
        cm_datum_text(model),   cm_datum_text(id),
        cm_datum_text(action),  cm_datum_text(body),
        cm_datum_text(changed), cm_datum_number(clock, pool)};

    database_must(cm_statement_run(
        NULL, node->store,
        "INSERT INTO outbound_messages (model, local_record_id, action, body,"
        " changed_columns, clock) VALUES (%s, %s, %s, %s, %s, %s)",
        arguments, 6, pool));
}

void outbox_say(cm_node_t *node, const char *body, const char *origin,
                const char *original_id, apr_pool_t *pool)
{
    cm_datum_t arguments[] = {cm_datum_text(body), cm_datum_text(origin),
                              cm_datum_text(original_id)};

    database_must(cm_statement_run(
        NULL, node->store,
        "INSERT INTO outbound_messages (body, origin, original_id)"
        " VALUES (%s, %s, %s)",
        arguments, 3, pool));
}

apr_int64_t outbox_stamp(cm_node_t *node, apr_pool_t *pool)
{
    apr_int64_t stamped;

    database_must(cm_stamp_all(&stamped, node, pool));
    return stamped;
}

cm_batch_t *outbox_read_after(cm_node_t *node, apr_int64_t after,
                              apr_pool_t *pool)
{
    cm_batch_t *batch;

    database_must(cm_outbox_read(&batch, node,
                                 &(cm_reading_t){.peer = "there",
                                                 .after = after,
                                                 .limits = outbox_plenty},
                                 pool, pool));
    return batch;
}

const char *outbox_wire(const cm_batch_t *batch, int number, int gem,
                        apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(0, pool);

    if (number >= batch->messages->nelts)
        return "none";
    cm_message_write(
        buffer, APR_ARRAY_IDX(batch->messages, number, cm_message_t *), gem);
    cm_buffer_append(buffer, "", 1);
    return buffer->data + 1;
}
