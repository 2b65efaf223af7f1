/* How far a node is: see status.h. */
#include "operate/status.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "base/json_object.h"
#include "schema/migrate.h"
#include "inbox/inbox.h"

#define MOST_CONFLICTS 1000
#define MOST_PARKED    10000
#define A_DAY          (86400 * (apr_int64_t)1000000)

/* How far from its parked messages the rest of a batch is searched: no batch
 * has more messages. */
#define BATCH_REACH 50000

static void begin_said(void *object, apr_pool_t *pool)
{
    (void)pool;
    *(cm_status_said_t *)object =
        (cm_status_said_t){.pending = -1, .parked = -1, .withheld = {-1, 0}};
}

/* communicator_peers.status */
#define NUMBER(name, field)                                                    \
    {                                                                          \
        CM_JSON_MEMBER(name, NUMBER, cm_status_said_t, field), .least = -1     \
    }
static const cm_json_member_t said_members[] = {
    NUMBER("at", at),
    {CM_JSON_MEMBER("gem", FLAG, cm_status_said_t, gem)},
    NUMBER("pending", pending),
    NUMBER("oldest", oldest),
    NUMBER("parked", parked),
    NUMBER("withheld", withheld.count),
    NUMBER("first_withheld", withheld.first),
    {.name = NULL}};
static const cm_json_object_t said_object = {.members = said_members,
                                             .size = sizeof(cm_status_said_t),
                                             .begin = begin_said};

/* What cannot be read was not said. */
static void read_said(cm_status_said_t *said, const cm_datum_t *text,
                      apr_pool_t *pool)
{
    cm_json_t json;
    void *read;

    begin_said(said, pool);
    if (!text || !text->data)
        return;
    cm_json_init(&json, text->data, text->size, pool);
    if (cm_json_object_read(&read, &json, &said_object, NULL))
        *said = *(const cm_status_said_t *)read;
}

cm_error_t *cm_status_keep_said(cm_node_t *node, const char *name,
                                const cm_status_said_t *said,
                                apr_pool_t *scratch_pool)
{
    cm_buffer_t *text = cm_buffer_create(256, scratch_pool);

    cm_json_object_write(text, NULL, &said_object, said, NULL);
    cm_buffer_append(text, "", 1);
    return cm_peer_set_status(node, name, text->data, scratch_pool);
}

int cm_status_has_withheld(const char *status, const cm_withheld_sum_t *theirs,
                           apr_pool_t *pool)
{
    const cm_datum_t text = cm_datum_text(status);
    cm_status_said_t said;

    read_said(&said, &text, pool);
    return theirs->count == said.withheld.count &&
           theirs->first == said.withheld.first;
}

cm_error_t *cm_status_withheld(cm_withheld_sum_t *ours, cm_node_t *node,
                               const cm_peer_t *peer,
                               const cm_withheld_sum_t *theirs,
                               apr_pool_t *scratch_pool)
{
    cm_status_said_t said;

    CM_TRY(cm_withheld_count(ours, node, peer->name, scratch_pool));
    read_said(&said, &peer->status, scratch_pool);
    if (theirs->count == said.withheld.count &&
        theirs->first == said.withheld.first)
        return NULL;
    said.withheld = *theirs;
    return cm_status_keep_said(node, peer->name, &said, scratch_pool);
}

/* Count what is parked of the peer. */
static cm_error_t *count_parked(cm_status_peer_t *one, cm_node_t *node,
                                const char *name, apr_pool_t *pool)
{
    cm_datum_t argument = cm_datum_text(name);
    cm_rows_t *rows;

    CM_TRY_FOR(cm_statement_select(
                   &rows, node->store,
                   apr_psprintf(pool,
                                "SELECT count(*), sum(transient)"
                                " FROM (SELECT transient"
                                " FROM inbound_messages"
                                " WHERE processed_at IS NULL AND peer = %%s"
                                " ORDER BY id LIMIT %d) AS parked",
                                MOST_PARKED),
                   &argument, 1, pool),
               pool, "cannot count what is parked of '%s'", name);
    one->parked = cm_cell_number(rows, 0, 0);
    one->waiting = cm_cell_number(rows, 0, 1);
    return NULL;
}

