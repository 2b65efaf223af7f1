/* A node's health in Prometheus' text format. See health.h. */
#include <string.h>

#include <apr_strings.h>

#include "operate/health.h"

#define FMT "%" APR_INT64_T_FMT

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

/* Append what is known only if the database answers. */
static void append_state(cm_buffer_t *out, const cm_health_t *health)
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

void cm_health_prometheus(cm_buffer_t *out, const cm_health_t *health)
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
        append_state(out, health);
}
