/* A node's health for machines: JSON, Nagios, Prometheus. See health.h. */
#include <string.h>

#include <apr_strings.h>

#include "base/clean.h"
#include "base/json_write.h"
#include "base/moment.h"
#include "operate/health.h"

#define FMT "%" APR_INT64_T_FMT

/* The version of the JSON, which docs/status.md describes: another one where a
 * member is gone or means something else. */
#define FORMAT 1

/* Write a moment: null for never. */
static void write_moment(cm_buffer_t *out, const char *name, apr_int64_t value)
{
    cm_json_write_text(out, name,
                       value ? cm_moment_iso(value, out->pool) : NULL);
}

/* Write SPAN, microseconds, as seconds. */
static void write_seconds(cm_buffer_t *out, const char *name, apr_int64_t span)
{
    const char *text =
        apr_psprintf(out->pool, "%.6f", (double)span / APR_USEC_PER_SEC);

    cm_json_write_raw(out, name, text, strlen(text));
}

/* Return what the peer is, if it has reported that. */
static const char *kind_of(const cm_status_said_t *said)
{
    if (!said->at)
        return NULL;
    return said->gem ? "gem" : "communicator";
}

static void write_peer(cm_buffer_t *out, const void *item)
{
    const cm_health_peer_t *peer = item;
    const cm_status_peer_t *state = peer->state;
    const cm_peer_t *known = state->peer;

    cm_json_write_text(out, "name", known->name);
    cm_json_write_text(out, "state", cm_health_severity_name(peer->severity));
    cm_json_write_truth(out, "connects", peer->connects);
    cm_json_write_text(out, "epoch", known->epoch);
    cm_json_write_number(out, "pending", state->pending.count);
    write_moment(out, "oldest_pending_at", state->pending.oldest_clock);
    cm_json_write_number(out, "parked", state->parked - state->waiting);
    cm_json_write_number(out, "waiting", state->waiting);
    write_moment(out, "oldest_parked_at", peer->oldest_parked_at);
    cm_json_write_number(out, "received", known->received);
    cm_json_write_number(out, "received_last_hour", peer->received_recently);
    cm_json_write_number(out, "sent", known->sent);
    cm_json_write_number(out, "confirmed", known->confirmed);
    write_moment(out, "last_push_at", known->last_push_at);
    write_moment(out, "last_pull_at", known->last_pull_at);
    write_seconds(out, "clock_offset", known->clock_offset);
    write_moment(out, "said_at", state->said.at);
    cm_json_write_text(out, "kind", kind_of(&state->said));
    cm_json_write_number(out, "pending_there", state->said.pending);
    write_moment(out, "oldest_pending_there_at", state->said.oldest);
    cm_json_write_number(out, "parked_there", state->said.parked);
    cm_json_write_number(out, "withheld", state->withheld.count);
    cm_json_write_number(out, "withheld_there", state->said.withheld.count);
}

/* Write which message it is. */
static void write_message(cm_buffer_t *out, const char *peer, apr_int64_t id,
                          const char *model, const cm_identity_t *identity,
                          const char *action)
{
    cm_json_write_text(out, "peer", peer);
    cm_json_write_number(out, "id", id);
    cm_json_write_text(out, "model", model);
    cm_json_write_text(out, "origin", identity->origin);
    cm_json_write_text(out, "original_id", identity->original_id);
    cm_json_write_text(out, "action", action);
}

static void write_parked(cm_buffer_t *out, const void *item)
{
    const cm_parked_row_t *row = item;

    write_message(out, row->peer, row->message.id, row->message.model,
                  &row->message.identity, row->action);
    cm_json_write_text(out, "reason", row->message.reason);
    cm_json_write_truth(out, "transient", row->message.transient);
    cm_json_write_number(out, "attempts", row->attempts);
    write_moment(out, "received_at", row->received_at);
}

static void write_withheld(cm_buffer_t *out, const void *item)
{
    const cm_withheld_t *row = item;

    write_message(out, row->peer, row->seq, row->model, &row->identity,
                  row->action);
    cm_json_write_text(out, "refused_by",
                       cm_withheld_refuser_name(row->refuser));
    cm_json_write_text(out, "reason", row->reason);
    write_moment(out, "withheld_at", row->withheld_at);
}

