/* Batches of messages: see batches.h. */
#include "node/batches.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "record/packed.h"

#define FMT "%" APR_INT64_T_FMT

cm_error_t *cm_batches_keep(cm_node_t *node, const cm_batches_row_t *batch,
                            apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {
        {"last_seq", "bigint"}, {"first_seq", "bigint"}, {"clock", "bigint"},
        {"oldest", "bigint"},   {"made_at", "bigint"},   {"wire", "bytea"}};
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_batches", columns,
                       sizeof(columns) / sizeof(*columns), 1, scratch_pool);

    cm_bulk_row(
        bulk, "nnnnnd", batch->numbers.last, batch->numbers.first, batch->clock,
        batch->numbers.oldest, (apr_int64_t)cm_clock_now(),
        (cm_datum_t){batch->wire->data, batch->wire->size, CM_DATUM_BYTES});
    return cm_bulk_insert(NULL, node->store, bulk, CM_PRESENT_FAIL,
                          scratch_pool);
}

/* Return what the first columns of ROWS say of a batch. */
static cm_batches_range_t range_of(const cm_rows_t *rows)
{
    return (cm_batches_range_t){cm_cell_number(rows, 0, 0),
                                cm_cell_number(rows, 0, 1),
                                cm_cell_number(rows, 0, 2)};
}

cm_error_t *cm_batches_find(cm_batches_range_t *range, cm_node_t *node,
                            apr_int64_t after, apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(&rows, node->store,
                               apr_psprintf(scratch_pool,
                                            "SELECT first_seq, last_seq, oldest"
                                            " FROM communicator_batches"
                                            " WHERE last_seq > " FMT
                                            " ORDER BY last_seq LIMIT 1",
                                            after),
                               NULL, 0, scratch_pool));
    *range = (cm_batches_range_t){0};
    if (rows->count)
        *range = range_of(rows);
    return NULL;
}

/* Number MESSAGES from FIRST on. They may have been renumbered since they were
 * packed (`epoch --new`). */
static void number(const apr_array_header_t *messages, apr_int64_t first)
{
    int i;

    for (i = 0; i < messages->nelts; i++) {
        cm_message_t *message = APR_ARRAY_IDX(messages, i, cm_message_t *);

        if (message->id == first + i)
            continue;
        message->id = first + i;
        message->text = NULL;
    }
}

cm_error_t *cm_batches_read(apr_array_header_t **messages,
                            cm_batches_range_t *range, cm_node_t *node,
                            apr_int64_t after, apr_pool_t *result_pool)
{
    const cm_datum_t *digits;
    cm_buffer_t *text;
    cm_rows_t *rows;

    *range = (cm_batches_range_t){0};
    *messages = apr_array_make(result_pool, 1, sizeof(cm_message_t *));
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(result_pool,
                     "SELECT first_seq, last_seq, oldest, %s"
                     " FROM communicator_batches"
                     " WHERE last_seq > " FMT " ORDER BY last_seq LIMIT 1",
                     cm_dialect_of_store(node->store)->wire_digits, after),
        NULL, 0, result_pool));
    if (!rows->count)
        return NULL;
    *range = range_of(rows);
    digits = cm_cell(rows, 0, 3);
    CM_TRY_FOR(cm_packed_text(&text, digits->data, digits->size, result_pool),
               result_pool, "the batch that ends with " FMT " is damaged",
               range->last);
    CM_TRY_FOR(
        cm_message_read_batch(messages, text->data, text->size, 0, result_pool),
        result_pool, "the batch that ends with " FMT " cannot be read",
        range->last);
    number(*messages, range->first);
    return NULL;
}

cm_error_t *cm_batches_last(apr_int64_t *seq, cm_node_t *node, apr_int64_t last,
                            apr_pool_t *scratch_pool)
{
    cm_batches_range_t range;

    CM_TRY(cm_batches_find(&range, node, last - 1, scratch_pool));
    *seq = last;
    if (range.first && range.first <= last)
        return NULL;
    return cm_statement_number(seq, node->store,
                               apr_psprintf(scratch_pool,
                                            "SELECT max(last_seq) FROM"
                                            " communicator_batches"
                                            " WHERE last_seq <= " FMT,
                                            last),
                               NULL, 0, scratch_pool);
}

cm_error_t *cm_batches_clock(apr_int64_t *clock, cm_node_t *node,
                             apr_int64_t seq, apr_pool_t *scratch_pool)
{
    apr_array_header_t *messages;
    cm_batches_range_t range;

    CM_TRY(cm_statement_number(clock, node->store,
                               apr_psprintf(scratch_pool,
                                            "SELECT clock FROM"
                                            " communicator_batches"
                                            " WHERE last_seq = " FMT,
                                            seq),
                               NULL, 0, scratch_pool));
    if (*clock)
        return NULL;
    CM_TRY(cm_batches_find(&range, node, seq - 1, scratch_pool));
    if (!range.first || range.first > seq)
        return NULL;
    CM_TRY(cm_batches_read(&messages, &range, node, seq - 1, scratch_pool));
    if (range.first && range.first <= seq &&
        seq - range.first < messages->nelts)
        *clock = APR_ARRAY_IDX(messages, seq - range.first, cm_message_t *)
                     ->clocks.clock;
    return NULL;
}

cm_error_t *cm_batches_count(apr_int64_t *count, cm_node_t *node,
                             apr_int64_t after, int most,
                             apr_pool_t *scratch_pool)
{
    return cm_statement_number(
        count, node->store,
        apr_psprintf(scratch_pool,
                     "SELECT sum(last_seq - first_seq + 1) FROM (SELECT"
                     " last_seq, CASE WHEN first_seq > " FMT
                     " THEN first_seq ELSE " FMT " END AS first_seq"
                     " FROM communicator_batches WHERE last_seq > " FMT
                     " ORDER BY last_seq LIMIT %d) AS counted",
                     after, after + 1, after, most),
        NULL, 0, scratch_pool);
}

cm_error_t *cm_batches_renumber(cm_node_t *node, apr_int64_t by,
                                apr_pool_t *scratch_pool)
{
    return cm_statement_run(NULL, node->store,
                            apr_psprintf(scratch_pool,
                                         "UPDATE communicator_batches SET"
                                         " last_seq = last_seq + " FMT
                                         ", first_seq = first_seq + " FMT,
                                         by, by),
                            NULL, 0, scratch_pool);
}
