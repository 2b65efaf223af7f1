/* Reading the outbox for a peer: first what fits, then the messages. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "node/batches.h"
#include "node/peer.h"
#include "outbox/unpack.h"
#include "outbox/withheld.h"

#define FROM_OTHERS "(source IS NULL OR source <> %s)"

/* The messages that go into a batch. */
typedef struct range_t {
    apr_int64_t first, highest; /* rows: the next, the last one; 0: none */
    cm_batches_range_t packed;  /* the next batch */
    apr_int64_t until;          /* where the rows end; 0: nowhere */
    apr_int64_t last;
    int count, more;
} range_t;

/* Find the first row above reading->after. (The first of all rows would be
 * searched for among those that a purge has removed.) */
static cm_error_t *find_first(range_t *range, cm_node_t *node,
                              const cm_reading_t *reading, apr_pool_t *pool)
{
    return cm_statement_number(&range->first, node->store,
                               apr_psprintf(pool,
                                            "SELECT seq FROM outbound_messages"
                                            " WHERE seq > %" APR_INT64_T_FMT
                                            " ORDER BY seq LIMIT 1",
                                            reading->after),
                               NULL, 0, pool);
}

/* Find the first row and the last one, and the next batch. Where no row has a
 * number, MariaDB would search for the last one among those that had none, and
 * are gone. Rows before the batch may have come after the first search. */
static cm_error_t *find_ends(range_t *range, cm_node_t *node,
                             const cm_reading_t *reading, apr_pool_t *pool)
{
    CM_TRY(find_first(range, node, reading, pool));
    if (range->first)
        CM_TRY(cm_statement_number(&range->highest, node->store,
                                   "SELECT " CM_OUTBOX_HIGHEST, NULL, 0, pool));
    CM_TRY(cm_batches_find(&range->packed, node, reading->after, pool));
    if (!range->first && range->packed.first > reading->after + 1)
        CM_TRY(find_first(range, node, reading, pool));
    range->until = range->packed.first ? range->packed.first - 1 : 0;
    if (reading->until && (!range->until || reading->until < range->until))
        range->until = reading->until;
    return NULL;
}

/* Return whether the next messages are in a batch. */
static int is_packed(const range_t *range)
{
    return range->packed.first &&
           (!range->first || range->first > range->packed.first);
}

/* Return whether RANGE begins with the message NEXT. */
static int has_next(const range_t *range, apr_int64_t next)
{
    return range->first == next ||
           (range->packed.first && range->packed.first <= next);
}

/* Refuse a peer that asks again for what it had confirmed and what is purged
 * here. What it has confirmed since RANGE was found, by another run, came only
 * then, too: so that is looked for once more. */
static cm_error_t *check_purged(range_t *range, cm_node_t *node,
                                const cm_reading_t *reading, apr_pool_t *pool)
{
    const apr_int64_t next = reading->after + 1;
    cm_error_t *err;
    cm_peer_t *peer;

    if (reading->fit || has_next(range, next)) /* a gem accepts gaps */
        return NULL;
    CM_TRY(cm_peer_load(&peer, node, reading->peer, 0, pool));
    if (reading->after >= peer->confirmed)
        return NULL;
    CM_TRY(find_ends(range, node, reading, pool));
    if (has_next(range, next))
        return NULL;
    err = CM_FAIL(pool, CM_EPOCH,
                  "peer '%s' wants message %" APR_INT64_T_FMT
                  " again, which it had confirmed and which is purged here",
                  reading->peer, next);
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
                     range->until ? range->until : range->highest, FROM_OTHERS,
                     reading->limits.messages + 1),
        &peer, 1, pool));
    for (i = 0; i < rows->count && i < reading->limits.messages; i++) {
        bytes += cm_cell_number(rows, i, 1) + CM_OUTBOX_MESSAGE_BYTES;
        if (i && bytes > reading->limits.bytes)
            break;
        range->last = cm_cell_number(rows, i, 0);
    }
    range->count = i;
    range->more = i < rows->count;
    if (!range->more)
        range->last = range->until ? range->until : range->highest;
    if (range->last < reading->after)
        range->last = reading->after;
    return NULL;
}

