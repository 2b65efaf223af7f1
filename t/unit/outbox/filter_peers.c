/* What peers write, and what the row filter says of it. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "config/key.h"
#include "node/node.h"
#include "outbox/stamp.h"

static void must_run(cm_node_t *node, const char *sql, apr_pool_t *pool)
{
    apr_int64_t stamped;

    database_run(node->store, sql);
    database_must(cm_stamp_all(&stamped, node, pool));
}

/* A peer's change of a record that this node has made, number 1. */
#define THEIRS(id, clock, base, title)                                         \
    "[{\"id\":" #id ",\"origin\":\"here\",\"original_id\":1,\"action\":"       \
    "\"update\",\"clock\":" clock                                              \
    BASE(base) ",\"body\":"                                                    \
               "\"{\\\"draft\\\":{" TEXT("title", title) "}}\"}]"

/* Return the message that is sent last, behind AFTER: "2 update: {...}". */
static const char *last_outgoing(cm_node_t *node, apr_int64_t after,
                                 apr_pool_t *pool)
{
    const cm_reading_t reading = {
        .peer = "there", .after = after, .limits = {100, 1 << 20}};
    const cm_message_t *last;
    cm_batch_t *batch;

    database_must(cm_outbox_read(&batch, node, &reading, pool, pool));
    if (!batch->messages->nelts)
        return "none";
    last = APR_ARRAY_IDX(batch->messages, batch->messages->nelts - 1,
                         const cm_message_t *);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT " %s: %s", last->id,
                        last->action == CM_DELETE ? "delete" : "update",
                        last->body);
}

/* What a peer writes may let a record in or out. */
static void test_by_peers(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;
    cm_node_t *node;
    apr_int64_t count;

    database_run(store, "CREATE TABLE drafts (id integer NOT NULL PRIMARY KEY,"
                        " title varchar(40), note varchar(40))");
    model = settings_add_model(settings, "draft", "drafts", "id", pool);
    model->where = "TITLE LIKE 'open%'";
    model->leave_deletes = 1;
    cm_key_complete(settings);
    node = inbox_node(store, settings, pool);
    must_run(node, "INSERT INTO drafts VALUES (1, 'open', 'a')", pool);
    model->leave_deletes = 0;
    must_run(node, "UPDATE drafts SET title = 'closed' WHERE id = 1", pool);
    must_run(node, "UPDATE drafts SET note = 'b' WHERE id = 1", pool);
    is_str(last_outgoing(node, 0, pool),
           "1 update: {\"draft\":{\"title\":\"open\","
           "\"note\":\"a\"}}",
           "%s: what is outside is not sent", database_of(store));
    is_int(inbox_take(
               node, 0,
               database_soon(THEIRS(1, "9000000000000001", 1, "open"), pool),
               pool),
           1, "  a peer lets it in");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(last_outgoing(node, 1, pool),
           "2 update: {\"draft\":{\"title\":\"open\","
           "\"note\":\"b\"}}",
           "  and gets what had stayed");
    model->leave_deletes = 1;
    is_int(inbox_take(node, 1,
                      database_soon(THEIRS(2, "9000000000000002",
                                           9000000000000001, "closed"),
                                    pool),
                      pool),
           1, "  a peer lets it out");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(last_outgoing(node, 2, pool), "3 delete: {\"draft\":{}}",
           "  and has to delete it (leave=delete)");
    is_str(inbox_value(node, "SELECT title FROM drafts", pool), "closed",
           "  which stays here");
}

/* What a peer writes may give a record that stays here with its parent another
 * parent. */
static void test_parent_by_peers(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;
    cm_node_t *node;
    apr_int64_t count;

    database_run(store, "CREATE TABLE drafts (id integer NOT NULL PRIMARY KEY,"
                        " title varchar(40))");
    database_run(store, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY,"
                        " draft_id integer NOT NULL, text varchar(40))");
    model = settings_add_model(settings, "draft", "drafts", "id", pool);
    model->where = "title LIKE 'open%'";
    model = settings_add_model(settings, "note", "notes", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "draft_id", .model = "draft"};
    cm_key_complete(settings);
    node = inbox_node(store, settings, pool);
    must_run(node, "INSERT INTO drafts VALUES (1, 'open'), (2, 'open')", pool);
    must_run(node, "INSERT INTO notes VALUES (1, 1, 'a')", pool);
    must_run(node, "INSERT INTO drafts VALUES (3, 'closed')", pool);
    must_run(node, "UPDATE notes SET draft_id = 3, text = 'b'", pool);
    is_str(last_outgoing(node, 3, pool), "none",
           "%s: a record stays with its parent", database_of(store));
    is_int(inbox_take(
               node, 0,
               database_soon("[{\"id\":1,\"origin\":\"here\",\"original_id\":1,"
                             "\"action\":\"update\",\"clock\":9000000000000001,"
                             "\"refs\":{\"draft_id\":\"draft\"},\"body\":"
                             "\"{\\\"note\\\":{\\\"draft_id\\\":2}}\"}]",
                             pool),
               pool),
           1, "  a peer gives it another one");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(last_outgoing(node, 3, pool),
           "4 update: {\"note\":{\"draft_id\":2,\"text\":\"b\"}}",
           "  and gets what had stayed");
}

/* A record leaves the filter while a peer deletes it. */
static void test_left_and_deleted(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;
    cm_node_t *node;
    apr_int64_t count, clock;

    database_run(store, "CREATE TABLE drafts (id integer NOT NULL PRIMARY KEY,"
                        " title varchar(40))");
    model = settings_add_model(settings, "draft", "drafts", "id", pool);
    model->where = "title LIKE 'open%'";
    model->leave_deletes = 1;
    cm_key_complete(settings);
    node = inbox_node(store, settings, pool);
    must_run(node, "INSERT INTO drafts VALUES (1, 'open')", pool);
    clock = APR_ARRAY_IDX(inbox_outgoing(node, "there", pool)->messages, 0,
                          const cm_message_t *)
                ->clocks.clock;
    database_run(store, "UPDATE drafts SET title = 'closed' WHERE id = 1");
    is_int(inbox_take(node, 0,
                      apr_psprintf(pool,
                                   "[{\"id\":1,\"origin\":\"here\","
                                   "\"original_id\":1,\"action\":\"delete\","
                                   "\"clock\":%" APR_INT64_T_FMT
                                   ",\"base\":%" APR_INT64_T_FMT
                                   ",\"body\":\"{\\\"draft\\\":{}}\"}]",
                                   clock + 1, clock),
                      pool),
           1, "%s: a peer deletes what has left", database_of(store));
    database_must(cm_stamp_all(&count, node, pool));
    is_str(last_outgoing(node, 1, pool), "2 delete: {\"draft\":{}}",
           "  it is not sent as a new record");
    is_str(inbox_value(node, "SELECT title FROM drafts", pool), "closed",
           "  and stays here");
}

int main(void)
{
    apr_initialize();
    database_each("by peers", test_by_peers);
    database_each("parent by peers", test_parent_by_peers);
    database_each("left and deleted", test_left_and_deleted);
    apr_terminate();
    return done_testing();
}
