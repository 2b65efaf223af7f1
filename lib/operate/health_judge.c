/* Which problems a node has, and what to do about them: see health.h. */
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/number.h"
#include "schema/capture.h"
#include "schema/judge.h"
#include "schema/migrate.h"
#include "node/altered.h"
#include "operate/health.h"

#define FMT "%" APR_INT64_T_FMT

/* How long a message may wait for another record. */
#define PATIENCE (apr_time_from_sec(3600))

#define MIGRATE "run `communicator-sync migrate`"

/* How many expected contacts may pass before what waits is too old. */
#define VISITS 3

void cm_health_judge_add(cm_health_t *health, const cm_problem_t *problem)
{
    cm_problem_t *list;
    int i;

    apr_array_push(health->problems);
    list = (cm_problem_t *)health->problems->elts;
    for (i = health->problems->nelts - 1;
         i > 0 &&
         cm_health_severity_is_worse(problem->severity, list[i - 1].severity);
         i--)
        list[i] = list[i - 1];
    list[i] = *problem;
    if (cm_health_severity_is_worse(problem->severity, health->severity))
        health->severity = problem->severity;
}

const char *cm_health_judge_headline(const cm_health_t *health,
                                     apr_pool_t *pool)
{
    const int count = health->problems->nelts;
    const char *text;

    if (!count)
        return "all is well";
    text = APR_ARRAY_IDX(health->problems, 0, cm_problem_t).text;
    return count > 1 ? apr_psprintf(pool, "%s, and %d more", text, count - 1)
                     : text;
}

static const char *name_of(const cm_health_peer_t *peer)
{
    return peer->state->peer->name;
}

static void add(cm_health_t *health, cm_severity_e severity,
                cm_health_peer_t *peer, const char *text, const char *hint)
{
    cm_problem_t problem = {.severity = severity,
                            .peer = peer ? name_of(peer) : NULL,
                            .text = text,
                            .hint = hint};

    if (peer && cm_health_severity_is_worse(severity, peer->severity))
        peer->severity = severity;
    cm_health_judge_add(health, &problem);
}

/* Return how long PEER has been silent, as a sentence. */
static const char *silence_text(const cm_health_t *health,
                                const cm_health_peer_t *peer, apr_pool_t *pool)
{
    apr_int64_t silence = health->taken_at - peer->last_contact_at;

    if (!peer->last_contact_at)
        return apr_psprintf(pool, "'%s' has never been in contact",
                            name_of(peer));
    if (silence < 0)
        return apr_psprintf(pool,
                            "'%s' was in contact last when this host's clock "
                            "was ahead",
                            name_of(peer));
    return apr_psprintf(pool, "'%s' has been silent for %s", name_of(peer),
                        cm_health_judge_span(silence, pool));
}

static void judge_contact(cm_health_t *health, cm_health_peer_t *peer,
                          apr_pool_t *pool)
{
    if (!health->expect_every ||
        !cm_clock_is_past(peer->last_contact_at, health->taken_at,
                          health->expect_every))
        return;
    add(health, CM_SEVERITY_CRITICAL, peer,
        apr_psprintf(pool, "%s (expected every %s)",
                     silence_text(health, peer, pool),
                     cm_health_judge_span(health->expect_every, pool)),
        peer->connects
            ? "run `communicator-sync check` here"
            : "run `communicator-sync check` at its host: cron, network, "
              "password");
}

static void judge_queue(cm_health_t *health, cm_health_peer_t *peer,
                        apr_pool_t *pool)
{
    apr_int64_t age = health->taken_at - peer->state->pending.oldest_clock;

    if (!health->expect_every || !peer->state->pending.oldest_clock ||
        age <= VISITS * health->expect_every ||
        peer->severity == CM_SEVERITY_CRITICAL)
        return;
    add(health, CM_SEVERITY_WARNING, peer,
        apr_psprintf(pool, "%s for '%s' not confirmed, the oldest for %s",
                     cm_number_of(peer->state->pending.count, "message", pool),
                     name_of(peer), cm_health_judge_span(age, pool)),
        "run `communicator-sync check`");
}

/* Add a problem with PEER, TEXT, when AGE (microseconds) is more than LIMITS
 * allow. */
static void judge_age(cm_health_t *health, cm_health_peer_t *peer,
                      const cm_health_limits_t *limits, apr_int64_t age,
                      const char *text)
{
    if (limits->critical && age > limits->critical)
        add(health, CM_SEVERITY_CRITICAL, peer, text, NULL);
    else if (limits->warning && age > limits->warning)
        add(health, CM_SEVERITY_WARNING, peer, text, NULL);
}

