/* The triggers: what the application's own statements leave in the outbox,
 * on the real databases. */
#include "../database.h"

#include <string.h>

#include <apr_strings.h>

#include "schema/capture.h"
#include "schema/migrate.h"
#include "../settings.h"
#include "../tap.h"

#define DATABASE(store) (cm_dialect_of_store(store)->database)

/* What the test works on. */
typedef struct fixture_t {
    cm_store_t *store;
    cm_settings_t *settings;
    cm_model_t *model;
    cm_table_t *table;
    apr_pool_t *pool;
} fixture_t;

static void report(void *baton, const char *what, const char *sql)
{
    (void)baton, (void)what, (void)sql;
}

static void migrate(fixture_t *fixture)
{
    database_must(cm_migrate_run(fixture->store, fixture->settings, 0, report,
                                 NULL, fixture->pool));
    database_must(cm_table_read(&fixture->table, fixture->store, fixture->model,
                                fixture->pool, fixture->pool));
}

static void set_up(fixture_t *fixture, cm_store_t *store, const char *columns,
                   apr_pool_t *pool)
{
    static const char *const keys[] = {"integer PRIMARY KEY",
                                       "bigserial PRIMARY KEY",
                                       "bigint AUTO_INCREMENT PRIMARY KEY"};

    fixture->store = store;
    fixture->pool = pool;
    fixture->settings = settings_make(pool);
    fixture->model =
        settings_add_model(fixture->settings, "post", "posts", "id", pool);
    database_run(store, apr_psprintf(pool, "CREATE TABLE posts (id %s, %s)",
                                     keys[DATABASE(store)], columns));
    migrate(fixture);
}

/* Return what the outbox holds as lines "action id changed body", and empty
 * it. */
static const char *captured(fixture_t *fixture)
{
    const char *text = "";
    cm_rows_t *rows;
    int i;

    database_must(cm_statement_select(
        &rows, fixture->store,
        "SELECT action, local_record_id, changed_columns, body, clock,"
        " former_record_id"
        " FROM outbound_messages ORDER BY id",
        NULL, 0, fixture->pool));
    for (i = 0; i < rows->count; i++) {
        const char *changed = cm_cell_text(rows, i, 2);
        const char *former = cm_cell_text(rows, i, 5);

        text = apr_pstrcat(fixture->pool, text, *text ? "\n" : "",
                           cm_cell_text(rows, i, 0), " ", former ? former : "",
                           former ? "->" : "", cm_cell_text(rows, i, 1), " ",
                           changed ? changed : "all", " ",
                           cm_cell_text(rows, i, 3), NULL);
        if (cm_cell_number(rows, i, 4) / 1000000 <
            apr_time_sec(apr_time_now()) - 60)
            ok(0, "%s: the clock is the present time",
               database_of(fixture->store));
    }
    database_run(fixture->store, "DELETE FROM outbound_messages");
    return text;
}

/* JSON_OBJECT() puts spaces behind colons and commas, and numbers are strings
 * there. (MySQL's sorts by length and name: the tables' columns do, too.) */
static const char *without_spaces(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text), *to = copy;
    apr_size_t digits;

    for (; *text; text++) {
        if (*text == ' ' && to != copy && strchr(":,", to[-1]))
            continue;
        digits = *text == '"' ? strspn(text + 1, "0123456789") : 0;
        if (digits && text[1 + digits] == '"') {
            memcpy(to, text + 1, digits);
            to += digits;
            text += digits + 1;
            continue;
        }
        *to++ = *text;
    }
    *to = '\0';
    return copy;
}

/* Expect that SQL leaves WANT in the outbox; bodies as PostgreSQL and SQLite
 * write them. */
static void leaves(fixture_t *fixture, const char *sql, const char *want,
                   const char *name)
{
    const char *got;

    database_run(fixture->store, sql);
    got = captured(fixture);
    if (DATABASE(fixture->store) == CM_MYSQL)
        got = without_spaces(got, fixture->pool);
    is_str(got, want, "%s: %s", database_of(fixture->store), name);
}

