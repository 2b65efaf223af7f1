/* The health of a node, for an operator: its status (status.h), what is parked,
 * recent conflicts, and which of that is a problem. The module's status page
 * and `communicator-sync status` show the same struct, and print the same JSON,
 * Prometheus and Nagios lines; the client adds what only its host knows.
 *
 * Reading takes a few statements per peer, each bounded, and changes nothing.
 * It contains no values of records. */
#ifndef CM_OPERATE_HEALTH_H
#define CM_OPERATE_HEALTH_H

#include "node/problem.h"
#include "operate/parked.h"
#include "operate/status.h"

/* How many parked messages and conflicts are listed. */
#define CM_HEALTH_LISTED 20

/* Recent changes and messages are counted up to here. */
#define CM_HEALTH_RECENT 1000

/* One peer. */
typedef struct cm_health_peer_t {
    const cm_status_peer_t *state;
    int connects;                /* we connect to it */
    apr_int64_t last_contact_at; /* either way; 0: never */
    apr_int64_t oldest_parked_at;
    apr_int64_t received_recently; /* in the last hour */
    cm_severity_e severity;        /* of its worst problem */
} cm_health_peer_t;

typedef struct cm_health_conflict_t {
    const char *model, *local_record_id;
    const char *column; /* NULL: the whole record */
    const char *peer;   /* whose message met the change here */
    apr_int64_t created_at;
} cm_health_conflict_t;

typedef struct cm_health_t {
    const char *name;
    const char *version;      /* of this program */
    const char *driver;       /* NULL: the state cannot be read */
    const cm_status_t *state; /* NULL: the same */
    const char *standby;      /* why the database takes no writes, or NULL */
    apr_int64_t taken_at;
    apr_int64_t made_recently;        /* changes here in the last hour */
    apr_interval_time_t expect_every; /* 0: off */
    apr_array_header_t *peers;        /* cm_health_peer_t */
    apr_array_header_t *parked;       /* cm_parked_row_t, for a person first */
    apr_array_header_t *withheld;     /* cm_withheld_t */
    apr_array_header_t *conflicts;    /* cm_health_conflict_t, last first */
    apr_array_header_t *altered;      /* cm_altered_t */
    apr_array_header_t *kept;         /* cm_problem_t that are kept */
    apr_array_header_t *problems;     /* cm_problem_t, worst first */
    cm_severity_e severity;           /* of the worst one */
    /* of one that cannot be read, where somebody remembers that: */
    apr_int64_t unread_since;
    const struct cm_health_t *known; /* what was read last; NULL: nothing */
} cm_health_t;

/* Read how NODE is, towards the peer NAME alone or (NULL) all, and judge it by
 * its settings. Outside of a transaction. */
cm_error_t *cm_health_read(cm_health_t **health, cm_node_t *node,
                           const char *name,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Return the health of a node that cannot be read because of ERR, which is its
 * only problem. */
cm_health_t *cm_health_of_error(const cm_settings_t *settings,
                                const cm_error_t *err, apr_pool_t *pool);

/* Judge again, with peers expected every EXPECT_EVERY (0: at any time).
 * Problems that were added are dropped. */
void cm_health_judge(cm_health_t *health, apr_interval_time_t expect_every,
                     apr_pool_t *pool);

/* A monitor's limits for the time since the last contact with a peer, and for
 * the age of the oldest message for it or from it; 0: no limit. */
typedef struct cm_health_limits_t {
    apr_interval_time_t warning, critical;
} cm_health_limits_t;

/* Add what is older than LIMITS allow, and peers that were never in contact. */
void cm_health_judge_limits(cm_health_t *health,
                            const cm_health_limits_t *limits, apr_pool_t *pool);

/* Return the most important sentence about HEALTH, which status, page and
 * monitors begin with: "all is well", or the worst problem. */
const char *cm_health_judge_headline(const cm_health_t *health,
                                     apr_pool_t *pool);

/* Add PROBLEM, the worst first. */
void cm_health_judge_add(cm_health_t *health, const cm_problem_t *problem);

/* Check whether NODE can work: each model's table, its columns, its triggers,
 * read again. *PROBLEMS: cm_problem_t, empty when all is well. Fails when the
 * database does not answer. */
cm_error_t *cm_health_judge_check(apr_array_header_t **problems,
                                  cm_node_t *node,
                                  apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Check, by few statements, whether each published table has its triggers.
 * *PROBLEMS: cm_problem_t. Whether they fit the table's columns, only
 * cm_health_judge_check() sees. */
cm_error_t *cm_health_judge_triggers(apr_array_header_t **problems,
                                     cm_node_t *node,
                                     apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Append HEALTH as one JSON object and a newline. */
void cm_health_text_json(cm_buffer_t *out, const cm_health_t *health);

/* Append HEALTH as lines in Prometheus' text format 0.0.4. */
void cm_health_text_prometheus(cm_buffer_t *out, const cm_health_t *health);

/* Append HEALTH as the one line of a Nagios plugin, whose exit status is
 * HEALTH->severity. LIMITS are those that it shows with the numbers. */
void cm_health_text_nagios(cm_buffer_t *out, const cm_health_t *health,
                           const cm_health_limits_t *limits);

/* What a monitor wants of all peers together. */
typedef struct cm_health_sums_t {
    apr_int64_t age;      /* seconds since the most silent peer was here; -1:
                             one never was, or there is none */
    apr_int64_t pending;  /* messages for all */
    apr_int64_t oldest;   /* seconds that the oldest of them waits */
    apr_int64_t parked;   /* those that wait for other records included */
    apr_int64_t withheld; /* messages held back from peers */
} cm_health_sums_t;
cm_health_sums_t cm_health_sum(const cm_health_t *health);

/* Return "ok", "warning", "critical", "unknown". */
const char *cm_health_severity_name(cm_severity_e severity);

/* Return whether A is worse than B. */
int cm_health_severity_is_worse(cm_severity_e a, cm_severity_e b);

/* Return how long INTERVAL microseconds are, for people: "5 min". */
const char *cm_health_judge_span(apr_int64_t interval, apr_pool_t *pool);

#endif
