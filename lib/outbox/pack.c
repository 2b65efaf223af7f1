/* Rows that get their numbers and become a batch: see internal.h. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"
#include "record/packed.h"
#include "node/batches.h"

/* Return the names of the configured peers, as in SQL. */
static const char *peers_of(const cm_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *peers = node->settings->peers;
    const char *names = "''";
    int i;

    for (i = 0; i < peers->nelts; i++)
        names = apr_pstrcat(
            pool, names, ", ",
            cm_store_literal(
                node->store,
                APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *)->name,
                pool),
            NULL);
    return names;
}

/* That is so while nothing is withheld, no peer is a gem, and no row is under
 * way. References of rows without a body are translated when they are read, and
 * need the rows that followed them. A peer that is not configured any more
 * would keep them rows for ever. */
cm_error_t *cm_pack_is_wanted(int *wanted, cm_node_t *node,
                              apr_pool_t *scratch_pool)
{
    const char *names = peers_of(node, scratch_pool);
    apr_int64_t rows_needed;

    *wanted = 0;
    if (node->history == CM_HISTORY_ROWS)
        return NULL;
    CM_TRY(cm_statement_number(
        &rows_needed, node->store,
        apr_pstrcat(
            scratch_pool,
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM communicator_withheld"
            " WHERE ended_at = 0 AND peer IN (",
            names,
            ")) OR EXISTS (SELECT 1 FROM communicator_peers"
            " WHERE epoch IS NULL AND name IN (",
            names,
            ")) OR EXISTS (SELECT 1 FROM outbound_messages"
            " WHERE seq > (SELECT coalesce(min(confirmed), 0)"
            " FROM communicator_peers WHERE name IN (",
            names, "))) THEN 1 ELSE 0 END", NULL),
        NULL, 0, scratch_pool));
    *wanted = !rows_needed;
    return NULL;
}

/* Return whether ROWS have all that a batch needs: their bodies, and records
 * that this node has made or keeps. A delete under several names (match=) has
 * messages of its own. */
static int are_plain(const cm_stamp_t *stamp, const apr_array_header_t *rows)
{
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (!row->body.data || !row->group || !row->identity.origin ||
            row->clock <= 0)
            return 0;
    }
    return !stamp->burials->nelts;
}

/* Make the messages of ROWS (*MADE: cm_outgoing_t), numbered from LAST_SEQ + 1.
 * *PLAIN is 0 when one of them is not sent, or is not complete. */
static cm_error_t *make_messages(apr_array_header_t **made, int *plain,
                                 const cm_stamp_t *stamp,
                                 const apr_array_header_t *rows,
                                 apr_int64_t last_seq)
{
    apr_pool_t *pool = stamp->pool;
    int i, unknown = 0;

    *plain = 1;
    *made = apr_array_make(pool, rows->nelts, sizeof(cm_outgoing_t));
    for (i = 0; i < rows->nelts && *plain; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);
        const cm_outbox_row_t stored = cm_stamp_stored(row, last_seq + 1 + i);
        cm_outgoing_t *outgoing = apr_array_push(*made);

        CM_TRY(
            cm_outgoing_make(&unknown, outgoing, stamp->node, &stored, pool));
        *plain = !unknown && !outgoing->held && !outgoing->unreadable;
    }
    return NULL;
}

/* Write the messages of MADE into TEXT as a JSON list. Each keeps its own piece
 * of it. */
static void write_text(cm_buffer_t *text, apr_array_header_t *made,
                       apr_pool_t *pool)
{
    apr_size_t *starts = apr_palloc(pool, made->nelts * sizeof(*starts));
    int i;

    for (i = 0; i < made->nelts; i++) {
        cm_outgoing_t *row = &APR_ARRAY_IDX(made, i, cm_outgoing_t);

        cm_outgoing_write_body(row, pool);
        starts[i] = text->size + 1; /* behind a bracket or a comma */
        cm_message_write(text, &row->message, 0);
        row->message.text_size = text->size - starts[i];
    }
    cm_buffer_append(text, "]", 1);
    for (i = 0; i < made->nelts; i++)
        APR_ARRAY_IDX(made, i, cm_outgoing_t).message.text =
            text->data + starts[i];
}

/* Return when the first of ROWS was made; 0: it was published. */
static apr_int64_t oldest_of(const apr_array_header_t *rows)
{
    const cm_stamp_row_t *first = &APR_ARRAY_IDX(rows, 0, cm_stamp_row_t);

    return first->changed && !apr_hash_count(first->changed) ? 0 : first->clock;
}

/* Return MADE for cm_outbox_read(). */
static const cm_stamped_t *stamped(const apr_array_header_t *made,
                                   const cm_buffer_t *packed, apr_pool_t *pool)
{
    cm_stamped_t *stamped = apr_palloc(pool, sizeof(*stamped));
    int i;

    stamped->packed = packed;
    stamped->messages =
        apr_array_make(pool, made->nelts, sizeof(cm_message_t *));
    for (i = 0; i < made->nelts; i++)
        APR_ARRAY_PUSH(stamped->messages, cm_message_t *) =
            &APR_ARRAY_IDX(made, i, cm_outgoing_t).message;
    return stamped;
}

/* Keep the messages of MADE, which ROWS have become. */
static cm_error_t *keep(cm_stamp_t *stamp, const apr_array_header_t *rows,
                        apr_array_header_t *made, apr_pool_t *scratch_pool)
{
    cm_buffer_t *text = cm_buffer_create(256 * 1024, stamp->pool);
    const cm_message_t *last =
        &APR_ARRAY_IDX(made, made->nelts - 1, cm_outgoing_t).message;
    cm_batches_row_t batch = {
        .numbers = {APR_ARRAY_IDX(made, 0, cm_outgoing_t).message.id, last->id,
                    oldest_of(rows)},
        .clock = last->clocks.clock};

    write_text(text, made, stamp->pool);
    batch.wire = cm_packed_wire(text, stamp->pool);
    CM_TRY(cm_take_away(stamp, rows, scratch_pool));
    CM_TRY(cm_batches_keep(stamp->node, &batch, scratch_pool));
    stamp->stamping->stamped =
        stamped(made, batch.wire == text ? NULL : batch.wire, stamp->pool);
    return cm_node_set_stamped(stamp->node, last->id, scratch_pool);
}

cm_error_t *cm_pack_rows(int *packed, cm_stamp_t *stamp,
                         const apr_array_header_t *rows, apr_int64_t last_seq,
                         apr_pool_t *scratch_pool)
{
    apr_array_header_t *made;

    *packed = 0;
    if (!are_plain(stamp, rows))
        return NULL;
    CM_TRY(cm_pack_is_wanted(packed, stamp->node, scratch_pool));
    if (*packed)
        CM_TRY(make_messages(&made, packed, stamp, rows, last_seq));
    if (!*packed)
        return NULL;
    CM_TRY(cm_references_name(stamp->node, stamp, made, stamp->pool,
                              scratch_pool));
    return keep(stamp, rows, made, scratch_pool);
}
