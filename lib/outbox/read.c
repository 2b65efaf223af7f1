/* Reading the outbox for a peer: first what fits, then the messages. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "record/canonical.h"
#include "record/captured.h"
#include "node/peer.h"
#include "outbox/withheld.h"

/* What a message takes on the wire beside its body and clocks. */
#define MESSAGE_BYTES 300

#define FROM_OTHERS "(source IS NULL OR source <> %s)"

/* The messages that go into a batch. */
typedef struct range_t {
    apr_int64_t first, highest; /* the next one, the last one; 0: none */
    apr_int64_t last;
    int count, more;
} range_t;

/* Find the first message above reading->after and the last one. (min(seq) of
 * all rows would search through those that a purge has removed.) */
static cm_error_t *find_ends(range_t *range, cm_node_t *node,
                             const cm_reading_t *reading, apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT (SELECT min(seq) FROM outbound_messages"
                     " WHERE seq > %" APR_INT64_T_FMT "), " CM_OUTBOX_HIGHEST,
                     reading->after),
        NULL, 0, pool));
    range->first = cm_cell_number(rows, 0, 0);
    range->highest = cm_cell_number(rows, 0, 1);
    return NULL;
}

/* Refuse a peer that asks again for what it had confirmed and what is purged
 * here. */
static cm_error_t *check_purged(const range_t *range, cm_node_t *node,
                                const cm_reading_t *reading, apr_pool_t *pool)
{
    cm_error_t *err;
    cm_peer_t *peer;

    /* a gem accepts gaps */
    if (reading->fit || range->first == reading->after + 1)
        return NULL;
    CM_TRY(cm_peer_load(&peer, node, reading->peer, 0, pool));
    if (reading->after >= peer->confirmed)
        return NULL;
    err = CM_FAIL(pool, CM_EPOCH,
                  "peer '%s' wants message %" APR_INT64_T_FMT
                  " again, which it had confirmed and which is purged here",
                  reading->peer, reading->after + 1);
    return cm_error_hint(err, pool,
                         "its database was restored or replaced: "
                         "`communicator-sync epoch --accept %s` at '%s' sends "
                         "what is left, then `publish MODEL --all` the rest",
                         reading->peer, node->settings->name);
}

/* Find how far the batch goes: bodies are not read yet. */
static cm_error_t *find_range(range_t *range, cm_node_t *node,
                              const cm_reading_t *reading, apr_pool_t *pool)
{
    cm_datum_t peer = cm_datum_text(reading->peer);
    apr_int64_t bytes = 0;
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT seq, %s + coalesce(length(clocks), 0)"
                     " + coalesce(length(refs), 0) FROM outbound_messages"
                     " WHERE seq > %" APR_INT64_T_FMT
                     " AND seq <= %" APR_INT64_T_FMT " AND %s"
                     " ORDER BY seq LIMIT %d",
                     cm_dialect_of_store(node->store)->body_bytes,
                     reading->after,
                     reading->until ? reading->until : range->highest,
                     FROM_OTHERS, reading->limits.messages + 1),
        &peer, 1, pool));
    for (i = 0; i < rows->count && i < reading->limits.messages; i++) {
        bytes += cm_cell_number(rows, i, 1) + MESSAGE_BYTES;
        if (i && bytes > reading->limits.bytes)
            break;
        range->last = cm_cell_number(rows, i, 0);
    }
    range->count = i;
    range->more = i < rows->count;
    if (!range->more)
        range->last = reading->until ? reading->until : range->highest;
    if (range->last < reading->after)
        range->last = reading->after;
    return NULL;
}

/* Make the attributes of ROW canonical, without columns that are gone or not
 * carried. Return whether the table, as it is remembered, lacks one. */
