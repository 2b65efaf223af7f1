/* Which models are proposed for tables that are not as usual: odd names, keys
 * that are no keys, tables that belong to other things. The usual ones are in
 * t/403-models.t. */
#include <apr_general.h>

#include "schema/propose.h"
#include "../database.h"
#include "../settings.h"
#include "../tap.h"

/* Return the proposals, a line each: the model's, or the table and the reason
 * why it is left out. */
static const char *propose(cm_store_t *store, const cm_settings_t *settings,
                           const char *pattern, apr_pool_t *pool)
{
    cm_propose_options_t options = {.guess = 0};
    apr_array_header_t *patterns = apr_array_make(pool, 1, sizeof(char *));
    apr_array_header_t *proposals;
    const char *text = "";
    int i;

    if (pattern)
        APR_ARRAY_PUSH(patterns, const char *) = pattern;
    options.patterns = patterns;
    database_must(cm_propose_all(&proposals, store, settings, &options, pool));
    for (i = 0; i < proposals->nelts; i++) {
        const cm_proposal_t *one =
            APR_ARRAY_IDX(proposals, i, const cm_proposal_t *);

        text = apr_pstrcat(pool, text,
                           one->line ? one->line + strlen("CommunicatorModel ")
                                     : apr_pstrcat(pool, one->table->name, ": ",
                                                   one->left_out, NULL),
                           "\n", NULL);
    }
    return text;
}

static void proposes(cm_store_t *store, const char *pattern, const char *lines,
                     const char *name)
{
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    is_str(propose(store, settings_make(pool), pattern, pool), lines, "%s: %s",
           database_of(store), name);
    apr_pool_destroy(pool);
}

static void test_names(void)
{
    static const struct {
        const char *table, *model;
    } names[] = {
        {"posts", "post"},
        {"blog_posts", "blog_post"},
        {"categories", "category"},
        {"addresses", "address"},
        {"statuses", "status"},
        {"issue_statuses", "issue_status"},
        {"bus", "bus"},
        {"people", "person"},
        {"news", "news"},
        {"boxes", "box"},
        {"OrderLines", "order_line"},
        {"shop.Orders", "shop_order"},
        {"my posts", "my_post"},
        {"2fa", "t2fa"},
        {"s", "s"},
        {"wp_usermeta", "wp_usermeta"},
    };
    apr_pool_t *pool;
    size_t i;

    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        is_str(cm_propose_names_singular(names[i].table, pool), names[i].model,
               "a model of %s", names[i].table);
    apr_pool_destroy(pool);
}

static void test_words(cm_store_t *store, apr_pool_t *pool)
{
    const char *create =
        "CREATE TABLE %s (%s varchar(20) NOT NULL PRIMARY KEY)";

    database_run(
        store, apr_psprintf(pool, create,
                            cm_store_quote(store, "my \"posts\"", pool), "a"));
    database_run(store, apr_psprintf(pool, create, "plain",
                                     cm_store_quote(store, "a b", pool)));
    database_run(store, apr_psprintf(pool, create, "comma",
                                     cm_store_quote(store, "a,b", pool)));
    database_run(store, apr_psprintf(pool, create,
                                     cm_store_quote(store, "a.b", pool), "c"));
    proposes(store, NULL,
             "my__posts_ \"table=my \\\"posts\\\"\" key=a keys=shared\n"
             "plain table=plain \"key=a b\" keys=shared\n"
             "a.b: its name cannot be written in table=\n"
             "comma: it has no key: no primary key, and no unique index on "
             "columns that are NOT NULL\n",
             "names that need quotes, or cannot be written");
}

