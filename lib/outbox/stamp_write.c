/* Writing rows of the outbox that are stamped: see stamp.h. */
#include "outbox/stamp.h"

#include "store/bulk.h"
#include "outbox/read.h"

/* The last one only of what is handed over. */
static const cm_bulk_column_t row_columns[] = {
    {"id", "bigint"},      {"seq", "bigint"},
    {"model", NULL},       {"action", NULL},
    {"clock", "bigint"},   {"clocks", NULL},
    {"base", NULL},        {"origin", NULL},
    {"original_id", NULL}, {"delivered_at", "timestamp"}};

/* Return ROWS, numbered from LAST_SEQ + 1, as cm_outbox_read() would read
 * them; NULL when it must. */
static const cm_rows_t *keep_rows(const cm_stamp_t *stamp,
                                  const apr_array_header_t *rows,
                                  apr_int64_t last_seq)
{
    const int columns = CM_OUTBOX_COLUMNS;
    apr_pool_t *pool = stamp->pool;
    cm_datum_t *cells =
        apr_palloc(pool, rows->nelts * columns * sizeof(*cells));
    cm_rows_t *kept = apr_palloc(pool, sizeof(*kept));
    int i;

    *kept = (cm_rows_t){rows->nelts, columns, cells};
    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (!row->body.data)
            return NULL;
        *cells++ = cm_datum_number(++last_seq, pool);
        *cells++ = cm_datum_text(row->action);
        *cells++ = cm_datum_number(row->clock, pool);
        *cells++ = cm_datum_text(row->clocks);
        *cells++ = cm_datum_text(row->base);
        *cells++ = cm_datum_text(NULL);
        *cells++ = cm_datum_text(row->identity.origin);
        *cells++ = cm_datum_text(row->identity.original_id);
        *cells++ = cm_datum_text(NULL);
        *cells++ = row->body;
        *cells++ = cm_datum_text(row->local_id);
    }
    return kept;
}

cm_error_t *cm_stamp_write(cm_stamp_t *stamp, const apr_array_header_t *rows,
                           apr_int64_t last_seq, apr_pool_t *scratch_pool)
{
    const int handed_over = stamp->stamping->peer != NULL;
    const cm_datum_t now = cm_datum_moment(cm_clocks_now(), scratch_pool);
    cm_bulk_t *bulk = cm_bulk_create("outbound_messages", row_columns,
                                     9 + handed_over, 1, scratch_pool);
    const apr_int64_t before = last_seq;
    apr_int64_t updated;
    int i;

    cm_bulk_reserve(bulk, rows->nelts);
    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        cm_bulk_row(bulk, "nnttntttt", row->id, ++last_seq, row->model,
                    row->action ? row->action : "update", row->clock,
                    row->clocks, row->base, row->identity.origin,
                    row->identity.original_id);
        if (handed_over)
            cm_bulk_add(bulk, now);
    }
    CM_TRY(cm_bulk_update(&updated, stamp->node->store, bulk, scratch_pool));
    if (updated != rows->nelts)
        return CM_FAIL(scratch_pool, CM_BUSY,
                       "%d messages were to be stamped, but only "
                       "%" APR_INT64_T_FMT " are still there",
                       rows->nelts, updated);
    CM_TRY(
        cm_aliases_bury(&last_seq, stamp->node, stamp->burials, scratch_pool));
    if (handed_over && last_seq == before + rows->nelts)
        stamp->stamping->rows = keep_rows(stamp, rows, before);
    return cm_node_set_stamped(stamp->node, last_seq, scratch_pool);
}
