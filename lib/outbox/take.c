/* Which rows get numbers next, and as how many messages: see internal.h. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "outbox/unstamped.h"

/* Bytes of bodies that the application wrote itself. */
#define MOST_BYTES (8 * 1024 * 1024)
/* Where most rows are folded, more are read, up to so many. */
#define MOST_ROWS 20000
#define MORE_ROWS 8

static const cm_bulk_column_t id_columns[] = {{"id", "bigint"}};

/* What read_rows() selects. */
enum {
    ID,
    MODEL,
    LOCAL_ID,
    ACTION,
    CHANGED,
    CLOCK,
    ORIGIN,
    ORIGINAL_ID,
    WRITTEN_BYTES,
    BODY, /* or its size */
    FORMER,
    SEEN
};

/* One reading of rows. */
typedef struct reading_t {
    cm_stamp_t *stamp;
    int limit; /* rows */
    int sizes; /* their bodies are read later; now only the sizes */
    cm_rows_t *rows;
    apr_hash_t *changes;       /* text -> what it names (apr_hash_t *) */
    cm_fold_t *fold;           /* NULL: each row is a message */
    apr_array_header_t *found; /* cm_stamp_row_t, in order */
    cm_unstamped_t what;
} reading_t;

/* Read the names in the JSON array TEXT. If it cannot be read, all columns
 * count as changed, so that nothing is lost. */
static apr_hash_t *read_changed(const char *text, apr_pool_t *pool)
{
    apr_hash_t *changed = apr_hash_make(pool);
    cm_value_t name;
    cm_json_t json;
    int count = 0;

    cm_json_init(&json, text, strlen(text), pool);
    cm_json_open(&json, '[');
    while (cm_json_next(&json, ']', &count) && cm_json_value(&json, &name))
        apr_hash_set(changed, name.data ? name.data : "", APR_HASH_KEY_STRING,
                     "");
    return cm_json_done(&json) ? changed : NULL;
}

/* The same for TEXT, which many rows have, or NULL. */
static apr_hash_t *changed_of(reading_t *reading, const char *text)
{
    apr_hash_t *changed;

    if (!text)
        return NULL;
    changed = apr_hash_get(reading->changes, text, APR_HASH_KEY_STRING);
    if (!changed) {
        changed = read_changed(text, reading->stamp->pool);
        apr_hash_set(reading->changes, text, APR_HASH_KEY_STRING, changed);
    }
    return changed;
}

/* Read the clocks in TEXT, which may be NULL. If they cannot be read, there are
 * none. */
static apr_hash_t *read_seen(const char *text, apr_pool_t *pool)
{
    cm_clocks_t seen;

    return text && !cm_clocks_read_object(&seen, 0, text, pool) ? seen.older
                                                                : NULL;
}

/* Return the SQL for what a batch, or the names of references, need of the
 * body. */
static const char *body_sql(const reading_t *reading)
{
    const cm_node_t *node = reading->stamp->node;
    const char *size = cm_dialect_of_store(node->store)->body_bytes;

    return apr_psprintf(reading->stamp->pool,
                        "CASE WHEN action IS NOT NULL AND source IS NULL"
                        " AND %s <= %d THEN %s END",
                        size, CM_STAMP_KEPT_BYTES,
                        reading->sizes ? size : "body");
}

/* Return the SQL for the next rows without a number, in order; before them a
 * row with id 0 and the statement's snapshot. */
static const char *rows_sql(const reading_t *reading)
{
    const cm_node_t *node = reading->stamp->node;
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    apr_pool_t *pool = reading->stamp->pool;
    const char *sql = apr_psprintf(
        pool,
        "SELECT id, model, local_record_id, action, changed_columns, clock,"
        " origin, original_id, CASE WHEN action IS NULL THEN %s ELSE 0 END, %s,"
        " former_record_id, base FROM %s WHERE %s%s LIMIT %d",
        dialect->body_bytes, body_sql(reading), dialect->unstamped,
        cm_unstamped_where(node, reading->what.all, pool), dialect->in_order,
        reading->limit);

    if (!dialect->snapshot)
        return sql;
    return apr_pstrcat(
        pool, "SELECT 0, ", dialect->snapshot,
        ", NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL"
        " UNION ALL (",
        sql, ")", NULL);
}

