/* A whole table as batches, straight from its rows: outbox/publication.h. */
#include "../outbox.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "node/batches.h"
#include "outbox/body.h"
#include "outbox/outbox.h"
#include "outbox/publication.h"
#include "outbox/publish.h"

/* A node that has met "there", with COUNT authors, whose names are BYTES long.
 */
static cm_node_t *make(cm_store_t *store, int count, int bytes,
                       apr_pool_t *pool)
{
    cm_node_t *node = outbox_node(store, pool);
    char *name = memset(apr_pcalloc(pool, bytes + 1), 'n', bytes);
    const char *rows = "";
    int i;

    node->history = CM_HISTORY_PACKED;
    database_run(store, "INSERT INTO communicator_peers (name, epoch) VALUES"
                        " ('there', 'e')");
    for (i = 1; i <= count; i++)
        rows = apr_psprintf(pool, "%s%s(%d, '%s')", rows, i > 1 ? "," : "", i,
                            name);
    if (count)
        database_run(store, apr_pstrcat(pool, "INSERT INTO authors VALUES ",
                                        rows, NULL));
    return node;
}

static void publish(cm_node_t *node, const char *model, int count,
                    apr_pool_t *pool)
{
    apr_int64_t published;

    database_must(cm_publish_all(&published, node,
                                 cm_settings_model(node->settings, model), NULL,
                                 NULL, pool));
    is_int(published, count, "  %d are published", count);
}

static int chunk(cm_node_t *node, int limit, apr_pool_t *pool)
{
    cm_stamping_t stamping = {.limit = limit, .peer = "there"};
    int stamped;

    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    return stamped;
}

static const char *counts(cm_node_t *node, apr_pool_t *pool)
{
    cm_rows_t *rows;

    database_must(
        cm_statement_select(&rows, node->store,
                            "SELECT (SELECT count(*) FROM outbound_messages),"
                            " (SELECT count(*) FROM communicator_batches),"
                            " (SELECT count(*) FROM communicator_publications),"
                            " (SELECT last_seq FROM communicator_node)",
                            NULL, 0, pool));
    return apr_psprintf(pool, "%s rows, %s batches, %s tables, %s numbers",
                        cm_cell_text(rows, 0, 0), cm_cell_text(rows, 0, 1),
                        cm_cell_text(rows, 0, 2), cm_cell_text(rows, 0, 3));
}

/* Return the ids of all messages for "there", in order. */
static const char *all_ids(cm_node_t *node, apr_pool_t *pool)
{
    const char *ids = "";
    cm_batch_t *batch;
    apr_int64_t after = 0;
    int i;

    do {
        batch = outbox_read_after(node, after, pool);
        for (i = 0; i < batch->messages->nelts; i++) {
            const cm_message_t *message =
                APR_ARRAY_IDX(batch->messages, i, cm_message_t *);

            ids = apr_pstrcat(pool, ids, *ids ? " " : "",
                              message->identity.original_id, NULL);
        }
        after = batch->last;
    } while (batch->more);
    return ids;
}

/* Return the numbers from 1 to COUNT. */
static const char *up_to(int count, apr_pool_t *pool)
{
    const char *ids = "1";
    int i;

    for (i = 2; i <= count; i++)
        ids = apr_psprintf(pool, "%s %d", ids, i);
    return ids;
}

