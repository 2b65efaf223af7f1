/* The triggers in the sessions of applications: whatever they have set, and
 * whoever they are. */
#include "../database.h"

#include <apr_strings.h>

#include "schema/capture.h"
#include "schema/migrate.h"
#include "record/captured.h"
#include "record/message.h"
#include "../settings.h"
#include "../tap.h"

static void report(void *baton, const char *what, const char *sql)
{
    (void)baton, (void)what, (void)sql;
}

/* Publish the table; the records of a "tree" have parents. */
static cm_table_t *publish(cm_store_t *store, const char *name,
                           const char *table_name, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *model =
        settings_add_model(settings, name, table_name, "id", pool);
    cm_table_t *table;

    if (!strcmp(name, "tree")) {
        APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
            (cm_reference_t){.column = "parent", .model = "tree"};
        model->referred = 1;
    }
    database_must(cm_migrate_run(store, settings, 0, report, NULL, pool));
    database_must(cm_table_read(&table, store, model, pool, pool));
    return table;
}

/* Return the actions and ids in the outbox, in order, and empty it. */
static const char *outbox(cm_store_t *store, apr_pool_t *pool)
{
    const char *text = "";
    cm_rows_t *rows;
    int i;

    database_must(cm_statement_select(&rows, store,
                                      "SELECT action, local_record_id"
                                      " FROM outbound_messages ORDER BY id",
                                      NULL, 0, pool));
    for (i = 0; i < rows->count; i++)
        text =
            apr_pstrcat(pool, text, *text ? ", " : "", cm_cell_text(rows, i, 0),
                        " ", cm_cell_text(rows, i, 1), NULL);
    database_run(store, "DELETE FROM outbound_messages");
    return text;
}

/* Return the last body in the outbox, canonical. */
static const char *body(cm_store_t *store, const cm_table_t *table,
                        apr_pool_t *pool)
{
    cm_buffer_t *buffer = cm_buffer_create(256, pool);
    apr_array_header_t *attributes;
    cm_datum_t raw;

    raw = cm_datum_text(database_value(store,
                                       "SELECT body FROM outbound_messages"
                                       " ORDER BY id DESC LIMIT 1",
                                       pool));
    raw.data = strchr(raw.data, ':') + 1;
    raw.size = strlen(raw.data) - 1;
    database_must(cm_captured_read(&attributes, table, raw,
                                   cm_dialect_of_store(store), pool));
    cm_message_write_body(buffer, table->model->name, attributes);
    cm_buffer_append(buffer, "", 1);
    return buffer->data;
}

static void run_all(cm_store_t *store, const char *const *sql)
{
    for (; *sql; sql++)
        database_run(store, *sql);
}

static void pgsql_settings(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const session[] = {
        "SET datestyle = 'SQL, DMY'",
        "SET intervalstyle = 'postgres'",
        "SET timezone = 'America/Caracas'",
        "SET extra_float_digits = -10",
        "SET bytea_output = 'escape'",
        "SET lc_monetary = 'C'",
        "SET search_path = pg_catalog",
        "INSERT INTO public.posts VALUES (1, '2011-06-22 10:11:12+00',"
        " '2011-06-22 10:11:12+00', '1 day', 0.30000000000000004,"
        " '{2011-06-22}', '\\x00ff', 1234.5)",
        "SET search_path = public",
        NULL};
    cm_table_t *table;

    database_run(store, "CREATE TABLE posts (id int PRIMARY KEY,"
                        " at timestamptz, naive timestamp, i interval,"
                        " f float8, d date[], b bytea, m money)");
    table = publish(store, "post", "posts", pool);
    run_all(store, session);
    ok(strstr(database_value(store,
                             "SELECT array_to_string(proconfig, ' ')"
                             " FROM pg_proc"
                             " WHERE proname = 'communicator_posts_insert'",
                             pool),
              "lc_monetary=") != NULL,
       "pgsql: whatever money is counted in there");
    is_str(body(store, table, pool),
           "{\"post\":{\"at\":\"2011-06-22T10:11:12Z\","
           "\"naive\":\"2011-06-22T10:11:12Z\",\"i\":\"P1D\","
           "\"f\":0.30000000000000004,\"d\":\"{2011-06-22}\","
           "\"b\":\"00ff\",\"m\":\"1234.50\"}}",
           "pgsql: the application's settings change nothing");
    database_run(store, "UPDATE posts SET f = 0");
    outbox(store, pool);
    database_run(store, "UPDATE posts SET f = '-0'");
    is_str(outbox(store, pool), "update 1",
           "pgsql: -0 is another value than 0");
}

