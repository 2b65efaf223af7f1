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

/* A page NAME that must have SHELF, which is checked at once, and BESIDE. */
#define SHELVED(id, name, shelf, beside, more)                                 \
    MESSAGE(id, "page", name, "create", 1000,                                  \
            TEXT("name", #name) "," TEXT("shelf", #shelf) "," TEXT(            \
                "beside", #beside) more,                                       \
            ",\"refs\":{\"shelf\":" PAGE_REF(shelf) ",\"beside\":" PAGE_REF(   \
                beside) "}")
#define PAGE_REF(name)                                                         \
    "{\"model\":\"page\",\"origin\":\"there\",\"original_id\":" #name "}"

/* Pages that must refer to each other by two foreign keys: one is checked at
 * once, the other at the end; MariaDB has the first one only. */
static cm_node_t *make_shelves(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model =
        settings_add_model(settings, "page", "pages", "name", pool);
    const char *at_end = cm_dialect_of_store(store)->database == CM_MYSQL
                             ? ""
                             : " REFERENCES pages (name) DEFERRABLE INITIALLY"
                               " DEFERRED";

    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "shelf", .model = "page"};
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "beside", .model = "page"};
    database_run(store, apr_psprintf(pool,
                                     "CREATE TABLE pages (name varchar(40) NOT"
                                     " NULL PRIMARY KEY, shelf varchar(40) NOT"
                                     " NULL, beside varchar(40) NOT NULL%s,"
                                     " title varchar(40), hat varchar(40)%s,"
                                     " FOREIGN KEY (shelf) REFERENCES pages"
                                     " (name))",
                                     at_end, at_end));
    return inbox_node(store, settings, pool);
}

/* Only the one that is its own shelf can be written first: it comes last. A
 * column more lets it be written apart. */
#define LEANING(a, b, one, other, more)                                        \
    SHELVED(a, one, other, other, )                                            \
    "," SHELVED(b, other, other, one, "," TEXT("title", "x") more)

static void test_order(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_shelves(store, pool);

    is_int(inbox_take(node, 0, "[" LEANING(1, 2, 1, 2, ) "]", pool), 2,
           "%s: two come of which only the second can be first",
           database_of(store));
    is_str(inbox_value(node,
                       "SELECT count(*) FROM pages a JOIN pages b ON a.shelf ="
                       " b.name AND a.beside = b.name AND b.shelf = b.name AND"
                       " b.beside = a.name",
                       pool),
           "1", "  and refer to each other");
}

/* A third one must be behind both. */
static void test_order_of_three(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_shelves(store, pool);

    is_int(inbox_take(node, 0,
                      "[" SHELVED(1, 1, 2, 3, ) "," SHELVED(
                          2, 2, 3, 1,
                          "," TEXT("title", "x")) "," SHELVED(3, 3, 3, 2, ) "]",
                      pool),
           3, "%s: and three, of which only the last can be first",
           database_of(store));
}

/* Another couple breaks a constraint that is checked at the end. */
static void test_order_and_bad(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node;

    if (cm_dialect_of_store(store)->database == CM_MYSQL)
        return;
    node = make_shelves(store, pool);
    is_int(inbox_take(node, 0,
                      "[" LEANING(1, 2, 1, 2, ) "," LEANING(
                          3, 4, 3, 4, "," TEXT("hat", "nobody's")) "]",
                      pool),
           2, "%s: and two beside two that cannot come", database_of(store));
}

int main(void)
{
    apr_initialize();
    database_each("each", test_each);
    database_each("order", test_order);
    database_each("order of three", test_order_of_three);
    database_each("order, and a bad couple", test_order_and_bad);
    apr_terminate();
    return done_testing();
}
