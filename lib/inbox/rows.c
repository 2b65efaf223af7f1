/* The rows of inbound_messages: see rows.h. */
#include "inbox/rows.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/id_set.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "inbox/inbox.h"
#include "inbox/names.h"

#define PAGE_ROWS  500
#define PAGE_BYTES (4 * 1024 * 1024)

/* Records that are looked for at once among the parked messages. */
#define SAME_AT_ONCE 1000

static const cm_bulk_column_t key_columns[] = {{"peer", "text"},
                                               {"id", "bigint"}};

/* Append what became of ITEM: processed_at, attempts, error, transient. */
static void add_outcome(cm_bulk_t *bulk, const cm_item_t *item, int attempts,
                        cm_datum_t now, apr_pool_t *pool)
{
    const cm_error_t *err = item->applied ? NULL : item->error;

    cm_bulk_row(bulk, "dntn", item->applied ? now : cm_datum_text(NULL),
                (apr_int64_t)attempts, err ? cm_error_text(err, pool) : NULL,
                (apr_int64_t)(err && cm_error_code_is_transient(err->code)));
}

static void add_message(cm_bulk_t *bulk, cm_apply_t *apply,
                        const cm_item_t *item, apr_pool_t *pool)
{
    const cm_message_t *message = item->message;
    int ours = !message->error && !message->from_gem;
    cm_datum_t body = {message->body, message->body_size, 0};

    /* what cannot be read is stored as it was received: it may have no body */
    if (message->error || !message->body)
        body = (cm_datum_t){message->text, message->text_size, 0};
    cm_bulk_row(bulk, "tnttttdztttn", apply->peer, message->id, message->model,
                message->identity.origin, message->identity.original_id,
                cm_message_action_name(message->action), body,
                ours ? message->clocks.clock : 0,
                ours ? cm_clocks_list(&message->clocks, pool) : NULL,
                ours ? cm_message_write_base(message, pool) : NULL,
                ours ? cm_message_write_refs(message, pool) : NULL,
                item->arrived);
}

/* Return whether ITEM needs no row: once applied, it stands in the history
 * (received.h). */
static int is_done(const cm_node_t *node, const cm_item_t *item)
{
    return item->applied && node->history != CM_HISTORY_ROWS;
}

static cm_error_t *insert_new(cm_apply_t *apply, apr_pool_t *scratch_pool)
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

    cm_bulk_reserve(bulk, apply->items->nelts);
    for (i = 0; i < apply->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(apply->items, i, cm_item_t);

        if (item->attempts || is_done(apply->node, item))
            continue;
        add_message(bulk, apply, item, scratch_pool);
        add_outcome(bulk, item, 1, now, scratch_pool);
    }
    if (!cm_bulk_rows(bulk))
        return NULL;
    return cm_bulk_insert(&inserted, apply->node->store, bulk, CM_PRESENT_FAIL,
                          scratch_pool);
}

/* Update the rows of messages that stay in the inbox. */
static cm_error_t *update_rows(const cm_apply_t *apply, int attempts,
                               apr_pool_t *scratch_pool)
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

    for (i = 0; i < apply->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(apply->items, i, cm_item_t);

        if (!item->attempts || is_done(apply->node, item) ||
            (!item->applied && (!attempts || item->comes_along)))
            continue;
        cm_bulk_row(bulk, "tn", apply->peer, item->message->id);
        add_outcome(bulk, item, item->attempts + 1, now, scratch_pool);
    }
    return cm_bulk_rows(bulk) ? cm_bulk_update(&updated, apply->node->store,
                                               bulk, scratch_pool)
                              : NULL;
}

/* Delete the rows of messages that were parked and are applied now. */
static cm_error_t *delete_done(const cm_apply_t *apply,
                               apr_pool_t *scratch_pool)
{
    cm_bulk_t *bulk =
        cm_bulk_create("inbound_messages", key_columns, 2, 2, scratch_pool);
    int i;

    for (i = 0; i < apply->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(apply->items, i, cm_item_t);

        if (item->attempts && is_done(apply->node, item))
            cm_bulk_row(bulk, "tn", apply->peer, item->message->id);
    }
    return cm_bulk_rows(bulk)
               ? cm_bulk_delete(NULL, apply->node->store, bulk, scratch_pool)
               : NULL;
}

cm_error_t *cm_inbox_rows_keep(cm_apply_t *apply, int attempts,
                               apr_pool_t *scratch_pool)
{
    CM_TRY(delete_done(apply, scratch_pool));
    CM_TRY(update_rows(apply, attempts, scratch_pool));
    return insert_new(apply, scratch_pool);
}

