/* See world.h. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "outbox/publish.h"
#include "operate/purge.h"
#include "alter.h"
#include "claims.h"
#include "events.h"
#include "exchange.h"
#include "judge.h"
#include "outlived.h"
#include "parked.h"
#include "restore.h"
#include "session.h"
#include "stopped.h"
#include "wire.h"
#include "withheld.h"

#define ROUNDS         60 /* after so many nothing may move any more */
#define STOPPED_ROUNDS 3  /* after these nodes have all that they can apply */

void sim_world_fail(sim_world_t *world, const char *kind, const char *format,
                    ...)
{
    va_list args;

    if (world->failure)
        return;
    va_start(args, format);
    world->failure =
        apr_pstrcat(world->pool, kind, ": ",
                    apr_pvsprintf(world->pool, format, args), NULL);
    va_end(args);
}

int sim_world_must(sim_world_t *world, const char *doing, const cm_error_t *err)
{
    if (!err)
        return 1;
    if (world->verbose)
        printf("#   cannot %s: %s\n", doing, cm_error_text(err, world->pool));
    /* On SQLite nobody else is at work. */
    if (err->code != CM_BUSY || !sim_schema_is_served(world->schema))
        sim_world_fail(world, "error", "cannot %s: %s", doing,
                       cm_error_text(err, world->pool));
    return 0;
}

static void commit(sim_world_t *world, int node, int session)
{
    apr_array_header_t *pending = world->pending[node][session];

    if (!world->nodes[node].sessions[session].broken)
        apr_array_cat(world->events, pending);
    pending->nelts = 0;
}

static void roll_back(sim_world_t *world, int node, int session)
{
    sim_session_t *at = &world->nodes[node].sessions[session];

    (void)sim_node_run(at, "ROLLBACK", world->step_pool);
    world->rows[node] = NULL;
    world->pending[node][session]->nelts = 0;
    at->open = at->broken = 0;
}

/* BEGIN, COMMIT, ROLLBACK. Without a transaction, or within one, they are
 * void. */
static const char *transaction(sim_world_t *world, const sim_step_t *step,
                               const char *sql)
{
    sim_session_t *session = &world->nodes[step->node].sessions[step->session];
    const char *error;

    if ((step->kind == SIM_BEGIN) == session->open)
        return "void";
    if (step->kind == SIM_ROLLBACK) {
        roll_back(world, step->node, step->session);
        return NULL;
    }
    error = sim_node_run(session, sql, world->step_pool);
    if (step->kind == SIM_BEGIN) {
        session->open = !error;
        return error;
    }
    if (error) {
        roll_back(world, step->node, step->session);
        return error;
    }
    commit(world, step->node, step->session);
    session->open = session->broken = 0;
    return NULL;
}

/* Return whether STEP is a TRUNCATE, which triggers see on PostgreSQL only. In
 * a transaction it would keep the judge from reading. */
static int empties(const sim_step_t *step, const sim_node_t *node)
{
    return step->kind == SIM_DELETE && node->database == SIM_PGSQL &&
           !strcmp(step->where, "1 = 1") && !node->sessions[step->session].open;
}

/* Return how many rows of the table of STEP break their foreign keys. */
static const char *strays(sim_session_t *session, const sim_step_t *step,
                          apr_pool_t *pool)
{
    return sim_node_value(
        session,
        apr_psprintf(pool,
                     "SELECT count(*) FROM pragma_foreign_key_check('t%d')",
                     step->table),
        pool);
}

/* Run SQL, the statement of STEP. SQLite (3.40) lets a REPLACE refer to a row
 * that the same statement removes, as it has a unique value of the new one:
 * such a statement is void. */