static void pgsql_statements(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const tables[] = {
        "CREATE TABLE posts (id int PRIMARY KEY DEFERRABLE, t text,"
        " a int, b int)",
        "CREATE TABLE people (id int PRIMARY KEY)",
        "ALTER TABLE posts ADD FOREIGN KEY (a) REFERENCES people"
        " ON DELETE SET NULL, ADD FOREIGN KEY (b) REFERENCES people"
        " ON DELETE SET NULL",
        "INSERT INTO people VALUES (1), (2)", NULL};

    run_all(store, tables);
    publish(store, "post", "posts", pool);
    database_run(store, "INSERT INTO posts VALUES (1, 'x', 1, 1),"
                        " (2, 'y', 2, NULL), (3, 'z', NULL, NULL)");
    is_str(outbox(store, pool), "create 1, create 2, create 3",
           "pgsql: an INSERT of three");
    database_run(store, "UPDATE posts SET id = id + 1, t = t || '!'");
    is_str(outbox(store, pool),
           "delete 1, delete 2, delete 3, create 2, create 3, create 4",
           "pgsql: keys that move up: all deletes come first");
    database_run(store, "UPDATE posts SET t = CASE id WHEN 2 THEN 'q' ELSE t "
                        "END");
    is_str(outbox(store, pool), "update 2",
           "pgsql: of an UPDATE of all only what changed");
    database_run(store, "DELETE FROM people");
    is_str(outbox(store, pool), "update 2, update 2, update 3",
           "pgsql: cascades, a row changed twice by one statement");
}

/* A delete that is applied is not captured, but its cascade into the same table
 * is: no peer has sent that. */
static void pgsql_cascade(cm_store_t *store, apr_pool_t *pool)
{
    database_run(store, "CREATE TABLE posts (id int PRIMARY KEY, parent int"
                        " REFERENCES posts ON DELETE CASCADE)");
    publish(store, "tree", "posts", pool);
    database_run(store, "SET communicator.applying = 'posts'");
    database_run(store, "INSERT INTO posts VALUES (1, NULL), (2, 1), (3, 2)");
    database_run(store, "DELETE FROM posts WHERE id = 1");
    is_str(outbox(store, pool), "delete 2, delete 3",
           "pgsql: applied to a table, its own cascades are captured");
    database_run(store, "RESET communicator.applying");
}

/* Two applications change different rows of a table that others refer to, each
 * in a serializable transaction: neither has read what the other writes. */
static void pgsql_serializable(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const begin[] = {
        "SET enable_seqscan = off", "BEGIN ISOLATION LEVEL SERIALIZABLE", NULL};
    cm_store_t *other = database_again(pool);

    database_run(store, "CREATE TABLE posts (id serial PRIMARY KEY,"
                        " parent int REFERENCES posts ON UPDATE CASCADE)");
    publish(store, "tree", "posts", pool);
    database_run(store, "INSERT INTO posts (parent) VALUES (NULL), (NULL)");
    run_all(store, begin);
    run_all(other, begin);
    database_run(store, "UPDATE posts SET parent = id WHERE id = 1");
    database_run(other, "UPDATE posts SET parent = id WHERE id = 2");
    database_run(other, "COMMIT");
    database_run(store, "COMMIT");
    is_str(outbox(store, pool), "create 1, create 2, update 1, update 2",
           "pgsql: serializable transactions do not depend on each other");
    database_run(store, "RESET enable_seqscan");
}

