/* The clocks of a record as text and as numbers (lib/cm_clocks.h). */
#include "tap.h"

#include <apr_general.h>

#include "cm_clocks.h"

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
    {"an array", 7, "[1]", 1, 0, 0},
    {"a cut text", 7, "{\"a\":1", 1, 0, 0},
    {"something behind", 7, "{\"a\":1}x", 1, 0, 0},
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
    cm_clocks_t clocks = {10, NULL};
    char name[] = "zz";
    cm_error_t *err;

    is_str(cm_clocks_text(&clocks, pool), NULL, "no column: no text");
    cm_clocks_set(&clocks, "b\"", 4, pool);
    cm_clocks_set(&clocks, name, 3, pool);
    name[0] = 'a';
    cm_clocks_set(&clocks, "a", 10, pool);
    is_str(cm_clocks_text(&clocks, pool), "{\"b\\\"\":4,\"zz\":3}",
           "sorted, quoted, without those of the record's clock");
    err = cm_clocks_read(&clocks, 10, cm_clocks_text(&clocks, pool), pool);
    ok(!err && cm_clocks_of(&clocks, "b\"") == 4, "and read again");
    cm_clocks_set(&clocks, "zz", 10, pool);
    cm_clocks_set(&clocks, "b\"", 10, pool);
    is_str(cm_clocks_text(&clocks, pool), NULL,
           "columns that caught up are not kept apart");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_read(pool);
    test_set(pool);
    apr_terminate();
    return done_testing();
}