static cm_error_t *select_rows(cm_rows_t **rows, cm_node_t *node,
                               const range_t *range,
                               const cm_reading_t *reading, apr_pool_t *pool)
{
    cm_datum_t peer = cm_datum_text(reading->peer);

    return cm_statement_select(
        rows, node->store,
        apr_psprintf(pool,
                     "SELECT seq, action, clock, clocks, base, refs, origin,"
                     " original_id, source, body, local_record_id"
                     " FROM outbound_messages WHERE seq > %" APR_INT64_T_FMT
                     " AND seq <= %" APR_INT64_T_FMT " AND " FROM_OTHERS
                     " ORDER BY seq LIMIT %d",
                     reading->after, range->last, "%s", range->count),
        &peer, 1, pool);
}

static cm_outbox_row_t stored_row(const cm_rows_t *rows, int i)
{
    return (cm_outbox_row_t){
        .seq = cm_cell_number(rows, i, 0),
        .action = cm_cell_text(rows, i, 1),
        .clock = cm_cell_number(rows, i, 2),
        .clocks = cm_cell_text(rows, i, 3),
        .base = cm_cell_text(rows, i, 4),
        .refs = cm_cell_text(rows, i, 5),
        .identity = {cm_cell_text(rows, i, 6), cm_cell_text(rows, i, 7)},
        .forwarded = cm_cell_text(rows, i, 8) != NULL,
        .body = *cm_cell(rows, i, 9),
        .local_id = cm_cell_text(rows, i, 10)};
}

static cm_error_t *read_rows(int *unknown, apr_array_header_t **found,
                             cm_node_t *node, const range_t *range,
                             const cm_reading_t *reading, apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    *unknown = 0;
    *found = apr_array_make(pool, range->count + 1, sizeof(cm_outgoing_t));
    if (!range->count)
        return NULL;
    CM_TRY(select_rows(&rows, node, range, reading, pool));
    for (i = 0; i < rows->count; i++) {
        const cm_outbox_row_t stored = stored_row(rows, i);

        CM_TRY(cm_outgoing_make(unknown, apr_array_push(*found), node, &stored,
                                pool));
    }
    return NULL;
}

static void leave_out(const cm_reading_t *reading, const cm_outgoing_t *row)
{
    if (reading->left_out)
        APR_ARRAY_PUSH(reading->left_out, cm_outgoing_t) = *row;
}

/* Put ROW into the batch, or count why it is not sent. */
static void send_row(cm_batch_t *batch, cm_outgoing_t *row,
                     const cm_reading_t *reading, apr_pool_t *pool)
{
    cm_message_t *message = &row->message;

    if (!row->held && reading->fit)
        reading->fit(row, reading->peer, pool);
    if (!row->held && (reading->fit || !row->forwarded))
        cm_outgoing_write_body(row, pool);
    if (row->held) {
        if (!batch->held_back++)
            batch->held_reason = row->held;
        leave_out(reading, row);
        return;
    }
    if (!batch->messages->nelts)
        batch->first_seq = message->id;
    if (reading->first_id)
        message->id = reading->first_id + batch->messages->nelts;
    APR_ARRAY_PUSH(batch->messages, cm_message_t *) = message;
}

