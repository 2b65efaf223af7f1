/* The rows of inbound_messages: see cm_inbox_rows.h. */
#include "cm_inbox_rows.h"

#include <stdlib.h>

#include <apr_strings.h>

#define PAGE_ROWS  500
#define PAGE_BYTES (4 * 1024 * 1024)

/* Append how the item stands: processed_at, attempts, error, transient. */
static void add_outcome(cm_bulk_t *bulk, const cm_item_t *item, int attempts,
                        cm_datum_t now, apr_pool_t *pool)
{
    const cm_error_t *err = item->done ? NULL : item->error;

    cm_bulk_add(bulk, item->done ? now : cm_datum_text(NULL));
    cm_bulk_add(bulk, cm_datum_number(attempts, pool));
    cm_bulk_add(bulk, cm_datum_text(err ? cm_error_text(err, pool) : NULL));
    cm_bulk_add(bulk,
                cm_datum_number(err && cm_code_is_transient(err->code), pool));
}

/* What cannot be read is kept as it came: its body may be no text at all. */
static cm_datum_t body_of(const cm_message_t *message)
{
    if (message->error || !message->body)
        return (cm_datum_t){message->text, message->text_size, 0};
    return (cm_datum_t){message->body, message->body_size, 0};
}

static void add_message(cm_bulk_t *bulk, cm_run_t *run, const cm_item_t *item,
                        apr_pool_t *pool)
{
    const cm_message_t *message = item->message;
    int ours = !message->error && !message->from_gem;

    cm_bulk_add(bulk, cm_datum_text(run->peer));
    cm_bulk_add(bulk, cm_datum_number(message->id, pool));
    cm_bulk_add(bulk, cm_datum_text(message->model));
    cm_bulk_add(bulk, cm_datum_text(message->identity.origin));
    cm_bulk_add(bulk, cm_datum_text(message->identity.original_id));
    cm_bulk_add(bulk, cm_datum_text(cm_action_name(message->action)));
    cm_bulk_add(bulk, body_of(message));
    cm_bulk_add(bulk, ours ? cm_datum_number(message->clocks.clock, pool)
                           : cm_datum_text(NULL));
    cm_bulk_add(
        bulk,
        cm_datum_text(ours ? cm_clocks_list(&message->clocks, pool) : NULL));
    cm_bulk_add(
        bulk, cm_datum_text(ours ? cm_message_base_text(message, pool) : NULL));
    cm_bulk_add(
        bulk, cm_datum_text(ours ? cm_message_refs_text(message, pool) : NULL));
    cm_bulk_add(bulk, cm_datum_number(item->arrived, pool));
}

static cm_error_t *insert_new(cm_run_t *run, apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"peer", "text"},
                                               {"id", "bigint"},
                                               {"model", "text"},
                                               {"origin", "text"},
                                               {"original_id", "text"},
                                               {"action", "text"},
                                               {"body", "text"},
                                               {"clock", "bigint"},
                                               {"clocks", "text"},
                                               {"base", "text"},
                                               {"refs", "text"},
                                               {"received_at", "bigint"},
                                               {"processed_at", "timestamp"},
                                               {"attempts", "integer"},
                                               {"error", "text"},
                                               {"transient", "integer"}};
    cm_bulk_t *bulk =
        cm_bulk_create("inbound_messages", columns,
                       sizeof(columns) / sizeof(*columns), 2, scratch_pool);
    const cm_datum_t now = cm_datum_moment(cm_clock_now(), scratch_pool);
    apr_int64_t inserted;
    int i;

    cm_bulk_reserve(bulk, run->items->nelts);
    for (i = 0; i < run->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(run->items, i, cm_item_t);

        if (item->kept)
            continue;
        add_message(bulk, run, item, scratch_pool);
        add_outcome(bulk, item, 1, now, scratch_pool);
    }
    if (!cm_bulk_rows(bulk))
        return NULL;
    return cm_bulk_insert(&inserted, run->node->store, bulk, CM_PRESENT_FAIL,
                          scratch_pool);
}

