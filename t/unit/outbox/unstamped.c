/* What is remembered of a chunk that was stamped (outbox/unstamped.h). */
#include "../tap.h"

#include <stdlib.h>

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
    cm_node_t node = {.row_pool = pool};
    apr_size_t i, j;

    for (i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
        cm_found_t found = {.all = chunks[i].all,
                            .more = chunks[i].more,
                            .snapshot = chunks[i].snapshot};

        found.ids = apr_array_make(pool, 4, sizeof(apr_int64_t));
        for (j = 0; j < 4 && chunks[i].ids[j]; j++)
            APR_ARRAY_PUSH(found.ids, apr_int64_t) = chunks[i].ids[j];
        cm_unstamped_open_note(&node, &found, pool);
        is_int(node.stamped_id, chunks[i].stamped_id, "%s: how far",
               chunks[i].name);
        is_str(node.passed, chunks[i].passed, "%s: what is open",
               chunks[i].name);
    }
}

/* The gaps of NODE without their times: "1-2 5-5". */
static const char *gaps(const cm_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *list = cm_unstamped_gaps_of(node, pool);
    const char *text = "";
    int i;

    for (i = 0; i < list->nelts; i++) {
        const cm_gap_t *gap = &APR_ARRAY_IDX(list, i, cm_gap_t);

        text = apr_psprintf(pool, "%s%s%d-%d", text, i ? " " : "",
                            (int)gap->first, (int)gap->last);
    }
    return text;
}

/* Note that every STEP-th id from FIRST to LAST was found. */
static void find(cm_node_t *node, int first, int last, int step, int all,
                 apr_pool_t *pool)
{
    cm_found_t found = {.all = all};

    found.ids = apr_array_make(pool, 4, sizeof(apr_int64_t));
    for (; first <= last; first += step)
        APR_ARRAY_PUSH(found.ids, apr_int64_t) = first;
    cm_unstamped_gaps_note(node, &found, pool);
}

static void test_gaps(apr_pool_t *pool)
{
    cm_node_t node = {.row_pool = pool};
    int i, lost = 0;
    const apr_array_header_t *list;

    find(&node, 3, 9, 3, 0, pool);
    is_str(gaps(&node, pool), "1-2 4-5 7-8", "what was not there");
    find(&node, 4, 4, 1, 0, pool);
    is_str(gaps(&node, pool), "1-2 5-5 7-8", "what has come since");
    find(&node, 7, 12, 1, 0, pool);
    is_str(gaps(&node, pool), "1-2 5-5", "what has come, and what follows");
    is_int(node.stamped_id, 12, "how far");
    is_str(cm_unstamped_gaps_where(cm_unstamped_gaps_of(&node, pool), 5, pool),
           " OR id BETWEEN 1 AND 2", "the gaps below an id");
    find(&node, 6, 6, 1, 1, pool);
    is_str(gaps(&node, pool), "1-5", "ids that begin anew: nothing is known");
    is_int(node.stamped_id, 6, "how far then");

    /* Far more gaps than are kept one by one. */
    find(&node, 8, 20000, 3, 0, pool);
    list = cm_unstamped_gaps_of(&node, pool);
    ok(list->nelts > 0 && list->nelts <= 1000, "%d gaps are kept", list->nelts);
    for (i = 9; i < 20000; i += 3) {
        int j, kept = 0;

        for (j = 0; j < list->nelts; j++) {
            const cm_gap_t *gap = &APR_ARRAY_IDX(list, j, cm_gap_t);

            kept |= gap->first <= i && gap->last >= i + 1;
        }
        lost += !kept && i + 1 < 20000;
    }
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