static void write_conflict(cm_buffer_t *out, const void *item)
{
    const cm_health_conflict_t *conflict = item;

    cm_json_write_text(out, "model", conflict->model);
    cm_json_write_text(out, "local_record_id", conflict->local_record_id);
    cm_json_write_text(out, "column", conflict->column);
    cm_json_write_text(out, "peer", conflict->peer);
    write_moment(out, "created_at", conflict->created_at);
}

static void write_problem(cm_buffer_t *out, const void *item)
{
    const cm_problem_t *problem = item;

    cm_json_write_text(out, "severity",
                       cm_health_severity_name(problem->severity));
    cm_json_write_text(out, "peer", problem->peer);
    cm_json_write_text(out, "text", problem->text);
    cm_json_write_text(out, "hint", problem->hint);
}

/* Write ITEMS as a list of objects, whose members WRITE writes. */
static void write_list(cm_buffer_t *out, const char *name,
                       const apr_array_header_t *items,
                       void (*write)(cm_buffer_t *out, const void *item))
{
    int i;

    cm_json_write_open(out, name, '[');
    for (i = 0; i < items->nelts; i++) {
        cm_json_write_open(out, NULL, '{');
        write(out, items->elts + (apr_size_t)i * (apr_size_t)items->elt_size);
        cm_json_write_close(out, '}');
    }
    cm_json_write_close(out, ']');
}

/* Append what is known only if the database answers. */
static void write_state(cm_buffer_t *out, const cm_health_t *health)
{
    const cm_status_t *state = health->state;

    cm_json_write_text(out, "database", health->driver);
    cm_json_write_number(out, "schema", state->schema);
    cm_json_write_text(out, "epoch", state->epoch);
    write_moment(out, "paused_at", state->paused_at);
    cm_json_write_number(out, "last_seq", state->last_seq);
    cm_json_write_number(out, "made_last_hour", health->made_recently);
    cm_json_write_number(out, "conflicts_last_day", state->conflicts);
    write_list(out, "peers", health->peers, write_peer);
    write_list(out, "parked", health->parked, write_parked);
    write_list(out, "withheld", health->withheld, write_withheld);
    write_list(out, "conflicts", health->conflicts, write_conflict);
}

void cm_health_text_json(cm_buffer_t *out, const cm_health_t *health)
{
    cm_json_write_open(out, NULL, '{');
    cm_json_write_number(out, "format", FORMAT);
    cm_json_write_text(out, "node", health->name);
    cm_json_write_text(out, "state", cm_health_severity_name(health->severity));
    write_list(out, "problems", health->problems, write_problem);
    write_moment(out, "taken_at", health->taken_at);
    cm_json_write_text(out, "version", health->version);
    write_seconds(out, "expect_every", health->expect_every);
    if (health->state)
        write_state(out, health);
    else
        write_moment(out, "unread_since", health->unread_since);
    cm_json_write_close(out, '}');
    cm_buffer_raw(out, "\n");
}

/* Append WORDS without what ends the text of a plugin: "|", line breaks. */
static void append_plain(cm_buffer_t *out, const char *words)
{
    const char *at;

    for (at = cm_clean(words, out->pool); *at; at++)
        cm_buffer_append(out, *at == '|' ? " " : at, 1);
}

/* Append one number of PEER: label, value, unit and limits. */
static void append_number(cm_buffer_t *out, const cm_health_peer_t *peer,
                          const char *label, apr_int64_t value,
                          const char *rest)
{
    cm_buffer_raw(out,
                  apr_psprintf(out->pool, " '%s %s'=" FMT "%s",
                               peer->state->peer->name, label, value, rest));
}

/* Seconds from CLOCK to the moment of HEALTH; 0 for none. */
static apr_int64_t age_of(const cm_health_t *health, apr_int64_t clock)
{
    apr_int64_t seconds = apr_time_sec(health->taken_at - clock);

    return clock > 0 && seconds > 0 ? seconds : 0;
}

static const char *seconds_of(apr_interval_time_t limit, apr_pool_t *pool)
{
    return limit ? apr_psprintf(pool, FMT, (apr_int64_t)apr_time_sec(limit))
                 : "";
}

