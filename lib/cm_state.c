/* How a node stands: see cm_state.h. */
#include "cm_state.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "cm_inbox.h"
#include "cm_json.h"
#include "cm_schema.h"

#define MOST_CONFLICTS 1000
#define MOST_PARKED    10000
#define A_DAY          (86400 * (apr_int64_t)1000000)

/* The rest of a batch is looked for so far from those of it that are parked. */
#define BATCH_REACH 1000

/* Set the number that stands under NAME. */
static void take_number(cm_said_t *said, const cm_value_t *name,
                        const cm_value_t *value)
{
    apr_int64_t number;

    if (!cm_json_integer(&number, value) || number > CM_CLOCK_MAX ||
        number < -1)
        return;
    if (!strcmp(name->data, "at"))
        said->at = number;
    else if (!strcmp(name->data, "gem"))
        said->gem = number != 0;
    else if (!strcmp(name->data, "pending"))
        said->pending = number;
    else if (!strcmp(name->data, "oldest"))
        said->oldest = number;
    else if (!strcmp(name->data, "parked"))
        said->parked = number;
    else if (!strcmp(name->data, "withheld"))
        said->withheld.count = number;
    else if (!strcmp(name->data, "first_withheld"))
        said->withheld.first = number;
}

/* What cannot be read was not said. */
static void read_said(cm_said_t *said, const cm_datum_t *text, apr_pool_t *pool)
{
    cm_value_t name, value;
    cm_json_t json;
    int count = 0;

    *said = (cm_said_t){.pending = -1, .parked = -1, .withheld = {-1, 0}};
    if (!text || !text->data)
        return;
    cm_json_init(&json, text->data, text->size, pool);
    if (!cm_json_open(&json, '{'))
        return;
    while (cm_json_next(&json, '}', &count))
        if (cm_json_name(&json, &name) && cm_json_value(&json, &value))
            take_number(said, &name, &value);
}

cm_error_t *cm_state_keep_said(cm_node_t *node, const char *name,
                               const cm_said_t *said, apr_pool_t *scratch_pool)
{
    const char *text = apr_psprintf(
        scratch_pool,
        "{\"at\":%" APR_INT64_T_FMT ",\"gem\":%d,\"pending\":%" APR_INT64_T_FMT
        ",\"oldest\":%" APR_INT64_T_FMT ",\"parked\":%" APR_INT64_T_FMT
        ",\"withheld\":%" APR_INT64_T_FMT
        ",\"first_withheld\":%" APR_INT64_T_FMT "}",
        said->at, said->gem, said->pending, said->oldest, said->parked,
        said->withheld.count, said->withheld.first);
    const cm_datum_t arguments[] = {cm_datum_text(text), cm_datum_text(name)};

    CM_TRY_FOR(cm_store_run(NULL, node->store,
                            "UPDATE communicator_peers SET status = %s"
                            " WHERE name = %s",
                            arguments, 2, scratch_pool),
               scratch_pool, "cannot keep what '%s' says of itself", name);
    return NULL;
}

static cm_error_t *load_said(cm_said_t *said, cm_node_t *node, const char *name,
                             apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(name);
    cm_rows_t *rows;

    CM_TRY(cm_store_select(&rows, node->store,
                           "SELECT status FROM communicator_peers"
                           " WHERE name = %s",
                           &argument, 1, pool));
    read_said(said, rows->count ? cm_cell(rows, 0, 0) : NULL, pool);
    return NULL;
}

int cm_state_has_withheld(const char *status, const cm_withheld_sum_t *theirs,
                          apr_pool_t *pool)
{
    const cm_datum_t text = cm_datum_text(status);
    cm_said_t said;

    read_said(&said, &text, pool);
    return theirs->count == said.withheld.count &&
           theirs->first == said.withheld.first;
}

cm_error_t *cm_state_withheld(cm_withheld_sum_t *ours, cm_node_t *node,
                              const char *name, const cm_withheld_sum_t *theirs,
                              apr_pool_t *scratch_pool)
{
    cm_said_t said;

    CM_TRY(cm_withheld_count(ours, node, name, scratch_pool));
    CM_TRY(load_said(&said, node, name, scratch_pool));
    if (theirs->count == said.withheld.count &&
        theirs->first == said.withheld.first)
        return NULL;
    said.withheld = *theirs;
    return cm_state_keep_said(node, name, &said, scratch_pool);
}

