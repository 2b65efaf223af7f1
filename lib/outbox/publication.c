/* A table that is published: see publication.h. */
#include "outbox/publication.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "record/tuple.h"
#include "outbox/internal.h"
#include "outbox/outbox.h"

/* How often a chunk is tried while the application has its records locked; then
 * other messages go on. */
#define TRIES 2
#define CHUNK 1000

/* The next records of a table. */
typedef struct chunk_t {
    cm_node_t *node;
    cm_stamping_t *stamping;
    cm_selection_t selection;
    const char *name;               /* the model; NULL: no table is published */
    const cm_datum_t *after, *last; /* keys: before the first, of the last */
    apr_int64_t left; /* records of the table, with these, as counted before */
    int count, more;
    int as_rows; /* it becomes rows of the outbox */
    int singly;  /* the row filter fails for some record: ask it of each */
    apr_pool_t *pool;
} chunk_t;

/* Return the condition that a record has a key at all. */
static const char *has_key(const cm_table_t *table, apr_pool_t *pool)
{
    const char *sql = "1 = 1";
    int i;

    for (i = 0; i < table->key_count; i++)
        if (table->keys[i]->nullable)
            sql = apr_pstrcat(pool, sql, " AND t.", table->keys[i]->quoted,
                              " IS NOT NULL", NULL);
    return sql;
}

/* Say whether every record can be found by its key. */
static cm_error_t *is_possible(int *possible, cm_node_t *node,
                               const cm_table_t *table, apr_pool_t *pool)
{
    apr_int64_t keyless;

    *possible = 0;
    if (!table->key_is_unique)
        return NULL;
    CM_TRY(cm_statement_number(
        &keyless, node->store,
        apr_pstrcat(pool, "SELECT CASE WHEN EXISTS (SELECT 1 FROM ",
                    table->quoted, " AS t WHERE NOT (", has_key(table, pool),
                    ")) THEN 1 ELSE 0 END", NULL),
        NULL, 0, pool));
    *possible = !keyless;
    return NULL;
}

static cm_error_t *forget(cm_node_t *node, const char *model, apr_pool_t *pool)
{
    const cm_datum_t name = cm_datum_text(model);

    return cm_statement_run(
        NULL, node->store,
        "DELETE FROM communicator_publications WHERE model = %s", &name, 1,
        pool);
}

static cm_error_t *add(cm_node_t *node, const char *model, apr_int64_t records,
                       apr_pool_t *pool)
{
    const cm_datum_t name = cm_datum_text(model);

    CM_TRY(forget(node, model, pool));
    if (!records)
        return NULL;
    return cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "INSERT INTO communicator_publications"
                     " (model, records, begun_at) VALUES (%%s,"
                     " %" APR_INT64_T_FMT ", %" APR_INT64_T_FMT ")",
                     records, cm_clock_now()),
        &name, 1, pool);
}

cm_error_t *cm_publication_begin(int *begun, cm_node_t *node,
                                 const cm_table_t *table, apr_int64_t records,
                                 apr_pool_t *scratch_pool)
{
    CM_TRY(is_possible(begun, node, table, scratch_pool));
    if (!*begun)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    return cm_transaction_end(
        node->store, add(node, table->model->name, records, scratch_pool),
        scratch_pool);
}

cm_error_t *cm_publication_left(apr_int64_t *records, cm_node_t *node,
                                apr_pool_t *scratch_pool)
{
    return cm_statement_number(
        records, node->store,
        "SELECT coalesce(sum(records), 0) FROM communicator_publications", NULL,
        0, scratch_pool);
}

cm_error_t *cm_publication_is_waiting(int *waiting, cm_node_t *node,
                                      apr_pool_t *scratch_pool)
{
    apr_int64_t any;

    CM_TRY(cm_statement_number(&any, node->store,
                               "SELECT CASE WHEN EXISTS (SELECT 1 FROM"
                               " communicator_publications) THEN 1 ELSE 0 END",
                               NULL, 0, scratch_pool));
    *waiting = any > 0;
    return NULL;
}

/* Return whether TEXT is a literal as SQLite's quote() gives it. */
static int is_literal(const char *text)
{
    text += *text == 'X';
    if (*text != '\'')
        return *text && !text[strspn(text, "0123456789+-.e")];
    for (text++; *text && (*text != '\'' || text[1] == '\''); text++)
        text += *text == '\'';
    return *text && !text[1];
}

/* Return whether TEXT may be a value of COLUMN: the key may have changed. */
static int is_value(const cm_column_t *column, const char *text)
{
    if (column->loose)
        return is_literal(text);
    return column->value_class != CM_CLASS_INTEGER ||
           cm_selection_is_integer(text);
}

/* Read the key AFTER which CHUNK begins. */
static void read_after(chunk_t *chunk, const char *after)
{
    const int count = chunk->selection.table->key_count;
    const char **parts = apr_palloc(chunk->pool, count * sizeof(*parts));
    cm_datum_t *key = apr_palloc(chunk->pool, count * sizeof(*key));
    int i;

    chunk->after = NULL;
    /* If the key has other columns now, from the first record on. */
    if (!after || !cm_tuple_read(parts, count, after, chunk->pool))
        return;
    for (i = 0; i < count; i++) {
        if (!is_value(chunk->selection.table->keys[i], parts[i]))
            return;
        key[i] = cm_datum_text(parts[i]);
    }
    chunk->after = key;
}

