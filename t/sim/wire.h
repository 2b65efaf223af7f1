/* The wire between two nodes of one process: a transport whose requests the
 * other node serves at once, unless the step wants it otherwise. */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "exchange/serve.h"
#include "exchange/transport.h"
#include "world.h"

typedef struct sim_request_t {
    int caller, callee;
    const char *query;
    apr_table_t *headers;
    const char *body; /* NULL: a GET */
    apr_size_t size;
    int cut;  /* the body ends early; above 1: and the server sees that */
    int wait; /* after so many other requests */
    int late; /* nobody waits for its answer */
    int lies; /* see liar.h */
} sim_request_t;

typedef struct sim_wire_t {
    sim_world_t *world;
    const sim_step_t *step;
    int caller, callee;
    int count; /* of requests sent */
    sim_request_t *request;
    int is_served;
    cm_transport_reply_t *reply;
    const char *lost; /* why no reply comes, or NULL */
    int told;         /* a lie was, as the step wants it */
    int fails;        /* the reply is a lie with which the run must end */
    const char *knew; /* what the caller knew before a lie from which it must
                         learn nothing; NULL: there was none */
    apr_int64_t told_before; /* and what it was told that it may not have
                                written down yet */
    apr_table_t *headers;
    sim_random_t random;
    apr_pool_t *pool; /* of the run */
} sim_wire_t;

/* Return the transport for STEP, whose state WIRE becomes. */
cm_transport_t sim_wire_transport(sim_wire_t *wire, sim_world_t *world,
                                  const sim_step_t *step, apr_pool_t *pool);

/* Let the callee serve REQUEST. */
const cm_answer_t *sim_wire_serve(sim_world_t *world,
                                  const sim_request_t *request,
                                  apr_pool_t *pool);

/* Serve the requests that are late, all of them. */
void sim_wire_deliver(sim_world_t *world);

#endif