/* Find the batch of which the most messages are parked for a person: they
 * arrived at the same moment. Note it when they are most of it. */
static cm_error_t *find_batch(cm_status_peer_t *one, cm_node_t *node,
                              apr_pool_t *pool)
{
    const cm_datum_t name = cm_datum_text(one->peer->name);
    apr_int64_t parked, count;
    cm_rows_t *rows;

    if ((one->parked - one->waiting) * 2 <= CM_MOSTLY_PARKED)
        return NULL;
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT count(*), received_at, min(id), max(id) FROM"
                     " (SELECT received_at, id, transient FROM"
                     " inbound_messages WHERE peer = %%s"
                     " AND processed_at IS NULL ORDER BY id DESC LIMIT %d)"
                     " AS parked WHERE transient = 0 AND received_at > 0"
                     " GROUP BY received_at ORDER BY 1 DESC, 2 DESC LIMIT 1",
                     MOST_PARKED),
        &name, 1, pool));
    if (!rows->count)
        return NULL;
    parked = cm_cell_number(rows, 0, 0);
    CM_TRY(cm_statement_number(
        &count, node->store,
        apr_psprintf(pool,
                     "SELECT sum(messages) FROM communicator_received"
                     " WHERE peer = %%s AND first_seq >= %" APR_INT64_T_FMT
                     " AND first_seq <= %" APR_INT64_T_FMT
                     " AND received_at = %" APR_INT64_T_FMT,
                     cm_cell_number(rows, 0, 2) - BATCH_REACH,
                     cm_cell_number(rows, 0, 3) + BATCH_REACH,
                     cm_cell_number(rows, 0, 1)),
        &name, 1, pool));
    if (!cm_inbox_is_mostly_parked(parked, count))
        return NULL;
    one->batch_parked = parked;
    one->batch_messages = count;
    return NULL;
}

static cm_error_t *load_peer(cm_status_peer_t *one, cm_node_t *node,
                             const char *name, apr_pool_t *pool)
{
    CM_TRY(cm_peer_find(&one->peer, node, name, pool));
    if (!one->peer) {
        one->peer = apr_pcalloc(pool, sizeof(*one->peer));
        one->peer->name = name;
    }
    read_said(&one->said, &one->peer->status, pool);
    CM_TRY(cm_withheld_count(&one->withheld, node, name, pool));
    CM_TRY(cm_outbox_pending(&one->pending, node, name, CM_EXACT_FOR_PEOPLE,
                             pool));
    CM_TRY(count_parked(one, node, name, pool));
    CM_TRY_FOR(find_batch(one, node, pool), pool,
               "cannot count what is parked of '%s'", name);
    return NULL;
}

static cm_error_t *count_conflicts(cm_status_t *state, cm_node_t *node,
                                   apr_pool_t *pool)
{
    return cm_statement_number(
        &state->conflicts, node->store,
        apr_psprintf(pool,
                     "SELECT count(*) FROM (SELECT created_at"
                     " FROM communicator_conflicts ORDER BY id DESC LIMIT %d)"
                     " AS late WHERE created_at > %" APR_INT64_T_FMT,
                     MOST_CONFLICTS, cm_clock_now() - A_DAY),
        NULL, 0, pool);
}

cm_error_t *cm_status_read(cm_status_t **state, cm_node_t *node,
                           const char *peer, apr_pool_t *result_pool)
{
    const apr_array_header_t *peers = node->settings->peers;
    cm_status_t *read = apr_pcalloc(result_pool, sizeof(*read));
    int i;

    CM_TRY(cm_node_refresh(&read->last_seq, node, result_pool));
    read->name = node->settings->name;
    read->epoch = apr_pstrdup(result_pool, node->epoch);
    read->schema = cm_migrate_files_known(node->store);
    read->paused_at = node->paused_at;
    read->peers = apr_array_make(result_pool, 4, sizeof(cm_status_peer_t));
    CM_TRY(count_conflicts(read, node, result_pool));
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *one =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *);

        if (!peer || !strcmp(one->name, peer))
            CM_TRY(load_peer(apr_array_push(read->peers), node, one->name,
                             result_pool));
    }
    *state = read;
    return NULL;
}