static void judge_limits(cm_health_t *health, cm_health_peer_t *peer,
                         const cm_health_limits_t *limits, apr_pool_t *pool)
{
    apr_int64_t oldest = peer->state->pending.oldest_clock;
    apr_int64_t there = peer->state->said.oldest;
    const char *silence = silence_text(health, peer, pool);

    if (there && (!oldest || there < oldest))
        oldest = there;
    if (!peer->last_contact_at)
        add(health, CM_SEVERITY_WARNING, peer, silence, NULL);
    else
        judge_age(health, peer, limits,
                  health->taken_at - peer->last_contact_at, silence);
    if (oldest)
        judge_age(health, peer, limits, health->taken_at - oldest,
                  apr_psprintf(
                      pool,
                      "the oldest message for or from '%s' has waited "
                      "for %s",
                      name_of(peer),
                      cm_health_judge_span(health->taken_at - oldest, pool)));
}

void cm_health_judge_limits(cm_health_t *health,
                            const cm_health_limits_t *limits, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < health->peers->nelts; i++)
        judge_limits(health, &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t),
                     limits, pool);
}

/* When most of a batch is parked, single messages are not the cause. */
static void judge_batch(cm_health_t *health, cm_health_peer_t *peer,
                        apr_pool_t *pool)
{
    if (peer->state->batch_parked)
        add(health, CM_SEVERITY_CRITICAL, peer,
            apr_psprintf(
                pool, "%s of %s of a batch of '%s' are parked",
                cm_number_grouped(peer->state->batch_parked, pool),
                cm_number_of(peer->state->batch_messages, "message", pool),
                name_of(peer)),
            "`communicator-sync parked` says why: a table or model may be "
            "missing here. Then `communicator-sync retry`");
}

static void judge_parked(cm_health_t *health, cm_health_peer_t *peer,
                         apr_pool_t *pool)
{
    apr_int64_t waiting = peer->state->waiting;
    apr_int64_t parked = peer->state->parked - waiting;
    apr_int64_t age = health->taken_at - peer->oldest_parked_at;
    apr_int64_t there = peer->state->said.parked;

    if (parked)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "%s of '%s' parked",
                         cm_number_of(parked, "message", pool), name_of(peer)),
            "`communicator-sync parked` says why");
    else if (waiting && age > PATIENCE)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "%s of '%s' waiting for other records for %s",
                         cm_number_of(waiting, "message", pool), name_of(peer),
                         cm_health_judge_span(age, pool)),
            "publish those records at the other side");
    if (there > 0)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "%s of ours parked at '%s'",
                         cm_number_of(there, "message", pool), name_of(peer)),
            "`communicator-sync parked` at its host says why");
}

/* What one side does not send the other: it is missing there. */
static void judge_withheld(cm_health_t *health, cm_health_peer_t *peer,
                           apr_pool_t *pool)
{
    const cm_withheld_sum_t *ours = &peer->state->withheld;
    const cm_withheld_sum_t *theirs = &peer->state->said.withheld;

    if (ours->count > 0)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "%s for '%s' withheld, from " FMT " on",
                         cm_number_of(ours->count, "message", pool),
                         name_of(peer), ours->first),
            "`communicator-sync parked` says why");
    if (theirs->count > 0)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool,
                         "%s of '%s' withheld there: they cannot reach this "
                         "node",
                         cm_number_of(theirs->count, "message", pool),
                         name_of(peer)),
            "`communicator-sync parked` at its host says why");
}

static void judge_clock(cm_health_t *health, cm_health_peer_t *peer,
                        apr_pool_t *pool)
{
    apr_int64_t offset = peer->state->peer->clock_offset;
    int behind = offset < 0;

    if (behind)
        offset = -offset;
    if (offset > CM_SKEW_LIMIT)
        add(health, CM_SEVERITY_WARNING, peer,
            apr_psprintf(pool, "the clock of '%s' is %s %s ours", name_of(peer),
                         cm_health_judge_span(offset, pool),
                         behind ? "behind" : "ahead of"),
            "set the clocks of both hosts (NTP)");
}

/* Return the peer of that name, or NULL. */
static cm_health_peer_t *find_peer(cm_health_t *health, const char *name)
{
    int i;

    for (i = 0; i < health->peers->nelts; i++) {
        cm_health_peer_t *peer =
            &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t);

        if (!strcmp(name_of(peer), name))
            return peer;
    }
    return NULL;
}