cm_error_t *cm_inbox_keep(cm_run_t *run, int attempts, apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"peer", "text"},
                                               {"id", "bigint"},
                                               {"processed_at", "timestamp"},
                                               {"attempts", "integer"},
                                               {"error", "text"},
                                               {"transient", "integer"}};
    cm_bulk_t *bulk =
        cm_bulk_create("inbound_messages", columns,
                       sizeof(columns) / sizeof(*columns), 2, scratch_pool);
    const cm_datum_t now = cm_datum_moment(cm_clock_now(), scratch_pool);
    apr_int64_t updated;
    int i;

    for (i = 0; i < run->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(run->items, i, cm_item_t);

        if (!item->kept || (!item->done && !attempts))
            continue;
        cm_bulk_add(bulk, cm_datum_text(run->peer));
        cm_bulk_add(bulk, cm_datum_number(item->message->id, scratch_pool));
        add_outcome(bulk, item, item->attempts + 1, now, scratch_pool);
    }
    if (cm_bulk_rows(bulk))
        CM_TRY(cm_bulk_update(&updated, run->node->store, bulk, scratch_pool));
    return insert_new(run, scratch_pool);
}

static const char wanted[] =
    "t.id, t.model, t.origin, t.original_id, t.action, t.body, t.clock,"
    " t.clocks, t.base, t.refs, t.received_at, t.attempts";

/* Add the message in a row of WANTED. */
static void add_row(cm_run_t *run, const cm_rows_t *rows, int row)
{
    cm_message_t *message = apr_pcalloc(run->pool, sizeof(*message));
    const cm_datum_t *body = cm_cell(rows, row, 5);
    const char *action = cm_cell_text(rows, row, 4);
    int attempts = (int)cm_cell_number(rows, row, 11);

    message->id = cm_cell_number(rows, row, 0);
    message->identity.origin = cm_cell_text(rows, row, 2);
    message->identity.original_id = cm_cell_text(rows, row, 3);
    message->action = CM_UPDATE;
    if (action)
        (void)cm_action_read(&message->action, action);
    message->clocks.clock = cm_cell_number(rows, row, 6);
    message->error = cm_message_read_stored(
        message, body->data ? body->data : "", body->size,
        cm_cell_text(rows, row, 7), cm_cell_text(rows, row, 8),
        cm_cell_text(rows, row, 9), run->pool);
    message->model = cm_cell_text(rows, row, 1);
    cm_run_add(run, message, cm_cell_number(rows, row, 10),
               attempts > 0 ? attempts : 1);
}

static int compare_items(const void *a, const void *b)
{
    apr_int64_t first = (*(cm_item_t *const *)a)->message->id;
    apr_int64_t second = (*(cm_item_t *const *)b)->message->id;

    return (first > second) - (first < second);
}

/* Return whether anything of the run's peer is parked: mostly not. */
static cm_error_t *any_parked(int *any, const cm_run_t *run,
                              apr_pool_t *scratch_pool)
{
    const cm_datum_t peer = cm_datum_text(run->peer);
    cm_rows_t *rows;

    CM_TRY(cm_store_select(&rows, run->node->store,
                           "SELECT id FROM inbound_messages WHERE peer = %s"
                           " AND processed_at IS NULL LIMIT 1",
                           &peer, 1, scratch_pool));
    *any = rows->count;
    return NULL;
}

cm_error_t *cm_inbox_add_same(cm_run_t *run, const apr_array_header_t *messages,
                              apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"peer", "text"},
                                               {"model", "text"},
                                               {"origin", "text"},
                                               {"original_id", "text"}};
    cm_bulk_t *keys =
        cm_bulk_create("inbound_messages", columns, 4, 4, scratch_pool);
    apr_hash_t *seen = apr_hash_make(scratch_pool);
    cm_rows_t *rows;
    int any, i;

    CM_TRY(any_parked(&any, run, scratch_pool));
    for (i = 0; any && i < messages->nelts; i++) {
        const cm_message_t *message = CM_NTH(messages, i, cm_message_t);
        const char *key = apr_pstrcat(
            scratch_pool, message->model ? message->model : "", "\n",
            cm_identity_key(message->identity, scratch_pool), NULL);

        if (!message->model || !message->identity.origin ||
            apr_hash_get(seen, key, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, key, APR_HASH_KEY_STRING, message);
        cm_bulk_add(keys, cm_datum_text(run->peer));
        cm_bulk_add(keys, cm_datum_text(message->model));
        cm_bulk_add(keys, cm_datum_text(message->identity.origin));
        cm_bulk_add(keys, cm_datum_text(message->identity.original_id));
    }
    if (!cm_bulk_rows(keys))
        return NULL;
    CM_TRY(cm_bulk_select(&rows, run->node->store, wanted, keys,
                          "t.processed_at IS NULL", 0, run->pool));
    for (i = 0; i < rows->count; i++)
        add_row(run, rows, i);
    qsort(run->items->elts, run->items->nelts, sizeof(cm_item_t *),
          compare_items);
    return NULL;
}