static void a_table(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 123, 3, pool);
    cm_pending_t pending;
    int waiting;

    publish(node, "author", 123, pool);
    is_str(counts(node, pool), "0 rows, 0 batches, 1 tables, 0 numbers",
           "%s: nothing is written before a run", database_of(store));
    database_must(cm_stamp_is_waiting(&waiting, node, pool));
    ok(waiting, "  but waits");
    database_must(cm_outbox_pending(&pending, node, "there", 1000, pool));
    is_int(pending.count, 123, "  with all its records");
    is_int(chunk(node, 50, pool), 50, "  then as many as fit");
    is_str(counts(node, pool), "0 rows, 1 batches, 1 tables, 50 numbers",
           "  are a batch");
    database_must(cm_outbox_pending(&pending, node, "there", 1000, pool));
    is_int(pending.count, 123, "  and wait for the peer");
    is_int(chunk(node, 50, pool), 50, "  the next");
    is_int(chunk(node, 50, pool), 23, "  and the rest");
    is_int(chunk(node, 50, pool), 0, "  and nothing more");
    is_str(counts(node, pool), "0 rows, 3 batches, 0 tables, 123 numbers",
           "  never as rows");
    is_str(all_ids(node, pool), up_to(123, pool), "  in the order of the key");
    is_str(outbox_wire(outbox_read_after(node, 122, pool), 0, 0, pool),
           "{\"id\":123,\"body\":\"{\\\"author\\\":{\\\"name\\\":"
           "\\\"nnn\\\"}}\",\"origin\":\"here\",\"original_id\":123,"
           "\"action\":\"update\",\"clock\":1}",
           "  as states with their old clocks");
}

/* What was committed and has no number yet gets it before the state: a create
 * that came after it would begin another life. */
static void a_change(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 3, 3, pool);
    cm_stamping_t stamping = {.limit = 50, .peer = "there"};
    int stamped;

    publish(node, "author", 3, pool);
    outbox_capture(node, "author", "2", "create",
                   "{\"author\":{\"name\":\"nnn\"}}", NULL, 77, pool);
    database_must(cm_publication_chunk(&stamped, node, &stamping, pool));
    is_int(stamped, 3, "%s: three states", database_of(store));
    is_str(all_ids(node, pool), "2 1 2 3", "  behind what was committed");
    is_str(database_value(store,
                          "SELECT count(*) FROM communicator_mappings"
                          " WHERE original_id <> local_record_id",
                          pool),
           "0", "  of the same records");
    is_str(database_value(store,
                          "SELECT clock FROM communicator_mappings"
                          " WHERE local_record_id = '2'",
                          pool),
           "77", "  whose clock stays");
}

/* An application that commits all the time does not keep the table waiting. */
static void in_turn(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 3, 3, pool);
    cm_stamping_t stamping = {.limit = 50, .peer = "there"};
    int stamped;

    publish(node, "author", 3, pool);
    outbox_capture(node, "author", "2", "create",
                   "{\"author\":{\"name\":\"nnn\"}}", NULL, 77, pool);
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_int(stamped, 1, "%s: what was committed", database_of(store));
    outbox_capture(node, "author", "3", "create",
                   "{\"author\":{\"name\":\"nnn\"}}", NULL, 78, pool);
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_int(stamped, 3, "  then the table, whatever was committed since");
    is_str(all_ids(node, pool), "2 3 1 2 3", "  which gets its number before");
    database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    is_int(stamped, 0, "  and nothing more");
}

/* The table has got more records since it was published: a run has to know how
 * many, or it ends before the table does. */
static void grown(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 2, 3, pool);
    cm_pending_t pending;

    publish(node, "author", 2, pool);
    database_run(store, "INSERT INTO authors VALUES (3, 'n'), (4, 'n'),"
                        " (5, 'n'), (6, 'n'), (7, 'n'), (8, 'n')");
    is_int(chunk(node, 3, pool), 3, "%s: three of eight", database_of(store));
    database_must(cm_outbox_pending(&pending, node, "there", 1000, pool));
    is_int(pending.count, 3 + 5, "  and it is known that five are left");
    is_int(chunk(node, 3, pool), 3, "  then three more");
    is_int(chunk(node, 3, pool), 2, "  and the last two");
    is_str(counts(node, pool), "0 rows, 3 batches, 0 tables, 8 numbers",
           "  which end it");
}

/* Parents were published first, and are sent first. */
static void two_tables(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 2, 3, pool);

    database_run(store, "INSERT INTO posts (id, author_id) VALUES (8, 2)");
    publish(node, "author", 2, pool);
    publish(node, "post", 1, pool);
    is_int(chunk(node, 50, pool), 2, "%s: a table", database_of(store));
    is_int(chunk(node, 50, pool), 1, "  then the next");
    is_str(all_ids(node, pool), "1 2 8", "  parents first");
    publish(node, "author", 2, pool);
    is_int(chunk(node, 1, pool), 1, "  half of it once more");
    publish(node, "author", 2, pool);
    is_int(chunk(node, 50, pool), 2, "  published anew, it begins again");
    is_str(all_ids(node, pool), "1 2 8 1 1 2", "  with the first record");
}

