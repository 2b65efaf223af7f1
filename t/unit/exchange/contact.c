/* What is remembered of a peer that calls: which of its requests are late. */
#include "../inbox.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "exchange/serve.h"

/* The time here. */
static apr_time_t present;

static apr_time_t look(void)
{
    return present;
}

static apr_status_t give_random(unsigned char *bytes, apr_size_t size)
{
    return apr_generate_random_bytes(bytes, size);
}

typedef struct caller_t {
    cm_node_t *node;
    cm_settings_t *settings;
    const char *body;
    apr_time_t began; /* all times are seconds after it */
    apr_pool_t *pool;
} caller_t;

static cm_error_t *use_node(void *baton, cm_host_work_t work, void *work_baton,
                            apr_pool_t *pool)
{
    const caller_t *caller = baton;

    return work(caller->node, work_baton, pool);
}

static int read_body(cm_buffer_t **body, void *baton, apr_pool_t *pool)
{
    const caller_t *caller = baton;

    *body = cm_buffer_create(strlen(caller->body) + 1, pool);
    cm_buffer_raw(*body, caller->body);
    return 0;
}

static void ignore(void *baton, cm_log_e level, const char *text)
{
    (void)baton;
    (void)level;
    (void)text;
}

static caller_t *make_caller(cm_store_t *store, apr_pool_t *pool)
{
    caller_t *caller = apr_pcalloc(pool, sizeof(*caller));

    caller->pool = pool;
    caller->began = present = apr_time_now();
    caller->settings = inbox_settings(pool);
    APR_ARRAY_IDX(caller->settings->peers, 0, cm_peer_settings_t *)->user =
        "there";
    caller->node = inbox_node(store, caller->settings, pool);
    return caller;
}

/* Let a request that was sent at second SENT of the peer's clock be served at
 * second SERVED of ours; return the status. BODY NULL: a pull. NEWEST: the last
 * message of the peer; -1: it does not say. */
static int serve(caller_t *caller, int served, int sent, const char *query,
                 const char *body, int newest)
{
    apr_pool_t *pool = caller->pool;
    apr_table_t *headers = apr_table_make(pool, 8);
    const cm_host_t host = {.use_node = use_node,
                            .read_body = read_body,
                            .body_limit = 1 << 20,
                            .log = ignore,
                            .baton = caller};
    const cm_request_t request = {.method = body ? "POST" : "GET",
                                  .query = query,
                                  .headers = headers,
                                  .user = "there"};
    cm_exchange_t *exchange;

    present = caller->began + apr_time_from_sec(served);
    caller->body = body;
    apr_table_set(headers, "Content-Type", "application/json");
    apr_table_set(headers, "Communicator-Protocol", "2");
    apr_table_set(headers, "Communicator-Node", "there");
    apr_table_set(headers, "Communicator-Epoch", "e");
    apr_table_set(headers, "Communicator-Clock",
                  apr_psprintf(pool, "%" APR_TIME_T_FMT,
                               caller->began + apr_time_from_sec(sent)));
    if (newest >= 0)
        apr_table_set(headers, "Communicator-Newest", apr_itoa(pool, newest));
    exchange = cm_serve_begin(&request, caller->settings, &host, pool);
    cm_serve(exchange);
    return exchange->answer.status;
}

/* Let a run at SECOND push message NUMBER. */
static void push(caller_t *caller, int second, int number)
{
    apr_pool_t *pool = caller->pool;
    const char *after = apr_psprintf(pool, "after=%d", number - 1);
    const char *text = apr_psprintf(
        pool,
        "[{\"id\":%d,\"origin\":\"there\",\"original_id\":%d,\"clock\":1000,"
        "\"body\":\"{\\\"tag\\\":{" TEXT("name", "t%d") "}}\"}]",
        number, number, number);

    is_int(serve(caller, second, second, after, "[]", number), 202,
           "%s: a push", database_of(caller->node->store));
    is_int(serve(caller, second + 1, second + 1,
                 apr_psprintf(pool, "%s&last=%d", after, number), text, -1),
           202, "  of message %d", number);
}

/* Expect that the clock of the peer is SECONDS ahead of ours. */
static void is_ahead(const caller_t *caller, int seconds, const char *what)
{
    cm_peer_t *peer;

    database_must(cm_peer_load(&peer, caller->node, "there", 0, caller->pool));
    is_int(apr_time_sec(peer->clock_offset), seconds, "%s", what);
}

static void late(cm_store_t *store, apr_pool_t *pool)
{
    caller_t *caller = make_caller(store, pool);

    push(caller, 0, 1);
    push(caller, 30, 2);
    is_int(serve(caller, 32, 20, "from_id=1&limit=0", NULL, -1), 200,
           "a pull that was sent before is served");
    is_ahead(caller, -1, "  and tells nothing about the peer's clock");
    is_int(serve(caller, 33, 21, "after=1", "[]", 1), 503,
           "the push that was sent next is late, too");
    is_int(serve(caller, 34, 34, "after=1", "[]", 1), 409,
           "one that was sent now is from a database that was restored");

    push(caller, 60, 3);
    is_int(serve(caller, 80, 31, "after=1&last=2",
                 "[{\"id\":2,\"origin\":\"there\",\"original_id\":2,"
                 "\"clock\":1000,\"body\":\"{\\\"tag\\\":{" TEXT("name",
                                                                 "t2") "}}\"}]",
                 -1),
           202, "a batch that was received before is accepted");
    is_int(serve(caller, 81, 32, "after=2", "[]", 2), 503,
           "the push that was sent next is late, too");
}

/* A late pull asks again for what is confirmed and purged since. */
static void purged(cm_store_t *store, apr_pool_t *pool)
{
    caller_t *caller = make_caller(store, pool);

    database_run(store, "UPDATE communicator_node SET last_seq = 2");
    is_int(serve(caller, 30, 30, "from_id=3&limit=5", NULL, 0), 200,
           "%s: a pull that confirms two messages", database_of(store));
    is_int(serve(caller, 31, 20, "from_id=1&limit=5", NULL, 0), 503,
           "one that was sent before, and asks for them, is late");
    is_str(database_value(store, "SELECT count(*) FROM communicator_problems",
                          pool),
           "0", "  and no problem");
    is_int(serve(caller, 32, 32, "from_id=1&limit=5", NULL, 0), 409,
           "one that was sent now is from a database that was restored");
}

/* A clock that was set back looks like a late request. */
static void set_back(cm_store_t *store, apr_pool_t *pool)
{
    caller_t *caller = make_caller(store, pool);

    push(caller, 0, 1);
    push(caller, 60, 2);
    is_int(serve(caller, 120, 60, "after=2", "[]", 2), 202,
           "%s: the peer's clock was set back", database_of(store));
    is_ahead(caller, -60, "  which is noted");
    is_int(serve(caller, 121, 61, "after=1", "[]", 1), 409,
           "then a database that was restored is known as such");

    is_int(serve(caller, 140, 80, "from_id=1&limit=0", NULL, 2), 200, "a pull");
    is_int(serve(caller, 100, 81, "after=2", "[]", 2), 202,
           "our own clock was set back");
    is_ahead(caller, -19, "  which is noted");
    is_int(serve(caller, 101, 83, "after=1", "[]", 1), 409,
           "  and a database that was restored is known as such, too");
}

int main(void)
{
    static const cm_clock_t clock = {look, apr_sleep, give_random};

    apr_initialize();
    cm_clock_replace(&clock);
    database_each("late requests", late);
    database_each("a late pull", purged);
    database_each("clocks that were set back", set_back);
    apr_terminate();
    return done_testing();
}