static int most_of(const cm_page_t *page)
{
    return page->most ? page->most : PAGE_ROWS;
}

/* Find where the page ends, by the sizes of its messages. */
static cm_error_t *measure(apr_int64_t *last, cm_run_t *run, cm_page_t *page,
                           const char *which, apr_pool_t *scratch_pool)
{
    const cm_datum_t peer = cm_datum_text(run->peer);
    apr_int64_t size = 0;
    cm_rows_t *rows;

    CM_TRY(cm_store_select(
        &rows, run->node->store,
        apr_psprintf(scratch_pool,
                     "SELECT id, length(body) FROM inbound_messages WHERE"
                     " peer = %%s AND id > %" APR_INT64_T_FMT
                     " AND processed_at IS NULL%s ORDER BY id LIMIT %d",
                     page->after, which, most_of(page)),
        &peer, 1, scratch_pool));
    for (page->count = 0; page->count < rows->count; page->count++) {
        size += cm_cell_number(rows, page->count, 1);
        if (size > PAGE_BYTES && page->count > 0)
            break;
        *last = cm_cell_number(rows, page->count, 0);
    }
    return NULL;
}

cm_error_t *cm_inbox_add_page(cm_run_t *run, cm_page_t *page, int waiting,
                              apr_pool_t *scratch_pool)
{
    const char *which = waiting ? " AND transient = 1" : "";
    const cm_datum_t peer = cm_datum_text(run->peer);
    apr_int64_t last = 0;
    cm_rows_t *rows;
    int i;

    CM_TRY(measure(&last, run, page, which, scratch_pool));
    if (!page->count)
        return NULL;
    CM_TRY(cm_store_select(
        &rows, run->node->store,
        apr_psprintf(scratch_pool,
                     "SELECT %s FROM inbound_messages t WHERE t.peer = %%s"
                     " AND t.id > %" APR_INT64_T_FMT
                     " AND t.id <= %" APR_INT64_T_FMT
                     " AND t.processed_at IS NULL%s ORDER BY t.id",
                     wanted, page->after, last, which),
        &peer, 1, run->pool));
    for (i = 0; i < rows->count; i++)
        add_row(run, rows, i);
    page->after = last;
    return NULL;
}

cm_error_t *cm_inbox_add_ids(cm_run_t *run, cm_page_t *page,
                             const apr_array_header_t *ids,
                             apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"peer", "text"},
                                               {"id", "bigint"}};
    cm_bulk_t *keys =
        cm_bulk_create("inbound_messages", columns, 2, 2, scratch_pool);
    cm_rows_t *rows;
    int i;

    page->count = 0;
    for (i = page->after; i < ids->nelts && page->count < most_of(page); i++) {
        cm_bulk_add(keys, cm_datum_text(run->peer));
        cm_bulk_add(keys, cm_datum_number(APR_ARRAY_IDX(ids, i, apr_int64_t),
                                          scratch_pool));
        page->count++;
    }
    page->after = i;
    if (!page->count)
        return NULL;
    CM_TRY(cm_bulk_select(&rows, run->node->store, wanted, keys,
                          "t.processed_at IS NULL", 0, run->pool));
    for (i = 0; i < rows->count; i++)
        add_row(run, rows, i);
    qsort(run->items->elts, run->items->nelts, sizeof(cm_item_t *),
          compare_items);
    return NULL;
}