/* The same where they change keys to which no row refers. */
static void pgsql_serializable_keys(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const tables[] = {
        "CREATE TABLE posts (id serial PRIMARY KEY)",
        "CREATE TABLE comments (id serial PRIMARY KEY,"
        " post_id int REFERENCES posts ON UPDATE CASCADE)",
        NULL};
    static const char *const begin[] = {
        "SET enable_seqscan = off", "BEGIN ISOLATION LEVEL SERIALIZABLE", NULL};
    cm_settings_t *settings = settings_make(pool);
    cm_model_t *post =
                   settings_add_model(settings, "post", "posts", "id", pool),
               *comment = settings_add_model(settings, "comment", "comments",
                                             "id", pool);
    cm_store_t *other = database_again(pool);

    APR_ARRAY_PUSH(comment->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "post_id", .model = "post"};
    post->referred = 1;
    run_all(store, tables);
    database_must(cm_migrate_run(store, settings, 0, report, NULL, pool));
    database_run(store, "INSERT INTO posts VALUES (1), (2)");
    run_all(store, begin);
    run_all(other, begin);
    database_run(store, "UPDATE posts SET id = 11 WHERE id = 1");
    database_run(other, "UPDATE posts SET id = 12 WHERE id = 2");
    database_run(other, "COMMIT");
    database_run(store, "COMMIT");
    is_str(outbox(store, pool), "create 1, create 2, update 11, update 12",
           "pgsql: nor do those that change keys to which nothing refers");
    database_run(store, "RESET enable_seqscan");
    database_run(store, "DROP TABLE comments");
}

static void pgsql_rights(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const grants[] = {
        "CREATE TABLE posts (id serial PRIMARY KEY, t text)",
        "DROP ROLE IF EXISTS cm_test_app", "CREATE ROLE cm_test_app",
        "GRANT ALL ON posts, posts_id_seq TO cm_test_app", NULL};
    static const char *const work[] = {"SET ROLE cm_test_app",
                                       "INSERT INTO posts (t) VALUES ('a')",
                                       "UPDATE posts SET t = 'b'",
                                       "DELETE FROM posts",
                                       "RESET ROLE",
                                       NULL};

    run_all(store, grants);
    publish(store, "post", "posts", pool);
    run_all(store, work);
    is_str(outbox(store, pool), "create 1, update 1, delete 1",
           "pgsql: the application needs no rights on our tables");
    database_run(store, "DROP OWNED BY cm_test_app");
    database_run(store, "DROP ROLE cm_test_app");
}

/* Tell the state of the triggers of "posts" published as TABLE. */
static cm_capture_e state_of(cm_store_t *store, const cm_table_t *table,
                             apr_pool_t *pool)
{
    cm_capture_t *capture;
    cm_capture_e state;

    database_must(cm_capture_open(&capture, store, pool));
    database_must(cm_capture_state(&state, capture, table, pool));
    return state;
}