static int make_canonical(cm_outgoing_t *row, const cm_dialect_t *dialect,
                          apr_pool_t *pool)
{
    apr_array_header_t *attributes = row->message.attributes;
    int i, kept = 0, unknown = 0;

    for (i = 0; i < attributes->nelts; i++) {
        cm_attribute_t attribute = APR_ARRAY_IDX(attributes, i, cm_attribute_t);
        const cm_column_t *column = cm_table_column(row->table, attribute.name);

        unknown |= !column;
        if (!column || !column->carried)
            continue;
        if (column->value_class == CM_CLASS_BINARY &&
            attribute.value.kind == CM_TEXT &&
            !strcmp(attribute.value.data, CM_CAPTURE_APART)) {
            row->incomplete = 1;
            continue;
        }
        attribute.value =
            cm_canonical_value(column, attribute.value, dialect, pool);
        APR_ARRAY_IDX(attributes, kept++, cm_attribute_t) = attribute;
    }
    attributes->nelts = kept;
    row->incomplete |= unknown && row->message.action != CM_DELETE;
    return unknown;
}

static void write_body(cm_outgoing_t *row, apr_pool_t *result_pool)
{
    cm_message_t *message = &row->message;
    cm_buffer_t *buffer = cm_buffer_create(
        message->body_size + message->body_size / 8 + 64, result_pool);

    cm_message_write_body(buffer, message->model, message->attributes);
    message->body_size = buffer->size;
    cm_buffer_append(buffer, "", 1);
    message->body = buffer->data;
}

/* Find the model of ROW and its table, or why it is not sent. */
static cm_error_t *find_table(cm_outgoing_t *row, cm_node_t *node,
                              apr_pool_t *pool)
{
    const char *name = row->message.model;
    const cm_model_t *model = cm_settings_model(node->settings, name);
    cm_error_t *err;

    if (!model && !row->forwarded)
        row->held = apr_psprintf(pool, "model '%s' is not configured", name);
    else if (model && !model->publishes && !row->forwarded)
        row->held = apr_psprintf(pool, "model '%s' is not published", name);
    else if (model && !model->deletes && row->message.action == CM_DELETE)
        row->held =
            apr_psprintf(pool, "deletes of '%s' are not published", name);
    if (!model || row->held)
        return NULL;
    err = cm_node_table(&row->table, node, model);
    return err && row->forwarded ? NULL : err;
}

/* Make a BODY that a trigger wrote readable. */
static void read_captured(cm_outgoing_t *row, cm_datum_t *body, cm_node_t *node,
                          apr_pool_t *pool)
{
    const char *text = cm_complete_unread(body, pool);

    if (text) {
        row->incomplete = 1;
        *body = cm_datum_text(text);
        return;
    }
    *body = cm_captured_mend(*body, cm_dialect_of_store(node->store), pool);
}

/* Make the message of row NUMBER of ROWS; *UNKNOWN as make_canonical(). */
static cm_error_t *make_message(int *unknown, cm_outgoing_t *row,
                                cm_node_t *node, const cm_rows_t *rows,
                                int number, apr_pool_t *pool)
{
    cm_datum_t body = *cm_cell(rows, number, 9);
    const char *action = cm_cell_text(rows, number, 1);
    cm_message_t *message = &row->message;

    memset(row, 0, sizeof(*row));
    message->id = cm_cell_number(rows, number, 0);
    message->action = CM_UPDATE;
    if (action && !cm_message_action_read(&message->action, action))
        row->unreadable = row->held =
            apr_psprintf(pool, "'%s' is not an action", action);
    message->clocks.clock = cm_cell_number(rows, number, 2);
    message->identity.origin = cm_cell_text(rows, number, 6);
    message->identity.original_id = cm_cell_text(rows, number, 7);
    row->forwarded = cm_cell_text(rows, number, 8) != NULL;
    row->local_id = cm_cell_text(rows, number, 10);
    row->captured = !row->forwarded && row->local_id;
    if (action && !strcmp(action, CM_ACTION_KEYLESS)) {
        row->unreadable = "it is of a row that has no key";
        row->held = apr_psprintf(
            pool, "message %" APR_INT64_T_FMT " is of a row that has no key",
            message->id);
    }
    if (row->captured)
        read_captured(row, &body, node, pool);
    if (cm_message_read_stored(message, body.data, body.size,
                               cm_cell_text(rows, number, 3),
                               cm_cell_text(rows, number, 4),
                               cm_cell_text(rows, number, 5), pool)) {
        row->unreadable = "what was captured cannot be read";
        row->held = apr_psprintf(
            pool, "message %" APR_INT64_T_FMT " cannot be read", message->id);
        return NULL;
    }
    CM_TRY(find_table(row, node, pool));
    *unknown |= row->incomplete;
    if (row->captured && !row->held)
        *unknown |= make_canonical(row, cm_dialect_of_store(node->store), pool);
    return NULL;
}

