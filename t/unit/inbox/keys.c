/* Keys that are NULL, which name no record, and rows that are nothing but a
 * key: neither may crash, and both are distinguished from valid rows. Keys that
 * refer to another record, which a second record has after the first. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/buffer.h"
#include "store/dialect.h"
#include "config/key.h"
#include "schema/judge.h"
#include "schema/migrate.h"
#include "node/node.h"
#include "outbox/stamp.h"
#include "inbox/inbox.h"

/* A table whose key may be NULL, and one that has only a key; migrate would
 * refuse the first. */
static cm_node_t *make_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node;

    settings_add_peer(settings, "there", pool);
    settings_add_model(settings, "label", "labels", "code", pool);
    settings_add_model(settings, "slot", "slots", "id", pool);
    settings_migrate_quietly(store, settings, pool);
    database_run(store, database == CM_SQLITE3
                            ? "CREATE TABLE labels (code varchar(40) PRIMARY"
                              " KEY, name varchar(40))"
                            : "CREATE TABLE labels (code varchar(40) UNIQUE,"
                              " name varchar(40))");
    database_run(store, database == CM_PGSQL ? "CREATE TABLE slots (id serial"
                                               " PRIMARY KEY)"
                        : database == CM_MYSQL
                            ? "CREATE TABLE slots (id integer PRIMARY KEY"
                              " AUTO_INCREMENT)"
                            : "CREATE TABLE slots (id integer PRIMARY KEY)");
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

/* A gem's messages without a name of their record get none from a database
 * that gives no keys. */
static void test_given(cm_store_t *store, apr_pool_t *pool)
{
    static const char gem[] =
        "[{\"id\":1,\"body\":\"{\\\"label\\\":{\\\"name\\\":\\\"a\\\"}}\"},"
        "{\"id\":2,\"body\":\"{\\\"label\\\":{\\\"name\\\":\\\"b\\\"}}\"},"
        "{\"id\":3,\"origin\":\"there\",\"original_id\":\"c\",\"body\":"
        "\"{\\\"label\\\":{\\\"name\\\":\\\"c\\\"}}\"}]";
    cm_node_t *node = make_node(store, pool);
    cm_receipt_t *receipt;

    database_must(inbox_send(&receipt, node, "there", 0, gem, 1, pool));
    is_int(receipt->applied, 1, "%s: a row that gets no key is not kept",
           database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM labels", pool), "1",
           "  as the table says");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages WHERE error LIKE"
                       " '%%has no key%%' AND transient = 0",
                       pool),
           "2", "  and its message is parked with this reason");
}

/* What a trigger tells of a row without a key. */
static void test_captured(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    cm_batch_t *batch;
    apr_int64_t stamped;

    database_run(store, "INSERT INTO outbound_messages (model, action, body,"
                        " clock) VALUES ('label', 'create',"
                        " '{\"label\":{\"name\":\"a\"}}', 1000)");
    database_run(store, "INSERT INTO outbound_messages (model,"
                        " local_record_id, action, body, clock) VALUES"
                        " ('label', 'b', 'create',"
                        " '{\"label\":{\"code\":\"b\",\"name\":\"b\"}}',"
                        " 1000)");
    database_run(store, "INSERT INTO outbound_messages (model, action, body,"
                        " clock) VALUES ('label', 'delete',"
                        " '{\"label\":{}}', 1000)");
    database_must(cm_stamp_all(&stamped, node, pool));
    is_int(stamped, 3, "%s: a change of a row without a key gets its number",
           database_of(store));
    batch = inbox_outgoing(node, "there", pool);
    is_int(batch->messages->nelts, 1, "  but is not sent");
    is_int(batch->held_back, 2, "  which is counted");
    ok(batch->held_reason && strstr(batch->held_reason, "no key") != NULL,
       "  with the reason");
}