static void pgsql_partitions(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const tables[] = {
        "CREATE TABLE posts (id int, day int, t text, PRIMARY KEY (id, day))"
        " PARTITION BY RANGE (day)",
        "CREATE TABLE low PARTITION OF posts FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE high PARTITION OF posts FOR VALUES FROM (10) TO (30)"
        " PARTITION BY LIST (day)",
        "CREATE TABLE highest PARTITION OF high FOR VALUES IN (20)", NULL};
    cm_table_t *table;

    run_all(store, tables);
    table = publish(store, "post", "posts", pool);
    is_int(state_of(store, table, pool), CM_CAPTURE_CURRENT,
           "pgsql: migrate takes a partitioned table");
    database_run(store, "INSERT INTO low VALUES (1, 1, 'a')");
    database_run(store, "UPDATE posts SET t = 'b'");
    database_run(store, "UPDATE posts SET day = 20");
    database_run(store, "UPDATE posts SET id = 11, day = 2");
    database_run(store, "UPDATE posts SET day = 20");
    database_run(store, "UPDATE high SET t = 'c'");
    database_run(store, "DELETE FROM highest");
    is_str(outbox(store, pool),
           "create 1, update 1, update 1, delete 1, create 11, update 11,"
           " update 11, delete 11",
           "pgsql: a row that moves to another partition is an update");
    database_run(store, "CREATE TABLE more PARTITION OF posts"
                        " FOR VALUES FROM (30) TO (40)");
    is_int(state_of(store, table, pool), CM_CAPTURE_PARTIAL,
           "pgsql: a new partition has no triggers yet");
    database_run(store, "INSERT INTO posts VALUES (2, 30, 'a')");
    is_str(outbox(store, pool), "create 2",
           "pgsql: what is written to the table itself is seen");
    publish(store, "post", "posts", pool);
    is_int(state_of(store, table, pool), CM_CAPTURE_CURRENT,
           "pgsql: migrate gives it triggers");
    database_run(store, "UPDATE more SET t = 'b'");
    database_run(store, "INSERT INTO low VALUES (1, 1, 'a')");
    database_run(store, "TRUNCATE posts");
    is_str(outbox(store, pool), "update 2, create 1, delete 1, delete 2",
           "pgsql: and TRUNCATE deletes the rows of all, once");
}

static void mysql_session(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const session[] = {
        "SET NAMES latin1",
        "SET time_zone = '+05:30'",
        "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",
        "INSERT INTO posts VALUES (1, '0000-00-00', 0.1, X'e9',"
        " X'f09f90985c', '2011-06-22 15:41:12')",
        "SET NAMES utf8mb4",
        NULL};
    cm_table_t *table;

    database_run(store, "CREATE TABLE posts (id int PRIMARY KEY,"
                        " d date, f float, l varchar(9) CHARACTER SET latin1,"
                        " t text CHARACTER SET utf8mb4, at timestamp(3) NULL)");
    table = publish(store, "post", "posts", pool);
    run_all(store, session);
    is_str(body(store, table, pool),
           "{\"post\":{\"d\":\"0000-00-00\",\"f\":0.1,"
           "\"l\":\"\xC3\xA9\",\"t\":\"\xF0\x9F\x90\x98\\\\\","
           "\"at\":\"2011-06-22T10:11:12Z\"}}",
           "mysql: the application's settings change nothing");
}

/* The key itself was renamed, or is gone: the statements of the application
 * work, and what cannot be named is still there to be told. */
static void key_changes(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const change[] = {
        "ALTER TABLE posts RENAME COLUMN id TO no",
        "INSERT INTO posts VALUES (2, 'b')", "UPDATE posts SET t = 'c'",
        "DELETE FROM posts WHERE t = 'c'", NULL};
    int is_pgsql = cm_dialect_of_store(store)->database == CM_PGSQL;

    database_run(store, "DROP TABLE IF EXISTS posts");
    database_run(store, "CREATE TABLE posts (id int PRIMARY KEY, t text)");
    publish(store, "post", "posts", pool);
    database_run(store, "INSERT INTO posts VALUES (1, 'a')");
    outbox(store, pool);
    run_all(store, change);
    is_str(database_value(store,
                          "SELECT count(*) FROM outbound_messages WHERE"
                          " action IS NOT NULL AND local_record_id IS NULL",
                          pool),
           is_pgsql ? "0" : "5", "%s: the key was renamed", database_of(store));
    if (is_pgsql)
        is_str(outbox(store, pool),
               "create 2, update 1, update 2, delete 1, delete 2",
               "pgsql: the primary key is found by its new name");
}

