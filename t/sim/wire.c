/* See wire.h. */
#include "wire.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/gzip.h"
#include "beside.h"
#include "exchange/log.h"
#include "gone.h"
#include "liar.h"

#define TRIES 3 /* with the database, as mod_communicator does */

typedef struct host_t {
    sim_world_t *world;
    const sim_request_t *request;
} host_t;

static cm_error_t *use_node(void *baton, cm_host_work_t work, void *work_baton,
                            apr_pool_t *pool)
{
    const host_t *host = baton;
    sim_node_t *node = &host->world->nodes[host->request->callee];
    cm_error_t *err;
    int i;

    for (i = 1;; i++) {
        cm_node_renew(node->node);
        err = work(node->node, work_baton, pool);
        if (!err || i == TRIES ||
            (err->code != CM_UNAVAILABLE && err->code != CM_BUSY &&
             (err->code != CM_SCHEMA || i > 1)))
            return err ? cm_error_copy(err, pool) : NULL;
        if (err->code == CM_SCHEMA)
            cm_node_forget(node->node);
    }
}

static int read_body(cm_buffer_t **body, void *baton, apr_pool_t *pool)
{
    const host_t *host = baton;
    const sim_request_t *request = host->request;

    *body = cm_buffer_create(request->size + 1, pool);
    if (request->cut > 1)
        return CM_HTTP_BAD_REQUEST;
    if ((apr_int64_t)request->size >
        host->world->nodes[request->callee].settings->max_body)
        return CM_HTTP_TOO_LARGE;
    if (request->size)
        cm_buffer_append(*body, request->body, request->size);
    return 0;
}

/* Whether TEXT says that the server has failed by itself. */
static int is_fault(const char *text)
{
    return !strncmp(text, CM0009, strlen(CM0009));
}

static void log_text(void *baton, cm_log_e level, const char *text)
{
    const host_t *host = baton;
    const char *name = sim_schema_node_name(host->request->callee);

    if (host->world->verbose)
        printf("#     %s: %s\n", name, text);
    /* A request that was made before the other run's looks like one of a
     * restored database until its sender tells again. */
    if (host->world->crowded && (strstr(text, "holds message") ||
                                 strstr(text, "which it had confirmed")))
        return;
    /* verify has just been told of a column that is gone, because the node
     * remembers tables for some seconds. */
    if (host->world->altered && strstr(text, "sends no column"))
        return;
    /* When a peer called is noted only now and then: a late request is not
     * known to be late if a purge comes within that time. */
    if (host->request->late && strstr(text, "which is purged here"))
        return;
    /* A late request looks as if its sender had been restored, if no clock
     * tells that it is late. Whether all is well again after a restore, the
     * judge sees. */
    if (level <= CM_LOG_ERROR && is_fault(text) && !host->request->cut &&
        !host->request->lies && !(host->request->late && host->world->jumped) &&
        !(host->world->stops >> host->request->callee & 1) &&
        !host->world->restored && !sim_gone_is(host->request->callee))
        sim_world_fail(host->world, "served", "%s: %s", name, text);
}

const cm_answer_t *sim_wire_serve(sim_world_t *world,
                                  const sim_request_t *request,
                                  apr_pool_t *pool)
{
    sim_node_t *node = &world->nodes[request->callee];
    host_t *baton =
        apr_pmemdup(pool, &(host_t){world, request}, sizeof(host_t));
    cm_host_t *host = apr_pcalloc(pool, sizeof(*host));
    cm_request_t *asked = apr_pcalloc(pool, sizeof(*asked));
    cm_exchange_t *exchange;

    *host =
        (cm_host_t){.use_node = use_node,
                    .read_body = read_body,
                    .body_limit = node->settings->max_body,
                    .log = log_text,
                    .log_level = world->verbose ? CM_LOG_INFO : CM_LOG_ERROR,
                    .baton = baton};
    *asked = (cm_request_t){.method = request->body ? "POST" : "GET",
                            .query = request->query,
                            .headers = request->headers,
                            .user = sim_schema_node_name(request->caller)};
    sim_clock_at(request->callee);
    exchange = cm_serve_begin(asked, node->settings, host, pool);
    cm_serve(exchange);
    sim_clock_at(request->caller);
    return &exchange->answer;
}

/* Serve a request whose answer nobody waits for. */
static void serve_alone(sim_world_t *world, const sim_request_t *request)
{
    apr_pool_t *pool;

    if (world->verbose)
        printf("#   a late request arrives at %s: %s\n",
               sim_schema_node_name(request->callee), request->query);
    apr_pool_create(&pool, world->pool);
    (void)sim_wire_serve(world, request, pool);
    apr_pool_destroy(pool);
}

