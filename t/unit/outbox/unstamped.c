/* What is remembered of a chunk that was stamped (outbox/unstamped.h). */
#include "../tap.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "outbox/unstamped.h"

/* One chunk after the other: what it found, and what is remembered then. */
static const struct {
    const char *name, *snapshot;
    apr_int64_t ids[4]; /* up to a 0 */
    int more, all;
    apr_int64_t stamped_id;
    const char *passed;
} chunks[] = {
    {"the first",
     "106:100:105:100,103",
     {1, 2, 5},
     0,
     0,
     5,
     "+106:0 100:0 103:0"},
    {"nothing", "107:100:107:100,103,105", {0}, 0, 0, 5, "+106:0 100:0 103:0"},
    {"one has ended",
     "110:103:110:103,105,108",
     {3, 9},
     0,
     0,
     9,
     "+106:0 +110:5 103:0 105:0 108:0"},
    {"two, and more is there",
     "112:112:112:",
     {4},
     1,
     0,
     9,
     "+110:5 +112:9 103:4 105:4 108:4"},
    {"further",
     "113:113:113:",
     {7},
     1,
     0,
     9,
     "+112:9 +113:9 103:7 105:7 108:7"},
    {"to the end, and more behind",
     "116:114:116:114",
     {8, 11},
     1,
     0,
     11,
     "+113:9 +116:9 114:9"},
    {"in the same transaction",
     "116:114:116:114",
     {12, 13},
     1,
     0,
     13,
     "+113:9 +116:9 114:9"},
    {"still open",
     "120:114:120:114,118",
     {15},
     0,
     0,
     15,
     "+116:9 +120:13 114:9 118:9"},
    {"nothing was written", "121:121:121:", {0}, 0, 0, 15, "+120:13"},
    {"all, behind what is known",
     "125:122:124:122",
     {16},
     0,
     1,
     16,
     "+120:13 +125:15 122:13"},
    {"an id of its own choice",
     "130:122:130:122,129",
     {4},
     0,
     1,
     4,
     "+1:0 122:0 129:0"},
    {"going on from there", "140:140:140:", {20}, 0, 0, 20, "+1:0 +140:4"},
    {"and further", "150:150:150:", {21}, 0, 0, 21, "+140:4 +150:20"},
};

static void test_open(apr_pool_t *pool)
{
    cm_node_t node = {.outbox.pool = pool};
    apr_size_t i, j;

    for (i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
        cm_unstamped_t found = {.all = chunks[i].all,
                                .more = chunks[i].more,
                                .snapshot = chunks[i].snapshot};

        found.ids = apr_array_make(pool, 4, sizeof(apr_int64_t));
        for (j = 0; j < 4 && chunks[i].ids[j]; j++)
            APR_ARRAY_PUSH(found.ids, apr_int64_t) = chunks[i].ids[j];
        cm_unstamped_pgsql_note(&node, &found, pool);
        is_int(node.outbox.stamped_id, chunks[i].stamped_id, "%s: how far",
               chunks[i].name);
        is_str(node.outbox.passed, chunks[i].passed, "%s: what is open",
               chunks[i].name);
    }
}

/* Return the gaps of NODE without their times: "1-2 5-5". */
static const char *gaps(const cm_node_t *node, apr_pool_t *pool)
{
    const char *from = node->outbox.passed;
    char *text = apr_pcalloc(pool, strlen(from) + 1), *to = text;

    while (*from) {
        const apr_size_t span = strcspn(from, "@");

        memcpy(to, from, span);
        to += span;
        from += span + strcspn(from + span, " ");
    }
    return text;
}

/* Note that every STEP-th id from FIRST to LAST was found; return the gaps
 * below. */
static const char *find(cm_node_t *node, int first, int last, int step, int all,
                        apr_pool_t *pool)
{
    cm_unstamped_t found = {.all = all};

    found.ids = apr_array_make(pool, 4, sizeof(apr_int64_t));
    for (; first <= last; first += step)
        APR_ARRAY_PUSH(found.ids, apr_int64_t) = first;
    return cm_unstamped_mysql_note(node, &found, pool);
}

static void test_gaps(apr_pool_t *pool)
{
    cm_node_t node = {.outbox.pool = pool};
    const char *text;
    int i = 9, lost = 0, count = 0;

    find(&node, 3, 9, 3, 0, pool);
    is_str(gaps(&node, pool), "1-2 4-5 7-8", "what was not there");
    is_str(find(&node, 4, 4, 1, 0, pool), " OR id BETWEEN 1 AND 2",
           "the gaps below an id");
    is_str(gaps(&node, pool), "1-2 5-5 7-8", "what has come since");
    find(&node, 7, 12, 1, 0, pool);
    is_str(gaps(&node, pool), "1-2 5-5", "what has come, and what follows");
    is_int(node.outbox.stamped_id, 12, "how far");
    is_str(cm_unstamped_mysql_where(&node, pool),
           " OR id BETWEEN 1 AND 2 OR id BETWEEN 5 AND 5", "all gaps");
    find(&node, 6, 6, 1, 1, pool);
    is_str(gaps(&node, pool), "1-5", "ids that begin again: nothing is known");
    is_int(node.outbox.stamped_id, 6, "how far then");

    /* Far more gaps than are kept one by one. */
    find(&node, 8, 20000, 3, 0, pool);
    for (text = node.outbox.passed; *text; count++) {
        apr_int64_t first = cm_unstamped_number(&text);
        apr_int64_t last = cm_unstamped_number(&text);

        cm_unstamped_number(&text);
        for (; i < 20000 && i + 1 <= last; i += 3)
            lost += i < first;
    }
    ok(count > 0 && count <= 1000, "%d gaps are kept", count);
    ok(i + 1 >= 20000, "up to the last one");
    is_int(lost, 0, "none of them is forgotten");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    test_open(pool);
    test_gaps(pool);
    return done_testing();
}