static const char wanted[] =
    "t.id, t.model, t.origin, t.original_id, t.action, t.body, t.clock,"
    " t.clocks, t.base, t.refs, t.received_at, t.attempts";

/* Message ID could not be read when it came, and was stored as it was received:
 * read it so again. Returns NULL if BODY is no such message. */
static cm_message_t *read_again(apr_int64_t id, const cm_datum_t *body,
                                apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, "[", body->data, "]", NULL);
    apr_array_header_t *messages;
    cm_message_t *message;

    if (cm_message_read_batch(&messages, text, strlen(text), 1, pool) ||
        messages->nelts != 1)
        return NULL;
    message = APR_ARRAY_IDX(messages, 0, cm_message_t *);
    return message->id == id ? message : NULL;
}

/* Add the message in a row of WANTED. */
static cm_item_t *add_row(cm_apply_t *apply, const cm_rows_t *rows, int row)
{
    cm_message_t *message = apr_pcalloc(apply->pool, sizeof(*message));
    cm_message_t *received = NULL;
    const cm_datum_t *body = cm_cell(rows, row, 5);
    const char *action = cm_cell_text(rows, row, 4);
    int attempts = (int)cm_cell_number(rows, row, 11);

    message->id = cm_cell_number(rows, row, 0);
    message->identity.origin = cm_cell_text(rows, row, 2);
    message->identity.original_id = cm_cell_text(rows, row, 3);
    message->action = CM_UPDATE;
    if (action)
        (void)cm_message_action_read(&message->action, action);
    message->clocks.clock = cm_cell_number(rows, row, 6);
    message->error = cm_message_read_stored(
        message, body->data ? body->data : "", body->size,
        cm_cell_text(rows, row, 7), cm_cell_text(rows, row, 8),
        cm_cell_text(rows, row, 9), apply->pool);
    message->model = cm_cell_text(rows, row, 1);
    if (message->error && body->data)
        received = read_again(message->id, body, apply->pool);
    return cm_apply_add(apply, received ? received : message,
                        cm_cell_number(rows, row, 10),
                        attempts > 0 ? attempts : 1);
}

static int compare_items(const void *a, const void *b)
{
    apr_int64_t first = (*(cm_item_t *const *)a)->message->id;
    apr_int64_t second = (*(cm_item_t *const *)b)->message->id;

    return (first > second) - (first < second);
}

/* With shared keys all lives of a key have one row: a later one must not
 * overtake an earlier one. Others may be given the key of an earlier life. */
static const char *same_key(const char *model, cm_identity_t identity,
                            apr_pool_t *pool)
{
    identity.original_id =
        cm_identity_without_life(NULL, identity.original_id, pool);
    return apr_pstrcat(pool, model, "\n", cm_identity_key(identity, pool),
                       NULL);
}

static int is_named(const cm_message_t *message)
{
    return message->model && message->identity.origin &&
           message->identity.original_id;
}

/* Return whether IDENTITY is a later life of a shared key; LATER: or a life of
 * any key, which may have later ones. */
static int has_lives(const cm_identity_t *identity, int later)
{
    return later || (!strcmp(identity->origin, "*") &&
                     cm_identity_life(identity->original_id) > 1);
}

/* Let MESSAGE be the last about the record IDENTITY, unless a later one is. */
static void set_last(apr_hash_t *last, const cm_message_t *message,
                     cm_identity_t identity, apr_pool_t *pool)
{
    const char *key = same_key(message->model, identity, pool);
    const cm_message_t *other = apr_hash_get(last, key, APR_HASH_KEY_STRING);

    if (!other || other->id < message->id)
        apr_hash_set(last, key, APR_HASH_KEY_STRING, message);
}

/* Return the last of MESSAGES, by their ids, about each record, or about one
 * that continues it (record/message.h): same_key() -> cm_message_t *. */
static apr_hash_t *last_of_each(const apr_array_header_t *messages,
                                apr_pool_t *pool)
{
    apr_hash_t *last = apr_hash_make(pool);
    int i;

    for (i = 0; i < messages->nelts; i++) {
        const cm_message_t *message = CM_NTH(messages, i, cm_message_t);

        if (!is_named(message))
            continue;
        set_last(last, message, message->identity, pool);
        if (message->counterpart.original_id)
            set_last(last, message, message->counterpart, pool);
    }
    return last;
}