/* Count what is parked of the peer. */
static cm_error_t *count_parked(cm_peer_state_t *one, cm_node_t *node,
                                const char *name, apr_pool_t *pool)
{
    cm_datum_t argument = cm_datum_text(name);
    cm_rows_t *rows;

    CM_TRY_FOR(cm_store_select(
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
static cm_error_t *find_batch(cm_peer_state_t *one, cm_node_t *node,
                              apr_pool_t *pool)
{
    const cm_datum_t name = cm_datum_text(one->peer->name);
    apr_int64_t parked, count;
    cm_rows_t *rows;

    if ((one->parked - one->waiting) * 2 <= CM_MOSTLY_PARKED)
        return NULL;
    CM_TRY(cm_store_select(
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
    CM_TRY(cm_store_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT count(*) FROM inbound_messages WHERE peer = %%s"
                     " AND id >= %" APR_INT64_T_FMT
                     " AND id <= %" APR_INT64_T_FMT
                     " AND received_at = %" APR_INT64_T_FMT,
                     cm_cell_number(rows, 0, 2) - BATCH_REACH,
                     cm_cell_number(rows, 0, 3) + BATCH_REACH,
                     cm_cell_number(rows, 0, 1)),
        &name, 1, pool));
    count = cm_cell_number(rows, 0, 0);
    if (!cm_is_mostly_parked(parked, count))
        return NULL;
    one->batch_parked = parked;
    one->batch_messages = count;
    return NULL;
}

static cm_error_t *load_peer(cm_peer_state_t *one, cm_node_t *node,
                             const char *name, apr_pool_t *pool)
{
    CM_TRY(cm_peer_find(&one->peer, node, name, pool));
    if (!one->peer) {
        one->peer = apr_pcalloc(pool, sizeof(*one->peer));
        one->peer->name = name;
    }
    CM_TRY(load_said(&one->said, node, name, pool));
    CM_TRY(cm_withheld_count(&one->withheld, node, name, pool));
    CM_TRY(cm_outbox_pending(&one->pending, node, name, CM_EXACT_FOR_PEOPLE,
                             pool));
    CM_TRY(count_parked(one, node, name, pool));
    CM_TRY_FOR(find_batch(one, node, pool), pool,
               "cannot count what is parked of '%s'", name);
    return NULL;
}

static cm_error_t *count_conflicts(cm_state_t *state, cm_node_t *node,
                                   apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_store_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT count(*) FROM (SELECT created_at"
                     " FROM communicator_conflicts ORDER BY id DESC LIMIT %d)"
                     " AS late WHERE created_at > %" APR_INT64_T_FMT,
                     MOST_CONFLICTS, cm_clock_now() - A_DAY),
        NULL, 0, pool));
    state->conflicts = cm_cell_number(rows, 0, 0);
    return NULL;
}

cm_error_t *cm_state_read(cm_state_t **state, cm_node_t *node, const char *peer,
                          apr_pool_t *result_pool)
{
    const apr_array_header_t *peers = node->settings->peers;
    cm_state_t *read = apr_pcalloc(result_pool, sizeof(*read));
    int i;

    CM_TRY(cm_node_refresh(&read->last_seq, node, result_pool));
    read->name = node->settings->name;
    read->epoch = apr_pstrdup(result_pool, node->epoch);
    read->schema = cm_schema_known(node->store);
    read->paused_at = node->paused_at;
    read->peers = apr_array_make(result_pool, 4, sizeof(cm_peer_state_t));
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

cm_error_t *cm_state_pause(cm_node_t *node, apr_int64_t at,
                           apr_pool_t *scratch_pool)
{
    cm_datum_t argument = cm_datum_number(at, scratch_pool);

    /* The time that it was paused first stays. */
    CM_TRY_FOR(cm_store_run(NULL, node->store,
                            at ? "UPDATE communicator_node SET paused_at = %s"
                                 " WHERE id = 1 AND paused_at = 0"
                               : "UPDATE communicator_node SET paused_at = %s"
                                 " WHERE id = 1",
                            &argument, 1, scratch_pool),
               scratch_pool, "cannot %s '%s'", at ? "pause" : "resume",
               node->settings->name);
    if (!at || !node->paused_at)
        node->paused_at = at;
    return NULL;
}

cm_error_t *cm_state_check(const cm_node_t *node, apr_pool_t *pool)
{
    char since[APR_RFC822_DATE_LEN];

    if (!node->paused_at)
        return NULL;
    apr_rfc822_date(since, node->paused_at);
    return cm_error_hint(CM_FAIL(pool, CM_PAUSED, "'%s' is paused since %s",
                                 node->settings->name, since),
                         pool, "communicator-sync resume");
}

/* Statements that touch no row still need the right to. */
static cm_error_t *try_rights(cm_store_t *store, const char *table,
                              const char *column, apr_pool_t *pool)
{
    const char *const statements[] = {
        apr_pstrcat(pool, "UPDATE ", table, " SET ", column, " = ", column,
                    " WHERE 1 = 0", NULL),
        apr_pstrcat(pool, "DELETE FROM ", table, " WHERE 1 = 0", NULL)};
    cm_error_t *err;
    size_t i;

    CM_TRY(cm_store_begin(store, pool));
    for (i = 0, err = NULL;
         !err && i < sizeof(statements) / sizeof(*statements); i++)
        err = cm_store_run(NULL, store, statements[i], NULL, 0, pool);
    cm_store_rollback(store);
    return err;
}

/* All of them, so that a person has to grant rights only once. */
static cm_error_t *try_own(cm_store_t *store, apr_pool_t *pool)
{
    static const char *const tables[][2] = {
        {"outbound_messages", "body"},     {"inbound_messages", "body"},
        {"communicator_mappings", "id"},   {"communicator_peers", "status"},
        {"communicator_node", "id"},       {"communicator_conflicts", "id"},
        {"communicator_missing", "model"}, {"communicator_withheld", "reason"},
        {"communicator_altered", "model"}, {"communicator_graves", "origin"},
        {"communicator_problems", "kind"}};
    const char *names = NULL;
    cm_error_t *err, *first = NULL;
    size_t i;

    for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        err = try_rights(store, tables[i][0], tables[i][1], pool);
        if (!err)
            continue;
        if (err->code == CM_UNAVAILABLE)
            return err;
        first = first ? first : err;
        names = names ? apr_pstrcat(pool, names, ", ", tables[i][0], NULL)
                      : tables[i][0];
    }
    CM_TRY_FOR(first, pool, "%s", names);
    return NULL;
}

cm_error_t *cm_state_rights(cm_store_t *store, const cm_table_t *table,
                            apr_pool_t *scratch_pool)
{
    cm_error_t *err = table ? try_rights(store, table->quoted,
                                         table->key->quoted, scratch_pool)
                            : try_own(store, scratch_pool);

    if (!err || err->code == CM_UNAVAILABLE || err->code == CM_BUSY)
        return err;
    return cm_error_hint(err, scratch_pool,
                         "grant SELECT, INSERT, UPDATE and DELETE to the user "
                         "in DBDParams");
}
