/* The journal: how each run with a peer went and, where peers connect to this
 * node, what a minute brought. `status --history` lists it, the status page
 * draws its last day.
 *
 * It keeps seven days, and a limited number of rows: whoever writes one removes
 * some old ones. No run needs it, so it waits for no lock of SQLite. */
#ifndef CM_OPERATE_JOURNAL_H
#define CM_OPERATE_JOURNAL_H

#include "operate/health.h"

/* The command of a row that no run wrote. */
#define CM_JOURNAL_SAMPLE "sample"

/* The last day is summed up in so many slots of 15 minutes. */
#define CM_JOURNAL_SLOTS 96
#define CM_JOURNAL_SLOT  apr_time_from_sec(900)

/* One way of the messages between this node and a peer. */
typedef struct cm_journal_way_t {
    apr_int64_t moved;   /* messages */
    apr_int64_t pending; /* that wait; -1: not known */
    apr_int64_t lag;     /* how long the oldest of them has waited,
                            microseconds */
} cm_journal_way_t;

/* Add WAY to SUM: more messages, the longer queue, the longer lag. */
void cm_journal_way_join(cm_journal_way_t *sum, const cm_journal_way_t *way);

typedef struct cm_journal_row_t {
    const char *peer;
    const char *command;            /* of communicator-sync, or the above */
    apr_int64_t began_at, ended_at; /* microseconds since 1970 */
    cm_journal_way_t sent;          /* pending, lag: at the end */
    cm_journal_way_t received;   /* pending, lag: as the peer last reported */
    apr_int64_t applied, parked; /* of the messages received */
    int exit_status;
    const char *error; /* why it is not 0, or NULL */
} cm_journal_row_t;

/* Write that RUN with a peer has ended: it has everything but what is pending
 * here, which is counted now, and there, which SAID (NULL: nothing) tells. In a
 * transaction of its own. Fails with CM_BUSY at once while another writer has
 * SQLite's lock; else as cm_statement_run(). */
cm_error_t *cm_journal_run(cm_node_t *node, const cm_journal_row_t *run,
                           const cm_status_said_t *said,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write a row for each peer of HEALTH that connects to this node, unless the
 * last ones are younger than a minute. Fails as cm_journal_run(). */
cm_error_t *cm_journal_sample(cm_node_t *node, const cm_health_t *health,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* List the last rows with the peer NAME or (NULL) all, the newest first, up to
 * LIMIT: cm_journal_row_t in RESULT_POOL. Fails as cm_statement_select(). */
cm_error_t *cm_journal_list(apr_array_header_t **rows, cm_node_t *node,
                            const char *name, int limit,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* A slot of the last day. */
typedef struct cm_journal_slot_t {
    int known;  /* the journal has something of this time */
    int failed; /* runs that failed */
    cm_journal_way_t sent, received; /* moved: the sum; else the highest */
} cm_journal_slot_t;

typedef struct cm_journal_day_t {
    const char *peer;
    apr_int64_t now;                           /* when the day ends */
    cm_journal_slot_t slots[CM_JOURNAL_SLOTS]; /* the oldest first */
} cm_journal_day_t;

/* Sum up the day before NOW: *DAYS has a cm_journal_day_t for each configured
 * peer of which the journal knows anything, in their order. Slot I begins
 * cm_journal_slot_at(NOW, I). Fails as cm_statement_select(). */
cm_error_t *cm_journal_days(apr_array_header_t **days, cm_node_t *node,
                            apr_int64_t now,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Return when slot I of the day before NOW begins: the last holds NOW. */
apr_int64_t cm_journal_slot_at(apr_int64_t now, int i);

#endif