/* Find the range of what was just stamped, if the batch is just that. */
static int is_stamped(range_t *range, const cm_reading_t *reading)
{
    const cm_rows_t *rows = reading->stamped;
    apr_int64_t bytes = 0;
    int i;

    if (!rows || reading->until || rows->count > reading->limits.messages ||
        cm_cell_number(rows, 0, 0) != reading->after + 1)
        return 0;
    for (i = 0; i < rows->count; i++)
        bytes += MESSAGE_BYTES + cm_cell(rows, i, 9)->size +
                 cm_cell(rows, i, 3)->size;
    if (bytes > reading->limits.bytes)
        return 0;
    *range = (range_t){.first = reading->after + 1,
                       .last = reading->after + rows->count,
                       .count = rows->count};
    return 1;
}

static cm_error_t *select_rows(const cm_rows_t **rows, cm_node_t *node,
                               const range_t *range,
                               const cm_reading_t *reading, apr_pool_t *pool)
{
    cm_datum_t peer = cm_datum_text(reading->peer);
    cm_rows_t *found;

    CM_TRY(cm_statement_select(
        &found, node->store,
        apr_psprintf(pool,
                     "SELECT seq, action, clock, clocks, base, refs, origin,"
                     " original_id, source, body, local_record_id"
                     " FROM outbound_messages WHERE seq > %" APR_INT64_T_FMT
                     " AND seq <= %" APR_INT64_T_FMT " AND " FROM_OTHERS
                     " ORDER BY seq LIMIT %d",
                     reading->after, range->last, "%s", range->count),
        &peer, 1, pool));
    *rows = found;
    return NULL;
}

static cm_error_t *read_rows(int *unknown, apr_array_header_t **found,
                             cm_node_t *node, const range_t *range,
                             const cm_reading_t *reading, apr_pool_t *pool)
{
    const cm_rows_t *rows = reading->stamped;
    int i;

    *unknown = 0;
    *found = apr_array_make(pool, range->count + 1, sizeof(cm_outgoing_t));
    if (!range->count)
        return NULL;
    if (!rows)
        CM_TRY(select_rows(&rows, node, range, reading, pool));
    for (i = 0; i < rows->count; i++)
        CM_TRY(
            make_message(unknown, apr_array_push(*found), node, rows, i, pool));
    return NULL;
}

/* Put ROW into the batch, or count why it is not sent. */
static void send_row(cm_batch_t *batch, cm_outgoing_t *row,
                     const cm_reading_t *reading, apr_pool_t *pool)
{
    cm_message_t *message = &row->message;

    if (!row->held && reading->fit)
        reading->fit(row, reading->peer, pool);
    if (!row->held && (reading->fit || !row->forwarded))
        write_body(row, pool);
    if (row->held) {
        if (!batch->held_back++)
            batch->held_reason = row->held;
        return;
    }
    if (!batch->messages->nelts)
        batch->first_seq = message->id;
    if (reading->first_id)
        message->id = reading->first_id + batch->messages->nelts;
    APR_ARRAY_PUSH(batch->messages, cm_message_t *) = message;
}

/* Put ROWS (cm_outgoing_t) into BATCH, except those that are withheld: SEQS. */
static void send_rows(cm_batch_t *batch, const apr_array_header_t *rows,
                      const apr_array_header_t *seqs,
                      const cm_reading_t *reading, apr_pool_t *pool)
{
    int i, next = 0;

    for (i = 0; i < rows->nelts; i++) {
        cm_outgoing_t *row = &APR_ARRAY_IDX(rows, i, cm_outgoing_t);

        while (next < seqs->nelts &&
               APR_ARRAY_IDX(seqs, next, apr_int64_t) < row->message.id)
            next++;
        if (next == seqs->nelts ||
            APR_ARRAY_IDX(seqs, next, apr_int64_t) != row->message.id)
            send_row(batch, row, reading, pool);
        else if (row->held && !batch->held_back++)
            batch->held_reason = row->held;
    }
}