/* Add row number I of ROWS to those found. */
static cm_error_t *add_row(reading_t *reading, int i)
{
    apr_pool_t *pool = reading->stamp->pool;
    const cm_rows_t *rows = reading->rows;
    cm_stamp_row_t *row = apr_array_push(reading->found);

    memset(row, 0, sizeof(*row));
    row->id = cm_cell_number(rows, i, ID);
    if (reading->found->nelts > 1 && row->id <= row[-1].id)
        return CM_FAIL(pool, CM_DATABASE,
                       "the database returned message %" APR_INT64_T_FMT
                       " after %" APR_INT64_T_FMT,
                       row->id, row[-1].id);
    row->model = cm_cell_text(rows, i, MODEL);
    row->local_id = cm_cell_text(rows, i, LOCAL_ID);
    row->action = cm_cell_text(rows, i, ACTION);
    row->changed = changed_of(reading, cm_cell_text(rows, i, CHANGED));
    row->raw = cm_cell_text(rows, i, CLOCK) ? cm_cell_number(rows, i, CLOCK)
                                            : cm_clock_now();
    row->identity.origin = cm_cell_text(rows, i, ORIGIN);
    row->identity.original_id = cm_cell_text(rows, i, ORIGINAL_ID);
    if (reading->sizes)
        row->body.size = cm_cell_number(rows, i, BODY);
    else
        row->body = *cm_cell(rows, i, BODY);
    row->former = cm_cell_text(rows, i, FORMER);
    row->seen = read_seen(cm_cell_text(rows, i, SEEN), pool);
    APR_ARRAY_PUSH(reading->what.ids, apr_int64_t) = row->id;
    return NULL;
}

/* Let the row that was found last replace an earlier one, which gets no number;
 * *BYTES are those of the messages. */
static cm_error_t *fold_last(reading_t *reading, apr_int64_t *bytes)
{
    cm_stamp_row_t *last, *older;

    if (!reading->fold)
        return NULL;
    last = &APR_ARRAY_IDX(reading->found, reading->found->nelts - 1,
                          cm_stamp_row_t);
    CM_TRY(cm_fold_next(&older, reading->fold, last));
    if (!older)
        return NULL;
    older->folded = 1;
    *bytes -= older->body.size + CM_OUTBOX_MESSAGE_BYTES;
    APR_ARRAY_PUSH(reading->stamp->folded, apr_int64_t) = older->id;
    return NULL;
}

/* Find the rows of READING->rows that become the next chunk. */
static cm_error_t *find_rows(reading_t *reading)
{
    const cm_rows_t *rows = reading->rows;
    const int limit = reading->stamp->stamping->limit;
    const apr_int64_t most = cm_stamp_most_bytes(reading->stamp->stamping);
    const apr_array_header_t *folded = reading->stamp->folded;
    apr_int64_t written = 0, kept = 0;
    int i, full = 0;

    for (i = 0; i < rows->count && !full; i++) {
        if (!cm_cell_number(rows, i, ID)) {
            reading->what.snapshot = cm_cell_text(rows, i, MODEL);
            continue;
        }
        written += cm_cell_number(rows, i, WRITTEN_BYTES);
        kept += CM_OUTBOX_MESSAGE_BYTES;
        kept += reading->sizes ? cm_cell_number(rows, i, BODY)
                               : (apr_int64_t)cm_cell(rows, i, BODY)->size;
        full = reading->found->nelts &&
               (written > MOST_BYTES || kept > most ||
                reading->found->nelts - folded->nelts == limit);
        if (full)
            break;
        CM_TRY(add_row(reading, i));
        CM_TRY(fold_last(reading, &kept));
    }
    reading->what.more = full || reading->found->nelts == reading->limit;
    return NULL;
}

/* Leave out the rows that get no number. */
static void drop_folded(apr_array_header_t *rows)
{
    cm_stamp_row_t *all = (cm_stamp_row_t *)rows->elts;
    int i, count = 0;

    for (i = 0; i < rows->nelts; i++)
        if (!all[i].folded)
            all[count++] = all[i];
    rows->nelts = count;
}

/* Read the next rows without a number. */
static cm_error_t *read_rows(reading_t *reading)
{
    cm_stamp_t *stamp = reading->stamp;
    apr_pool_t *pool = stamp->pool;
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(&rows, stamp->node->store, rows_sql(reading),
                               NULL, 0, pool));
    reading->rows = rows;
    reading->changes = apr_hash_make(pool);
    reading->found =
        apr_array_make(pool, rows->count + 1, sizeof(cm_stamp_row_t));
    reading->what.ids =
        apr_array_make(pool, rows->count + 1, sizeof(apr_int64_t));
    stamp->folded = apr_array_make(pool, 16, sizeof(apr_int64_t));
    if (stamp->node->history != CM_HISTORY_ROWS)
        reading->fold = cm_fold_create(stamp);
    return find_rows(reading);
}

/* Read them, and note in the node what may still commit below. */
static cm_error_t *read_whole(reading_t *reading)
{
    cm_node_outbox_t *outbox = &reading->stamp->node->outbox;
    const apr_int64_t stamped_id = outbox->stamped_id;
    const char *passed = outbox->passed;
    int torn;

    do {
        reading->what = (cm_unstamped_t){.all = reading->stamp->stamping->all};
        outbox->stamped_id = stamped_id;
        outbox->passed = passed;
        CM_TRY(read_rows(reading));
        CM_TRY(cm_unstamped_note(&torn, reading->stamp->node, &reading->what,
                                 reading->stamp->pool));
    } while (torn);
    return NULL;
}