static void test_defaults(cm_store_t *store, apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(64 * 1024, pool);
    cm_node_t *node = make_node(store, pool);
    int i;

    for (i = 1; i <= 700; i++)
        cm_buffer_raw(buffer,
                      apr_psprintf(pool,
                                   "%s{\"id\":%d,\"origin\":\"there\","
                                   "\"original_id\":%d,\"action\":\"create\","
                                   "\"clock\":1000,\"body\":"
                                   "\"{\\\"slot\\\":{\\\"other\\\":1}}\"}",
                                   i > 1 ? "," : "[", i, i));
    cm_buffer_append(buffer, "]", 2);
    is_int(inbox_take(node, 0, buffer->data, pool), 700,
           "%s: records without a column that is here", database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM slots", pool), "700",
           "  are there, all of them");
    is_str(inbox_value(node,
                       "SELECT count(DISTINCT local_record_id) FROM"
                       " communicator_mappings",
                       pool),
           "700", "  each under its name");
}

static void test_judged(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    const cm_model_t *model = cm_settings_model(node->settings, "label");
    apr_array_header_t *findings;
    cm_table_t *table;
    cm_error_t *err;

    database_must(cm_table_read(&table, store, model, pool, pool));
    database_must(cm_judge_table(&findings, store, table, pool));
    err = cm_judge_error(findings, 1, pool);
    ok(database_fails(err, CM_SCHEMA, "a key that may be NULL"),
       "%s: a key that may be NULL is refused", database_of(store));
    ok(err && err->hint && strstr(err->hint, "NOT NULL") != NULL,
       "  with what to do");
    err = settings_try_to_migrate(store, node->settings, pool);
    ok(database_fails(err, CM_SCHEMA, "migrate"), "migrate refuses it");
    (void)inbox_take(
        node, 0,
        "[" MESSAGE(1, "label", 1, "create", 1000, TEXT("name", "a"), ) "]",
        pool);
    settings_migrate(store, node->settings, pool);
    database_must(cm_judge_table(&findings, store, table, pool));
    ok(cm_judge_error(findings, 1, pool) != NULL,
       "but not where records are synchronised already, which check reports");
}

/* The settings of a blog with one detail of each author, to which notes refer.
 */
static cm_settings_t *detail_settings(apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model =
        settings_add_model(settings, "detail", "details", "author_id", pool);

    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "author_id", .model = "author"};
    model = settings_add_model(settings, "note", "notes", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "detail_id", .model = "detail"};
    cm_key_complete(settings);
    return settings;
}

#define DETAIL(id, original, body)                                             \
    MESSAGE(id, "detail", original, "create", 1000,                            \
            TEXT("body", body) ",\\\"author_id\\\":99",                        \
            REF("author_id", "author", 3))

/* A record whose key refers to another one is deleted and made again: what
 * referred to the first refers to the second here, and is sent again. */
static void test_made_again(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;

    database_run(store, "CREATE TABLE details (author_id integer NOT NULL"
                        " PRIMARY KEY, body varchar(40))");
    database_run(store, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY,"
                        " detail_id integer)");
    node = inbox_node(store, detail_settings(pool), pool);
    (void)inbox_take(
        node, 0, "[" AUTHOR(1, 3, "one") "," DETAIL(2, 5, "first") "]", pool);
    database_run(store, "INSERT INTO notes (id, detail_id)"
                        " SELECT 1, author_id FROM details");
    is_int(inbox_take(node, 2,
                      "[" MESSAGE(3, "detail", 5, "delete", 2000, ,
                                  BASE(1000)) "," DETAIL(4, 6, "second") "]",
                      pool),
           2, "%s: a record of the same author is made again",
           database_of(store));
    is_str(inbox_value(node, "SELECT body FROM details", pool), "second",
           "  it is there");
    is_str(inbox_value(node,
                       "SELECT m.model FROM communicator_missing m JOIN notes n"
                       " ON CAST(n.detail_id AS char(1)) = m.local_record_id",
                       pool),
           "detail", "  and what refers to it is sent again");
}

#define NOTE_OF(id, action, clock, detail)                                     \
    MESSAGE(id, "note", 8, action, clock, "\\\"detail_id\\\":99",              \
            ",\"refs\":{\"detail_id\":[\"detail\"," detail "]}")

/* Make a node where a foreign key of notes leads to details, and an author. The
 * details have KEY: author_id, or a number (match= finds them by author_id). */