static const char *run(sim_node_t *node, const sim_step_t *step,
                       const char *sql, apr_pool_t *pool)
{
    sim_session_t *session = &node->sessions[step->session];
    const char *before, *error;

    if (step->kind != SIM_REPLACE || node->database != SIM_SQLITE)
        return sim_node_run(session, sql, pool);
    before = strays(session, step, pool);
    (void)sim_node_run(session, "SAVEPOINT work", pool);
    error = sim_node_run(session, sql, pool);
    if (!error && strcmp(before, strays(session, step, pool)))
        error = "void: it breaks a foreign key";
    if (!error)
        error = sim_node_run(session, "RELEASE work", pool);
    if (error) {
        (void)sim_node_run(session, "ROLLBACK TO work", pool);
        (void)sim_node_run(session, "RELEASE work", pool);
    }
    return error;
}

/* One statement of an application. */
static const char *work(sim_world_t *world, const sim_step_t *step,
                        const char *sql)
{
    sim_node_t *node = &world->nodes[step->node];
    sim_session_t *session = &node->sessions[step->session];
    apr_array_header_t *before, *after;
    const char *error;

    if (session->broken)
        return "void: the transaction has failed";
    if (empties(step, node))
        sql = apr_psprintf(world->step_pool, "TRUNCATE t%d", step->table);
    before = world->rows[step->node];
    if (!before)
        before = sim_rows_read(node, session, world->pool);
    world->rows[step->node] = node->session_count == 1 ? before : NULL;
    error = run(node, step, sql, world->step_pool);
    if (error) {
        /* MariaDB rolls the whole transaction back in a deadlock. */
        if (session->open && node->database == SIM_MYSQL &&
            strstr(error, "eadlock"))
            roll_back(world, step->node, step->session);
        session->broken = session->open && node->database == SIM_PGSQL;
        return error;
    }
    after = sim_rows_read(node, session, world->pool);
    sim_events_note(world, step, before, after);
    sim_outlived_note(world, step->node, before, after);
    world->rows[step->node] = node->session_count == 1 ? after : NULL;
    if (!session->open)
        commit(world, step->node, step->session);
    return NULL;
}

/* SQLite has one writer: a transaction of another session ends first. */
static void make_room(sim_world_t *world, int number, int all)
{
    sim_node_t *node = &world->nodes[number];
    int i;

    for (i = 0; i < node->session_count; i++) {
        sim_step_t end = {.kind = SIM_COMMIT, .node = number, .session = i};

        if (node->sessions[i].open && (all || node->database == SIM_SQLITE))
            (void)transaction(world, &end, "COMMIT");
    }
}

static void exchange(sim_world_t *world, const sim_step_t *step)
{
    int i;

    /* Late requests may concern any node. */
    for (i = 0; i < world->schema->nodes; i++)
        make_room(world, i, 0);
    memset(world->rows, 0, sizeof(world->rows));
    sim_exchange_run(world, step);
}

void sim_world_reopen(sim_world_t *world, int node)
{
    const char *error = sim_node_open(&world->nodes[node]);

    if (error)
        sim_world_fail(world, "reopen", "%s", error);
}

static cm_error_t *operate(sim_world_t *world, const sim_step_t *step)
{
    sim_node_t *node = &world->nodes[step->node];
    apr_pool_t *pool = world->step_pool;
    cm_purge_t purge = {.before = APR_INT64_MAX};
    const cm_model_t *model;
    apr_int64_t count;

    switch (step->kind) {
    case SIM_PUBLISH:
        /* A command reads the tables when it begins. */
        cm_node_forget(node->node);
        model = cm_settings_model(node->settings,
                                  apr_psprintf(pool, "m%d", step->table));
        return model && model->publishes
                   ? cm_publish_all(&count, node->node, model, NULL, NULL, pool)
                   : NULL;
    case SIM_PURGE:
        world->purged |= 1 << step->node;
        sim_withheld_note(world, step->node);
        return cm_purge_run(&purge, node->node, pool);
    case SIM_PAUSE:
        world->paused |= 1 << step->node;
        return cm_node_set_paused(node->node, step->number ? cm_clock_now() : 0,
                                  pool);
    default:
        return NULL;
    }
}