/* A batch is bounded in bytes, with 300 of each message beside its body. */
static void bytes(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 0, 0, pool);
    char *text = memset(apr_pcalloc(pool, 8001), 't', 8000);
    int i;

    for (i = 1; i <= 200; i++)
        database_run(store, apr_psprintf(pool,
                                         "INSERT INTO posts (id, text) VALUES"
                                         " (%d, '%s%s')",
                                         i, text, i == 150 ? text : ""));
    publish(node, "post", 200, pool);
    is_int(chunk(node, 1000, pool), 126, "%s: a megabyte", database_of(store));
    is_int(chunk(node, 1000, pool), 23, "  up to a large record");
    is_int(chunk(node, 1000, pool), 1, "  which is alone");
    is_str(counts(node, pool), "1 rows, 2 batches, 1 tables, 149 numbers",
           "  and a row");
    while (chunk(node, 1000, pool))
        ;
    is_str(all_ids(node, pool), up_to(200, pool), "  nothing is missing");
}

/* Where messages must be rows, they become rows. */
static void as_rows(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 7, 3, pool);

    database_run(store, "UPDATE communicator_peers SET epoch = NULL");
    publish(node, "author", 7, pool);
    is_int(chunk(node, 5, pool), 5, "%s: for one not met", database_of(store));
    is_str(counts(node, pool), "5 rows, 0 batches, 1 tables, 0 numbers",
           "  they are rows");
    while (chunk(node, 5, pool))
        ;
    is_str(counts(node, pool), "7 rows, 0 batches, 0 tables, 7 numbers",
           "  that get their numbers");
    is_str(all_ids(node, pool), up_to(7, pool), "  in order");
}

static cm_model_t *model_of(cm_node_t *node, const char *name)
{
    return (cm_model_t *)cm_settings_model(node->settings, name);
}

/* A model that is not published any more is forgotten. */
static void forgotten(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 7, 3, pool);

    publish(node, "post", 0, pool);
    is_str(counts(node, pool), "0 rows, 0 batches, 0 tables, 0 numbers",
           "%s: nothing waits of an empty table", database_of(store));
    publish(node, "author", 7, pool);
    model_of(node, "author")->publishes = 0;
    is_int(chunk(node, 5, pool), 0, "%s: nothing", database_of(store));
    is_str(counts(node, pool), "0 rows, 0 batches, 0 tables, 0 numbers",
           "  and forgotten");
}

/* A row filter is asked as the records are read. */
static void filtered(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 3, 3, pool);

    database_run(store, "INSERT INTO posts (id, text, author_id)"
                        " VALUES (7, 'in', 1), (8, 'out', 2), (9, 'in', 3)");
    model_of(node, "post")->where = "t.text = 'in'";
    publish(node, "author", 3, pool);
    publish(node, "post", 2, pool);
    is_str(counts(node, pool), "0 rows, 0 batches, 2 tables, 0 numbers",
           "%s: a filter: nothing is written before a run", database_of(store));
    is_int(chunk(node, 50, pool), 3, "  the parents are sent");
    is_int(chunk(node, 50, pool), 2, "  then the others");
    is_str(all_ids(node, pool), "1 2 3 7 9", "  those that match");
    is_str(counts(node, pool), "0 rows, 2 batches, 0 tables, 5 numbers",
           "  never as rows");
}

/* What changes while a table with a filter is published is sent as it is then,
 * if it matches then. */
