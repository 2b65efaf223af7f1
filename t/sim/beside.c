/* See beside.h. */
#include "beside.h"

#include <dlfcn.h>
#include <stdio.h>

#include "exchange.h"
#include "session.h"

static struct {
    sim_world_t *world; /* NULL: no run, or it is not to be disturbed */
    const sim_step_t *step;
    int left; /* statements until the other run begins */
    int busy; /* it is at work */
} beside;

void sim_beside_begin(sim_world_t *world, const sim_step_t *step)
{
    if (beside.busy)
        return;
    beside.world = world;
    beside.step = step;
    beside.left = 1 + step->mishap_number;
}

void sim_beside_end(void)
{
    if (!beside.busy)
        beside.world = NULL;
}

int sim_beside_is_busy(void)
{
    return beside.busy;
}

/* Other processes at both nodes of STEP exchange messages. */
static void run(sim_world_t *world, const sim_step_t *step)
{
    const int numbers[] = {step->node, step->peer};
    cm_node_t *kept[2], *second[2];
    const char *error = NULL;
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, world->pool);
    for (i = 0; i < 2 && !error; i++)
        error =
            sim_node_join_second(&second[i], &world->nodes[numbers[i]], pool);
    for (i = 0; i < 2 && !error; i++) {
        kept[i] = world->nodes[numbers[i]].node;
        world->nodes[numbers[i]].node = second[i];
    }
    if (error)
        sim_world_fail(world, "beside", "%s", error);
    else
        sim_exchange_run(world, step);
    for (i = 0; i < 2 && !error; i++)
        world->nodes[numbers[i]].node = kept[i];
    for (i = 0; i < 2; i++)
        sim_session_forget_second(numbers[i]);
    apr_pool_destroy(pool);
}

/* Begin another run: of the same caller, or of a link beside. */
static void begin(void)
{
    sim_world_t *world = beside.world;
    sim_step_t step = *beside.step;
    int at = sim_clock_node();
    const sim_link_t *link =
        &world->schema->links[step.mishap_number % (world->schema->nodes - 1)];

    beside.busy = 1;
    step.kind = SIM_SYNC;
    step.node = link->caller;
    step.peer = link->callee;
    step.number++;
    if (world->verbose)
        printf("#   beside it %s calls %s:\n", sim_schema_node_name(step.node),
               sim_schema_node_name(step.peer));
    run(world, &step);
    if (world->verbose)
        printf("#   the run beside it has ended\n");
    beside.world = NULL;
    beside.busy = 0;
    sim_clock_at(at);
}

/* Applications do not count. */
static int is_of_application(const apr_dbd_t *handle)
{
    int i, j;

    for (i = 0; i < beside.world->schema->nodes; i++) {
        const sim_node_t *node = &beside.world->nodes[i];

        if (node->beside->handle == handle)
            return 1;
        for (j = 0; j < node->session_count; j++)
            if (node->sessions[j].handle == handle)
                return 1;
    }
    return 0;
}

/* A statement is about to run by HANDLE. */
static void count(const apr_dbd_t *handle)
{
    if (beside.world && !beside.busy && !is_of_application(handle) &&
        !--beside.left)
        begin();
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int apr_dbd_query(const apr_dbd_driver_t *driver, apr_dbd_t *handle, int *rows,
                  const char *sql)
{
    static int (*function)(const apr_dbd_driver_t *, apr_dbd_t *, int *,
                           const char *);

    count(handle);
    if (!function)
        *(void **)&function = real("apr_dbd_query");
    return function(driver, handle, rows, sql);
}

int apr_dbd_select(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                   apr_dbd_t *handle, apr_dbd_results_t **results,
                   const char *sql, int random)
{
    static int (*function)(const apr_dbd_driver_t *, apr_pool_t *, apr_dbd_t *,
                           apr_dbd_results_t **, const char *, int);

    count(handle);
    if (!function)
        *(void **)&function = real("apr_dbd_select");
    return function(driver, pool, handle, results, sql, random);
}

int apr_dbd_pquery(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                   apr_dbd_t *handle, int *rows, apr_dbd_prepared_t *statement,
                   int count_of, const char **values)
{
    static int (*function)(const apr_dbd_driver_t *, apr_pool_t *, apr_dbd_t *,
                           int *, apr_dbd_prepared_t *, int, const char **);

    count(handle);
    if (!function)
        *(void **)&function = real("apr_dbd_pquery");
    return function(driver, pool, handle, rows, statement, count_of, values);
}

int apr_dbd_pselect(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                    apr_dbd_t *handle, apr_dbd_results_t **results,
                    apr_dbd_prepared_t *statement, int random, int count_of,
                    const char **values)
{
    static int (*function)(const apr_dbd_driver_t *, apr_pool_t *, apr_dbd_t *,
                           apr_dbd_results_t **, apr_dbd_prepared_t *, int, int,
                           const char **);

    count(handle);
    if (!function)
        *(void **)&function = real("apr_dbd_pselect");
    return function(driver, pool, handle, results, statement, random, count_of,
                    values);
}
