/* The inbox beside an application at work: lock, stamp, merge, in this order,
 * or a change that commits in between is overwritten here and wins there. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_thread_proc.h>
#include "store/store.h"
#include "node/node.h"
#include "outbox/stamp.h"

/* The application: changes a record and takes its time to commit. */
static void *APR_THREAD_FUNC application(apr_thread_t *thread, void *baton)
{
    (void)thread;
    apr_sleep(apr_time_from_msec(300));
    database_run(baton, "COMMIT");
    return NULL;
}

/* Let a message come while the application's transaction with SQL, and THEN
 * (NULL: nothing more), is open. */
static int take_beside(cm_node_t *node, const char *sql, const char *then,
                       const char *message, apr_pool_t *pool)
{
    cm_store_t *other = database_again(pool);
    apr_thread_t *thread;
    apr_status_t status;
    int applied;

    database_run(other, "BEGIN");
    database_run(other, sql);
    if (then)
        database_run(other, then);
    apr_thread_create(&thread, NULL, application, other, pool);
    applied = inbox_take(node, 1, message, pool);
    apr_thread_join(&status, thread);
    return applied;
}

static cm_node_t *begin_with(cm_store_t *store, cm_on_error_e on_error,
                             apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    settings->on_error = on_error;
    node = inbox_node(store, settings, pool);
    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "post", 7, "create", 1000, TEXT("title", "a"), ) "]",
        pool);
    return node;
}

static cm_node_t *begin(cm_store_t *store, apr_pool_t *pool)
{
    return begin_with(store, CM_ON_ERROR_PARK, pool);
}

static void test_change(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    node = begin(store, pool);
    is_int(take_beside(node, "UPDATE posts SET title = 'here'", NULL,
                       "[" MESSAGE(2, "post", 7, "update", 2000,
                                   TEXT("title", "there"), BASE(1000)) "]",
                       pool),
           1, "%s: a message comes while its record is being changed",
           database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "here",
           "  the newer change stays");
    is_str(inbox_value(node, "SELECT lost_value FROM communicator_conflicts",
                       pool),
           "\"there\"", "  the other is remembered");
    is_str(inbox_value(node, "SELECT seq FROM outbound_messages", pool), "1",
           "  and it is stamped");
}

/* Of another column: both changes stay, and both sides know it. */
static void test_other_column(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    node = begin(store, pool);
    is_int(take_beside(node, "UPDATE posts SET text = 'here'", NULL,
                       "[" MESSAGE(2, "post", 7, "update", 2000,
                                   TEXT("title", "there"), BASE(1000)) "]",
                       pool),
           1, "%s: a message comes while another column is being changed",
           database_of(store));
    is_str(inbox_value(node, "SELECT title FROM posts", pool), "there",
           "  its value is here");
    is_str(inbox_value(node, "SELECT text FROM posts", pool), "here",
           "  so is the other");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings AS m"
                       " JOIN outbound_messages AS o ON o.seq = 1"
                       " AND o.clock = m.clock",
                       pool),
           "1", "  and the record has the newest clock");
}

static void test_delete(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    node = begin(store, pool);
    is_int(take_beside(node, "DELETE FROM posts", NULL,
                       "[" MESSAGE(2, "post", 7, "update", 9000000000000000,
                                   TEXT("title", "there"), BASE(1000)) "]",
                       pool),
           1, "%s: a message comes while its record is being deleted",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "0",
           "  it stays deleted");
}

/* A key that the application has used and given up, while the message with the
 * same key waited for it: a delete is final, here as there. */
static void test_key(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    node = begin(store, pool);
    is_int(take_beside(node, "INSERT INTO tags (name) VALUES ('k')",
                       "DELETE FROM tags",
                       "[{\"id\":2,\"origin\":\"*\",\"original_id\":\"k\","
                       "\"action\":\"create\",\"clock\":2000,\"body\":"
                       "\"{\\\"tag\\\":{\\\"name\\\":\\\"k\\\"}}\"}]",
                       pool),
           1, "%s: a shared key is used and given up meanwhile",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM tags", pool), "0",
           "  its record is deleted, here as there");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages"
                       " WHERE seq IS NOT NULL AND action = 'delete'",
                       pool),
           "1", "  and that is sent");
}

/* The same where the batch is not halved to find out which message it was. */
static void test_key_stop(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    node = begin_with(store, CM_ON_ERROR_STOP, pool);
    is_int(take_beside(
               node, "INSERT INTO tags (name) VALUES ('k')", "DELETE FROM tags",
               "[{\"id\":2,\"origin\":\"*\",\"original_id\":\"k\","
               "\"action\":\"create\",\"clock\":2000,\"body\":"
               "\"{\\\"tag\\\":{\\\"name\\\":\\\"k\\\"}}\"}," MESSAGE(
                   3, "post", 8, "create", 1000, TEXT("title", "b"), ) "]",
               pool),
           2, "%s: the same with CommunicatorOnError stop", database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM posts", pool), "2",
           "  does not stop the batch");
}

/* The same with a key that the database would give to the message's record. */
static void test_given_key(cm_store_t *store, apr_pool_t *pool)
{
    apr_int64_t stamped;
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    node = begin(store, pool);
    is_int(take_beside(node, "INSERT INTO posts (id, title) VALUES (2, 'x')",
                       "DELETE FROM posts WHERE id = 2",
                       "[" MESSAGE(2, "post", 8, "create", 2000,
                                   TEXT("title", "b"), ) "]",
                       pool),
           1, "%s: a key is used and given up before it is given",
           database_of(store));
    database_must(cm_stamp_all(&stamped, node, pool));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings"
                       " WHERE original_id = '8' AND deleted_at = 0"
                       " AND local_record_id IS NOT NULL",
                       pool),
           "1", "  the delete is of the application's record");
}

int main(void)
{
    apr_initialize();
    database_each("a change", test_change);
    database_each("another column", test_other_column);
    database_each("a delete", test_delete);
    database_each("a key", test_key);
    database_each("a key, CommunicatorOnError stop", test_key_stop);
    database_each("a given key", test_given_key);
    apr_terminate();
    return done_testing();
}