static void test_keys(cm_store_t *store, apr_pool_t *pool)
{
    (void)pool;
    database_run(store, "CREATE TABLE a (x integer NOT NULL, y integer NOT "
                        "NULL, z integer, UNIQUE (z), UNIQUE (x, y))");
    database_run(store, "CREATE TABLE b (x integer NOT NULL, y integer NOT "
                        "NULL, UNIQUE (y), UNIQUE (x))");
    database_run(store, "CREATE TABLE post (id integer NOT NULL PRIMARY KEY)");
    database_run(store, "CREATE TABLE posts (id integer NOT NULL PRIMARY KEY)");
    database_run(store, "CREATE TABLE jobs (id varchar(9) NOT NULL PRIMARY "
                        "KEY, title varchar(9))");
    database_run(store, "CREATE TABLE cache (id varchar(9) NOT NULL PRIMARY "
                        "KEY)");
    proposes(store, "[ab]", "a table=a key=x,y\nb table=b key=x newkey=max\n",
             "an index on columns that are NOT NULL is a key");
    proposes(store, "cache", "cache table=cache keys=shared\n",
             "a table that is named is taken");
    proposes(store, "[cj]*",
             "job table=jobs keys=shared\ncache: it is a cache\n",
             "the columns tell what a name means");
    ok(strstr(propose(store, settings_make(pool), "post*", pool),
              "posts table=posts") != NULL,
       "%s: two tables with the same model keep their names",
       database_of(store));
}

static void test_configured(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);

    database_run(store, "CREATE TABLE users (id integer NOT NULL PRIMARY KEY)");
    database_run(store, "CREATE TABLE notes (a_id integer NOT NULL REFERENCES "
                        "users (id), k varchar(9) NOT NULL PRIMARY KEY)");
    database_run(store, "CREATE TABLE persons (k varchar(9) NOT NULL PRIMARY "
                        "KEY)");
    settings_add_model(settings, "person", "users", "id", pool);
    is_str(propose(store, settings, "[np]*", pool),
           "note table=notes key=k references=a_id:person keys=shared\n"
           "persons table=persons key=k keys=shared\n",
           "%s: a model that is configured keeps its name", database_of(store));
    proposes(store, "notes", "note table=notes key=k keys=shared\n",
             "a reference to a table that is not asked for is dropped");
}

static void test_special(cm_store_t *store, apr_pool_t *pool)
{
    (void)pool;
    switch (cm_dialect_of_store(store)->database) {
    case CM_PGSQL:
        database_run(store, "CREATE SCHEMA shop");
        database_run(store, "CREATE TABLE shop.items (id serial PRIMARY KEY)");
        database_run(store, "CREATE TABLE log (id integer NOT NULL, day date "
                            "NOT NULL, PRIMARY KEY (id, day)) PARTITION BY "
                            "RANGE (day)");
        database_run(store, "CREATE TABLE log_1 PARTITION OF log FOR VALUES "
                            "FROM ('2020-01-01') TO ('2021-01-01')");
        database_run(store, "CREATE MATERIALIZED VIEW m AS SELECT 1 AS x");
        proposes(store, NULL,
                 "log table=log key=id,day\n"
                 "shop_item table=shop.items\n"
                 "log_1: it is a partition of log, whose model it shares\n"
                 "m: it is a materialized view, not a table\n",
                 "schemas, partitions, views");
        break;
    case CM_MYSQL:
        database_run(store, "CREATE TABLE old (id int AUTO_INCREMENT PRIMARY "
                            "KEY) ENGINE=MyISAM");
        proposes(store, NULL,
                 "old: table 'old' uses the storage engine MyISAM, which "
                 "cannot roll back: a change that the application rolls back "
                 "would be published\n",
                 "what migrate would refuse is left out");
        break;
    case CM_SQLITE3:
        database_run(store, "CREATE VIRTUAL TABLE words USING fts5(body)");
        database_run(store, "CREATE TABLE loose (k text PRIMARY KEY)");
        ok(strstr(propose(store, settings_make(pool), NULL, pool),
                  "words_data: it belongs to the virtual table words\n") !=
               NULL,
           "sqlite3: tables of a virtual table are left out");
        proposes(store, "loose",
                 "loose: the key 'k' of table 'loose' may be NULL: a row "
                 "without a key cannot be synchronised\n",
                 "what migrate would refuse is left out");
    }
}

int main(void)
{
    apr_initialize();
    test_names();
    database_each("words", test_words);
    database_each("keys", test_keys);
    database_each("configured", test_configured);
    database_each("special", test_special);
    return done_testing();
}
