/* Messages that the trigger could not complete: see internal.h. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/canonical.h"
#include "record/captured.h"

/* Rows that are read together. */
#define CHUNK 20

static const char unread[] = ":true}";
#define UNREAD_SIZE (sizeof(unread) - 1)

const char *cm_complete_unread(const cm_datum_t *raw, apr_pool_t *pool)
{
    apr_size_t kept = raw->size - UNREAD_SIZE;

    if (!raw->data || raw->size <= UNREAD_SIZE ||
        memcmp(raw->data + kept, unread, UNREAD_SIZE))
        return NULL;
    return apr_pstrcat(pool, apr_pstrmemdup(pool, raw->data, kept), ":{}}",
                       NULL);
}

/* Add to ROW the attributes of RAW that it lacks. */
static cm_error_t *add_attributes(cm_outgoing_t *row, const cm_datum_t *raw,
                                  const cm_dialect_t *dialect, apr_pool_t *pool)
{
    apr_array_header_t *attributes = row->message.attributes, *present;
    apr_hash_t *names = apr_hash_make(pool);
    int i;

    for (i = 0; i < attributes->nelts; i++)
        apr_hash_set(names, APR_ARRAY_IDX(attributes, i, cm_attribute_t).name,
                     APR_HASH_KEY_STRING, "");
    CM_TRY(cm_captured_read(&present, row->table, *raw, dialect, pool));
    for (i = 0; i < present->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(present, i, cm_attribute_t);

        if (!apr_hash_get(names, attribute->name, APR_HASH_KEY_STRING))
            APR_ARRAY_PUSH(attributes, cm_attribute_t) = *attribute;
    }
    row->message.body_size += raw->size;
    return NULL;
}

/* Complete ROW from its record's row in FOUND. When the record is gone, ROW
 * stays as it is: the delete follows. */
static cm_error_t *complete(cm_outgoing_t *row, cm_node_t *node,
                            apr_hash_t *found, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    const cm_datum_t *raw = apr_hash_get(
        found, cm_canonical_key(row->table, row->local_id, dialect, pool),
        APR_HASH_KEY_STRING);
    cm_error_t *err;

    if (!raw)
        return NULL;
    err = cm_captured_complete(&raw, node->store, row->table, row->local_id,
                               pool);
    if (err && err->code == CM_REJECTED) {
        row->unreadable = row->held = cm_error_text(err, pool);
        return NULL;
    }
    CM_TRY(err);
    return add_attributes(row, raw, dialect, pool);
}

/* Hold back ROW if its record does not match the row filter any more; FOUND is
 * from cm_filter_find(). */
static int is_outside(cm_outgoing_t *row, apr_hash_t *found)
{
    const cm_filter_row_t *here =
        apr_hash_get(found, row->local_id, APR_HASH_KEY_STRING);

    if (here && !here->inside)
        row->held = "its row does not match where= any more";
    return row->held != NULL;
}

/* Ask the row filter about the records with KEYS of TABLE. */
static cm_error_t *find_filtered(apr_hash_t **found, cm_node_t *node,
                                 const cm_table_t *table,
                                 const apr_array_header_t *keys,
                                 apr_pool_t *pool)
{
    int applies;

    *found = apr_hash_make(pool);
    CM_TRY(cm_filter_applies(&applies, node, table->model, pool));
    if (!applies)
        return NULL;
    return cm_filter_find(found, node, table->model, keys, 0, NULL, pool);
}

/* Return the positions (int) of the next incomplete rows of one table, from
 * FIRST on, at most CHUNK. */
static apr_array_header_t *next_rows(const apr_array_header_t *rows, int first,
                                     apr_pool_t *pool)
{
    apr_array_header_t *chunk = apr_array_make(pool, CHUNK, sizeof(int));
    const cm_table_t *table = NULL;
    int i;

    for (i = first; i < rows->nelts && chunk->nelts < CHUNK; i++) {
        const cm_outgoing_t *row = &APR_ARRAY_IDX(rows, i, cm_outgoing_t);

        if (!row->incomplete || row->held)
            continue;
        if (table && row->table != table)
            break;
        table = row->table;
        APR_ARRAY_PUSH(chunk, int) = i;
    }
    return chunk;
}

/* Complete the rows of CHUNK and count their *BYTES; above MOST, cut ROWS. */
static cm_error_t *complete_chunk(apr_int64_t *bytes, cm_node_t *node,
                                  apr_array_header_t *rows,
                                  const apr_array_header_t *chunk,
                                  apr_int64_t most, apr_pool_t *pool)
{
    apr_array_header_t *keys = apr_array_make(pool, CHUNK, sizeof(char *));
    apr_hash_t *found, *filtered;
    int i, number;

    for (i = 0; i < chunk->nelts; i++) {
        number = APR_ARRAY_IDX(chunk, i, int);
        APR_ARRAY_PUSH(keys, const char *) =
            APR_ARRAY_IDX(rows, number, cm_outgoing_t).local_id;
    }
    number = APR_ARRAY_IDX(chunk, 0, int);
    CM_TRY(cm_captured_select(&found, node->store,
                              APR_ARRAY_IDX(rows, number, cm_outgoing_t).table,
                              keys, pool));
    CM_TRY(find_filtered(&filtered, node,
                         APR_ARRAY_IDX(rows, number, cm_outgoing_t).table, keys,
                         pool));
    for (i = 0; i < chunk->nelts; i++) {
        cm_outgoing_t *row;

        number = APR_ARRAY_IDX(chunk, i, int);
        row = &APR_ARRAY_IDX(rows, number, cm_outgoing_t);
        if (is_outside(row, filtered))
            continue;
        CM_TRY(complete(row, node, found, pool));
        *bytes += row->message.body_size;
        if (*bytes <= most || !number)
            continue;
        rows->nelts = number;
        break;
    }
    return NULL;
}

cm_error_t *cm_complete_rows(cm_node_t *node, apr_array_header_t *rows,
                             const cm_limits_t *limits, apr_pool_t *result_pool)
{
    apr_array_header_t *chunk;
    apr_int64_t bytes = 0;
    int first = 0;

    for (;;) {
        chunk = next_rows(rows, first, result_pool);
        if (!chunk->nelts)
            return NULL;
        first = APR_ARRAY_IDX(chunk, chunk->nelts - 1, int) + 1;
        CM_TRY(complete_chunk(&bytes, node, rows, chunk, limits->bytes,
                              result_pool));
    }
}
