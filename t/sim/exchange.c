/* See exchange.h. */
#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "exchange/run.h"
#include "inbox/after.h"
#include "inbox/inbox.h"
#include "inbox/revive.h"
#include "node/conflict.h"
#include "operate/parked.h"
#include "outbox/withheld.h"
#include "asked.h"
#include "beside.h"
#include "gone.h"
#include "judge.h"
#include "kept.h"
#include "liar.h"
#include "parked.h"
#include "restore.h"
#include "wire.h"

/* Of a decision: it was made; and it could not be done. */
#define DECIDED "decided"
#define REFUSED "refused"

/* So often a person keeps a row against deletes before giving in. */
#define KEEPS 2

#define MOST_WITHHELD 1000
#define MOST_PARKED   1000

/* What the settings are else. */
#define BATCH_BYTES (1 << 20)
#define MOST_BYTES  (16 << 20)

/* A signal ends the run after so many batches; 0: none does. */
static int batches_left;

static cm_error_t *check(apr_pool_t *pool)
{
    if (batches_left && !--batches_left)
        return CM_FAIL(pool, CM_INTERRUPTED, "a signal has ended the run");
    return NULL;
}

static void set_limits(cm_settings_t *settings, const sim_step_t *step)
{
    settings->batch.messages = step->limit;
    settings->batch.bytes = step->bytes ? step->bytes : BATCH_BYTES;
    settings->max_body = step->most_bytes ? step->most_bytes : MOST_BYTES;
}

/* Run the statements of CommunicatorAfterApply, as the client does. */
static cm_error_t *run_after(const cm_session_t *session, apr_pool_t *pool)
{
    apr_array_header_t *failures;
    int done;

    CM_TRY(cm_after_run(&done, &failures, session->node, pool));
    return failures->nelts
               ? cm_error_copy(APR_ARRAY_IDX(failures, 0, cm_error_t *), pool)
               : NULL;
}

/* A run of both directions, or of one. */
static cm_error_t *run(cm_session_t *session, void *baton, apr_pool_t *pool)
{
    const sim_step_t *step = baton;
    int directions = step->kind == SIM_PUSH   ? CM_RUN_PUSH
                     : step->kind == SIM_PULL ? CM_RUN_PULL
                                              : CM_RUN_PUSH | CM_RUN_PULL;

    CM_TRY(cm_run(session, directions, pool));
    return run_after(session, pool);
}

static cm_error_t *open_session(cm_session_t **session, sim_wire_t *wire,
                                const cm_transport_t *transport,
                                apr_pool_t *pool)
{
    const sim_step_t *step = wire->step;
    sim_node_t *node = &wire->world->nodes[step->node];
    const cm_peer_settings_t *peer =
        cm_settings_peer(node->settings, sim_schema_node_name(step->peer));

    *session = cm_session_create(transport, node->settings->name, peer, pool);
    (*session)->node = node->node;
    (*session)->check = check;
    CM_TRY(cm_session_load(*session, pool));
    return cm_node_check_paused(node->node, pool);
}

/* Return whether what the caller says after a restore may be taken for a
 * request from before: an hour is not long enough to be sure. */
static int seems_late(const sim_world_t *world, const sim_step_t *step)
{
    return world->restored &&
           (sim_clock_is_behind(step->node) || sim_clock_is_behind(step->peer));
}

/* Return whether a node of STEP may have stopped at a message. */
static int may_stop(const sim_world_t *world, const sim_step_t *step)
{
    return (world->stops >> step->node | world->stops >> step->peer) & 1;
}