static cm_node_t *note_node(cm_store_t *store, const char *key,
                            apr_pool_t *pool)
{
    cm_database_e database = cm_dialect_of_store(store)->database;
    const int numbered = !strcmp(key, "number");
    cm_settings_t *settings = detail_settings(pool);
    cm_model_t *model = inbox_model(settings, "detail");
    cm_node_t *node;

    if (numbered) {
        APR_ARRAY_IDX(model->columns.key, 0, const char *) = key;
        model->columns.match = apr_array_make(pool, 1, sizeof(const char *));
        APR_ARRAY_PUSH(model->columns.match, const char *) = "author_id";
    }
    database_run(
        store, apr_psprintf(pool,
                            "CREATE TABLE details (%sauthor_id integer NOT"
                            " NULL %s, body varchar(40))",
                            !numbered                ? ""
                            : database == CM_PGSQL   ? "number serial PRIMARY"
                                                       " KEY, "
                            : database == CM_SQLITE3 ? "number integer"
                                                       " PRIMARY KEY, "
                                                     : "number integer PRIMARY"
                                                       " KEY AUTO_INCREMENT, ",
                            numbered ? "UNIQUE" : "PRIMARY KEY"));
    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE notes (id integer NOT NULL PRIMARY"
                              " KEY, detail_id integer NOT NULL,"
                              " FOREIGN KEY (detail_id)"
                              " REFERENCES details (%s))",
                              key));
    node = inbox_node(store, settings, pool);
    (void)inbox_take(node, 0, "[" AUTHOR(1, 3, "one") "]", pool);
    return node;
}

/* A record whose key refers to another one is deleted (DELETE) and made again
 * at the peer. A note, which the peer gives the new one, refuses the delete
 * here. It comes with the rest, or (APART) before it. */
static void test_refused_by(cm_node_t *node, const char *delete, int apart,
                            apr_pool_t *pool)
{
    const char *rest =
        DETAIL(5, 6, "second") "," NOTE_OF(6, "update", 9000000000000009, "6");
    cm_receipt_t *receipt;

    if (apart)
        is_int(inbox_take(node, 3, apr_pstrcat(pool, "[", delete, "]", NULL),
                          pool),
               0, "%s: a note refuses a delete", database_of(node->store));
    (void)inbox_take(node, apart ? 4 : 3,
                     apr_pstrcat(pool, "[", apart ? "" : delete,
                                 apart ? "" : ",", rest, "]", NULL),
                     pool);
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM inbound_messages"
                       " WHERE processed_at IS NULL",
                       pool),
           "0", "%s: made again, and its note: nothing is parked",
           database_of(node->store));
    is_str(inbox_value(
               node, "SELECT max(body) FROM details HAVING count(*) = 1", pool),
           "second", "  it has the row");
    is_str(inbox_value(node,
                       "SELECT original_id FROM communicator_mappings WHERE"
                       " local_record_type = 'detail' AND deleted_at = 0"
                       " AND local_record_id IS NOT NULL",
                       pool),
           "6", "  under its own name");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings WHERE"
                       " local_record_type = 'detail' AND deleted_at > 0",
                       pool),
           "1", "  and the one before is deleted");
}

/* The record was made here. */
static void test_ours_refused_by(cm_store_t *store, const char *key, int apart,
                                 apr_pool_t *pool)
{
    cm_node_t *node = note_node(store, key, pool);

    database_run(store, "INSERT INTO details (author_id, body)"
                        " SELECT id, 'first' FROM authors");
    (void)inbox_take(node, 1, "[" AUTHOR(2, 4, "two") "]", pool);
    (void)inbox_take(
        node, 2, "[" NOTE_OF(3, "create", 9000000000000005, "1,\"here\"") "]",
        pool);
    test_refused_by(node,
                    "{\"id\":4,\"origin\":\"here\",\"original_id\":1,"
                    "\"action\":\"delete\",\"clock\":9000000000000009" BASE(
                        9000000000000005) ",\"body\":\"{\\\"detail\\\":{}}\"}",
                    apart, pool);
}