/* Let messages of new rows of the table of STEP have no body. */
static const char *forget_bodies(const sim_world_t *world,
                                 const sim_step_t *step)
{
    return sim_node_run(
        world->nodes[step->node].beside,
        apr_psprintf(world->step_pool,
                     "UPDATE outbound_messages SET body = '{\"m%d\":true}'"
                     " WHERE seq IS NULL AND action = 'create' AND model ="
                     " 'm%d'",
                     step->table, step->table),
        world->step_pool);
}

static void verify(sim_world_t *world, const sim_step_t *step)
{
    const sim_link_t link = {step->node, step->peer};
    int found[SIM_TABLES];

    sim_claims_verify(found, world, &link, 1, (int)step->number);
}

/* What is done at a node beside the application's work. */
static void other(sim_world_t *world, const sim_step_t *step)
{
    sim_node_t *node = &world->nodes[step->node];
    const char *error = NULL;

    sim_clock_at(step->node);
    if (step->kind == SIM_CLOCK) {
        world->jumped = 1;
        sim_clock_set(step->node, step->number);
        sim_node_skew(node, step->number);
        return;
    }
    make_room(world, step->node,
              step->kind >= SIM_MIGRATE || step->kind == SIM_ALTER ||
                  step->kind == SIM_DROP || step->kind == SIM_UNREAD);
    if (step->kind == SIM_VERIFY)
        make_room(world, step->peer, 0);
    world->rows[step->node] = NULL;
    if (step->kind >= SIM_SAVE)
        sim_restore(world, step);
    else if (step->kind == SIM_REOPEN)
        sim_world_reopen(world, step->node);
    else if (step->kind == SIM_UNREAD)
        error = forget_bodies(world, step);
    else if (step->kind == SIM_MIGRATE)
        error = sim_node_migrate(node);
    else if (step->kind == SIM_DISCARD)
        sim_exchange_discard(world, step->node);
    else if (step->kind == SIM_DECIDE)
        (void)sim_exchange_decide(world, step->node, SIM_WHEN_BUSY);
    else if (step->kind == SIM_REVIVE)
        sim_exchange_revive(world, step->node);
    else if (step->kind == SIM_VERIFY)
        verify(world, step);
    else if (step->kind == SIM_ALTER || step->kind == SIM_DROP)
        sim_alter(world, step);
    else if (step->kind == SIM_RETRY)
        sim_exchange_retry(world, step->node);
    else
        sim_world_must(world, "operate", operate(world, step));
    if (error)
        sim_world_fail(world, "error", "%s", error);
}

static void play(sim_world_t *world, const sim_step_t *step)
{
    const char *sql = sim_history_sql(world->schema, step, world->step_pool);
    const char *error = NULL;

    if (world->verbose)
        printf("%s\n",
               sim_history_words(world->schema, step, world->step_pool));
    sim_clock_pass(1000);
    sim_clock_at(step->node);
    if (step->kind >= SIM_SYNC && step->kind <= SIM_PULL)
        exchange(world, step);
    else if (step->kind > SIM_PULL)
        other(world, step);
    else if (!sql)
        return;
    else if (step->kind >= SIM_BEGIN)
        error = transaction(world, step, sql);
    else
        error = work(world, step, sql);
    if (error && world->verbose)
        printf("#   %s\n", error);
}

static void resume_all(sim_world_t *world)
{
    int i;

    for (i = 0; i < world->schema->nodes; i++) {
        sim_clock_at(i);
        if (world->paused >> i & 1)
            sim_world_must(
                world, "resume",
                cm_node_set_paused(world->nodes[i].node, 0, world->step_pool));
    }
    world->paused = 0;
}

/* Let each node that calls do so. */
static void exchange_all(sim_world_t *world)
{
    int i;

    /* Some things are looked at again after a while only. */
    sim_clock_pass(apr_time_from_sec(20));
    for (i = 0; i < world->schema->nodes - 1; i++) {
        sim_step_t step = {.kind = SIM_SYNC,
                           .node = world->schema->links[i].caller,
                           .peer = world->schema->links[i].callee,
                           .limit = 100};

        exchange(world, &step);
    }
}