/* Whether a run may end with ERR. */
static int may_fail(sim_world_t *world, const sim_step_t *step,
                    const cm_error_t *err)
{
    if (err->code == CM_EPOCH && world->restored) {
        world->denied = 1;
        return 1;
    }
    if (err->code == CM_PAUSED && world->paused)
        return 1;
    if (may_stop(world, step) && err->code != CM_BUSY && err->code != CM_EPOCH)
        return 1;
    if (err->code == CM_LOCKED && seems_late(world, step))
        return 1;
    if (world->altered &&
        strstr(cm_error_text(err, world->step_pool), "sends no column"))
        return 1;
    if (err->code == CM_INTERRUPTED)
        return step->mishap == SIM_MISHAP_STOP;
    if (err->code == CM_EPOCH)
        return step->mishap == SIM_MISHAP_LIE_REPLY;
    return step->mishap != SIM_MISHAP_NONE || step->most_bytes;
}

/* What was received is still in order; and what is parked does not say what
 * nobody has written. */
static void judge_received(sim_world_t *world, const sim_step_t *step,
                           apr_pool_t *pool)
{
    const int nodes[] = {step->node, step->peer};
    int i;

    for (i = 0; i < 2 && !world->restored; i++) {
        if (world->schema->rows >> nodes[i] & 1)
            sim_judge_order(world, nodes[i], pool);
        if (!world->altered)
            sim_parked_ask(world, nodes[i]);
    }
}

void sim_exchange_talk(sim_world_t *world, const sim_step_t *step,
                       sim_talk_t talk, void *baton)
{
    sim_node_t *node = &world->nodes[step->node];
    cm_transport_t transport;
    cm_session_t *session;
    cm_error_t *err;
    apr_pool_t *pool;
    sim_wire_t wire;

    apr_pool_create(&pool, world->pool);
    world->limited |= step->most_bytes || step->mishap;
    set_limits(node->settings, step);
    set_limits(world->nodes[step->peer].settings, step);
    batches_left = step->mishap == SIM_MISHAP_STOP ? step->mishap_at + 1 : 0;
    transport = sim_wire_transport(&wire, world, step, pool);
    sim_clock_at(step->node);
    if (step->mishap == SIM_MISHAP_GONE_CALLER)
        sim_gone_begin(step->node, step->mishap_number,
                       node->database != SIM_SQLITE);
    world->crowded = step->mishap == SIM_MISHAP_BESIDE;
    if (world->crowded)
        sim_beside_begin(world, step);
    /* The caller is a new process. */
    if (world->altered)
        cm_node_forget(node->node);
    cm_node_renew(node->node);
    err = open_session(&session, &wire, &transport, pool);
    if (!err)
        err = talk(session, baton, pool);
    world->asks = err && strstr(cm_error_text(err, pool), CM_CONFLICT_HELD);
    sim_beside_end();
    sim_liar_check(&wire, pool);
    if (wire.fails && !err)
        sim_world_fail(world, "lie", "a reply that makes no sense is taken");
    if (sim_gone_end())
        sim_world_reopen(world, step->node);
    else if (!err && wire.count)
        sim_restore_check(world, step);
    else if (!err || !may_fail(world, step, err))
        sim_world_must(world, "exchange", err);
    else if (world->verbose)
        printf("#   the run ends: %s\n", cm_error_text(err, pool));
    if (!sim_beside_is_busy())
        judge_received(world, step, pool);
    apr_pool_destroy(pool);
}

void sim_exchange_run(sim_world_t *world, const sim_step_t *step)
{
    sim_exchange_talk(world, step, run, (void *)step);
}

/* Publish again what is withheld from PEER. */
static cm_error_t *send_withheld(cm_node_t *node, const char *peer,
                                 apr_pool_t *pool)
{
    apr_array_header_t *rows;
    apr_int64_t count;
    int i;

    CM_TRY(cm_withheld_list(&rows, node, peer, MOST_WITHHELD, pool));
    for (i = 0; i < rows->nelts; i++) {
        cm_error_t *err =
            cm_withheld_retry(&count, node, peer,
                              APR_ARRAY_IDX(rows, i, cm_withheld_t).seq, pool);

        /* Its record is not here any more: the delete will replace it. */
        if (err && err->code != CM_USAGE)
            return err;
    }
    return NULL;
}