/* Append the numbers of PEER after the "|", which monitors draw. */
static void append_performance(cm_buffer_t *out, const cm_health_t *health,
                               const cm_health_peer_t *peer,
                               const cm_health_limits_t *limits)
{
    const cm_status_peer_t *state = peer->state;
    const char *ages = apr_psprintf(out->pool, "s;%s;%s;0",
                                    seconds_of(limits->warning, out->pool),
                                    seconds_of(limits->critical, out->pool));

    append_number(out, peer, "age", age_of(health, peer->last_contact_at),
                  ages);
    append_number(out, peer, "pending", state->pending.count, ";;;0");
    append_number(out, peer, "oldest",
                  age_of(health, state->pending.oldest_clock),
                  limits->warning ? ages : "s;;;0");
    append_number(out, peer, "parked", state->parked, ";0;;0");
    append_number(out, peer, "withheld", state->withheld.count, ";0;;0");
    if (state->said.pending >= 0)
        append_number(out, peer, "pending there", state->said.pending, ";;;0");
    if (state->said.parked >= 0)
        append_number(out, peer, "parked there", state->said.parked, ";0;;0");
}

void cm_health_text_nagios(cm_buffer_t *out, const cm_health_t *health,
                           const cm_health_limits_t *limits)
{
    static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    apr_pool_t *pool = out->pool;
    cm_health_sums_t sums = cm_health_sum(health);
    const char *contact = "never";
    int i;

    if (sums.age >= 0)
        contact = apr_pstrcat(
            pool, cm_health_judge_span(apr_time_from_sec(sums.age), pool),
            " ago", NULL);
    cm_buffer_raw(
        out, apr_psprintf(pool, "COMMUNICATOR %s - ", words[health->severity]));
    if (!health->problems->nelts)
        cm_buffer_raw(out, apr_psprintf(pool,
                                        "last contact %s, " FMT " pending, " FMT
                                        " parked",
                                        contact, sums.pending, sums.parked));
    else
        append_plain(out, cm_health_judge_headline(health, pool));
    cm_buffer_raw(out, " |");
    for (i = 0; i < health->peers->nelts; i++)
        append_performance(out, health,
                           &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t),
                           limits);
    cm_buffer_raw(out, "\n");
}

static void head(cm_buffer_t *out, const char *name, const char *type,
                 const char *help)
{
    cm_buffer_raw(out, apr_psprintf(out->pool, "# HELP %s %s\n# TYPE %s %s\n",
                                    name, help, name, type));
}