static void changes(cm_store_t *store, apr_pool_t *pool)
{
    fixture_t fixture;

    set_up(&fixture, store, "n integer, title varchar(50)", pool);
    leaves(&fixture, "INSERT INTO posts (id, title, n) VALUES (1, 'a', 5)",
           "create 1 all {\"post\":{\"n\":5,\"title\":\"a\"}}",
           "an insert is a create");
    leaves(&fixture, "INSERT INTO posts (id, title) VALUES (2, 'b'), (3, '')",
           "create 2 all {\"post\":{\"n\":null,\"title\":\"b\"}}\n"
           "create 3 all {\"post\":{\"n\":null,\"title\":\"\"}}",
           "so are two in one statement");
    leaves(&fixture, "UPDATE posts SET n = 6 WHERE id = 1",
           "update 1 [\"n\"] {\"post\":{\"n\":6,\"title\":\"a\"}}",
           "an update says which columns changed");
    leaves(&fixture, "UPDATE posts SET title = 'A', n = NULL WHERE id = 1",
           "update 1 [\"n\",\"title\"] {\"post\":{\"n\":null,\"title\":\"A\"}}",
           "case and NULL count");
    leaves(&fixture, "UPDATE posts SET title = 'A ' WHERE id = 1",
           "update 1 [\"title\"] {\"post\":{\"n\":null,\"title\":\"A \"}}",
           "a space at the end counts");
    leaves(&fixture, "UPDATE posts SET title = title, n = n", "",
           "an update that changes nothing leaves nothing");
    leaves(&fixture, "UPDATE posts SET id = 9, n = 1 WHERE id = 2",
           "update 2->9 [\"n\"] {\"post\":{\"n\":1,\"title\":\"b\"}}",
           "another key is the same record");
    leaves(&fixture, "UPDATE posts SET id = 2 WHERE id = 9",
           "update 9->2 [] {\"post\":{\"n\":1,\"title\":\"b\"}}",
           "a key alone is no column that changed");
    leaves(&fixture, "DELETE FROM posts WHERE id = 2",
           "delete 2 all {\"post\":{}}", "a delete is a delete");
    leaves(&fixture, "DELETE FROM posts WHERE id = 99", "",
           "a delete of nothing leaves nothing");
}

/* Say that messages are being applied to NAME, as cm_node_applying() does. */
static void applying(fixture_t *fixture, const char *name)
{
    static const char *const sql[] = {
        "INSERT INTO communicator_applying (name) VALUES ('%s')",
        "SET communicator.applying = '%s'",
        "SET @communicator_applying = '%s'"};

    if (DATABASE(fixture->store) == CM_SQLITE3)
        database_run(fixture->store, "DELETE FROM communicator_applying");
    database_run(
        fixture->store,
        apr_psprintf(fixture->pool, sql[DATABASE(fixture->store)], name));
}

static void silence(cm_store_t *store, apr_pool_t *pool)
{
    fixture_t fixture;

    set_up(&fixture, store, "title varchar(50)", pool);
    applying(&fixture, "posts");
    leaves(&fixture, "INSERT INTO posts (id, title) VALUES (1, 'a')", "",
           "what is applied to the table is not captured: insert");
    leaves(&fixture, "UPDATE posts SET title = 'b'", "", "update");
    leaves(&fixture, "DELETE FROM posts", "", "delete");
    applying(&fixture, "authors");
    leaves(&fixture, "INSERT INTO posts (id, title) VALUES (1, 'a')",
           "create 1 all {\"post\":{\"title\":\"a\"}}",
           "applied to another table: captured");
}

static cm_capture_e state_of(const fixture_t *fixture)
{
    cm_capture_t *capture;
    cm_capture_e state;

    database_must(cm_capture_open(&capture, fixture->store, fixture->pool));
    database_must(
        cm_capture_state(&state, capture, fixture->table, fixture->pool));
    return state;
}

static void states(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const drop[] = {
        "DROP TRIGGER communicator_posts_update",
        "DROP TRIGGER communicator_posts_update ON posts",
        "DROP TRIGGER communicator_posts_update"};
    const char *name = database_of(store);
    fixture_t fixture;

    set_up(&fixture, store, "title varchar(50)", pool);
    is_int(state_of(&fixture), CM_CAPTURE_CURRENT,
           "%s: installed triggers are current", name);
    database_run(store, drop[DATABASE(store)]);
    is_int(state_of(&fixture), CM_CAPTURE_STALE,
           "%s: with one dropped they are not", name);
    migrate(&fixture);
    is_int(state_of(&fixture), CM_CAPTURE_CURRENT,
           "%s: migrate installs it again", name);
    if (DATABASE(store) == CM_PGSQL) {
        database_run(store, "ALTER TABLE posts ENABLE REPLICA TRIGGER"
                            " communicator_posts_update");
        is_int(state_of(&fixture), CM_CAPTURE_STALE,
               "%s: nor with one for replicas only", name);
        migrate(&fixture);
    }
    database_run(store, "ALTER TABLE posts ADD COLUMN summary integer");
    cm_store_forget(store);
    database_must(
        cm_table_read(&fixture.table, store, fixture.model, pool, pool));
    is_int(state_of(&fixture), CM_CAPTURE_STALE,
           "%s: a new column makes them stale", name);
    migrate(&fixture);
    leaves(&fixture, "INSERT INTO posts (id, summary) VALUES (1, 2)",
           "create 1 all {\"post\":{\"title\":null,\"summary\":2}}",
           "and migrate makes them carry it");
    fixture.model->deletes = 0;
    migrate(&fixture);
    leaves(&fixture, "DELETE FROM posts", "", "deletes=no: none is captured");
    is_int(state_of(&fixture), CM_CAPTURE_CURRENT, "%s: and that is current",
           name);
}

