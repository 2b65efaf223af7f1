/* Parked messages, for a person: see parked.h. */
#include "operate/parked.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json.h"
#include "node/conflict.h"
#include "node/mapping.h"
#include "node/peer.h"
#include "outbox/append.h"
#include "inbox/rows.h"

cm_error_t *cm_parked_list(apr_array_header_t **rows, cm_node_t *node,
                           const char *peer, int limit, apr_pool_t *result_pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *read;
    int i;

    CM_TRY_FOR(
        cm_statement_select(
            &read, node->store,
            apr_psprintf(result_pool,
                         "SELECT peer, id, model, origin, original_id, error,"
                         " transient, action, attempts, received_at"
                         " FROM inbound_messages WHERE processed_at IS NULL%s"
                         " ORDER BY peer, id LIMIT %d",
                         peer ? " AND peer = %s" : "", limit),
            &argument, peer ? 1 : 0, result_pool),
        result_pool, "cannot list what is parked");
    *rows = apr_array_make(result_pool, read->count, sizeof(cm_parked_row_t));
    for (i = 0; i < read->count; i++) {
        cm_parked_row_t *row = apr_array_push(*rows);

        row->peer = cm_cell_text(read, i, 0);
        row->message.id = cm_cell_number(read, i, 1);
        row->message.model = cm_cell_text(read, i, 2);
        row->message.identity.origin = cm_cell_text(read, i, 3);
        row->message.identity.original_id = cm_cell_text(read, i, 4);
        row->message.reason = cm_cell_text(read, i, 5);
        row->message.transient = (int)cm_cell_number(read, i, 6);
        row->action = cm_cell_text(read, i, 7);
        row->attempts = (int)cm_cell_number(read, i, 8);
        row->received_at = cm_cell_number(read, i, 9);
        row->holder = NULL;
    }
    return NULL;
}

cm_error_t *cm_parked_has(int *there, cm_node_t *node, const char *peer,
                          apr_int64_t id, apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_number(id, scratch_pool)};
    apr_int64_t found;

    CM_TRY(cm_statement_number(&found, node->store,
                               "SELECT 1 FROM inbound_messages WHERE peer = %s"
                               " AND id = %s AND processed_at IS NULL",
                               arguments, 2, scratch_pool));
    *there = found != 0;
    return NULL;
}

typedef struct work_t {
    cm_node_t *node;
    const char *peer;
    apr_int64_t id;
} work_t;

/* The columns of a message that is kept whole, see cm_conflict_keep_message().
 */
#define WHOLE                                                                  \
    "id, model, origin, original_id, action, clock, clocks, base, refs, body," \
    " error"

/* Read the parked message of WORK. */
static cm_error_t *read_whole(cm_rows_t **rows, const work_t *work,
                              apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(work->peer),
                                    cm_datum_number(work->id, pool)};

    CM_TRY(cm_statement_select(
        rows, work->node->store,
        "SELECT " WHOLE " FROM inbound_messages WHERE peer = %s AND id = %s"
        " AND processed_at IS NULL",
        arguments, 2, pool));
    if (!(*rows)->count)
        return CM_FAIL(pool, CM_USAGE,
                       "no message %" APR_INT64_T_FMT " of '%s' is parked here",
                       work->id, work->peer);
    return NULL;
}

static const cm_model_t *model_of(const work_t *work, const cm_rows_t *rows)
{
    return cm_settings_model(work->node->settings, cm_cell_text(rows, 0, 1));
}

/* Find the mapping of the record that the message in ROWS is about; NULL: none.
 */
static cm_error_t *find_mapping(cm_mapping_t **mapping, const work_t *work,
                                const cm_rows_t *rows, apr_pool_t *pool)
{
    const cm_model_t *model = model_of(work, rows);
    const cm_identity_t identity = {cm_cell_text(rows, 0, 2),
                                    cm_cell_text(rows, 0, 3)};

    *mapping = NULL;
    if (!model)
        return NULL;
    return cm_mapping_of_identity(mapping, work->node, model->type, identity,
                                  pool);
}