/* What people do in the end: they look after what was withheld, and begin a new
 * history where that is asked for. */
static void tidy(sim_world_t *world)
{
    int tries, i;

    for (tries = 0; tries < 3; tries++) {
        world->denied = 0;
        exchange_all(world);
        if (!world->denied)
            break;
        sim_restore_renew(world);
    }
    world->denied = 0;
    for (i = 0; i < world->schema->nodes; i++)
        sim_exchange_retry(world, i);
    /* Withheld and parked messages may bring the values that a column had
     * before it was dropped and added again (docs/convergence.md). Only a node
     * that has got them can publish them. */
    for (i = 1; i < world->schema->nodes && world->altered; i++)
        exchange_all(world);
    if (world->restored || world->altered)
        sim_restore_publish(world);
}

/* Let all rows match the row filters. */
static void let_leave(sim_world_t *world)
{
    const sim_schema_t *schema = world->schema;
    int i, node;

    for (node = 0; node < schema->nodes; node++)
        for (i = 0; i < schema->count && !world->failure; i++) {
            const sim_table_t *table = &schema->tables[i];
            const char *name, *why;

            if (!sim_schema_filter(table, node, world->pool))
                continue;
            name = table->columns[table->filter].name;
            why = sim_node_run(
                &world->nodes[node].sessions[0],
                apr_psprintf(world->pool,
                             "UPDATE %s SET %s = NULL WHERE %s IS NOT NULL",
                             table->name, name, name),
                world->pool);
            if (why)
                sim_world_fail(world, "filter", "%s", why);
        }
}

/* People let nodes go on that have stopped at a message. */
static void let_park(sim_world_t *world)
{
    const int asks = sim_stopped_may_ask(world);
    int stopped = -1, i;

    for (i = 0; i < STOPPED_ROUNDS && asks; i++)
        exchange_all(world);
    if (asks)
        stopped = sim_stopped_find(world);
    for (i = 0; i < world->schema->nodes; i++)
        world->nodes[i].settings->on_error = CM_ON_ERROR_PARK;
    world->stops = 0;
    if (stopped >= 0)
        sim_stopped_judge(world, stopped);
}

/* Let one person decide about one message, if there is any to decide about;
 * when there is none, again about one whose decision could not be done. */
static int decide(sim_world_t *world)
{
    int i;

    for (i = 0; i < 2 * world->schema->nodes; i++)
        if (sim_exchange_decide(world, i % world->schema->nodes,
                                i < world->schema->nodes ? SIM_WHEN_REST
                                                         : SIM_WHEN_AGAIN))
            return 1;
    return 0;
}

/* Exchange until nothing moves. */
static void settle(sim_world_t *world)
{
    const char *before, *after;
    int round, i, quiet = 0;

    for (i = 0; i < world->schema->nodes; i++) {
        make_room(world, i, 1);
        sim_node_skew(&world->nodes[i], 0);
    }
    sim_clock_agree();
    /* A restored database may remember when its clock was right, and by how
     * much it was wrong later: its peer seems late for an hour. */
    if (world->restored && world->jumped)
        sim_clock_pass(apr_time_from_sec(3600));
    resume_all(world);
    let_park(world);
    sim_wire_deliver(world);
    if (world->altered)
        sim_alter_migrate(world);
    if (world->restored || world->limited || world->altered)
        tidy(world);
    let_leave(world);
    before = sim_exchange_state(world, world->pool);
    for (round = 0; quiet < 1 && round < ROUNDS && !world->failure; round++) {
        exchange_all(world);
        after = sim_exchange_state(world, world->pool);
        quiet = strcmp(before, after) ? 0 : quiet + 1;
        before = after;
        if (!quiet)
            continue;
        if (apr_is_empty_table(world->decided))
            sim_judge_undecided(world);
        if (decide(world))
            quiet = 0;
    }
    if (quiet < 1)
        sim_world_fail(world, "restless", "messages moved in the last round");
    if (world->denied)
        sim_world_fail(world, "denied", "histories do not fit in the end");
}