static void filtered_meanwhile(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const changes[][3] = {
        {"1", "update", "out"}, {"2", "update", "new"}, {"4", "update", "out"},
        {"5", "update", "new"}, {"9", "create", "out"}, {"10", "create", "new"},
    };
    cm_node_t *node = make(store, 6, 3, pool);
    int i;

    model_of(node, "author")->where = "name <> 'out'";
    publish(node, "author", 6, pool);
    is_int(chunk(node, 2, pool), 2, "%s: two with a filter",
           database_of(store));
    database_run(store, "INSERT INTO authors VALUES (9, ''), (10, '')");
    for (i = 0; i < 6; i++) {
        database_run(store, apr_psprintf(pool,
                                         "UPDATE authors SET name = '%s'"
                                         " WHERE id = %s",
                                         changes[i][2], changes[i][0]));
        outbox_capture(
            node, "author", changes[i][0], changes[i][1],
            apr_psprintf(pool, "{\"author\":{\"name\":\"%s\"}}", changes[i][2]),
            NULL, 70 + i, pool);
    }
    while (chunk(node, 2, pool))
        ;
    is_str(all_ids(node, pool), "1 2 2 5 10 3 5 6 10",
           "  what was changed meanwhile is sent if it matches");
}

/* A condition that fails for a record keeps only that one. */
static void filter_fails(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 7, 3, pool);

    publish(node, "author", 7, pool);
    model_of(node, "author")->where = "60 / (id - 4) < 100";
    is_int(chunk(node, 3, pool), 3, "%s: before it", database_of(store));
    while (chunk(node, 3, pool))
        ;
    is_str(all_ids(node, pool), "1 2 3 5 6 7",
           "  one for which the condition fails stays, the others leave");
    is_str(counts(node, pool),
           cm_dialect_of_store(store)->database == CM_PGSQL
               ? "0 rows, 3 batches, 0 tables, 6 numbers"
               : "0 rows, 2 batches, 0 tables, 6 numbers",
           "  and nothing is left");
}

/* What cannot be without a record that stays here stays with it, although its
 * own model has no filter. */
static void kept_by_parents(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 3, 3, pool);
    cm_model_t *model = settings_add_model((cm_settings_t *)node->settings,
                                           "note", "notes", "id", pool);

    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "author_id", .model = "author"};
    database_run(store, "CREATE TABLE notes (id integer PRIMARY KEY,"
                        " author_id integer NOT NULL)");
    database_run(store, "INSERT INTO notes (id, author_id) VALUES (11, 1),"
                        " (12, 1), (13, 1), (14, 2), (15, 3)");
    settings_migrate_quietly(store, (cm_settings_t *)node->settings, pool);
    database_must(cm_node_open(&node, node->settings, store, pool));
    node->history = CM_HISTORY_PACKED;
    model_of(node, "author")->where = "id > 1";
    publish(node, "author", 2, pool);
    publish(node, "note", 5, pool);
    while (chunk(node, 3, pool))
        ;
    is_str(all_ids(node, pool), "2 3 14 15",
           "%s: what needs a parent that stays is not published",
           database_of(store));
    is_str(counts(node, pool), "0 rows, 2 batches, 0 tables, 4 numbers",
           "  nor written");
}

/* A filter that is declared while the table is published counts, too. */
static void filtered_later(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 5, 3, pool);

    publish(node, "author", 5, pool);
    is_int(chunk(node, 2, pool), 2, "%s: two without a filter",
           database_of(store));
    model_of(node, "author")->where = "id > 3";
    while (chunk(node, 2, pool))
        ;
    is_str(all_ids(node, pool), "1 2 4 5", "  then only those that match");
    is_str(counts(node, pool), "0 rows, 2 batches, 0 tables, 4 numbers",
           "  and nothing is left");
}

/* What is still being published is not missing. */
static void not_missing(cm_store_t *store, apr_pool_t *pool)
{
    const cm_publish_which_t missing = {NULL, 1};
    cm_node_t *node = make(store, 123, 3, pool);
    apr_int64_t count = 0;

    publish(node, "author", 123, pool);
    is_int(chunk(node, 50, pool), 50, "%s: some of a table",
           database_of(store));
    database_must(cm_publish_count(&count, node, model_of(node, "author"),
                                   &missing, pool));
    is_int(count, 0, "  the rest is not missing");
    is_str(all_ids(node, pool), up_to(123, pool), "  but on its way");
}

