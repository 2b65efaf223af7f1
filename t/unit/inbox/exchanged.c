/* The inbox: records that have exchanged unique values, where the value that
 * one of them had for a moment was not sent. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#define PARKED                                                                 \
    "SELECT count(*) FROM inbound_messages WHERE processed_at IS NULL"

/* The columns of a seat, as they stand in a message. */
#define COLUMNS(code, number, guest)                                           \
    TEXT("code", code) ",\\\"number\\\":" #number "," TEXT("guest", guest)
#define NEW(id, code, number, guest)                                           \
    MESSAGE(id, "seat", id, "create", 1000, COLUMNS(code, number, guest), )
#define NOW(id, original, code, number, guest)                                 \
    MESSAGE(id, "seat", original, "update", 2000,                              \
            COLUMNS(code, number, guest), BASE(1000))

#define NEW_SEATS                                                              \
    "[" NEW(1, "A", 1, "Ann") "," NEW(2, "B", 2, "Bob") "," NEW(3, "C", 3,     \
                                                                "Cy") "]"

static const char *key_type(const cm_store_t *store)
{
    const cm_database_e database = cm_dialect_of_store(store)->database;

    return database == CM_PGSQL   ? "serial PRIMARY KEY"
           : database == CM_MYSQL ? "integer PRIMARY KEY AUTO_INCREMENT"
                                  : "integer PRIMARY KEY AUTOINCREMENT";
}

/* Return a node with the seats that the peer has sent; MORE: of their columns.
 */
static cm_node_t *make_node(cm_store_t *store, const char *more,
                            apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    settings_add_model(settings, "seat", "seats", "id", pool);
    database_run(store, apr_psprintf(pool,
                                     "CREATE TABLE seats (id %s, code"
                                     " varchar(3) NOT NULL UNIQUE, number"
                                     " smallint NOT NULL UNIQUE, guest"
                                     " varchar(40)%s)",
                                     key_type(store), more));
    node = inbox_node(store, settings, pool);
    is_int(inbox_take(node, 0, NEW_SEATS, pool), 3, "%s", database_of(store));
    return node;
}

/* Return COLUMN of seat ID. */
static const char *cell(cm_node_t *node, const char *column, int id,
                        apr_pool_t *pool)
{
    return inbox_value(
        node,
        apr_psprintf(pool, "SELECT %s FROM seats WHERE id = %d", column, id),
        pool);
}

/* Return the seats in the order of their keys: "A1Ann B2Bob C3Cy". */
static const char *seats(cm_node_t *node, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 1; i <= 3; i++)
        text = apr_pstrcat(
            pool, text, i > 1 ? " " : "", cell(node, "code", i, pool),
            cell(node, "number", i, pool), cell(node, "guest", i, pool), NULL);
    return text;
}

static void test_two(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, ", UNIQUE (guest)", pool);

    is_int(inbox_take(
               node, 3,
               "[" NOW(4, 1, "A", 1, "Bob") "," NOW(5, 2, "B", 2, "Ann") "]",
               pool),
           2, "  two records have exchanged a value that may be NULL");
    is_str(seats(node, pool), "A1Bob B2Ann C3Cy", "  which they have");
    is_int(inbox_take(
               node, 5,
               "[" MESSAGE(6, "seat", 1, "update", 3000, COLUMNS("B", 2, "Bob"),
                           BASE(2000)) "," MESSAGE(7, "seat", 2, "update", 3000,
                                                   COLUMNS("A", 1, "Ann"),
                                                   BASE(2000)) "]",
               pool),
           2, "  and values that may not");
    is_str(seats(node, pool), "B2Bob A1Ann C3Cy", "  which they have");
}

/* In a circle, and in batches of their own. */
static void test_three(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "", pool);
    cm_receipt_t *receipt;

    is_int(inbox_take(node, 3, "[" NOW(4, 1, "B", 2, "Ann") "]", pool), 0,
           "  what another record has is parked");
    is_int(inbox_take(node, 4, "[" NOW(5, 2, "C", 3, "Bob") "]", pool), 0,
           "  so is the next one");
    is_int(inbox_take(node, 5, "[" NOW(6, 3, "A", 1, "Cy") "]", pool), 0,
           "  and the last");
    database_must(cm_inbox_retry(&receipt, node, "there", pool));
    is_str(seats(node, pool), "B2Ann C3Bob A1Cy",
           "  a retry lets three go round");
    is_str(inbox_value(node, PARKED, pool), "0", "  nothing is parked");
}

/* What somebody else has remains refused, and keeps nobody else back. */
static void test_refused(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "", pool);

    database_run(store, "INSERT INTO seats (code, number) VALUES ('D', 4)");
    is_int(inbox_take(node, 3,
                      "[" NOW(4, 1, "B", 2, "Ann") "," NOW(
                          5, 3, "D", 3, "Cy") "," NOW(6, 2, "A", 1, "Bob") "]",
                      pool),
           2, "  a record that cannot have its value is left out");
    is_str(seats(node, pool), "B2Ann A1Bob C3Cy", "  the others are exchanged");
    is_str(inbox_value(node, PARKED, pool), "1", "  it is parked");
}