static void test_ours_refused(cm_store_t *store, apr_pool_t *pool)
{
    test_ours_refused_by(store, "author_id", 0, pool);
}

static void test_ours_refused_apart(cm_store_t *store, apr_pool_t *pool)
{
    test_ours_refused_by(store, "author_id", 1, pool);
}

static void test_matched_refused(cm_store_t *store, apr_pool_t *pool)
{
    test_ours_refused_by(store, "number", 0, pool);
}

static void test_matched_refused_apart(cm_store_t *store, apr_pool_t *pool)
{
    test_ours_refused_by(store, "number", 1, pool);
}

/* Both had made it, so that it has two names. The peer's delete says ONE of
 * them, and comes when others have been found to be the same already. */
static void test_both_refused_by(cm_store_t *store, const char *one,
                                 apr_pool_t *pool)
{
    cm_node_t *node = note_node(store, "number", pool);

    database_run(store, "INSERT INTO details (author_id, body)"
                        " SELECT id, 'first' FROM authors");
    (void)inbox_take(
        node, 1,
        "[" DETAIL(2, 5, "theirs") "," NOTE_OF(3, "create", 1000, "5") "]",
        pool);
    test_refused_by(node,
                    apr_psprintf(pool,
                                 "{\"id\":4,%s,\"action\":\"delete\",\"clock\":"
                                 "9000000000000009" BASE(9000000000000005) //
                                 ",\"body\":\"{\\\"detail\\\":{}}\"}",
                                 one),
                    1, pool);
}

static void test_both_refused(cm_store_t *store, apr_pool_t *pool)
{
    test_both_refused_by(store, "\"origin\":\"here\",\"original_id\":1", pool);
}

static void test_both_refused_theirs(cm_store_t *store, apr_pool_t *pool)
{
    test_both_refused_by(store, "\"origin\":\"there\",\"original_id\":5", pool);
}

/* The peer has made both. */
static void test_theirs_refused_by(cm_store_t *store, int apart,
                                   apr_pool_t *pool)
{
    cm_node_t *node = note_node(store, "author_id", pool);

    (void)inbox_take(
        node, 1,
        "[" DETAIL(2, 5, "first") "," NOTE_OF(3, "create", 1000, "5") "]",
        pool);
    test_refused_by(node, MESSAGE(4, "detail", 5, "delete", 2000, , BASE(1000)),
                    apart, pool);
}

static void test_theirs_refused(cm_store_t *store, apr_pool_t *pool)
{
    test_theirs_refused_by(store, 0, pool);
}

static void test_theirs_refused_apart(cm_store_t *store, apr_pool_t *pool)
{
    test_theirs_refused_by(store, 1, pool);
}

#define LINK(id, original, clock, author, tag, more)                           \
    "{\"id\":" #id ",\"origin\":\"there\",\"original_id\":\"" original         \
    "\",\"clock\":" #clock more                                                \
    ",\"refs\":{\"author_id\":[\"author\"," #author                            \
    "],\"tag_id\":[\"author\"," #tag                                           \
    "]},\"body\":\"{\\\"link\\\":{\\\"author_id\\\":90,"                       \
    "\\\"tag_id\\\":91}}\"}"

/* Make a node with details and links, whose keys refer to authors. */
static cm_node_t *link_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = detail_settings(pool);
    cm_model_t *model =
        settings_add_model(settings, "link", "links", "author_id,tag_id", pool);

    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "author_id", .model = "author"};
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "tag_id", .model = "author"};
    cm_key_complete(settings);
    database_run(store, "CREATE TABLE details (author_id integer NOT NULL"
                        " PRIMARY KEY, body varchar(40), own varchar(40))");
    database_run(store, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY,"
                        " detail_id integer)");
    database_run(store, "CREATE TABLE links (author_id integer NOT NULL,"
                        " tag_id integer NOT NULL, own varchar(40),"
                        " PRIMARY KEY (author_id, tag_id))");
    return inbox_node(store, settings, pool);
}

/* What a key refers to was replaced under its own key at the sender: the row is
 * sent again, and has another key here. It stays the same record. */
