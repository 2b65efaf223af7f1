/* Messages that commit out of order, while several stamp and one reads along:
 * nothing is lost, nothing comes twice, there is no gap. */
#include "../database.h"
#include "../settings.h"
#include "../tap.h"

#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_thread_proc.h>

#include "schema/migrate.h"
#include "outbox/read.h"
#include "outbox/stamp.h"

#define WRITERS  16
#define STAMPERS 2
#define ROUNDS   25
#define ROWS     3

typedef struct race_t {
    const char *driver;
    const cm_settings_t *settings;
    apr_pool_t *pool; /* of this thread */
    unsigned seed;
    int committed;
    volatile int *running;
} race_t;

static cm_store_t *open_store(const race_t *race)
{
    cm_store_t *store;

    database_must(
        cm_store_open(&store, race->driver, database_params(), race->pool));
    return store;
}

/* Write in transactions that last; every tenth one is rolled back. */
static void *APR_THREAD_FUNC write_rows(apr_thread_t *thread, void *baton)
{
    race_t *race = baton;
    cm_store_t *store = open_store(race);
    apr_pool_t *iterpool;
    int i, j;

    apr_pool_create(&iterpool, race->pool);
    for (i = 0; i < ROUNDS; i++) {
        apr_pool_clear(iterpool);
        database_must(cm_transaction_begin(store, iterpool));
        for (j = 0; j < ROWS; j++) {
            database_must(cm_statement_run(
                NULL, store,
                apr_psprintf(
                    iterpool,
                    "INSERT INTO outbound_messages (model, local_record_id,"
                    " action, body, clock) VALUES ('post', '%d', 'update',"
                    " '{\"post\":{}}', %d)",
                    rand_r(&race->seed) % 20, i),
                NULL, 0, iterpool));
            if (strcmp(race->driver, "sqlite3"))
                usleep(rand_r(&race->seed) % 4000);
        }
        if (rand_r(&race->seed) % 10) {
            database_must(cm_transaction_commit(store, iterpool));
            race->committed += ROWS;
        }
        else {
            cm_transaction_rollback(store);
        }
    }
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void *APR_THREAD_FUNC stamp_rows(apr_thread_t *thread, void *baton)
{
    race_t *race = baton;
    cm_store_t *store = open_store(race);
    apr_pool_t *iterpool;
    apr_int64_t stamped;
    cm_node_t *node;

    database_must(cm_node_open(&node, race->settings, store, race->pool));
    apr_pool_create(&iterpool, race->pool);
    while (*race->running) {
        apr_pool_clear(iterpool);
        database_must(cm_stamp_all(&stamped, node, iterpool));
        usleep(2000);
    }
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

/* Read on from *AFTER until there is no more; count what breaks the order. */
static int read_along(apr_int64_t *after, int *count, cm_node_t *node,
                      apr_pool_t *pool)
{
    static const cm_limits_t limits = {100, 1 << 20};
    int wrong = 0, i;
    cm_batch_t *batch;

    do {
        database_must(cm_outbox_read(
            &batch, node,
            &(cm_reading_t){.peer = "there", .after = *after, .limits = limits},
            pool, pool));
        for (i = 0; i < batch->messages->nelts; i++)
            wrong += APR_ARRAY_IDX(batch->messages, i, cm_message_t *)->id !=
                     *after + i + 1;
        *count += batch->messages->nelts;
        *after = batch->last;
    } while (batch->more);
    return wrong;
}

static void start(race_t *race, apr_thread_t **thread,
                  apr_thread_start_t function, const race_t *model,
                  unsigned seed, apr_pool_t *pool)
{
    *race = *model;
    race->seed = seed;
    apr_pool_create_unmanaged_ex(&race->pool, NULL, NULL);
    apr_thread_create(thread, NULL, function, race, pool);
}

static cm_node_t *make_node(race_t *model, cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    cm_node_t *node;

    database_run(store, "CREATE TABLE posts (id integer PRIMARY KEY,"
                        " title varchar(40))");
    settings_add_peer(settings, "there", pool);
    settings_add_model(settings, "post", "posts", "id", pool);
    settings_migrate_quietly(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    model->driver = database_of(store);
    model->settings = settings;
    return node;
}

static void test_race(cm_store_t *store, apr_pool_t *pool)
{
    race_t model = {0}, races[WRITERS + STAMPERS];
    apr_thread_t *threads[WRITERS + STAMPERS];
    int i, read = 0, wrong = 0, committed = 0;
    cm_node_t *node = make_node(&model, store, pool);
    volatile int running = 1;
    apr_int64_t after = 0, stamped;
    apr_pool_t *iterpool;
    apr_status_t status;

    model.running = &running;
    apr_pool_create(&iterpool, pool);
    for (i = 0; i < WRITERS + STAMPERS; i++)
        start(&races[i], &threads[i], i < WRITERS ? write_rows : stamp_rows,
              &model, i + 1, pool);
    for (i = 0; i < 40; i++) {
        apr_pool_clear(iterpool);
        wrong += read_along(&after, &read, node, iterpool);
        usleep(5000);
    }
    for (i = 0; i < WRITERS; i++)
        apr_thread_join(&status, threads[i]);
    running = 0;
    for (; i < WRITERS + STAMPERS; i++)
        apr_thread_join(&status, threads[i]);
    for (i = 0; i < WRITERS; i++)
        committed += races[i].committed;
    database_must(cm_stamp_all(&stamped, node, pool));
    wrong += read_along(&after, &read, node, pool);
    is_int(read, committed, "%s: all of them came, none twice", model.driver);
    is_int(after, committed, "their numbers have no gap");
    is_int(wrong, 0, "and came in order");
    is_str(database_value(store, "SELECT count(*) FROM communicator_mappings",
                          pool),
           "20", "every record has one mapping");
    is_str(database_value(store,
                          "SELECT count(*) FROM outbound_messages a"
                          " JOIN outbound_messages b ON a.local_record_id ="
                          " b.local_record_id AND a.seq < b.seq"
                          " AND a.clock >= b.clock",
                          pool),
           "0", "and clocks that only grow");
    for (i = 0; i < WRITERS + STAMPERS; i++)
        apr_pool_destroy(races[i].pool);
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("writers, stampers and a reader", test_race);
    return done_testing();
}