/* ROW is withheld from the peer. */
static void withheld_row(cm_batch_t *batch, const cm_outgoing_t *row,
                         const cm_reading_t *reading)
{
    leave_out(reading, row);
    if (row->held && !batch->held_back++)
        batch->held_reason = row->held;
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
        else
            withheld_row(batch, row, reading);
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

/* Read the rows of RANGE into BATCH. */
static cm_error_t *read_stored(cm_batch_t *batch, range_t *range,
                               cm_node_t *node, const cm_reading_t *reading,
                               apr_pool_t *result_pool,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *rows,
        *seqs = apr_array_make(scratch_pool, 0, sizeof(apr_int64_t));
    int unknown;

    CM_TRY(find_range(range, node, reading, scratch_pool));
    if (range->count)
        CM_TRY(cm_withheld_find(&seqs, node, reading->peer, reading->after,
                                range->last, scratch_pool));
    batch->last = range->last;
    batch->more = range->more;
    CM_TRY(read_rows(&unknown, &rows, node, range, reading, result_pool));
    if (unknown) {
        /* A column may be younger than what this connection remembers. */
        cm_node_forget(node);
        CM_TRY(read_rows(&unknown, &rows, node, range, reading, result_pool));
    }
    CM_TRY(complete(batch, rows, node, reading, result_pool));
    CM_TRY(withhold(node, reading->peer, rows, scratch_pool));
    CM_TRY(cm_references_name(node, NULL, rows, result_pool, scratch_pool));
    send_rows(batch, rows, seqs, reading, result_pool);
    return NULL;
}

/* Add the messages above batch->last to BATCH, as far as there is room. */
static void take(cm_batch_t *batch, const apr_array_header_t *messages,
                 apr_int64_t *bytes, const cm_limits_t *limits)
{
    int i;

    for (i = 0; i < messages->nelts; i++) {
        cm_message_t *message = APR_ARRAY_IDX(messages, i, cm_message_t *);

        if (message->id <= batch->last)
            continue;
        *bytes += message->body_size + CM_OUTBOX_MESSAGE_BYTES;
        batch->more = batch->messages->nelts >= limits->messages ||
                      (batch->messages->nelts && *bytes > limits->bytes);
        if (batch->more)
            return;
        if (!batch->messages->nelts)
            batch->first_seq = message->id;
        APR_ARRAY_PUSH(batch->messages, cm_message_t *) = message;
        batch->last = message->id;
    }
}

/* Read what follows in batches into BATCH, up to where a row follows. */
static cm_error_t *read_packed(cm_batch_t *batch, const range_t *range,
                               cm_node_t *node, const cm_reading_t *reading,
                               apr_pool_t *pool)
{
    cm_batches_range_t packed = range->packed;
    apr_array_header_t *messages;
    apr_int64_t bytes = 0;

    batch->last = packed.first - 1;
    if (batch->last < reading->after)
        batch->last = reading->after;
    while (packed.first && packed.first <= batch->last + 1 && !batch->more) {
        CM_TRY(cm_batches_read(&messages, &packed, node, batch->last, pool));
        take(batch, messages, &bytes, &reading->limits);
        CM_TRY(cm_batches_find(&packed, node, batch->last, pool));
    }
    if (packed.first || range->highest > batch->last)
        batch->more = 1;
    return NULL;
}

static cm_error_t *read_batch(cm_batch_t *batch, cm_node_t *node,
                              const cm_reading_t *reading,
                              apr_pool_t *result_pool, apr_pool_t *scratch_pool)
{
    range_t range = {0};

    if (reading->fit)
        CM_TRY(cm_unpack_each(node, reading->after, scratch_pool));
    CM_TRY(find_ends(&range, node, reading, scratch_pool));
    CM_TRY(check_purged(&range, node, reading, scratch_pool));
    if (!is_packed(&range)) {
        CM_TRY(read_stored(batch, &range, node, reading, result_pool,
                           scratch_pool));
        if (!range.packed.first || batch->more)
            return NULL;
        batch->more = batch->messages->nelts > 0;
        if (batch->more)
            return NULL;
    }
    return read_packed(batch, &range, node, reading, result_pool);
}

/* Give what was just stamped as BATCH, if that is what is wanted. */
static int is_stamped(cm_batch_t *batch, const cm_reading_t *reading)
{
    const cm_stamped_t *stamped = reading->stamped;
    apr_int64_t bytes = 0;

    if (!stamped || reading->until || reading->fit ||
        APR_ARRAY_IDX(stamped->messages, 0, cm_message_t *)->id !=
            reading->after + 1)
        return 0;
    batch->last = reading->after;
    take(batch, stamped->messages, &bytes, &reading->limits);
    if (!batch->more)
        batch->packed = stamped->packed;
    return 1;
}

cm_error_t *cm_outbox_read(cm_batch_t **batch, cm_node_t *node,
                           const cm_reading_t *reading, apr_pool_t *result_pool,
                           apr_pool_t *scratch_pool)
{
    *batch = apr_pcalloc(result_pool, sizeof(**batch));
    (*batch)->after = reading->after;
    (*batch)->messages = apr_array_make(
        result_pool, reading->limits.messages + 1, sizeof(cm_message_t *));
    if (is_stamped(*batch, reading))
        return NULL;
    CM_TRY_FOR(read_batch(*batch, node, reading, result_pool, scratch_pool),
               scratch_pool, "cannot read the outbox for '%s'", reading->peer);
    return NULL;
}
