/* What the catalog says of the application's tables, on the real
 * databases. */
#include "../database.h"

#include <apr_strings.h>

#include "schema/table.h"
#include "../settings.h"
#include "../tap.h"
#include "schema/expression.h"

static cm_error_t *read_table(cm_table_t **table, cm_store_t *store,
                              const char *name, const char *key,
                              apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);

    return cm_table_read(table, store,
                         settings_add_model(settings, "post", name, key, pool),
                         pool, pool);
}

static void columns(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const keys[] = {"integer PRIMARY KEY",
                                       "serial PRIMARY KEY",
                                       "int AUTO_INCREMENT PRIMARY KEY"};
    const char *name = database_of(store);
    const cm_column_t *column;
    cm_table_t *table;
    int i, found = 0;

    database_run(store,
                 apr_psprintf(pool,
                              "CREATE TABLE posts (id %s, title varchar(50)"
                              " NOT NULL, n integer DEFAULT 5, price "
                              "decimal(10,2), twice int GENERATED ALWAYS AS"
                              " (n * 2) STORED)",
                              keys[cm_dialect_of_store(store)->database]));
    database_must(read_table(&table, store, "posts", "id", pool));
    is_int(table->column_count, 5, "%s: all columns are read", name);
    is_str(table->keys[0]->name, "id", "%s: the key is known", name);
    is_int(table->key_generated, 1, "%s: the database gives keys", name);
    is_int(table->keys[0]->carried, 0, "%s: the key is not carried", name);
    column = cm_table_column(table, "title");
    ok(column && !column->nullable && !column->has_default && column->carried,
       "%s: a column that must be given", name);
    is_int(column->value_class, CM_CLASS_TEXT, "%s: it is text", name);
    column = cm_table_column(table, "n");
    ok(column->nullable && column->has_default, "%s: one with a default", name);
    is_int(column->value_class, CM_CLASS_INTEGER, "%s: an integer", name);
    is_int(cm_table_column(table, "price")->scale, 2, "%s: the scale", name);
    column = cm_table_column(table, "twice");
    ok(column->generated && !column->carried,
       "%s: a generated column is not carried", name);
    ok(!cm_table_column(table, "none"), "%s: no other column", name);
    for (i = 0; i < 3 * table->column_count * table->column_count; i++) {
        column = &table->columns[i * i % table->column_count];
        found += cm_table_column(table, column->name) == column;
        found += cm_table_column(table, column->name) == column;
    }
    is_int(found, 6 * table->column_count * table->column_count,
           "%s: each is found, in any order", name);
}

static void refusals(cm_store_t *store, apr_pool_t *pool)
{
    cm_table_t *table;
    cm_error_t *err;

    database_run(store, "CREATE TABLE posts (id int NOT NULL, t int UNIQUE)");
    database_run(store, "CREATE VIEW seen AS SELECT id FROM posts");
    ok(database_fails(read_table(&table, store, "nothing", "id", pool),
                      CM_SCHEMA, "a table that is not there"),
       "%s: a table that is not there is refused", database_of(store));
    ok(database_fails(read_table(&table, store, "seen", "id", pool), CM_SCHEMA,
                      "a view"),
       "%s: a view is refused", database_of(store));
    ok(database_fails(read_table(&table, store, "posts", "key", pool),
                      CM_SCHEMA, "a key that is not there"),
       "%s: a key that is not there is refused", database_of(store));
    ok(database_fails(read_table(&table, store, "posts", "id", pool), CM_SCHEMA,
                      "a key that is not unique"),
       "%s: a key that is not unique is refused", database_of(store));
    if (database_is_mariadb(store, pool)) {
        database_run(store, "CREATE TABLE versions (id int NOT NULL PRIMARY"
                            " KEY) WITH SYSTEM VERSIONING");
        err = read_table(&table, store, "versions", "id", pool);
        ok(err && err->code == CM_SCHEMA &&
               strstr(cm_error_text(err, pool), "is system-versioned") &&
               strstr(err->hint, "DROP SYSTEM VERSIONING"),
           "%s: a system-versioned table is refused, with what to do",
           database_of(store));
    }
    database_must(read_table(&table, store, "posts", "t", pool));
    ok(!table->key_generated, "%s: a key that the application gives",
       database_of(store));
}

/* Return whether INDEX, a statement that makes one of a, b and c, keeps two
 * rows from having the same KEY. */
static int is_key(cm_store_t *store, const char *index, const char *key,
                  apr_pool_t *pool)
{
    cm_table_t *table;
    cm_error_t *err;

    database_run(store, "CREATE TABLE indexed (a int NOT NULL, b varchar(50),"
                        " c int)");
    database_run(store, index);
    err = read_table(&table, store, "indexed", key, pool);
    database_run(store, "DROP TABLE indexed");
    return !err && table->key_is_unique;
}