static void test_replaced(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = link_node(store, pool);

    is_int(
        inbox_take(node, 0,
                   "[" AUTHOR(1, 3, "one") "," AUTHOR(2, 4, "tag") "," DETAIL(
                       3, 5, "first") "," LINK(4, "[\\\"3\\\",\\\"4\\\"]", 1000,
                                               3, 4, ) "]",
                   pool),
        4, "%s: rows whose keys refer to others", database_of(store));
    database_run(store, "UPDATE details SET own = 'kept'");
    database_run(store, "UPDATE links SET own = 'kept'");
    is_int(inbox_take(
               node, 4,
               "[" MESSAGE(5, "author", 3, "delete", 2000, , BASE(1000)) ","  //
               MESSAGE(6, "author", 7, "create", 2000, TEXT("name", "two"), ) //
               "," MESSAGE(7, "detail", 5, "update", 1000,
                           TEXT("body", "first") ",\\\"author_id\\\":99",
                           REF("author_id", "author", 7)) //
               "," LINK(8, "[\\\"3\\\",\\\"4\\\"]", 1000, 7, 4, ) "]",
               pool),
           4, "  one of these is replaced");
    is_str(inbox_value(node,
                       "SELECT d.own FROM details d JOIN authors a"
                       " ON a.id = d.author_id WHERE a.name = 'two'",
                       pool),
           "kept", "  the row follows, and keeps what is only here");
    is_str(inbox_value(node,
                       "SELECT l.own FROM links l JOIN authors a"
                       " ON a.id = l.author_id WHERE a.name = 'two'",
                       pool),
           "kept", "  so does one with a key of several columns");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM communicator_mappings m"
                       " JOIN details d ON CAST(d.author_id AS char(1))"
                       " = m.local_record_id"
                       " WHERE m.local_record_type = 'detail'"
                       " AND m.original_id = '5'",
                       pool),
           "1", "  its mapping knows its key");
    is_int(inbox_take(node, 8,
                      "[" MESSAGE(9, "detail", 5, "update", 3000,
                                  TEXT("body", "new") ",\\\"author_id\\\":99",
                                  REF("author_id", "author", 7) BASE(1000)) //
                      "," LINK(10, "[\\\"3\\\",\\\"4\\\"]", 3000, 7, 4,
                               ",\"action\":\"delete\"" BASE(1000)) "]",
                      pool),
           2, "  later changes");
    is_str(inbox_value(node, "SELECT body FROM details", pool), "new",
           "  find the row");
    is_str(inbox_value(node, "SELECT count(*) FROM links", pool), "0",
           "  also deletes");
}

/* Of what a key refers to, the first is replaced, and the second by one that is
 * gone. The new one can come only without what is said of it later. */
static void test_replaced_and_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = link_node(store, pool);

    (void)inbox_take(
        node, 0,
        "[" AUTHOR(1, 3, "one") "," AUTHOR(2, 4, "tag") "," AUTHOR(
            3, 5, "gone") "," LINK(4, "[\\\"3\\\",\\\"4\\\"]", 1000, 3,
                                   4, ) "," MESSAGE(5, "author", 5, "delete",
                                                    2000, , BASE(1000)) "]",
        pool);
    is_int(
        inbox_take(
            node, 5,
            "[" AUTHOR(6, 7, "two") "," MESSAGE(
                7, "author", 7, "update", 2000, NONE("name"),
                BASE(1000)) "," LINK(8, "[\\\"3\\\",\\\"4\\\"]", 3000, 7, 5,
                                     ",\"action\":\"update\"" BASE(1000)) "]",
            pool),
        2, "%s: a row whose key refers to a new record and a deleted one",
        database_of(store));
    is_str(inbox_value(node, "SELECT count(*) FROM links", pool), "0",
           "  is deleted");
}

#define NAMED(id, origin, original, action, clock, more)                       \
    "{\"id\":" #id ",\"origin\":\"" origin "\",\"original_id\":" #original     \
    ",\"action\":\"" action "\",\"clock\":" #clock more "}"