void sim_exchange_retry(sim_world_t *world, int number)
{
    sim_node_t *node = &world->nodes[number];
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, world->pool);
    sim_clock_at(number);
    for (i = 0; i < node->settings->peers->nelts; i++) {
        const char *peer =
            APR_ARRAY_IDX(node->settings->peers, i, cm_peer_settings_t *)->name;
        cm_receipt_t *receipt;
        cm_error_t *err = cm_inbox_retry(&receipt, node->node, peer, pool);

        if (!err)
            err = send_withheld(node->node, peer, pool);
        sim_world_must(world, "retry", err);
    }
    apr_pool_destroy(pool);
}

void sim_exchange_discard(sim_world_t *world, int number)
{
    const char *peer;
    apr_int64_t id;

    if (!sim_parked_first(&peer, &id, world, number))
        return;
    sim_clock_at(number);
    apr_table_setn(world->decided, "by a step", "");
    sim_world_must(world, "discard",
                   cm_parked_discard(world->nodes[number].node, peer, id,
                                     world->step_pool));
}

/* In a hub several people might revive one record, which comes twice then. */
void sim_exchange_revive(sim_world_t *world, int number)
{
    const sim_node_t *node = &world->nodes[number];
    apr_array_header_t *one =
        apr_array_make(world->step_pool, 1, sizeof(cm_identity_t));
    cm_identity_t identity;
    apr_int64_t revived;
    int table;

    if (world->schema->nodes > 2 ||
        !sim_parked_deleted(&table, &identity.origin, &identity.original_id,
                            world, number))
        return;
    sim_clock_at(number);
    APR_ARRAY_PUSH(one, cm_identity_t) = identity;
    sim_world_must(
        world, "revive",
        cm_inbox_revive(
            &revived, node->node,
            cm_settings_model(node->settings,
                              apr_psprintf(world->step_pool, "m%d", table)),
            one, world->step_pool));
}

/* Return how often node NUMBER has kept WHAT; it does so MORE times. */
static int kept_often(sim_world_t *world, int number, const char *what,
                      int more)
{
    const char *key = apr_psprintf(world->pool, "%d %s", number, what);
    const char *found = apr_table_get(world->keeps, key);
    const int count = found ? (int)strtol(found, NULL, 10) : 0;

    if (more)
        apr_table_setn(world->keeps, key,
                       apr_psprintf(world->pool, "%d", count + more));
    return count;
}

/* Return whether the person at node NUMBER is the one who takes deletes of
 * records of MODEL now: one at another node has kept rows often, too, and does
 * so further. */
static int gives_in(sim_world_t *world, int number, const char *model)
{
    const char *key = apr_pstrcat(world->pool, "who gives in: ", model, NULL);
    const char *who = apr_table_get(world->keeps, key);
    int others = 0, i;

    for (i = 0; i < world->schema->nodes; i++)
        others |= i != number && kept_often(world, i, model, 0) >= KEEPS;
    if (!who && others) {
        who = sim_schema_node_name(number);
        apr_table_setn(world->keeps, key, who);
    }
    return who && !strcmp(who, sim_schema_node_name(number));
}

/* Return whether whoever decides about ROW lets what is here stay. A row that
 * is kept against a delete is a new record. If the former one had other names
 * (match=), these are deleted at the peer, where one is asked. Where people at
 * both nodes keep their row each time, that has no end (docs/convergence.md,
 * known limits): one takes the delete then. */
static int takes_ours(sim_world_t *world, int number,
                      const cm_parked_row_t *row, sim_when_e when)
{
    const cm_identity_t *identity = &row->message.identity;
    const char *model = row->message.model, *name;

    if (row->message.id % 2 == 0)
        return 0;
    if (when == SIM_WHEN_BUSY || strcmp(row->action, "delete") ||
        world->schema->tables[strtol(model + 1, NULL, 10)].match < 0)
        return 1;
    name = apr_psprintf(world->pool, "%s %s %.*s", model, identity->origin,
                        (int)strcspn(identity->original_id, "\x1f"),
                        identity->original_id); /* in all its lives */
    if (kept_often(world, number, name, 0) >= KEEPS &&
        gives_in(world, number, model))
        return 0;
    (void)kept_often(world, number, name, 1);
    (void)kept_often(world, number, model, 1);
    return 1;
}

