/* A node's health for machines: JSON, Nagios. See health.h. */
#include <string.h>

#include <apr_strings.h>

#include "base/clean.h"
#include "operate/health.h"

#define FMT "%" APR_INT64_T_FMT

/* Begin a member of an object; a comma goes before all but the first. */
static void member(cm_buffer_t *out, const char *name)
{
    if (out->size && out->data[out->size - 1] != '{')
        cm_buffer_raw(out, ",");
    cm_buffer_string(out, name, strlen(name));
    cm_buffer_raw(out, ":");
}

static void text(cm_buffer_t *out, const char *name, const char *value)
{
    member(out, name);
    if (value)
        cm_buffer_string(out, value, strlen(value));
    else
        cm_buffer_raw(out, "null");
}

static void number(cm_buffer_t *out, const char *name, apr_int64_t value)
{
    member(out, name);
    cm_buffer_number(out, value);
}

static void truth(cm_buffer_t *out, const char *name, int value)
{
    member(out, name);
    cm_buffer_raw(out, value ? "true" : "false");
}

/* Microseconds since 1970, null for never. */
static void moment(cm_buffer_t *out, const char *name, apr_int64_t value)
{
    member(out, name);
    if (value)
        cm_buffer_number(out, value);
    else
        cm_buffer_raw(out, "null");
}

static void append_peer(cm_buffer_t *out, const void *item)
{
    const cm_health_peer_t *peer = item;
    const cm_status_peer_t *state = peer->state;
    const cm_peer_t *known = state->peer;

    text(out, "name", known->name);
    text(out, "state", cm_health_severity_name(peer->severity));
    truth(out, "connects", peer->connects);
    text(out, "epoch", known->epoch);
    number(out, "pending", state->pending.count);
    moment(out, "oldest_pending_at", state->pending.oldest_clock);
    number(out, "parked", state->parked - state->waiting);
    number(out, "waiting", state->waiting);
    moment(out, "oldest_parked_at", peer->oldest_parked_at);
    number(out, "received", known->received);
    number(out, "received_last_hour", peer->received_of_late);
    number(out, "sent", known->sent);
    number(out, "confirmed", known->confirmed);
    moment(out, "last_push_at", known->last_push_at);
    moment(out, "last_pull_at", known->last_pull_at);
    number(out, "clock_offset", known->clock_offset);
    moment(out, "said_at", state->said.at);
    number(out, "pending_there", state->said.pending);
    number(out, "parked_there", state->said.parked);
    number(out, "withheld", state->withheld.count);
    number(out, "withheld_there", state->said.withheld.count);
}

static void append_parked(cm_buffer_t *out, const void *item)
{
    const cm_parked_row_t *row = item;

    text(out, "peer", row->peer);
    number(out, "id", row->message.id);
    text(out, "model", row->message.model);
    text(out, "origin", row->message.identity.origin);
    text(out, "original_id", row->message.identity.original_id);
    text(out, "action", row->action);
    text(out, "reason", row->message.reason);
    truth(out, "transient", row->message.transient);
    number(out, "attempts", row->attempts);
    moment(out, "received_at", row->received_at);
}

static void append_withheld(cm_buffer_t *out, const void *item)
{
    const cm_withheld_t *row = item;

    text(out, "peer", row->peer);
    number(out, "id", row->seq);
    text(out, "model", row->model);
    text(out, "origin", row->identity.origin);
    text(out, "original_id", row->identity.original_id);
    text(out, "action", row->action);
    text(out, "refused_by", cm_withheld_refuser_name(row->refuser));
    text(out, "reason", row->reason);
    moment(out, "withheld_at", row->withheld_at);
}

static void append_conflict(cm_buffer_t *out, const void *item)
{
    const cm_health_conflict_t *conflict = item;

    text(out, "model", conflict->model);
    text(out, "local_record_id", conflict->local_record_id);
    text(out, "column", conflict->column);
    text(out, "peer", conflict->peer);
    moment(out, "created_at", conflict->created_at);
}

static void append_problem(cm_buffer_t *out, const void *item)
{
    const cm_problem_t *problem = item;

    text(out, "severity", cm_health_severity_name(problem->severity));
    text(out, "peer", problem->peer);
    text(out, "text", problem->text);
    text(out, "remedy", problem->remedy);
}

