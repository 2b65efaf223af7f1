/* The clocks of a record as text and as numbers (record/clocks.h). */
#include "../tap.h"

#include <apr_general.h>

#include "record/clocks.h"

static const struct {
    const char *name;
    apr_int64_t clock;
    const char *text;
    int fails;
    apr_int64_t of_a, of_b;
} cases[] = {
    {"no text", 7, NULL, 0, 7, 7},
    {"an empty text", 7, "", 0, 7, 7},
    {"an empty object", 7, "{}", 0, 7, 7},
    {"one older column", 7, "{\"a\":3}", 0, 3, 7},
    {"two, with white space", 7, " { \"b\" : 1 , \"a\" : 3 } ", 0, 3, 1},
    {"a column that never had a clock", 7, "{\"a\":0}", 0, 0, 7},
    {"microseconds of today", 1700000000000001, "{\"a\":1700000000000000}", 0,
     1700000000000000, 1700000000000001},
    {"no record's clock", 0, "{\"a\":9}", 0, 9, 0},
    {"a column newer than the record", 7, "{\"a\":8}", 1, 0, 0},
    {"a negative clock", 7, "{\"a\":-1}", 1, 0, 0},
    {"a fraction", 7, "{\"a\":1.5}", 1, 0, 0},
    {"more than 63 bits", 0, "{\"a\":9223372036854775808}", 1, 0, 0},
    {"a clock out of this world", 0, "{\"a\":9223372036854775807}", 1, 0, 0},
    {"neither list nor object", 7, "3", 1, 0, 0},
    {"a cut text", 7, "{\"a\":1", 1, 0, 0},
    {"something behind", 7, "{\"a\":1}x", 1, 0, 0},
    {"an empty list", 7, "[]", 0, 7, 7},
    {"a list of one", 7, "[3,\"a\"]", 0, 3, 7},
    {"a list of two, with one clock", 7, "[3,\"b\",\"a\"]", 0, 3, 3},
    {"a list of two clocks", 7, " [ 3 , \"a\", 1, \"b\" ] ", 0, 3, 1},
    {"a list in another order", 7, "[0,\"b\",3,\"x\",\"a\"]", 0, 3, 0},
    {"a list with the record's clock", 7, "[7,\"a\"]", 0, 7, 7},
    {"a list without a record's clock", 0, "[9,\"a\"]", 0, 9, 0},
    {"a column that looks like a clock", 7, "[3,\"5\",\"a\"]", 0, 3, 7},
    {"a list newer than the record", 7, "[8,\"a\"]", 1, 0, 0},
    {"a negative clock in a list", 7, "[-1,\"a\"]", 1, 0, 0},
    {"a fraction in a list", 7, "[1.5,\"a\"]", 1, 0, 0},
    {"more than 63 bits in a list", 0, "[9223372036854775808,\"a\"]", 1, 0, 0},
    {"a list out of this world", 0, "[9223372036854775807,\"a\"]", 1, 0, 0},
    {"a column twice", 7, "[3,\"a\",\"a\"]", 1, 0, 0},
    {"a column of two clocks", 7, "[3,\"a\",1,\"a\"]", 1, 0, 0},
    {"a name before any clock", 7, "[\"a\",3,\"b\"]", 1, 0, 0},
    {"a clock of nothing", 7, "[1]", 1, 0, 0},
    {"a clock of the rest", 7, "[3,\"a\",1]", 1, 0, 0},
    {"a clock before a clock", 7, "[3,1,\"a\"]", 1, 0, 0},
    {"null in a list", 7, "[3,null]", 1, 0, 0},
    {"a list in a list", 7, "[3,[\"a\"]]", 1, 0, 0},
    {"an object in a list", 7, "[{\"a\":3}]", 1, 0, 0},
    {"a cut list", 7, "[3,\"a\"", 1, 0, 0},
    {"something behind a list", 7, "[3,\"a\"]x", 1, 0, 0},
};

static void test_read(apr_pool_t *pool)
{
    cm_clocks_t clocks;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cm_error_t *err =
            cm_clocks_read(&clocks, cases[i].clock, cases[i].text, pool);

        ok(!err == !cases[i].fails, "%s: %s", cases[i].name,
           cases[i].fails ? "refused" : "taken");
        if (cases[i].fails)
            continue;
        is_int(cm_clocks_of(&clocks, "a"), cases[i].of_a, "  clock of a");
        is_int(cm_clocks_of(&clocks, "b"), cases[i].of_b, "  clock of b");
    }
}

static void test_set(apr_pool_t *pool)
{
    cm_clocks_t clocks = {.clock = 10};
    char name[] = "zz";
    cm_error_t *err;

    is_str(cm_clocks_text(&clocks, pool), NULL, "no column: no text");
    is_str(cm_clocks_list(&clocks, pool), NULL, "and no list");
    cm_clocks_set(&clocks, "b\"", 4, pool);
    cm_clocks_set(&clocks, name, 3, pool);
    name[0] = 'a';
    cm_clocks_set(&clocks, "a", 10, pool);
    is_str(cm_clocks_text(&clocks, pool), "{\"b\\\"\":4,\"zz\":3}",
           "sorted, quoted, without those of the record's clock");
    err = cm_clocks_read(&clocks, 10, cm_clocks_text(&clocks, pool), pool);
    ok(!err && cm_clocks_of(&clocks, "b\"") == 4, "and read again");
    is_str(cm_clocks_list(&clocks, pool), "[4,\"b\\\"\",3,\"zz\"]",
           "as a list, too");
    cm_clocks_set(&clocks, "zz", 10, pool);
    cm_clocks_set(&clocks, "b\"", 10, pool);
    is_str(cm_clocks_text(&clocks, pool), NULL,
           "columns that caught up are not kept apart");
    is_str(cm_clocks_list(&clocks, pool), NULL, "nor in a list");
}

/* The same clocks, however they came, have one list and one object. */
static void test_forms(apr_pool_t *pool)
{
    static const char object[] = "{\"a\":4,\"b\":3,\"c\":4,\"d\":0,\"e\":9}",
                      list[] = "[9,\"e\",4,\"a\",\"c\",3,\"b\",0,\"d\"]";
    static const char *const texts[] = {
        object, list, "[0,\"d\",4,\"c\",3,\"b\",4,\"a\",9,\"e\"]"};
    cm_clocks_t clocks;
    int i;

    for (i = 0; i < 3; i++) {
        cm_error_t *err = cm_clocks_read(&clocks, 9, texts[i], pool);

        if (!ok(!err, "%s is read", texts[i]))
            continue;
        is_str(cm_clocks_list(&clocks, pool), list, "  and has this list");
        is_str(cm_clocks_text(&clocks, pool), object, "  and this object");
    }
    ok(cm_clocks_read_object(&clocks, 9, list, pool) != NULL,
       "no list where an object must be");
    ok(!cm_clocks_read_object(&clocks, 9, object, pool), "but an object");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_read(pool);
    test_set(pool);
    test_forms(pool);
    apr_terminate();
    return done_testing();
}