/* Take theirs, or OURS. */
static cm_error_t *decide(const sim_node_t *node, const cm_parked_row_t *row,
                          int ours, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(apr_int64_t));
    cm_receipt_t *receipt;

    if (ours)
        return cm_parked_discard(node->node, row->peer, row->message.id, pool);
    APR_ARRAY_PUSH(ids, apr_int64_t) = row->message.id;
    return cm_inbox_retry_decided(&receipt, node->node, row->peer, ids,
                                  CM_DECIDE_THEIRS, pool);
}

static int is_same_record(const cm_parked_row_t *one,
                          const cm_parked_row_t *other)
{
    const cm_identity_t *a = &one->message.identity;
    const cm_identity_t *b = &other->message.identity;

    return !strcmp(one->peer, other->peer) &&
           !strcmp(one->message.model, other->message.model) &&
           !strcmp(a->origin, b->origin) &&
           !strcmp(a->original_id, b->original_id);
}

/* Return whether a message in ROWS about the record of ROW is a lie about the
 * time: nobody takes that. */
static int has_lie(const apr_array_header_t *rows, const cm_parked_row_t *row)
{
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_parked_row_t *other = &APR_ARRAY_IDX(rows, i, cm_parked_row_t);

        if (is_same_record(other, row) && other->message.reason &&
            strstr(other->message.reason, "ahead of this host's"))
            return 1;
    }
    return 0;
}

/* Take theirs of all messages in ROWS about the record of ROW: what was decided
 * may be possible only together with a delete that is held for itself. */
static cm_error_t *decide_all(const sim_node_t *node,
                              const apr_array_header_t *rows,
                              const cm_parked_row_t *row, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 4, sizeof(apr_int64_t));
    cm_receipt_t *receipt;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_parked_row_t *other = &APR_ARRAY_IDX(rows, i, cm_parked_row_t);

        if (is_same_record(other, row))
            APR_ARRAY_PUSH(ids, apr_int64_t) = other->message.id;
    }
    return cm_inbox_retry_decided(&receipt, node->node, row->peer, ids,
                                  CM_DECIDE_THEIRS, pool);
}

/* Return what finds ROW of node NUMBER among the decisions. */
static const char *key_of(const sim_world_t *world, int number,
                          const cm_parked_row_t *row)
{
    return apr_psprintf(world->pool, "%d %s %" APR_INT64_T_FMT, number,
                        row->peer, row->message.id);
}

/* Return whether nobody has decided about ROW yet; or AGAIN, since it could not
 * be applied then. */
static int is_new_decision(sim_world_t *world, int number,
                           const cm_parked_row_t *row, int again)
{
    const char *key = key_of(world, number, row);
    const char *done = apr_table_get(world->decided, key);

    if (again ? !done || strcmp(done, REFUSED) : done != NULL)
        return 0;
    apr_table_setn(world->decided, key, DECIDED);
    return 1;
}

/* Note that a person has taken what ROW says, and that this cannot be done yet:
 * a row refers to the record that it deletes; or a unique value of it is still
 * that of another record, whose own messages wait. One decides once more when
 * the others are decided. */
static void note_refused(sim_world_t *world, int number,
                         const cm_parked_row_t *row)
{
    const char *refused = sim_node_value(
        world->nodes[number].beside,
        apr_psprintf(
            world->step_pool,
            "SELECT count(*) FROM inbound_messages AS m WHERE processed_at"
            " IS NULL AND peer = '%s' AND id = %" APR_INT64_T_FMT
            " AND (action = 'delete' AND lower(error) LIKE '%%foreign key%%'"
            " OR action <> 'delete' AND (lower(error) LIKE '%%unique%%' OR"
            " lower(error) LIKE '%%duplicate entry%%') AND EXISTS (SELECT 1"
            " FROM inbound_messages AS other WHERE other.processed_at IS NULL"
            " AND other.model = m.model AND (other.origin <> m.origin OR"
            " other.original_id <> m.original_id)))",
            row->peer, row->message.id),
        world->step_pool);

    if (strcmp(refused, "0"))
        apr_table_setn(world->decided, key_of(world, number, row), REFUSED);
}