/* Which indexes keep two rows from having the same key. */
static void indexes(cm_store_t *store, apr_pool_t *pool)
{
    static const struct {
        const char *sql, *key;
        int is_key, not_on; /* not_on: databases without such indexes */
    } rows[] = {
        {"CREATE UNIQUE INDEX i ON indexed (a)", "a", 1, 0},
        {"CREATE INDEX i ON indexed (a)", "a", 0, 0},
        {"CREATE UNIQUE INDEX i ON indexed (a, c)", "a", 0, 0},
        {"CREATE UNIQUE INDEX i ON indexed (c, a)", "a", 0, 0},
        {"CREATE UNIQUE INDEX i ON indexed (c, a)", "a,c", 1, 0},
        {"CREATE UNIQUE INDEX i ON indexed (a)", "a,c", 1, 0},
        {"CREATE INDEX i ON indexed (a, c)", "a,c", 0, 0},
        {"CREATE UNIQUE INDEX i ON indexed (a, lower(b))", "a", 0,
         1 << CM_MYSQL},
        {"CREATE UNIQUE INDEX i ON indexed (lower(b), a)", "a", 0,
         1 << CM_MYSQL},
        {"CREATE UNIQUE INDEX i ON indexed (a, lower(b))", "a,b", 0,
         1 << CM_MYSQL},
        {"CREATE UNIQUE INDEX i ON indexed (a, c, lower(b))", "a,c", 0,
         1 << CM_MYSQL},
        {"CREATE UNIQUE INDEX i ON indexed (lower(b))", "b", 0, 1 << CM_MYSQL},
        {"CREATE UNIQUE INDEX i ON indexed (a) WHERE c > 0", "a", 0,
         1 << CM_MYSQL},
        {"CREATE UNIQUE INDEX i ON indexed (a, c) WHERE c > 0", "a,c", 0,
         1 << CM_MYSQL},
        {"CREATE UNIQUE INDEX i ON indexed (a); UPDATE pg_index"
         " SET indisvalid = false WHERE indexrelid = 'i'::regclass",
         "a", 0, 1 << CM_MYSQL | 1 << CM_SQLITE3},
        {"CREATE UNIQUE INDEX i ON indexed (a, b(3))", "a", 0,
         1 << CM_PGSQL | 1 << CM_SQLITE3},
        {"CREATE UNIQUE INDEX i ON indexed (b(3))", "b", 0,
         1 << CM_PGSQL | 1 << CM_SQLITE3},
        {"CREATE UNIQUE INDEX i ON indexed (a, b(3))", "a,b", 0,
         1 << CM_PGSQL | 1 << CM_SQLITE3},
    };
    const int database = cm_dialect_of_store(store)->database;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (!(rows[i].not_on & 1 << database))
            is_int(is_key(store, rows[i].sql, rows[i].key, pool),
                   rows[i].is_key, "%s: key=%s: %s", database_of(store),
                   rows[i].key, rows[i].sql);
}

static void pgsql_types(cm_store_t *store, apr_pool_t *pool)
{
    cm_table_t *table;

    if (cm_dialect_of_store(store)->database != CM_PGSQL)
        return;
    database_run(store, "CREATE SCHEMA other");
    database_run(store, "CREATE DOMAIN price AS numeric(8,3)");
    database_run(store, "CREATE DOMAIN dear AS price CHECK (VALUE > 100)");
    database_run(store, "CREATE TABLE other.posts (id bigint PRIMARY KEY"
                        " GENERATED ALWAYS AS IDENTITY, p dear, c char(7))");
    database_must(read_table(&table, store, "other.posts", "id", pool));
    is_int(cm_table_column(table, "p")->value_class, CM_CLASS_DECIMAL,
           "pgsql: a domain is what it is based on");
    is_int(cm_table_column(table, "p")->scale, 3, "pgsql: with its scale");
    is_str(cm_table_column(table, "c")->type, "bpchar",
           "pgsql: types to cast to have no length, which would cut");
    is_str(table->quoted, "\"other\".\"posts\"", "pgsql: a schema");
}

static void aliases(cm_store_t *store, apr_pool_t *pool)
{
    (void)store;
    is_str(cm_expression_with_alias(
               "'a t.' || f(t.\"a t.x\", t.`a`) || t.b, (t.c)", "NEW", pool),
           "'a t.' || f(NEW.\"a t.x\", NEW.`a`) || NEW.b, (NEW.c)",
           "an alias is put in, but not in quotes");
}

int main(void)
{
    if (!database_any())
        return skip_all("there is no database to test with");
    database_each("columns", columns);
    database_each("refusals", refusals);
    database_each("indexes", indexes);
    database_each("pgsql_types", pgsql_types);
    database_each("aliases", aliases);
    return done_testing();
}