/* Records that are looked for among what is parked. */
typedef struct same_t {
    int later;                     /* also behind the last message of each */
    const char *column;            /* what is compared with the ids */
    apr_array_header_t *arguments; /* cm_datum_t: the peer, models, ids */
    int models, ids;
} same_t;

static void add_texts(apr_array_header_t *arguments,
                      const apr_array_header_t *texts)
{
    int i;

    for (i = 0; i < texts->nelts; i++)
        APR_ARRAY_PUSH(arguments, cm_datum_t) =
            cm_datum_text(APR_ARRAY_IDX(texts, i, const char *));
}

/* Add the id of IDENTITY to IDS; LIVES, LATER as below. */
static void add_same_id(cm_id_set_t *ids, const cm_identity_t *identity,
                        int lives, int later, apr_pool_t *pool)
{
    const char *id = identity->original_id;

    if (id && (!lives || has_lives(identity, later)))
        cm_id_set_add(ids,
                      lives ? cm_identity_without_life(NULL, id, pool) : id);
}

/* Collect the records of the MESSAGES from FIRST on, by their ids, for which
 * there is an index. With LIVES those that may have earlier lives, or LATER
 * ones, by their ids without lives. */
static same_t *same_records(const cm_apply_t *apply,
                            const apr_array_header_t *messages, int first,
                            int lives, int later, apr_pool_t *pool)
{
    same_t *same = apr_pcalloc(pool, sizeof(*same));
    cm_id_set_t *models = cm_id_set_create(8, pool);
    cm_id_set_t *ids = cm_id_set_create(64, pool);
    int i;

    for (i = first; i < messages->nelts && i < first + SAME_AT_ONCE; i++) {
        const cm_message_t *message = CM_NTH(messages, i, cm_message_t);

        if (!is_named(message))
            continue;
        cm_id_set_add(models, message->model);
        add_same_id(ids, &message->identity, lives, later, pool);
        add_same_id(ids, &message->counterpart, lives, later, pool);
    }
    same->column = lives ? cm_dialect_of_store(apply->node->store)->without_life
                         : "t.original_id";
    same->later = later;
    same->models = models->ids->nelts;
    same->ids = ids->ids->nelts;
    same->arguments =
        apr_array_make(pool, 1 + same->models + same->ids, sizeof(cm_datum_t));
    APR_ARRAY_PUSH(same->arguments, cm_datum_t) = cm_datum_text(apply->peer);
    add_texts(same->arguments, models->ids);
    add_texts(same->arguments, ids->ids);
    return same;
}

/* Return the ids of the messages in APPLY: "ID" -> the item. */
static apr_hash_t *ids_of(const cm_apply_t *apply, apr_pool_t *pool)
{
    apr_hash_t *ids = apr_hash_make(pool);
    int i;

    for (i = 0; i < apply->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(apply->items, i, cm_item_t);

        apr_hash_set(ids,
                     apr_psprintf(pool, "%" APR_INT64_T_FMT, item->message->id),
                     APR_HASH_KEY_STRING, item);
    }
    return ids;
}

/* Add what is parked about the records of SAME, before the LAST message of each
 * or anywhere. */
static cm_error_t *add_same(cm_apply_t *apply, const same_t *same,
                            apr_hash_t *last, apr_pool_t *scratch_pool)
{
    apr_hash_t *present = ids_of(apply, scratch_pool);
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(
        &rows, apply->node->store,
        apr_pstrcat(scratch_pool, "SELECT ", wanted,
                    " FROM inbound_messages t WHERE t.peer = %s"
                    " AND t.processed_at IS NULL AND t.model IN (",
                    cm_dialect_repeat("%s", ", ", same->models, scratch_pool),
                    ") AND ", same->column, " IN (",
                    cm_dialect_repeat("%s", ", ", same->ids, scratch_pool), ")",
                    NULL),
        (const cm_datum_t *)same->arguments->elts, same->arguments->nelts,
        apply->pool));
    for (i = 0; i < rows->count; i++) {
        const cm_identity_t identity = {cm_cell_text(rows, i, 2),
                                        cm_cell_text(rows, i, 3)};
        const cm_message_t *before =
            identity.origin ? apr_hash_get(last,
                                           same_key(cm_cell_text(rows, i, 1),
                                                    identity, scratch_pool),
                                           APR_HASH_KEY_STRING)
                            : NULL;

        if (before &&
            (same->later || cm_cell_number(rows, i, 0) < before->id) &&
            !apr_hash_get(present, cm_cell_text(rows, i, 0),
                          APR_HASH_KEY_STRING))
            add_row(apply, rows, i)->comes_along = 1;
    }
    return NULL;
}