static void judge_kept(cm_health_t *health, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < health->kept->nelts; i++) {
        const cm_problem_t *kept =
            &APR_ARRAY_IDX(health->kept, i, cm_problem_t);
        apr_int64_t age = health->taken_at - kept->since;

        add(health, kept->severity, find_peer(health, kept->peer),
            age < apr_time_from_sec(60)
                ? kept->text
                : apr_psprintf(pool, "%s (for %s, last %s ago)", kept->text,
                               cm_health_judge_span(age, pool),
                               cm_health_judge_span(
                                   health->taken_at - kept->seen_at, pool)),
            kept->hint);
    }
}

static void judge_altered(cm_health_t *health, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < health->altered->nelts; i++) {
        const cm_altered_t *altered =
            &APR_ARRAY_IDX(health->altered, i, cm_altered_t);

        add(health, CM_SEVERITY_WARNING, NULL, cm_altered_text(altered, pool),
            apr_psprintf(pool, CM_ALTERED_REMEDY, altered->column));
    }
}

void cm_health_judge(cm_health_t *health, apr_interval_time_t expect_every,
                     apr_pool_t *pool)
{
    int i;

    apr_array_clear(health->problems);
    health->severity = CM_SEVERITY_OK;
    health->expect_every = expect_every;
    if (health->standby)
        add(health, CM_SEVERITY_CRITICAL, NULL,
            apr_psprintf(pool, "the database takes no writes: %s",
                         health->standby),
            "set DBDParams to the one that does");
    if (health->state && health->state->paused_at)
        add(health, CM_SEVERITY_WARNING, NULL,
            apr_psprintf(pool, "paused for %s",
                         cm_health_judge_span(health->taken_at -
                                                  health->state->paused_at,
                                              pool)),
            "`communicator-sync resume` ends the pause");
    judge_altered(health, pool);
    for (i = 0; i < health->peers->nelts; i++) {
        cm_health_peer_t *peer =
            &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t);

        peer->severity = CM_SEVERITY_OK;
        judge_contact(health, peer, pool);
        judge_queue(health, peer, pool);
        judge_batch(health, peer, pool);
        judge_parked(health, peer, pool);
        judge_withheld(health, peer, pool);
        judge_clock(health, peer, pool);
    }
    judge_kept(health, pool);
}

/* What the state of its triggers means for a table, "%s". */
static const struct {
    cm_severity_e severity;
    const char *format; /* NULL: nothing is wrong */
} captures[] = {
    [CM_CAPTURE_CURRENT] = {CM_SEVERITY_OK, NULL},
    [CM_CAPTURE_MISSING] = {CM_SEVERITY_CRITICAL,
                            "the triggers of table '%s' are missing: its "
                            "changes are not published"},
    [CM_CAPTURE_STALE] = {CM_SEVERITY_CRITICAL,
                          "the triggers of table '%s' are incomplete, "
                          "disabled, or for other columns"},
    [CM_CAPTURE_PARTIAL] = {CM_SEVERITY_WARNING,
                            "a partition of table '%s' has no triggers: what "
                            "is written to it itself is not published"}};

/* Add to PROBLEMS what is wrong with MODEL. */
static cm_error_t *check_model(apr_array_header_t *problems, cm_node_t *node,
                               const cm_capture_t *capture,
                               const cm_model_t *model, apr_pool_t *pool)
{
    cm_problem_t problem = {.severity = CM_SEVERITY_CRITICAL, .hint = MIGRATE};
    const cm_table_t *table;
    cm_capture_e state = CM_CAPTURE_CURRENT;
    apr_array_header_t *findings;
    cm_error_t *err;

    err = cm_node_table(&table, node, model, pool);
    if (!err)
        err = cm_judge_table(&findings, node->store, table, pool);
    if (!err)
        err = cm_judge_error(findings, 1, pool);
    if (!err && cm_settings_model_captures(model))
        err = cm_capture_state(&state, capture, table, pool);
    if (err && err->code != CM_SCHEMA)
        return err;
    if (err) {
        problem.text = apr_psprintf(pool, "model '%s': %s", model->name,
                                    cm_error_text(err, pool));
        problem.hint = err->hint;
    }
    else if (captures[state].format) {
        problem.severity = captures[state].severity;
        problem.text = apr_psprintf(pool, captures[state].format, model->table);
    }
    if (problem.text)
        APR_ARRAY_PUSH(problems, cm_problem_t) = problem;
    return NULL;
}

/* Add triggers that are in the way: renamed tables publish twice. */
static cm_error_t *check_leftovers(apr_array_header_t *problems,
                                   cm_node_t *node, apr_pool_t *pool)
{
    apr_array_header_t *leftovers;
    int i;

    CM_TRY(cm_migrate_triggers_leftovers(&leftovers, node->store,
                                         node->settings, pool));
    for (i = 0; i < leftovers->nelts; i++)
        APR_ARRAY_PUSH(problems, cm_problem_t) =
            (cm_problem_t){.severity = CM_SEVERITY_WARNING,
                           .text = APR_ARRAY_IDX(leftovers, i, const char *),
                           .hint = MIGRATE};
    return NULL;
}