#define DETAIL_OF(author, counterpart)                                         \
    ",\"refs\":{" counterpart "\"author_id\":[\"author\"," #author             \
    ",\"there\"]},\"body\":\"{\\\"detail\\\":{" TEXT(                          \
        "body", "b") ",\\\"author_id\\\":99}}\""
#define MOVED                                                                  \
    NAMED(1, "south", 6, "create", 9000000000000009,                           \
          BASE(9000000000000005)                                               \
              DETAIL_OF(4, "\"\":[\"detail\",\"1\",\"here\"],"))
#define ENDED                                                                  \
    NAMED(2, "here", 1, "delete", 9000000000000009,                            \
          BASE(9000000000000005) ",\"refs\":{\"\":[\"detail\",6,\"south\"]},"  \
                                 "\"body\":\"{\\\"detail\\\":{}}\"")

/* Two nodes have made the same record, and a third one, which knows it by one
 * name only, gives it another key: FIRST and then, if not NULL, SECOND. */
static void test_moved_by(cm_store_t *store, const char *first,
                          const char *second, apr_pool_t *pool)
{
    cm_settings_t *settings = detail_settings(pool);
    cm_receipt_t *receipt;
    cm_node_t *node;

    settings_add_peer(settings, "central", pool);
    settings_add_peer(settings, "south", pool);
    database_run(store, "CREATE TABLE details (author_id integer NOT NULL"
                        " PRIMARY KEY, body varchar(40))");
    database_run(store, "CREATE TABLE notes (id integer NOT NULL PRIMARY KEY,"
                        " detail_id integer)");
    node = inbox_node(store, settings, pool);
    (void)inbox_take(node, 0,
                     "[" AUTHOR(1, 3, "one") "," AUTHOR(2, 4, "two") "]", pool);
    database_run(store, "INSERT INTO details (author_id, body)"
                        " SELECT id, 'b' FROM authors WHERE name = 'one'");
    database_must(inbox_send(
        &receipt, node, "central", 0,
        "[" NAMED(1, "central", 5, "create", 1000, DETAIL_OF(3, "")) "]", 0,
        pool));
    database_must(inbox_send(&receipt, node, "south", 0, first, 0, pool));
    if (second)
        database_must(inbox_send(&receipt, node, "south", 1, second, 0, pool));
    is_str(inbox_value(node,
                       "SELECT name FROM authors JOIN details ON id ="
                       " author_id",
                       pool),
           "two",
           "%s: a record with two names gets another key at a third node",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(DISTINCT origin) FROM outbound_messages"
                       " WHERE action = 'delete' AND seq > 0 AND (source IS"
                       " NULL OR source <> 'south')",
                       pool),
           "2", "  which gets the deletes of both names");
    is_str(inbox_value(node,
                       "SELECT count(*) FROM outbound_messages WHERE"
                       " action = 'delete' AND seq > 0 AND refs IS NULL",
                       pool),
           "0", "  each time with the record that continues it");
}

static void test_moved(cm_store_t *store, apr_pool_t *pool)
{
    test_moved_by(store, "[" MOVED "," ENDED "]", NULL, pool);
}

static void test_moved_apart(cm_store_t *store, apr_pool_t *pool)
{
    test_moved_by(store, "[" MOVED "]", "[" ENDED "]", pool);
}

int main(void)
{
    apr_initialize();
    database_each("given", test_given);
    database_each("captured", test_captured);
    database_each("defaults", test_defaults);
    database_each("judged", test_judged);
    database_each("made again", test_made_again);
    database_each("made again, refused", test_ours_refused);
    database_each("made again, refused, apart", test_ours_refused_apart);
    database_each("made again, matched", test_matched_refused);
    database_each("made again, matched, apart", test_matched_refused_apart);
    database_each("made again, two names", test_both_refused);
    database_each("made again, the other name", test_both_refused_theirs);
    database_each("made again there, refused", test_theirs_refused);
    database_each("made again there, apart", test_theirs_refused_apart);
    database_each("replaced", test_replaced);
    database_each("replaced, and gone", test_replaced_and_gone);
    database_each("moved", test_moved);
    database_each("moved, in two batches", test_moved_apart);
    apr_terminate();
    return done_testing();
}