/* Return whether READING was for too few rows: they are half a chunk at most,
 * since most of them are folded. */
static int is_short(const reading_t *reading)
{
    const cm_stamp_t *stamp = reading->stamp;
    const int messages = reading->found->nelts - stamp->folded->nelts;

    return reading->found->nelts == reading->limit &&
           messages <= stamp->stamping->limit / 2 && reading->limit < MOST_ROWS;
}

/* Read rows until they are enough. Each reading begins again, since a later
 * statement sees more: were it to go on behind the first one, it could see a
 * change of a record, and miss an earlier one. */
static cm_error_t *read_enough(apr_array_header_t **found, cm_stamp_t *stamp)
{
    cm_stamping_t *stamping = stamp->stamping;
    cm_node_outbox_t *outbox = &stamp->node->outbox;
    const apr_int64_t stamped_id = outbox->stamped_id;
    const char *passed = outbox->passed;
    reading_t reading = {.stamp = stamp, .limit = stamping->rows};

    if (reading.limit < stamping->limit)
        reading.limit = stamping->limit;
    for (;;) {
        reading.sizes = reading.limit > stamping->limit;
        CM_TRY(read_whole(&reading));
        if (!is_short(&reading))
            break;
        outbox->stamped_id = stamped_id;
        outbox->passed = passed;
        reading.limit *= MORE_ROWS;
        if (reading.limit > MOST_ROWS)
            reading.limit = MOST_ROWS;
    }
    stamping->rows = reading.found->nelts;
    stamping->took_all = !reading.what.more;
    stamping->left = reading.what.more;
    *found = reading.found;
    return NULL;
}

void cm_take_written(cm_stamp_row_t *row, const cm_datum_t *body,
                     apr_pool_t *pool)
{
    cm_message_t message = {0};
    int i;

    row->model = NULL;
    if (cm_message_read_stored(&message, body->data, body->size, NULL, NULL,
                               NULL, pool))
        return;
    row->model = message.model;
    row->changed = apr_hash_make(pool);
    for (i = 0; i < message.attributes->nelts; i++)
        apr_hash_set(row->changed,
                     APR_ARRAY_IDX(message.attributes, i, cm_attribute_t).name,
                     APR_HASH_KEY_STRING, "");
}

/* Read the bodies of the messages that the application wrote itself, and those
 * of which only the size is known. */
static cm_error_t *read_bodies(cm_stamp_t *stamp, apr_array_header_t *rows)
{
    cm_bulk_t *keys =
        cm_bulk_create("outbound_messages", id_columns, 1, 1, stamp->pool);
    apr_hash_t *by_id = apr_hash_make(stamp->pool);
    cm_rows_t *bodies;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (row->action && (row->body.data || !row->body.size))
            continue;
        cm_bulk_row(keys, "n", row->id);
        apr_hash_set(by_id, &row->id, sizeof(row->id), row);
    }
    if (!cm_bulk_rows(keys))
        return NULL;
    CM_TRY(cm_bulk_select(&bodies, stamp->node->store, "t.id, t.body", keys,
                          NULL, 0, stamp->pool));
    for (i = 0; i < bodies->count; i++) {
        apr_int64_t id = cm_cell_number(bodies, i, 0);
        cm_stamp_row_t *row = apr_hash_get(by_id, &id, sizeof(id));

        if (row && row->action)
            row->body = *cm_cell(bodies, i, 1);
        else if (row)
            cm_take_written(row, cm_cell(bodies, i, 1), stamp->pool);
    }
    return NULL;
}

cm_error_t *cm_take_rows(apr_array_header_t **found, cm_stamp_t *stamp)
{
    CM_TRY(read_enough(found, stamp));
    drop_folded(*found);
    return read_bodies(stamp, *found);
}

cm_error_t *cm_take_away(const cm_stamp_t *stamp,
                         const apr_array_header_t *rows,
                         apr_pool_t *scratch_pool)
{
    cm_bulk_t *bulk =
        cm_bulk_create("outbound_messages", id_columns, 1, 1, scratch_pool);
    const apr_array_header_t *folded = stamp->folded;
    apr_int64_t deleted;
    int i;

    cm_bulk_reserve(bulk, rows->nelts + folded->nelts);
    for (i = 0; i < rows->nelts; i++)
        if (APR_ARRAY_IDX(rows, i, cm_stamp_row_t).id)
            cm_bulk_row(bulk, "n", APR_ARRAY_IDX(rows, i, cm_stamp_row_t).id);
    for (i = 0; i < folded->nelts; i++)
        cm_bulk_row(bulk, "n", APR_ARRAY_IDX(folded, i, apr_int64_t));
    if (!cm_bulk_rows(bulk))
        return NULL;
    CM_TRY(cm_bulk_delete(&deleted, stamp->node->store, bulk, scratch_pool));
    return cm_stamp_check(cm_bulk_rows(bulk), deleted, scratch_pool);
}