/* A request has been served: those that are late come nearer. The node that one
 * goes to may be within a statement of a run, and has no second process. */
static void let_pass(sim_world_t *world)
{
    int i;

    if (sim_beside_is_busy())
        return;
    for (i = 0; i < world->late->nelts; i++) {
        sim_request_t *request = APR_ARRAY_IDX(world->late, i, sim_request_t *);

        if (request->wait && !--request->wait)
            serve_alone(world, request);
    }
}

void sim_wire_deliver(sim_world_t *world)
{
    int i;

    for (i = 0; i < world->late->nelts; i++) {
        sim_request_t *request = APR_ARRAY_IDX(world->late, i, sim_request_t *);

        if (request->wait)
            serve_alone(world, request);
        request->wait = 0;
    }
}

/* Return whether the mishap of the step, if it is MISHAP, concerns the present
 * request. */
static int befalls(const sim_wire_t *wire, sim_mishap_e mishap)
{
    return wire->step->mishap == mishap && wire->count == wire->step->mishap_at;
}

/* The same, if it is a lie: that waits for a request which it fits. */
static int may_lie(const sim_wire_t *wire, sim_mishap_e mishap)
{
    return wire->step->mishap == mishap && !wire->told &&
           wire->count >= wire->step->mishap_at;
}

/* Keep the request for later. */
static void delay(sim_wire_t *wire)
{
    apr_pool_t *pool = wire->world->pool;
    const sim_request_t *request = wire->request;
    sim_request_t *late = apr_pmemdup(pool, request, sizeof(*late));

    late->query = apr_pstrdup(pool, request->query);
    late->headers = apr_table_clone(pool, request->headers);
    late->body =
        request->body ? apr_pmemdup(pool, request->body, request->size) : NULL;
    late->late = 1;
    late->wait = 1 + sim_random_below(&wire->random, 4);
    APR_ARRAY_PUSH(wire->world->late, sim_request_t *) = late;
}

/* Return ANSWER as it comes to the caller. */
static void receive(sim_wire_t *wire, const cm_answer_t *answer,
                    apr_pool_t *pool)
{
    cm_transport_reply_t *reply = wire->reply;
    const sim_node_t *caller = &wire->world->nodes[wire->caller];
    const char *data = answer->body ? answer->body : "";
    apr_size_t size = answer->size;
    cm_buffer_t *plain = NULL;

    if (answer->packed && !cm_gzip_unpack(&plain, data, size, 1 << 26, pool)) {
        data = plain->data;
        size = plain->size;
    }
    if (befalls(wire, SIM_MISHAP_CUT_REPLY) && size)
        size = (apr_size_t)sim_random_below(&wire->random, (int)size);
    if ((apr_int64_t)size > caller->settings->max_body) {
        wire->lost = "the reply is too large";
        return;
    }
    reply->status = answer->status;
    reply->headers = apr_table_clone(pool, answer->headers);
    reply->data = apr_pstrmemdup(pool, data, size);
    reply->size = size;
    if (answer->packed && plain && size == plain->size) {
        cm_buffer_t *packed = cm_buffer_create(answer->size, pool);

        cm_buffer_append(packed, answer->body, answer->size);
        reply->packed = packed;
    }
}

static void tell(const sim_wire_t *wire)
{
    const sim_request_t *request = wire->request;

    if (wire->world->verbose)
        printf("#   %s -> %s: %s?%s (%ld bytes): %d %s\n",
               sim_schema_node_name(wire->caller),
               sim_schema_node_name(wire->callee),
               request->body ? "POST" : "GET",
               request->query ? request->query : "", (long)request->size,
               wire->reply->status, wire->lost ? wire->lost : "");
    if (wire->world->verbose > 1)
        printf("#     %.*s\n#     %.*s\n", (int)request->size,
               request->body ? request->body : "", (int)wire->reply->size,
               wire->reply->data ? wire->reply->data : "");
}

/* Let the server's process be gone, if the step wants that. */
static const cm_answer_t *serve_or_go(sim_wire_t *wire, apr_pool_t *pool)
{
    const sim_step_t *step = wire->step;
    const cm_answer_t *answer;
    int gone = befalls(wire, SIM_MISHAP_GONE_CALLEE);

    if (gone)
        sim_gone_begin(wire->callee, step->mishap_number,
                       wire->world->nodes[wire->callee].database != SIM_SQLITE);
    answer = sim_wire_serve(wire->world, wire->request, pool);
    if (gone && sim_gone_end()) {
        wire->lost = "the server's process is gone";
        sim_world_reopen(wire->world, wire->callee);
        sim_clock_at(wire->caller);
    }
    return answer;
}