static void make_nodes(sim_world_t *world)
{
    const char *error = NULL;
    int i, session;

    world->events = apr_array_make(world->pool, 64, sizeof(sim_event_t));
    world->spread = apr_array_make(world->pool, 8, sizeof(sim_waiting_t));
    world->discarded = apr_array_make(world->pool, 4, sizeof(sim_discarded_t));
    world->outlived = apr_array_make(world->pool, 4, sizeof(sim_outlived_t));
    world->withheld = apr_array_make(world->pool, 4, sizeof(sim_withheld_t));
    world->revived = apr_array_make(world->pool, 4, sizeof(sim_waiting_t));
    world->unknown = apr_array_make(world->pool, 4, sizeof(sim_waiting_t));
    world->decided = apr_table_make(world->pool, 4);
    world->asked = apr_table_make(world->pool, 4);
    world->keeps = apr_table_make(world->pool, 4);
    world->late = apr_array_make(world->pool, 4, sizeof(void *));
    for (i = 0; i < world->schema->nodes && !error; i++) {
        error = sim_node_make(&world->nodes[i], world->schema, i, world->pool);
        world->kept[i] = apr_array_make(world->pool, 4, sizeof(sim_waiting_t));
        for (session = 0; session < SIM_SESSIONS; session++)
            world->pending[i][session] =
                apr_array_make(world->pool, 8, sizeof(sim_event_t));
    }
    if (error)
        sim_world_fail(world, "setup", "%s", error);
}

/* The step to play now, or NULL at the end. */
static const sim_step_t *next_step(sim_world_t *world)
{
    const apr_array_header_t *steps = world->history->steps;

    for (; world->next < steps->nelts; world->next++)
        if (!APR_ARRAY_IDX(steps, world->next, sim_step_t).gone)
            return &APR_ARRAY_IDX(steps, world->next, sim_step_t);
    return NULL;
}

static int has_open(const sim_node_t *node)
{
    int i;

    for (i = 0; i < node->session_count; i++)
        if (node->sessions[i].open)
            return 1;
    return 0;
}

/* While NODE is at work an application takes the next step. If NODE WAITS for
 * transactions that are open, and no application has more to do, these end. A
 * server may also be slow: that must not change what happens. */
static void go_on(void *baton, int node, int waits)
{
    sim_world_t *world = baton;
    const sim_step_t *step = next_step(world);

    if (waits && !(has_open(&world->nodes[node]) &&
                   sim_node_is_waiting(&world->nodes[node])))
        return;
    if (step && step->kind <= SIM_ROLLBACK &&
        world->nodes[step->node].database != SIM_SQLITE) {
        world->next++;
        if (world->verbose)
            printf("#   meanwhile:\n");
        play(world, step);
    }
    else if (waits) {
        make_room(world, node, 1);
    }
}

/* A connection of NODE has ended. */
static void wait_for_end(void *baton, int node)
{
    sim_world_t *world = baton;

    sim_node_wait(&world->nodes[node]);
}

void sim_world_run(sim_world_t *world)
{
    const sim_step_t *step;
    int i;

    sim_alter_forget(world);
    sim_clock_begin(world->schema->seed, sim_schema_is_served(world->schema));
    make_nodes(world);
    sim_alter_forget(world);
    sim_clock_begin(world->history->seed, sim_schema_is_served(world->schema));
    world->jumped = sim_clock_is_coarse();
    world->stops = world->schema->stops;
    apr_pool_create(&world->step_pool, world->pool);
    sim_session_begin(world->history->seed, go_on, wait_for_end, world);
    while ((step = next_step(world)) && !world->failure) {
        world->next++;
        apr_pool_clear(world->step_pool);
        play(world, step);
    }
    sim_session_end();
    if (!world->failure)
        settle(world);
    if (!world->failure)
        sim_judge(world);
    for (i = 0; i < world->schema->nodes && world->failure; i++)
        sim_node_forget(i);
    sim_clock_end();
}