/* A record that is deleted, changed or made in between is as it is then. */
static void in_between(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make(store, 6, 3, pool);

    publish(node, "author", 6, pool);
    is_int(chunk(node, 2, pool), 2, "%s: two are sent", database_of(store));
    database_run(store, "DELETE FROM authors WHERE id IN (1, 4)");
    outbox_capture(node, "author", "1", "delete", "{\"author\":{}}", NULL, 70,
                   pool);
    outbox_capture(node, "author", "4", "delete", "{\"author\":{}}", NULL, 71,
                   pool);
    database_run(store, "INSERT INTO authors VALUES (9, 'nine')");
    outbox_capture(node, "author", "9", "create",
                   "{\"author\":{\"name\":\"nine\"}}", NULL, 72, pool);
    while (chunk(node, 2, pool))
        ;
    is_str(all_ids(node, pool), "1 2 1 4 9 3 5 6 9",
           "  no state comes behind its delete");
    is_str(database_value(store,
                          "SELECT count(*) FROM communicator_mappings"
                          " WHERE deleted_at > 0",
                          pool),
           "2", "  which stays the end of both records");
}

typedef struct other_t {
    cm_node_t *node;
    int stamped;
    apr_pool_t *pool;
} other_t;

static void *APR_THREAD_FUNC chunk_there(apr_thread_t *thread, void *data)
{
    other_t *other = data;

    (void)thread;
    other->stamped = chunk(other->node, 50, other->pool);
    return NULL;
}

/* The state is read with its clocks: a change that is under way is waited for,
 * and gets its number first. While it takes too long, the rest goes on. */
static void waits(cm_store_t *store, apr_pool_t *pool)
{
    int pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;
    cm_node_t *node;
    apr_thread_t *thread;
    apr_status_t status;
    other_t other;

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        return;
    node = make(store, 3, 3, pool);
    apr_pool_create(&other.pool, NULL);
    database_must(cm_node_open(&other.node, node->settings,
                               database_again(other.pool), other.pool));
    other.node->history = CM_HISTORY_PACKED;
    publish(node, "author", 3, pool);
    database_must(cm_transaction_begin(store, pool));
    database_run(store, "UPDATE authors SET name = 'new' WHERE id = 2");
    outbox_capture(node, "author", "2", "update",
                   "{\"author\":{\"name\":\"new\"}}", "[\"name\"]", 77, pool);
    apr_thread_create(&thread, NULL, chunk_there, &other, other.pool);
    apr_sleep(apr_time_from_msec(300));
    database_must(cm_transaction_commit(store, pool));
    apr_thread_join(&status, thread);
    is_int(other.stamped, 3, "%s: it waits", database_of(store));
    is_str(all_ids(node, pool), "2 1 2 3", "  for the change");
    ok(strstr(outbox_wire(outbox_read_after(node, 2, pool), 0, 0, pool),
              "\"clock\":77}") != NULL,
       "  whose clock the state has");
    publish(node, "author", 3, pool);
    database_must(cm_transaction_begin(store, pool));
    database_run(store, "UPDATE authors SET name = 'more' WHERE id = 2");
    database_run(other.node->store, pgsql ? "SET lock_timeout = '100ms'"
                                          : "SET innodb_lock_wait_timeout = 1");
    is_int(chunk(other.node, 50, other.pool), 0, "  not for ever");
    cm_transaction_rollback(store);
    is_int(chunk(other.node, 50, other.pool), 3, "  and goes on later");
    apr_pool_destroy(other.pool);
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("a table", a_table);
    database_each("a change without a number", a_change);
    database_each("in turn", in_turn);
    database_each("grown", grown);
    database_each("two tables", two_tables);
    database_each("bytes", bytes);
    database_each("as rows", as_rows);
    database_each("forgotten", forgotten);
    database_each("filtered", filtered);
    database_each("filtered meanwhile", filtered_meanwhile);
    database_each("the filter fails", filter_fails);
    database_each("kept by parents", kept_by_parents);
    database_each("filtered later", filtered_later);
    database_each("not missing", not_missing);
    database_each("in between", in_between);
    database_each("a change on its way", waits);
    return done_testing();
}