/* Find the table that is published, and where to go on. Its row is locked: one
 * run publishes at a time. */
static cm_error_t *find_table(chunk_t *chunk)
{
    cm_node_t *node = chunk->node;
    const cm_model_t *model;
    cm_rows_t *rows;

    chunk->name = NULL;
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_pstrcat(
            chunk->pool,
            "SELECT model, after_key, records"
            " FROM communicator_publications ORDER BY begun_at, model LIMIT 1",
            cm_dialect_of_store(node->store)->for_update, NULL),
        NULL, 0, chunk->pool));
    if (!rows->count)
        return NULL;
    chunk->name = cm_cell_text(rows, 0, 0);
    chunk->left = cm_cell_number(rows, 0, 2);
    model = cm_settings_model(node->settings, chunk->name);
    chunk->selection.table = NULL;
    if (!model || !model->publishes)
        return NULL;
    CM_TRY(cm_node_table(&chunk->selection.table, node, model, chunk->pool));
    chunk->selection.where = has_key(chunk->selection.table, chunk->pool);
    /* so that records that stay here are not read */
    chunk->selection.filter = NULL;
    if (!chunk->singly)
        cm_selection_filter(&chunk->selection, chunk->pool);
    read_after(chunk, cm_cell_text(rows, 0, 1));
    return NULL;
}

/* Find how far CHUNK goes: bodies are not read yet. A record that is too large
 * for a batch becomes a row, alone. */
static cm_error_t *find_last(chunk_t *chunk)
{
    const apr_int64_t most = cm_stamp_most_bytes(chunk->stamping);
    const int size = chunk->selection.table->key_count;
    apr_int64_t bytes = 0;
    cm_rows_t *rows;
    int i, large = 0;

    CM_TRY(cm_selection_select(&rows, &chunk->selection, "sizes",
                               cm_selection_between(&chunk->selection,
                                                    chunk->after, NULL,
                                                    chunk->pool),
                               chunk->pool));
    for (i = 0; i < rows->count && !large; i++) {
        large = cm_cell_number(rows, i, size) > CM_STAMP_KEPT_BYTES;
        bytes += cm_cell_number(rows, i, size) + CM_OUTBOX_MESSAGE_BYTES;
        if (i && (large || bytes > most))
            break;
        chunk->last = cm_cell(rows, i, 0);
        chunk->as_rows |= large;
    }
    chunk->count = i;
    chunk->more = i < rows->count || i == chunk->selection.rows;
    return NULL;
}

/* Number what was committed of the records that are locked. */
static cm_error_t *stamp_before(chunk_t *chunk)
{
    cm_stamping_t stamping = {.limit = chunk->stamping->limit};
    int stamped;

    do {
        CM_TRY(cm_stamp_some(&stamped, chunk->node, &stamping, chunk->pool));
    } while (stamped);
    return NULL;
}

/* Return ROWS, local ids and raw bodies, as rows of the outbox. */
static apr_array_header_t *as_states(const chunk_t *chunk,
                                     const cm_rows_t *rows)
{
    apr_array_header_t *states =
        apr_array_make(chunk->pool, rows->count + 1, sizeof(cm_stamp_row_t));
    apr_hash_t *nothing = apr_hash_make(chunk->pool);
    int i;

    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(states, cm_stamp_row_t) =
            (cm_stamp_row_t){.model = chunk->name,
                             .local_id = cm_cell_text(rows, i, 0),
                             .action = "update",
                             .changed = nothing,
                             .body = *cm_cell(rows, i, 1)};
    return states;
}

/* Lock the records of CONDITION, read their states, and number them. *PACKED is
 * 0 if that is to be rolled back. */
static cm_error_t *number_states(int *packed, int *stamped, chunk_t *chunk,
                                 const cm_condition_t *condition)
{
    cm_rows_t *rows;

    CM_TRY(cm_selection_select(&rows, &chunk->selection, "states", condition,
                               chunk->pool));
    *packed = 1;
    if (!rows->count)
        return NULL;
    CM_TRY(stamp_before(chunk));
    *stamped = rows->count;
    return cm_stamp_states(packed, chunk->node, chunk->stamping,
                           as_states(chunk, rows), chunk->pool);
}

/* Find how many records are left behind CHUNK. If there are more than was
 * known, since the table has grown, they are counted again: a run ends when it
 * has sent what waited at its beginning. */
static cm_error_t *count_left(apr_int64_t *left, const chunk_t *chunk)
{
    cm_rows_t *rows;

    *left = chunk->left - chunk->count;
    if (*left > 0)
        return NULL;
    CM_TRY(cm_selection_select(
        &rows, &chunk->selection, "count",
        cm_selection_between(&chunk->selection, chunk->last, NULL, chunk->pool),
        chunk->pool));
    *left = cm_cell_number(rows, 0, 0);
    return NULL;
}

