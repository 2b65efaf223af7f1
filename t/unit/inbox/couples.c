/* The inbox: couples of records that must refer to each other, and unique
 * values that some of them cannot have. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "store/dialect.h"

/* A page NAME that must stand beside OTHER. */
#define PAGE(id, name, title, other)                                           \
    MESSAGE(id, "page", name, "create", 1000,                                  \
            TEXT("name", #name) "," TEXT("title", title) "," TEXT("beside",    \
                                                                  #other),     \
            REF("beside", "page", other))
#define TITLE(id, name, title)                                                 \
    MESSAGE(id, "page", name, "update", 2000, TEXT("title", title), BASE(1000))

/* Messages A to C: pages ONE and OTHER, and a LATER title of ONE. */
#define COUPLE(a, b, c, one, first, other, second, later)                      \
    PAGE(a, one, first, other)                                                 \
    "," PAGE(b, other, second, one) "," TITLE(c, one, later)

/* Pages, of which three stand alone. */
static cm_node_t *make_pages(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model =
        settings_add_model(settings, "page", "pages", "name", pool);

    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "beside", .model = "page"};
    database_run(
        store,
        apr_pstrcat(pool,
                    "CREATE TABLE pages (name varchar(40) NOT NULL PRIMARY KEY,"
                    " title varchar(40) UNIQUE, beside varchar(40) NOT NULL",
                    cm_dialect_of_store(store)->database == CM_MYSQL
                        ? ")"
                        : " REFERENCES pages (name) DEFERRABLE INITIALLY"
                          " DEFERRED)",
                    NULL));
    database_run(store, "INSERT INTO pages (name, title, beside) VALUES"
                        " ('x', 'x', 'x'), ('y', 'y', 'y'), ('z', 'z', 'z')");
    return inbox_node(store, settings, pool);
}

/* The later title of each first page is taken; the second couple also needs the
 * one that the first couple keeps therefore, and the third one that of the
 * second, which does not come. */
static void test_each(cm_store_t *store, apr_pool_t *pool)
{
    static const char batch[] =
        "[" COUPLE(1, 2, 3, 1, "a", 2, "b", "x") "," COUPLE(
            4, 5, 6, 3, "c", 4, "a", "y") "," COUPLE(7, 8, 9, 5, "d", 6, "c",
                                                     "z") "]";
    cm_node_t *node = make_pages(store, pool);

    is_int(inbox_take(node, 0, batch, pool), 4,
           "%s: couples come that have what they need", database_of(store));
    is_str(inbox_value(node,
                       "SELECT min(title) FROM pages WHERE title <> 'a'"
                       " AND title <> 'b'",
                       pool),
           "c", "  with a title that one which cannot come has had");
}

int main(void)
{
    apr_initialize();
    database_each("each", test_each);
    apr_terminate();
    return done_testing();
}