/* Append LIST, whose items APPEND writes. */
static void list(cm_buffer_t *out, const char *name,
                 const apr_array_header_t *items,
                 void (*append)(cm_buffer_t *out, const void *item))
{
    int i;

    member(out, name);
    cm_buffer_raw(out, "[");
    for (i = 0; i < items->nelts; i++) {
        cm_buffer_raw(out, i ? ",{" : "{");
        append(out, items->elts + (apr_size_t)i * (apr_size_t)items->elt_size);
        cm_buffer_raw(out, "}");
    }
    cm_buffer_raw(out, "]");
}

/* Append what can be said only of a database that answers. */
static void append_state(cm_buffer_t *out, const cm_health_t *health)
{
    const cm_status_t *state = health->state;

    text(out, "database", health->driver);
    number(out, "schema", state->schema);
    text(out, "epoch", state->epoch);
    moment(out, "paused_at", state->paused_at);
    number(out, "last_seq", state->last_seq);
    number(out, "made_last_hour", health->made_of_late);
    number(out, "conflicts_last_day", state->conflicts);
    list(out, "peers", health->peers, append_peer);
    list(out, "parked", health->parked, append_parked);
    list(out, "withheld", health->withheld, append_withheld);
    list(out, "conflicts", health->conflicts, append_conflict);
}

void cm_health_text_json(cm_buffer_t *out, const cm_health_t *health)
{
    cm_buffer_raw(out, "{");
    text(out, "node", health->name);
    text(out, "state", cm_health_severity_name(health->severity));
    list(out, "problems", health->problems, append_problem);
    moment(out, "taken_at", health->taken_at);
    text(out, "version", health->version);
    number(out, "expect_every", health->expect_every);
    if (health->state)
        append_state(out, health);
    cm_buffer_raw(out, "}\n");
}

/* Append WORDS without what ends the text of a plugin: "|", line breaks. */
static void append_plain(cm_buffer_t *out, const char *words)
{
    const char *at;

    for (at = cm_clean(words, out->pool); *at; at++)
        cm_buffer_append(out, *at == '|' ? " " : at, 1);
}

/* Append the numbers behind the "|", which monitors draw. */
static void append_performance(cm_buffer_t *out, const cm_health_t *health,
                               const cm_health_sums_t *sums)
{
    apr_pool_t *pool = out->pool;
    const char *limit =
        health->expect_every
            ? apr_psprintf(pool, FMT,
                           (apr_int64_t)apr_time_sec(health->expect_every))
            : "";

    if (sums->age >= 0)
        cm_buffer_raw(
            out, apr_psprintf(pool, "age=" FMT "s;;%s;0 ", sums->age, limit));
    cm_buffer_raw(out, apr_psprintf(pool,
                                    "pending=" FMT ";;;0 oldest=" FMT
                                    "s;;;0 parked=" FMT ";0;;0 withheld=" FMT
                                    ";0;;0",
                                    sums->pending, sums->oldest, sums->parked,
                                    sums->withheld));
}

void cm_health_text_nagios(cm_buffer_t *out, const cm_health_t *health)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    apr_pool_t *pool = out->pool;
    cm_health_sums_t sums = cm_health_sum(health);
    int more = health->problems->nelts - 1;
    const char *contact = "never";

    if (sums.age >= 0)
        contact = apr_pstrcat(
            pool, cm_health_judge_span(apr_time_from_sec(sums.age), pool),
            " ago", NULL);
    cm_buffer_raw(
        out, apr_psprintf(pool, "COMMUNICATOR %s - ", words[health->severity]));
    if (more < 0)
        cm_buffer_raw(out, apr_psprintf(pool,
                                        "last contact %s, " FMT " pending, " FMT
                                        " parked",
                                        contact, sums.pending, sums.parked));
    else
        append_plain(out,
                     APR_ARRAY_IDX(health->problems, 0, cm_problem_t).text);
    if (more > 0)
        cm_buffer_raw(out, apr_psprintf(pool, ", and %d more", more));
    cm_buffer_raw(out, " | ");
    append_performance(out, health, &sums);
    cm_buffer_raw(out, "\n");
}