/* Note that CHUNK is sent. */
static cm_error_t *move_on(const chunk_t *chunk)
{
    const int count = chunk->selection.table->key_count;
    const char **parts = apr_palloc(chunk->pool, count * sizeof(*parts));
    cm_datum_t arguments[2];
    apr_int64_t left = 0;
    int i;

    if (chunk->more)
        CM_TRY(count_left(&left, chunk));
    if (!left)
        return forget(chunk->node, chunk->name, chunk->pool);
    for (i = 0; i < count; i++)
        parts[i] = chunk->last[i].data;
    arguments[0] = cm_datum_text(cm_tuple_write(parts, count, chunk->pool));
    arguments[1] = cm_datum_text(chunk->name);
    return cm_statement_run(
        NULL, chunk->node->store,
        apr_psprintf(chunk->pool,
                     "UPDATE communicator_publications SET after_key = %%s,"
                     " records = %" APR_INT64_T_FMT " WHERE model = %%s",
                     left),
        arguments, 2, chunk->pool);
}

/* Send the next records. *DONE is 0 if that is to be rolled back. */
static cm_error_t *send_next(int *done, int *stamped, chunk_t *chunk)
{
    const cm_condition_t *condition;
    apr_int64_t queued = 0;
    int wanted;

    *done = 1;
    if (chunk->stamping->holds)
        CM_TRY(cm_outbox_move_cursor(chunk->node, chunk->stamping->peer,
                                     chunk->stamping->holds,
                                     chunk->stamping->holds, chunk->pool));
    CM_TRY(find_table(chunk));
    if (!chunk->name)
        return NULL;
    if (chunk->selection.table)
        CM_TRY(find_last(chunk));
    if (!chunk->selection.table || !chunk->count)
        return forget(chunk->node, chunk->name, chunk->pool);
    CM_TRY(cm_pack_is_wanted(&wanted, chunk->node, chunk->pool));
    condition = cm_selection_between(&chunk->selection, chunk->after,
                                     chunk->last, chunk->pool);
    if (wanted && !chunk->as_rows)
        CM_TRY(number_states(done, stamped, chunk, condition));
    else
        CM_TRY(cm_selection_enqueue(&queued, &chunk->selection, condition,
                                    chunk->pool));
    *stamped += (int)queued;
    return *done ? move_on(chunk) : NULL;
}

/* The same in a transaction of its own. */
static cm_error_t *send_in_transaction(int *done, int *stamped, chunk_t *chunk)
{
    cm_store_t *store = chunk->node->store;
    cm_error_t *err;

    *stamped = 0;
    CM_TRY(cm_transaction_begin(store, chunk->pool));
    err = send_next(done, stamped, chunk);
    if (!err && !*done) {
        *stamped = 0;
        cm_transaction_rollback(store);
        return NULL;
    }
    err = cm_transaction_end(store, err, chunk->pool);
    if (err) {
        *stamped = 0;
        chunk->stamping->stamped = NULL;
    }
    else
        chunk->stamping->holds = 0;
    return err;
}

/* The same, once more where the row filter may have failed. */
static cm_error_t *try_to_send(int *done, int *stamped, chunk_t *chunk)
{
    cm_error_t *err = send_in_transaction(done, stamped, chunk);

    if (!cm_selection_unfilter(&chunk->selection, err))
        return err;
    chunk->singly = 1;
    return send_in_transaction(done, stamped, chunk);
}

/* Send the next records that are there. */
static cm_error_t *send_some(int *stamped, chunk_t *chunk)
{
    int done;

    do {
        chunk->as_rows = 0;
        CM_TRY(try_to_send(&done, stamped, chunk));
        if (done)
            continue;
        chunk->as_rows = 1;
        CM_TRY(try_to_send(&done, stamped, chunk));
    } while (!*stamped && chunk->name);
    return NULL;
}

cm_error_t *cm_publication_chunk(int *stamped, cm_node_t *node,
                                 cm_stamping_t *stamping,
                                 apr_pool_t *scratch_pool)
{
    chunk_t chunk = {.node = node,
                     .stamping = stamping,
                     .selection = {.node = node, .rows = stamping->limit},
                     .pool = scratch_pool};
    cm_error_t *err;
    int waiting, tries = 0;

    *stamped = 0;
    CM_TRY(cm_publication_is_waiting(&waiting, node, scratch_pool));
    if (!waiting)
        return NULL;
    do {
        err = send_some(stamped, &chunk);
    } while (err && err->code == CM_BUSY && ++tries < TRIES);
    if (err && err->code != CM_BUSY)
        CM_TRY_FOR(err, scratch_pool, "cannot publish model '%s'",
                   chunk.name ? chunk.name : "?");
    return NULL;
}

cm_error_t *cm_publication_finish(cm_node_t *node, apr_pool_t *scratch_pool)
{
    cm_stamping_t stamping = {.limit = CHUNK};
    apr_pool_t *iterpool;
    int some;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(cm_stamp_chunk(&some, node, &stamping, iterpool));
    } while (some);
    apr_pool_destroy(iterpool);
    return NULL;
}