/* On a hub, tell the other peers that the record of MAPPING is deleted. */
static cm_error_t *forward_delete(const work_t *work, const cm_model_t *model,
                                  const cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_bulk_t *list = cm_append_create(pool);
    cm_append_t message = cm_append_delete(model, mapping->identity, pool);

    if (!model->publishes || work->node->settings->peers->nelts < 2)
        return NULL;
    message.source = work->peer;
    cm_append_add(list, &message);
    return cm_append_write(NULL, work->node, list, pool);
}

/* The record of MAPPING is deleted everywhere from CLOCK on, but its row stays
 * here. Under the node's lock. */
static cm_error_t *keep_row(const work_t *work, const cm_model_t *model,
                            cm_mapping_t *mapping, apr_int64_t clock,
                            apr_pool_t *pool)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_mapping_t *));

    mapping->deleted_at =
        clock > mapping->clocks.clock ? clock : mapping->clocks.clock;
    mapping->clocks = (cm_clocks_t){.clock = mapping->deleted_at};
    mapping->changed = 1;
    APR_ARRAY_PUSH(one, cm_mapping_t *) = mapping;
    CM_TRY(cm_mapping_save(work->node, one, pool));
    return forward_delete(work, model, mapping, pool);
}

static int is_delete(const cm_rows_t *rows)
{
    const char *action = cm_cell_text(rows, 0, 4);

    return action && !strcmp(action, "delete");
}

static cm_error_t *discard(const work_t *work, apr_pool_t *pool)
{
    cm_node_t *node = work->node;
    cm_mapping_t *mapping;
    apr_int64_t last_seq;
    cm_rows_t *rows;
    cm_peer_t *row;

    CM_TRY(cm_peer_load(&row, node, work->peer, 1, pool));
    CM_TRY(cm_node_lock(&last_seq, node, pool));
    CM_TRY(read_whole(&rows, work, pool));
    CM_TRY(find_mapping(&mapping, work, rows, pool));
    CM_TRY(cm_conflict_keep_message(node, work->peer, rows,
                                    mapping ? mapping->local_id : NULL, pool));
    if (is_delete(rows) && mapping && mapping->local_id && !mapping->deleted_at)
        CM_TRY(keep_row(work, model_of(work, rows), mapping,
                        cm_cell_number(rows, 0, 5), pool));
    return cm_inbox_rows_discard(work->node, work->peer, work->id, pool);
}

/* Return whether ID is among what stays parked: other messages of the record
 * may have been retried with it. */
static int is_parked(const cm_receipt_t *receipt, apr_int64_t id)
{
    int i;

    for (i = 0; i < receipt->parked->nelts; i++)
        if (APR_ARRAY_IDX(receipt->parked, i, cm_parked_t).id == id)
            return 1;
    return 0;
}

/* Where conflict=hold waits for a person, to discard is to decide: ours stays.
 * *DONE: it was so. */
static cm_error_t *decide_ours(int *done, const work_t *work, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(apr_int64_t));
    const cm_model_t *model;
    cm_receipt_t *receipt;
    cm_rows_t *rows;

    CM_TRY(read_whole(&rows, work, pool));
    model = model_of(work, rows);
    *done = 0;
    if (!model || model->conflict != CM_CONFLICT_HOLD)
        return NULL;
    APR_ARRAY_PUSH(ids, apr_int64_t) = work->id;
    CM_TRY(cm_inbox_retry_decided(&receipt, work->node, work->peer, ids,
                                  CM_DECIDE_OURS, pool));
    *done = !is_parked(receipt, work->id);
    return NULL;
}

static cm_error_t *give_up(const work_t *work, apr_pool_t *pool)
{
    int done;

    CM_TRY(decide_ours(&done, work, pool));
    if (done)
        return NULL;
    CM_TRY(cm_transaction_begin(work->node->store, pool));
    return cm_transaction_end(work->node->store, discard(work, pool), pool);
}

cm_error_t *cm_parked_discard(cm_node_t *node, const char *peer, apr_int64_t id,
                              apr_pool_t *scratch_pool)
{
    const work_t work = {node, peer, id};

    CM_TRY_FOR(give_up(&work, scratch_pool), scratch_pool,
               "cannot discard message %" APR_INT64_T_FMT " of '%s'", id, peer);
    return NULL;
}