cm_error_t *cm_health_judge_check(apr_array_header_t **problems,
                                  cm_node_t *node, apr_pool_t *result_pool)
{
    const apr_array_header_t *models = node->settings->models;
    cm_capture_t *capture;
    int i;

    *problems = apr_array_make(result_pool, 4, sizeof(cm_problem_t));
    cm_node_forget(node);
    CM_TRY_FOR(cm_capture_open(&capture, node->store, result_pool), result_pool,
               "cannot check the triggers");
    for (i = 0; i < models->nelts; i++)
        CM_TRY_FOR(check_model(*problems, node, capture,
                               APR_ARRAY_IDX(models, i, cm_model_t *),
                               result_pool),
                   result_pool, "cannot check the tables");
    CM_TRY_FOR(check_leftovers(*problems, node, result_pool), result_pool,
               "cannot check the triggers");
    return NULL;
}

/* Add to PROBLEMS that the table of MODEL has only FOUND triggers. */
static void judge_triggers(apr_array_header_t *problems, cm_node_t *node,
                           const cm_model_t *model, apr_int64_t found,
                           apr_pool_t *pool)
{
    if (found < cm_capture_wanted(node->store, model))
        APR_ARRAY_PUSH(problems, cm_problem_t) = (cm_problem_t){
            .severity = CM_SEVERITY_CRITICAL,
            .text = apr_psprintf(
                pool,
                found ? "some triggers of table '%s' are missing or "
                        "disabled: changes are not published"
                      : "the triggers of table '%s' are missing: its "
                        "changes are not published",
                model->table),
            .hint = MIGRATE};
}

/* Tables in one statement. */
#define TABLES_AT_ONCE 200

/* Ask how many triggers of ours the tables of MODELS from FIRST on have. */
static cm_error_t *count_triggers(cm_rows_t **rows, cm_node_t *node,
                                  const apr_array_header_t *models, int first,
                                  int count, apr_pool_t *pool)
{
    apr_array_header_t *sql = apr_array_make(pool, count, sizeof(char *));
    apr_array_header_t *arguments =
        apr_array_make(pool, 2 * count, sizeof(cm_datum_t));
    int i;

    for (i = first; i < first + count; i++)
        APR_ARRAY_PUSH(sql, const char *) = cm_capture_count(
            arguments, node->store,
            APR_ARRAY_IDX(models, i, const cm_model_t *), pool);
    return cm_statement_select(
        rows, node->store,
        apr_pstrcat(pool, "SELECT ", apr_array_pstrcat(pool, sql, ','), NULL),
        (const cm_datum_t *)arguments->elts, arguments->nelts, pool);
}

cm_error_t *cm_health_judge_triggers(apr_array_header_t **problems,
                                     cm_node_t *node, apr_pool_t *result_pool)
{
    const apr_array_header_t *all = node->settings->models;
    apr_array_header_t *models =
        apr_array_make(result_pool, all->nelts + 1, sizeof(cm_model_t *));
    cm_rows_t *rows;
    int i, first, count;

    *problems = apr_array_make(result_pool, 1, sizeof(cm_problem_t));
    for (i = 0; i < all->nelts; i++)
        if (cm_settings_model_captures(APR_ARRAY_IDX(all, i, cm_model_t *)))
            APR_ARRAY_PUSH(models, cm_model_t *) =
                APR_ARRAY_IDX(all, i, cm_model_t *);
    for (first = 0; first < models->nelts; first += count) {
        count = models->nelts - first < TABLES_AT_ONCE ? models->nelts - first
                                                       : TABLES_AT_ONCE;
        CM_TRY_FOR(
            count_triggers(&rows, node, models, first, count, result_pool),
            result_pool, "cannot look for the triggers");
        for (i = 0; i < count; i++)
            judge_triggers(*problems, node,
                           APR_ARRAY_IDX(models, first + i, cm_model_t *),
                           cm_cell_number(rows, 0, i), result_pool);
    }
    return NULL;
}

const char *cm_health_judge_span(apr_int64_t interval, apr_pool_t *pool)
{
    static const struct {
        const char *unit;
        apr_int64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    apr_int64_t seconds = apr_time_sec(interval);
    apr_size_t i;

    /* Two days are worth more than one: from two units on the larger. */
    for (i = 0; i < 3 && seconds < 2 * units[i].seconds; i++)
        ;
    return apr_psprintf(pool, FMT " %s", seconds / units[i].seconds,
                        units[i].unit);
}