static void carry(sim_wire_t *wire, apr_pool_t *pool)
{
    const cm_answer_t *answer;

    wire->is_served = 1;
    if (sim_gone_is(wire->caller)) {
        wire->lost = "the caller's process is gone";
    }
    else if (befalls(wire, SIM_MISHAP_REQUEST)) {
        wire->lost = "the request is lost";
    }
    else if (befalls(wire, SIM_MISHAP_LATE)) {
        wire->lost = "the request is late";
        delay(wire);
    }
    else {
        if (befalls(wire, SIM_MISHAP_CUT_REQUEST)) {
            wire->request->cut = 1 + wire->step->mishap_number % 2;
            wire->request->size = wire->request->size *
                                  (apr_size_t)wire->step->mishap_number / 200;
        }
        if (may_lie(wire, SIM_MISHAP_LIE))
            sim_liar_ask(wire, pool);
        if (befalls(wire, SIM_MISHAP_TWICE))
            (void)sim_wire_serve(wire->world, wire->request, pool);
        answer = serve_or_go(wire, pool);
        if (befalls(wire, SIM_MISHAP_REPLY))
            wire->lost = "the reply is lost";
        if (!wire->lost)
            receive(wire, answer, pool);
        if (may_lie(wire, SIM_MISHAP_LIE_REPLY) && !wire->lost)
            sim_liar_answer(wire, pool);
        let_pass(wire->world);
    }
    tell(wire);
}

static cm_transport_body_t pack(void *baton, cm_transport_body_t body,
                                apr_pool_t *pool)
{
    const sim_wire_t *wire = baton;

    if (!wire->step->packs)
        body.packed = NULL;
    else if (!body.packed)
        body.packed = cm_gzip_pack(body.data, body.size, pool);
    return body;
}

static void send_request(void *baton, const char *query,
                         const cm_transport_body_t *body, apr_pool_t *pool)
{
    sim_wire_t *wire = baton;
    sim_request_t *request = apr_pcalloc(pool, sizeof(*request));

    sim_liar_check(wire, pool);
    wire->count++;
    wire->request = request;
    wire->is_served = 0;
    wire->lost = NULL;
    wire->reply = apr_pcalloc(pool, sizeof(*wire->reply));
    wire->reply->headers = apr_table_make(pool, 1);
    wire->reply->began = cm_clock_now();
    request->caller = wire->caller;
    request->callee = wire->callee;
    request->query = query;
    request->headers = apr_table_clone(pool, wire->headers);
    apr_table_setn(request->headers, "Communicator-Clock",
                   apr_psprintf(pool, "%" APR_INT64_T_FMT, cm_clock_now()));
    if (wire->step->packs)
        apr_table_setn(request->headers, "Accept-Encoding", "gzip");
    if (body && body->packed)
        apr_table_setn(request->headers, "Content-Encoding", "gzip");
    if (body) {
        request->body = body->packed ? body->packed->data : body->data;
        request->size = body->packed ? body->packed->size : body->size;
    }
    /* The server is at work before the caller is, or after it. */
    if (sim_random_chance(&wire->random, 50))
        carry(wire, pool);
}

static cm_error_t *finish(cm_transport_reply_t **reply, void *baton,
                          apr_pool_t *pool)
{
    sim_wire_t *wire = baton;

    if (!wire->is_served)
        carry(wire, pool);
    *reply = wire->reply;
    (*reply)->ended = cm_clock_now();
    if (!wire->lost)
        return NULL;
    return CM_FAIL(pool,
                   strstr(wire->lost, "large") ? CM_TOO_LARGE : CM_NETWORK,
                   "%s", wire->lost);
}

static void accept_gzip(void *baton, int accepts)
{
    (void)baton;
    (void)accepts;
}

cm_transport_t sim_wire_transport(sim_wire_t *wire, sim_world_t *world,
                                  const sim_step_t *step, apr_pool_t *pool)
{
    memset(wire, 0, sizeof(*wire));
    wire->world = world;
    wire->step = step;
    wire->caller = step->node;
    wire->callee = step->peer;
    wire->pool = pool;
    wire->headers = apr_table_make(pool, 16);
    wire->random = sim_random_begin(
        world->history->seed + (apr_uint64_t)step->number, "wire");
    return (cm_transport_t){pack,        send_request,  finish,
                            accept_gzip, wire->headers, wire};
}