/* What MariaDB itself takes for equal. */
static void mysql_comparison(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const session[] = {
        "DROP TABLE posts",
        "CREATE TABLE posts (id int PRIMARY KEY,"
        " t longtext COLLATE utf8mb4_general_ci,"
        " e enum('a', 'b') COLLATE utf8mb4_general_ci, f double,"
        " n decimal(5,2), d date, m datetime(6), b varbinary(9), bits bit(9),"
        " y year, k time(3))",
        "INSERT INTO posts VALUES (1, 'a', 'a', 0, 1, '0000-00-00',"
        " '2011-06-22 10:11:12', X'00', 0, 2000, '00:00:00')",
        "INSERT INTO posts (id) VALUES (2)", NULL};
    static const char *const same[] = {
        "UPDATE posts SET t = 'a', e = 1, f = 0.0, n = '1.000',"
        " d = '0000-00-00', m = '2011-06-22 10:11:12.000000',"
        " b = X'00', bits = 0, y = '2000', k = 0 WHERE id = 1",
        "UPDATE posts SET t = NULL, d = NULL, k = NULL WHERE id = 2", NULL};
    static const char *const other[] = {
        "UPDATE posts SET t = 'A', e = 'b', f = 1e-9, n = 1.01, d = NULL,"
        " m = '2011-06-22 10:11:12.000001', b = X'0000', bits = 256, y = 0,"
        " k = NULL WHERE id = 1",
        "UPDATE posts SET t = 'a ', d = '0000-00-00', k = 0, y = 0"
        " WHERE id = 1",
        "UPDATE posts SET t = 'a', d = '2011-00-00' WHERE id = 1", NULL};

    run_all(store, session);
    publish(store, "post", "posts", pool);
    database_run(store, "DELETE FROM outbound_messages");
    run_all(store, same);
    is_str(outbox(store, pool), "", "mysql: equal values are no change");
    run_all(store, other);
    is_str(database_value(store,
                          "SELECT GROUP_CONCAT(changed_columns ORDER BY id"
                          " SEPARATOR ' ') FROM outbound_messages",
                          pool),
           "[\"t\",\"e\",\"f\",\"n\",\"d\",\"m\",\"b\",\"bits\",\"y\","
           "\"k\"] [\"t\",\"d\",\"k\"] [\"t\",\"d\"]",
           "mysql: case, spaces, zero dates and NULL are");
}

static void sqlite_cascade(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const tables[] = {
        "PRAGMA foreign_keys = ON",
        "CREATE TABLE people (id integer PRIMARY KEY)",
        "CREATE TABLE posts (id integer PRIMARY KEY, t text COLLATE NOCASE,"
        " a int REFERENCES people ON DELETE CASCADE)",
        "INSERT INTO people VALUES (1)", NULL};

    run_all(store, tables);
    publish(store, "post", "posts", pool);
    database_run(store, "INSERT INTO posts VALUES (1, 'x', 1)");
    database_run(store, "UPDATE posts SET t = 'X'");
    database_run(store, "DELETE FROM people");
    is_str(outbox(store, pool), "create 1, update 1, delete 1",
           "sqlite3: case counts in any collation, cascades are captured");
}

static void each(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const again[] = {"DROP TABLE IF EXISTS posts CASCADE",
                                        "DELETE FROM outbound_messages", NULL};

    if (cm_dialect_of_store(store)->database == CM_SQLITE3)
        sqlite_cascade(store, pool);
    if (cm_dialect_of_store(store)->database == CM_MYSQL) {
        mysql_session(store, pool);
        mysql_comparison(store, pool);
        run_all(store, again + 1);
        key_changes(store, pool);
    }
    if (cm_dialect_of_store(store)->database != CM_PGSQL)
        return;
    pgsql_settings(store, pool);
    run_all(store, again);
    pgsql_statements(store, pool);
    run_all(store, again);
    pgsql_cascade(store, pool);
    run_all(store, again);
    pgsql_serializable(store, pool);
    run_all(store, again);
    pgsql_serializable_keys(store, pool);
    run_all(store, again);
    pgsql_rights(store, pool);
    run_all(store, again);
    pgsql_partitions(store, pool);
    run_all(store, again);
    key_changes(store, pool);
}

int main(void)
{
    if (!database_any())
        return skip_all("there is no database to test with");
    database_each("sessions", each);
    return done_testing();
}