cm_error_t *cm_inbox_rows_add_same(cm_apply_t *apply,
                                   const apr_array_header_t *messages,
                                   int later, apr_pool_t *scratch_pool)
{
    apr_array_header_t *named;
    apr_hash_t *last;
    apr_int64_t any;
    int first, lives;

    CM_TRY(
        cm_inbox_retry_count(&any, apply->node, apply->peer, 1, scratch_pool));
    apply->had_parked |= any > 0;
    if (!any)
        return NULL;
    CM_TRY(cm_inbox_names_add(&named, apply->node, messages, scratch_pool));
    last = last_of_each(named, scratch_pool);
    for (first = 0; first < named->nelts; first += SAME_AT_ONCE) {
        for (lives = 0; lives <= 1; lives++) {
            same_t *same =
                same_records(apply, named, first, lives, later, scratch_pool);

            if (same->ids)
                CM_TRY(add_same(apply, same, last, scratch_pool));
        }
    }
    qsort(apply->items->elts, apply->items->nelts, sizeof(cm_item_t *),
          compare_items);
    return NULL;
}

static int most_of(const cm_page_t *page)
{
    return page->most ? page->most : PAGE_ROWS;
}

/* Find where the page ends, by the sizes of its messages. */
static cm_error_t *measure(apr_int64_t *last, cm_apply_t *apply,
                           cm_page_t *page, const char *which,
                           apr_pool_t *scratch_pool)
{
    const cm_datum_t peer = cm_datum_text(apply->peer);
    apr_int64_t size = 0;
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(
        &rows, apply->node->store,
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

cm_error_t *cm_inbox_rows_add_page(cm_apply_t *apply, cm_page_t *page,
                                   int waiting, apr_pool_t *scratch_pool)
{
    const char *which = waiting ? " AND transient = 1" : "";
    const cm_datum_t peer = cm_datum_text(apply->peer);
    apr_int64_t last = 0;
    cm_rows_t *rows;
    int i;

    CM_TRY(measure(&last, apply, page, which, scratch_pool));
    if (!page->count)
        return NULL;
    CM_TRY(cm_statement_select(
        &rows, apply->node->store,
        apr_psprintf(scratch_pool,
                     "SELECT %s FROM inbound_messages t WHERE t.peer = %%s"
                     " AND t.id > %" APR_INT64_T_FMT
                     " AND t.id <= %" APR_INT64_T_FMT
                     " AND t.processed_at IS NULL%s ORDER BY t.id",
                     wanted, page->after, last, which),
        &peer, 1, apply->pool));
    for (i = 0; i < rows->count; i++)
        (void)add_row(apply, rows, i);
    page->after = last;
    return NULL;
}

cm_error_t *cm_inbox_rows_add_ids(cm_apply_t *apply, cm_page_t *page,
                                  const apr_array_header_t *ids,
                                  apr_pool_t *scratch_pool)
{
    cm_bulk_t *keys =
        cm_bulk_create("inbound_messages", key_columns, 2, 2, scratch_pool);
    cm_rows_t *rows;
    int i;

    page->count = 0;
    for (i = page->after; i < ids->nelts && page->count < most_of(page); i++) {
        cm_bulk_row(keys, "tn", apply->peer,
                    APR_ARRAY_IDX(ids, i, apr_int64_t));
        page->count++;
    }
    page->after = i;
    if (!page->count)
        return NULL;
    CM_TRY(cm_bulk_select(&rows, apply->node->store, wanted, keys,
                          "t.processed_at IS NULL", 0, apply->pool));
    for (i = 0; i < rows->count; i++)
        (void)add_row(apply, rows, i);
    qsort(apply->items->elts, apply->items->nelts, sizeof(cm_item_t *),
          compare_items);
    return NULL;
}

cm_error_t *cm_inbox_rows_discard(cm_node_t *node, const char *peer,
                                  apr_int64_t id, apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_number(id, scratch_pool)};

    const char *sql =
        node->history == CM_HISTORY_ROWS
            ? apr_pstrcat(scratch_pool,
                          "UPDATE inbound_messages SET processed_at = ",
                          cm_dialect_of_store(node->store)->now,
                          ", transient = 0, error = 'discarded'"
                          " WHERE peer = %s AND id = %s",
                          NULL)
            : "DELETE FROM inbound_messages WHERE peer = %s AND id = %s";

    return cm_statement_run(NULL, node->store, sql, arguments, 2, scratch_pool);
}