/* Return VALUE as it stands within the quotes of a label. */
static const char *escaped(const char *value, apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(strlen(value) + 8, pool);

    for (; *value; value++) {
        if (*value == '\n') {
            cm_buffer_raw(out, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            cm_buffer_raw(out, "\\");
        cm_buffer_append(out, value, 1);
    }
    cm_buffer_append(out, "", 1);
    return out->data;
}

static void whole(cm_buffer_t *out, const char *name, const char *type,
                  const char *help, apr_int64_t value)
{
    head(out, name, type, help);
    cm_buffer_raw(out, apr_psprintf(out->pool, "%s " FMT "\n", name, value));
}

/* One number of each peer. */
typedef struct metric_t {
    const char *name, *type, *help;
    apr_int64_t (*value)(const cm_health_peer_t *peer);
    int is_time; /* microseconds, to be seconds */
} metric_t;

#define VALUE(function, expression)                                            \
    static apr_int64_t function(const cm_health_peer_t *peer)                  \
    {                                                                          \
        return expression;                                                     \
    }

VALUE(pending, peer->state->pending.count)
VALUE(oldest_pending, peer->state->pending.oldest_clock)
VALUE(parked, peer->state->parked - peer->state->waiting)
VALUE(waiting, peer->state->waiting)
VALUE(withheld, peer->state->withheld.count)
VALUE(oldest_parked, peer->oldest_parked_at)
VALUE(received, peer->state->peer->received)
VALUE(confirmed, peer->state->peer->confirmed)
VALUE(last_push, peer->state->peer->last_push_at)
VALUE(last_pull, peer->state->peer->last_pull_at)
VALUE(last_contact, peer->last_contact_at)
VALUE(clock_offset, peer->state->peer->clock_offset)

/* What the peer last reported; 0 where it reported nothing. */
VALUE(pending_there,
      peer->state->said.pending < 0 ? 0 : peer->state->said.pending)
VALUE(oldest_there, peer->state->said.oldest)
VALUE(parked_there, peer->state->said.parked < 0 ? 0 : peer->state->said.parked)
VALUE(withheld_there, peer->state->said.withheld.count < 0
                          ? 0
                          : peer->state->said.withheld.count)

static const metric_t metrics[] = {
    {"pending_messages", "gauge",
     "Messages that the peer has not confirmed yet.", pending, 0},
    {"oldest_pending_timestamp_seconds", "gauge",
     "When the oldest of them was made; 0: none.", oldest_pending, 1},
    {"parked_messages", "gauge", "Messages of the peer that wait for a person.",
     parked, 0},
    {"waiting_messages", "gauge",
     "Messages of the peer that wait for another record.", waiting, 0},
    {"withheld_messages", "gauge",
     "Messages for the peer that are held back from it.", withheld, 0},
    {"oldest_parked_timestamp_seconds", "gauge",
     "When the first of both arrived; 0: none.", oldest_parked, 1},
    {"received_messages_total", "counter",
     "Number of the last message held from the peer.", received, 0},
    {"confirmed_messages_total", "counter",
     "Number of the last message that the peer has confirmed.", confirmed, 0},
    {"last_push_timestamp_seconds", "gauge",
     "When the side that connects last gave messages; 0: never.", last_push, 1},
    {"last_pull_timestamp_seconds", "gauge",
     "When the side that connects last asked for messages; 0: never.",
     last_pull, 1},
    {"last_contact_timestamp_seconds", "gauge",
     "When the peer was last in contact; 0: never.", last_contact, 1},
    {"clock_offset_seconds", "gauge", "The clock of the peer less our own.",
     clock_offset, 1},
    {"peer_pending_messages", "gauge",
     "Messages that wait at the peer for this node.", pending_there, 0},
    {"peer_oldest_pending_timestamp_seconds", "gauge",
     "When the oldest of them was made; 0: none.", oldest_there, 1},
    {"peer_parked_messages", "gauge",
     "Messages of this node that are parked at the peer.", parked_there, 0},
    {"peer_withheld_messages", "gauge",
     "Messages that the peer holds back from this node.", withheld_there, 0},
};

static void append_metric(cm_buffer_t *out, const metric_t *metric,
                          const cm_health_t *health)
{
    apr_pool_t *pool = out->pool;
    const char *name = apr_pstrcat(pool, "communicator_", metric->name, NULL);
    int i;

    head(out, name, metric->type, metric->help);
    for (i = 0; i < health->peers->nelts; i++) {
        const cm_health_peer_t *peer =
            &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t);
        apr_int64_t value = metric->value(peer);
        const char *digits =
            metric->is_time
                ? apr_psprintf(pool, "%.3f", (double)value / 1000000)
                : apr_psprintf(pool, FMT, value);

        cm_buffer_raw(out, apr_psprintf(pool, "%s{peer=\"%s\"} %s\n", name,
                                        escaped(peer->state->peer->name, pool),
                                        digits));
    }
}

/* Append the numbers that are known only if the database answers. */
static void append_metrics(cm_buffer_t *out, const cm_health_t *health)
{
    const cm_status_t *state = health->state;
    apr_size_t i;

    whole(out, "communicator_paused", "gauge", "Whether it is paused.",
          state->paused_at != 0);
    whole(out, "communicator_made_messages_total", "counter",
          "Number of the last message made here.", state->last_seq);
    whole(out, "communicator_conflicts_last_day", "gauge",
          "Values that lost in the last 24 hours, at most 1000.",
          state->conflicts);
    for (i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
        append_metric(out, &metrics[i], health);
}

void cm_health_text_prometheus(cm_buffer_t *out, const cm_health_t *health)
{
    apr_pool_t *pool = out->pool;

    head(out, "communicator_build_info", "gauge", "Versions.");
    cm_buffer_raw(
        out, apr_psprintf(pool,
                          "communicator_build_info{version=\"%s\",node=\"%s\","
                          "database=\"%s\"} 1\n",
                          health->version,
                          escaped(health->name ? health->name : "", pool),
                          health->driver ? health->driver : ""));
    whole(out, "communicator_up", "gauge",
          "Whether the state could be read from the database.",
          health->state != NULL);
    whole(out, "communicator_state", "gauge",
          "0: all is well, 1: warning, 2: critical, 3: unknown.",
          health->severity);
    whole(out, "communicator_problems", "gauge",
          "Things that a person should look at.", health->problems->nelts);
    whole(out, "communicator_expect_every_seconds", "gauge",
          "How often peers are expected; 0: not at all.",
          apr_time_sec(health->expect_every));
    if (health->state)
        append_metrics(out, health);
}