/* Return whether node NUMBER lets a person decide about the model of ROW. */
static int is_held(const sim_world_t *world, int number,
                   const cm_parked_row_t *row)
{
    const char *model = row->message.model;

    return model && *model == 'm' &&
           world->schema->tables[strtol(model + 1, NULL, 10)].holds >> number &
               1;
}

/* Return the first of ROWS whose reason has WORDS and about which one is to
 * decide, perhaps AGAIN; or NULL. */
static const cm_parked_row_t *undecided(sim_world_t *world, int number,
                                        const apr_array_header_t *rows,
                                        const char *words, int again)
{
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_parked_row_t *row = &APR_ARRAY_IDX(rows, i, cm_parked_row_t);

        if (is_held(world, number, row) && row->message.reason &&
            strstr(row->message.reason, words) && !has_lie(rows, row) &&
            is_new_decision(world, number, row, again))
            return row;
    }
    return NULL;
}

int sim_exchange_decide(sim_world_t *world, int number, sim_when_e when)
{
    const sim_node_t *node = &world->nodes[number];
    const cm_parked_row_t *row;
    apr_pool_t *pool = world->step_pool;
    apr_array_header_t *rows;
    const char *question = NULL;
    sim_kept_t kept = {NULL, -1};
    int alone, done, ours, fails = 0;

    sim_clock_at(number);
    if (!sim_world_must(
            world, "list what is parked",
            cm_parked_list(&rows, node->node, NULL, MOST_PARKED, pool)))
        return 0;
    row = undecided(world, number, rows, "changed on both sides",
                    when == SIM_WHEN_AGAIN);
    ours = row && takes_ours(world, number, row, when);
    if (ours)
        fails = sim_parked_give_up(world, number, row->peer, row->message.id);
    if (row && when != SIM_WHEN_BUSY)
        question = sim_asked_begin(world, number, row->peer, &row->message);
    if (question && ours)
        kept = sim_kept_begin(world, number, row->peer, row->message.id,
                              row->message.reason);
    alone = row != NULL;
    if (!alone)
        row = undecided(world, number, rows, "of the same record is parked",
                        when == SIM_WHEN_AGAIN);
    if (!row)
        return 0;
    if (world->verbose)
        printf("%-8s decides about message %" APR_INT64_T_FMT " of %s: %s\n",
               sim_schema_node_name(number), row->message.id, row->peer,
               row->message.reason);
    done = sim_world_must(world, "decide",
                          alone ? decide(node, row, ours, pool)
                                : decide_all(node, rows, row, pool));
    if (when != SIM_WHEN_AGAIN)
        note_refused(world, number, row);
    sim_kept_end(world, number, kept);
    if (question)
        sim_asked_end(world, number, question, row, fails);
    return done;
}

const char *sim_exchange_state(sim_world_t *world, apr_pool_t *pool)
{
    static const char sql[] =
        "SELECT (SELECT last_seq FROM communicator_node),"
        " (SELECT count(*) FROM inbound_messages WHERE processed_at IS NULL),"
        " (SELECT sum(received) + sum(confirmed) FROM communicator_peers)";
    const char *text = "";
    int i, j;

    for (i = 0; i < world->schema->nodes; i++) {
        apr_array_header_t *rows =
            sim_node_select(&world->nodes[i].sessions[0], sql, 3, pool);

        for (j = 0; j < 3; j++) {
            const char *cell = APR_ARRAY_IDX(rows, 0, const char **)[j];

            text = apr_pstrcat(pool, text, " ", cell ? cell : "-", NULL);
        }
    }
    return text;
}
