/* Which tables migrate refuses, and of which it warns, on the real
 * databases. */
#include "../database.h"

#include <string.h>

#include <apr_strings.h>

#include "schema/judge.h"
#include "schema/migrate.h"
#include "../settings.h"
#include "../tap.h"

/* What migrate reported as warnings. */
static void collect(void *baton, const char *what, const char *sql)
{
    apr_array_header_t *warnings = baton;

    if (!sql)
        APR_ARRAY_PUSH(warnings, const char *) = what;
}

static cm_error_t *migrate(const char **warnings, cm_store_t *store,
                           cm_settings_t *settings, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(const char *));
    cm_error_t *err = cm_migrate_run(store, settings, 0, collect, list, pool);

    *warnings = apr_array_pstrcat(pool, list, '\n');
    return err;
}

/* Expect that migrate refuses the table NAME in words that hold WORDS. */
static void refuses(cm_store_t *store, const char *name, const char *words,
                    apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    const char *warnings, *text;
    cm_error_t *err;

    settings_add_model(settings, "post", name, "id", pool);
    err = migrate(&warnings, store, settings, pool);
    text = err ? cm_error_text(err, pool) : "";
    ok(err && err->code == CM_SCHEMA && strstr(text, words),
       "%s: migrate refuses '%s': %s", database_of(store), name, words);
    if (!err || !strstr(text, words))
        printf("# %s\n", text);
}

/* Expect that migrate takes it, with a warning that holds WORDS, or none. */
static void warns(cm_store_t *store, const char *name, const char *words,
                  apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    const char *warnings;

    settings_add_model(settings, "post", name, "id", pool);
    database_must(migrate(&warnings, store, settings, pool));
    if (words)
        ok(strstr(warnings, words) != NULL, "%s: migrate warns of '%s': %s",
           database_of(store), name, words);
    else
        is_str(warnings, "", "%s: nothing is wrong with '%s'",
               database_of(store), name);
}

static void mysql(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const engines[] = {"MyISAM", "MEMORY", "Aria"};
    int i, count = database_is_mariadb(store, pool) ? 3 : 2;

    for (i = 0; i < count; i++) {
        database_run(store, "DROP TABLE IF EXISTS posts");
        database_run(store, apr_psprintf(pool,
                                         "CREATE TABLE posts"
                                         " (id int PRIMARY KEY) ENGINE=%s",
                                         engines[i]));
        refuses(store, "posts", engines[i], pool);
    }
    database_run(store, "ALTER TABLE posts ENGINE=InnoDB");
    warns(store, "posts", NULL, pool);
    database_run(store, "CREATE TABLE pages (id int PRIMARY KEY, post int,"
                        " FOREIGN KEY (post) REFERENCES posts (id)"
                        " ON DELETE CASCADE)");
    warns(store, "pages", "along with posts", pool);
}

static void pgsql(cm_store_t *store, apr_pool_t *pool)
{
    database_run(store, "CREATE TABLE posts (id int PRIMARY KEY)");
    warns(store, "posts", NULL, pool);
    database_run(store, "CREATE TABLE more () INHERITS (posts)");
    database_run(store, "ALTER TABLE more ADD PRIMARY KEY (id)");
    warns(store, "posts", "tables inherit from 'posts' (more)", pool);
    warns(store, "more", "inherits from 'posts'", pool);
    database_run(store, "CREATE UNLOGGED TABLE logs (id int PRIMARY KEY)");
    warns(store, "logs", "UNLOGGED", pool);
    database_run(store, "CREATE TABLE parts (id int PRIMARY KEY)"
                        " PARTITION BY RANGE (id)");
    database_run(store, "CREATE TABLE part PARTITION OF parts"
                        " FOR VALUES FROM (0) TO (10)");
    refuses(store, "part", "partition of 'parts'", pool);
}

static void tables(cm_store_t *store, apr_pool_t *pool)
{
    switch (cm_dialect_of_store(store)->database) {
    case CM_MYSQL:
        mysql(store, pool);
        return;
    case CM_PGSQL:
        pgsql(store, pool);
        return;
    case CM_SQLITE3:
        database_run(store, "CREATE TABLE posts (id integer PRIMARY KEY)");
        warns(store, "posts", NULL, pool);
    }
}

int main(void)
{
    if (!database_any())
        return skip_all("there is no database to test with");
    database_each("tables", tables);
    return done_testing();
}