/* The application's own ids are as if there were no triggers. */
static void last_ids(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const sql[] = {"SELECT last_insert_rowid()",
                                      "SELECT lastval()",
                                      "SELECT LAST_INSERT_ID()"};
    const char *name = database_of(store);
    fixture_t fixture;
    int i;

    set_up(&fixture, store, "title varchar(50)", pool);
    for (i = 0; i < 5; i++)
        database_run(store, "INSERT INTO posts (title) VALUES ('a')");
    is_str(database_value(store, sql[DATABASE(store)], pool), "5",
           "%s: the application reads its own last id after an insert", name);
    database_run(store, "UPDATE posts SET title = 'b'");
    is_str(database_value(store, sql[DATABASE(store)], pool), "5",
           "%s: after an update", name);
    database_run(store, "DELETE FROM posts WHERE id < 3");
    is_str(database_value(store, sql[DATABASE(store)], pool), "5",
           "%s: after a delete", name);
    is_str(
        database_value(store, "SELECT count(*) FROM outbound_messages", pool),
        "12", "%s: and all were captured", name);
}

/* Names that need quoting everywhere. */
static void names(cm_store_t *store, apr_pool_t *pool)
{
    const char *table = "Or'der %s \"q\" \\ {model} a long name";
    const char *column = "t.\"se'lect\" %d \\ `x`";
    fixture_t fixture = {store, settings_make(pool), NULL, NULL, pool};
    const char *quoted = cm_store_quote(store, table, pool);

    fixture.model =
        settings_add_model(fixture.settings, "o'model", table, "id", pool);
    database_must(cm_statement_run(
        NULL, store,
        apr_psprintf(pool, "CREATE TABLE %s (id integer PRIMARY KEY, %s text)",
                     quoted, cm_store_quote(store, column, pool)),
        NULL, 0, pool));
    migrate(&fixture);
    database_must(cm_statement_run(
        NULL, store,
        apr_psprintf(pool, "INSERT INTO %s VALUES (1, 'v')", quoted), NULL, 0,
        pool));
    database_must(
        cm_statement_run(NULL, store,
                         apr_psprintf(pool, "UPDATE %s SET %s = 'w'", quoted,
                                      cm_store_quote(store, column, pool)),
                         NULL, 0, pool));
    leaves(&fixture, "SELECT 1",
           "create 1 all {\"o'model\":{\"t.\\\"se'lect\\\" %d \\\\ `x`\":"
           "\"v\"}}\n"
           "update 1 [\"t.\\\"se'lect\\\" %d \\\\ `x`\"] {\"o'model\":"
           "{\"t.\\\"se'lect\\\" %d \\\\ `x`\":\"w\"}}",
           "odd names");
}

/* More columns than a function of PostgreSQL has arguments. */
static void wide(cm_store_t *store, apr_pool_t *pool)
{
    const char *columns = "c0 integer";
    fixture_t fixture;
    int i;

    for (i = 1; i < 130; i++)
        columns = apr_psprintf(pool, "%s, c%d integer", columns, i);
    set_up(&fixture, store, columns, pool);
    database_run(store, "INSERT INTO posts (id, c129) VALUES (1, 7)");
    columns = without_spaces(captured(&fixture), pool);
    ok(!strncmp(columns, "create 1 all {\"post\":{\"c0\":null,", 32) &&
           strstr(columns, "\"c39\":null,\"c40\":null,\"c41\":null,") &&
           !strcmp(columns + strlen(columns) - 10, "\"c129\":7}}"),
       "%s: 130 columns", database_of(store));
}

/* Statements of a trigger cost the application time even where their condition
 * is always false. */
static void lean(cm_store_t *store, apr_pool_t *pool)
{
    fixture_t fixture;

    if (DATABASE(store) != CM_SQLITE3)
        return;
    set_up(&fixture, store, "title text", pool);
    is_str(database_value(
               store,
               "SELECT (length(sql) - length(replace(sql, 'outbound_messages',"
               " ''))) / length('outbound_messages') FROM sqlite_master"
               " WHERE name = 'communicator_posts_update'",
               pool),
           "2", "an update has no statements that can do nothing");
}

int main(void)
{
    if (!database_any())
        return skip_all("there is no database to test with");
    database_each("changes", changes);
    database_each("silence", silence);
    database_each("states", states);
    database_each("last_ids", last_ids);
    database_each("names", names);
    database_each("wide", wide);
    database_each("lean", lean);
    return done_testing();
}