/* A value that is unique together with another one. */
static void test_composite(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(
        store, ", room integer NOT NULL DEFAULT 7, UNIQUE (room, guest)", pool);

    is_int(inbox_take(
               node, 3,
               "[" NOW(4, 1, "A", 1, "Bob") "," NOW(5, 2, "B", 2, "Ann") "]",
               pool),
           2, "  they have exchanged a value of an index of two columns");
    is_str(seats(node, pool), "A1Bob B2Ann C3Cy", "  which they have");
}

/* What a foreign key leads to is not taken away, which would cascade. */
static void test_led_to(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, ", UNIQUE (guest)", pool);

    database_run(store, "CREATE TABLE coats (id integer PRIMARY KEY, guest"
                        " varchar(40), FOREIGN KEY (guest) REFERENCES seats"
                        " (guest) ON UPDATE CASCADE)");
    database_run(store, "INSERT INTO coats (id, guest) VALUES (1, 'Ann')");
    is_int(inbox_take(
               node, 3,
               "[" NOW(4, 1, "A", 1, "Bob") "," NOW(5, 2, "B", 2, "Ann") "]",
               pool),
           0, "  a value to which a foreign key leads stays");
    is_str(inbox_value(node, "SELECT guest FROM coats", pool), "Ann",
           "  so does what refers to it");
}

/* A later message that is refused for good keeps an earlier one from nothing.
 */
static void test_later(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "", pool);

    database_run(store, "INSERT INTO seats (code, number) VALUES ('D', 4)");
    is_int(inbox_take(node, 3,
                      "[" NOW(4, 1, "B", 2, "Ann") "," NOW(
                          5, 2, "A", 1,
                          "Bob") "," MESSAGE(6, "seat", 2, "update", 3000,
                                             COLUMNS("D", 1, "Bob"),
                                             BASE(2000)) "]",
                      pool),
           2, "  two exchange their values before one of them is refused");
    is_str(seats(node, pool), "B2Ann A1Bob C3Cy", "  which they have");
}

/* A type of which values can be made up; PGSQL, MYSQL: its name there, if it is
 * another one. */
typedef struct type_t {
    const char *type, *pgsql, *mysql, *one, *two;
} type_t;

static const type_t types[] = {
    {"char(2)", NULL, NULL, "ab", "cd"},
    {"bigint", NULL, NULL, "-1", "5000000000"},
    {"decimal(5,2)", NULL, NULL, "1.50", "2.25"},
    {"double precision", NULL, NULL, "1.5", "2.5"},
    {"date", NULL, NULL, "2026-01-02", "2026-01-03"},
    {"time", NULL, NULL, "01:02:03", "04:05:06"},
    {"datetime", "timestamptz", NULL, "2026-01-02 01:02:03",
     "2026-01-02 01:02:04"},
    {"blob", "bytea", "varbinary(4)", "00ff", "ff00"},
    {"varchar(36)", "uuid", NULL, "0c1e4f9a-0000-4000-8000-000000000001",
     "0c1e4f9a-0000-4000-8000-000000000002"}};

#define TYPES (int)(sizeof(types) / sizeof(*types))

static void make_things(cm_store_t *store, cm_settings_t *settings,
                        apr_pool_t *pool)
{
    const cm_database_e database = cm_dialect_of_store(store)->database;
    int i;

    for (i = 0; i < TYPES; i++) {
        const type_t *type = &types[i];
        const char *other = database == CM_PGSQL   ? type->pgsql
                            : database == CM_MYSQL ? type->mysql
                                                   : NULL;

        settings_add_model(settings, apr_psprintf(pool, "thing%d", i),
                           apr_psprintf(pool, "things%d", i), "id", pool);
        database_run(store, apr_psprintf(pool,
                                         "CREATE TABLE things%d (id %s, v %s"
                                         " NOT NULL UNIQUE)",
                                         i, key_type(store),
                                         other ? other : type->type));
    }
}

/* Return messages behind AFTER that give each pair of things its values, with
 * SWAPPED those of each other. */
static const char *things(int after, const char *action, int swapped,
                          apr_pool_t *pool)
{
    const char *text = "[";
    int i;

    for (i = 0; i < 2 * TYPES; i++)
        text = apr_psprintf(
            pool,
            "%s%s{\"id\":%d,\"origin\":\"there\",\"original_id\":%d,"
            "\"action\":\"%s\",\"clock\":%d,\"body\":"
            "\"{\\\"thing%d\\\":{\\\"v\\\":\\\"%s\\\"}}\"}",
            text, i ? "," : "", after + 1 + i, i % 2, action, 1000 + after,
            i / 2, i % 2 == swapped ? types[i / 2].one : types[i / 2].two);
    return apr_pstrcat(pool, text, "]", NULL);
}

static void test_types(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_node_t *node;

    make_things(store, settings, pool);
    node = inbox_node(store, settings, pool);
    is_int(inbox_take(node, 0, things(0, "create", 0, pool), pool), 2 * TYPES,
           "%s", database_of(store));
    is_int(
        inbox_take(node, 2 * TYPES, things(2 * TYPES, "update", 1, pool), pool),
        2 * TYPES, "  values of all types are exchanged");
}

int main(void)
{
    apr_initialize();
    database_each("two records", test_two);
    database_each("three records", test_three);
    database_each("refused", test_refused);
    database_each("of two columns", test_composite);
    database_each("of a foreign key", test_led_to);
    database_each("refused later", test_later);
    database_each("of all types", test_types);
    apr_terminate();
    return done_testing();
}