/* Withhold what cannot be read, so that it stays listed until its record is
 * published again. */
static cm_error_t *withhold(cm_node_t *node, const char *peer,
                            apr_array_header_t *rows, apr_pool_t *pool)
{
    apr_array_header_t *seqs = apr_array_make(pool, 4, sizeof(apr_int64_t));
    int i, j;

    for (i = 0; i < rows->nelts; i++) {
        const char *reason = APR_ARRAY_IDX(rows, i, cm_outgoing_t).unreadable;

        if (!reason)
            continue;
        apr_array_clear(seqs);
        for (j = i; j < rows->nelts; j++) {
            cm_outgoing_t *row = &APR_ARRAY_IDX(rows, j, cm_outgoing_t);

            if (!row->unreadable || strcmp(row->unreadable, reason))
                continue;
            row->unreadable = NULL;
            APR_ARRAY_PUSH(seqs, apr_int64_t) = row->message.id;
        }
        CM_TRY(
            cm_withheld_add(node, peer, seqs, CM_REFUSER_HERE, reason, pool));
    }
    return NULL;
}

/* Complete ROWS; that may end the batch earlier. */
static cm_error_t *complete(cm_batch_t *batch, apr_array_header_t *rows,
                            cm_node_t *node, const cm_reading_t *reading,
                            apr_pool_t *pool)
{
    const int count = rows->nelts;

    CM_TRY(cm_complete_rows(node, rows, &reading->limits, pool));
    if (rows->nelts == count)
        return NULL;
    batch->more = 1;
    batch->last =
        APR_ARRAY_IDX(rows, rows->nelts - 1, cm_outgoing_t).message.id;
    return NULL;
}

static cm_error_t *read_batch(cm_batch_t *batch, cm_node_t *node,
                              const cm_reading_t *reading,
                              apr_pool_t *result_pool, apr_pool_t *scratch_pool)
{
    cm_reading_t plain = *reading;
    apr_array_header_t *rows,
        *seqs = apr_array_make(scratch_pool, 0, sizeof(apr_int64_t));
    range_t range = {0};
    int unknown;

    if (!is_stamped(&range, reading)) {
        plain.stamped = NULL;
        reading = &plain;
        CM_TRY(find_ends(&range, node, reading, scratch_pool));
        CM_TRY(check_purged(&range, node, reading, scratch_pool));
        CM_TRY(find_range(&range, node, reading, scratch_pool));
        if (range.count)
            CM_TRY(cm_withheld_find(&seqs, node, reading->peer, reading->after,
                                    range.last, scratch_pool));
    }
    batch->last = range.last;
    batch->more = range.more;
    CM_TRY(read_rows(&unknown, &rows, node, &range, reading, result_pool));
    if (unknown) {
        /* A column may be younger than what this connection remembers. */
        cm_node_forget(node);
        CM_TRY(read_rows(&unknown, &rows, node, &range, reading, result_pool));
    }
    CM_TRY(complete(batch, rows, node, reading, result_pool));
    CM_TRY(withhold(node, reading->peer, rows, scratch_pool));
    CM_TRY(cm_references_name(node, rows, result_pool, scratch_pool));
    send_rows(batch, rows, seqs, reading, result_pool);
    return NULL;
}

cm_error_t *cm_outbox_read(cm_batch_t **batch, cm_node_t *node,
                           const cm_reading_t *reading, apr_pool_t *result_pool,
                           apr_pool_t *scratch_pool)
{
    *batch = apr_pcalloc(result_pool, sizeof(**batch));
    (*batch)->after = reading->after;
    (*batch)->messages = apr_array_make(
        result_pool, reading->limits.messages + 1, sizeof(cm_message_t *));
    CM_TRY_FOR(read_batch(*batch, node, reading, result_pool, scratch_pool),
               scratch_pool, "cannot read the outbox for '%s'", reading->peer);
    return NULL;
}
