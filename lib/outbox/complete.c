/* Messages that the trigger could not complete: see internal.h. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"
#include "record/canonical.h"
#include "record/captured.h"
#include "node/mapping.h"

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

/* Return the row with KEY in FOUND, or NULL. */
static const cm_datum_t *row_of(apr_hash_t *found, const cm_table_t *table,
                                const char *key, const cm_node_t *node,
                                apr_pool_t *pool)
{
    return apr_hash_get(
        found,
        cm_canonical_key(table, key, cm_dialect_of_store(node->store), pool),
        APR_HASH_KEY_STRING);
}

/* Complete ROW from its record's row in FOUND, which has KEY now. When the
 * record is gone, ROW stays as it is: the delete follows. */
static cm_error_t *complete(cm_outgoing_t *row, const char *key,
                            cm_node_t *node, apr_hash_t *found,
                            apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    const cm_datum_t *raw = row_of(found, row->table, key, node, pool);
    cm_error_t *err;

    if (!raw)
        return NULL;
    err = cm_captured_complete(&raw, node->store, row->table, key, pool);
    if (err && err->code == CM_REJECTED) {
        row->unreadable = row->held = cm_error_text(err, pool);
        return NULL;
    }
    CM_TRY(err);
    return add_attributes(row, raw, dialect, pool);
}

/* Hold back ROW if its record, which has KEY now, does not match the row filter
 * any more; FOUND is from cm_filter_find(). */
static int is_outside(cm_outgoing_t *row, const char *key, apr_hash_t *found)
{
    const cm_filter_row_t *here = apr_hash_get(found, key, APR_HASH_KEY_STRING);

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

static cm_outgoing_t *row_at(const apr_array_header_t *rows,
                             const apr_array_header_t *chunk, int i)
{
    return &APR_ARRAY_IDX(rows, APR_ARRAY_IDX(chunk, i, int), cm_outgoing_t);
}

/* Find which KEYS (const char *) the records of CHUNK have, as far as the
 * changes of keys have their numbers. Where a record is gone, it is the one
 * that it had. */
static cm_error_t *find_keys(apr_array_header_t **keys, cm_node_t *node,
                             const apr_array_header_t *rows,
                             const apr_array_header_t *chunk, apr_pool_t *pool)
{
    apr_array_header_t *identities =
        apr_array_make(pool, CHUNK, sizeof(cm_identity_t));
    apr_hash_t *mappings;
    int i;

    for (i = 0; i < chunk->nelts; i++) {
        const cm_outgoing_t *row = row_at(rows, chunk, i);

        if (row->message.identity.origin && row->message.identity.original_id)
            APR_ARRAY_PUSH(identities, cm_identity_t) = row->message.identity;
    }
    CM_TRY(cm_mapping_by_identity(&mappings, node,
                                  row_at(rows, chunk, 0)->table->model->type,
                                  identities, pool));
    *keys = apr_array_make(pool, CHUNK, sizeof(char *));
    for (i = 0; i < chunk->nelts; i++) {
        const cm_outgoing_t *row = row_at(rows, chunk, i);
        const cm_mapping_t *mapping = NULL;

        if (row->message.identity.origin && row->message.identity.original_id)
            mapping = apr_hash_get(mappings,
                                   cm_identity_key(row->message.identity, pool),
                                   APR_HASH_KEY_STRING);
        APR_ARRAY_PUSH(*keys, const char *) =
            mapping && mapping->local_id ? mapping->local_id : row->local_id;
    }
    return NULL;
}

/* A change of a key that has no number yet. */
typedef struct moved_t {
    const char *key;
    apr_int64_t id;
} moved_t;

/* Replace those of KEYS of TABLE with which FOUND has no row by those that
 * messages without a number, above the one of LAST (apr_int64_t *), have given
 * their records. *ANY is whether there are some. */
static cm_error_t *follow_keys(int *any, apr_array_header_t *keys,
                               apr_int64_t *last, cm_node_t *node,
                               const cm_table_t *table, apr_hash_t *found,
                               apr_pool_t *pool)
{
    static const cm_bulk_column_t columns[] = {{"model", NULL},
                                               {"former_record_id", NULL}};
    cm_bulk_t *missing =
        cm_bulk_create("outbound_messages", columns, 2, 2, pool);
    cm_rows_t *rows;
    int i, j;

    *any = 0;
    for (i = 0; i < keys->nelts; i++) {
        const char *key = APR_ARRAY_IDX(keys, i, const char *);

        if (!row_of(found, table, key, node, pool))
            cm_bulk_row(missing, "tt", table->model->name, key);
    }
    if (!cm_bulk_rows(missing))
        return NULL;
    CM_TRY(cm_bulk_select(
        &rows, node->store, "t.former_record_id, t.local_record_id, t.id",
        missing, "t.seq IS NULL AND t.action = 'update'", 0, pool));
    for (i = 0; i < keys->nelts; i++) {
        const char **key = &APR_ARRAY_IDX(keys, i, const char *);
        moved_t moved = {NULL, 0};

        if (row_of(found, table, *key, node, pool))
            continue;
        for (j = 0; j < rows->count; j++) {
            const apr_int64_t id = cm_cell_number(rows, j, 2);

            if (!strcmp(cm_cell_text(rows, j, 0), *key) && id > last[i] &&
                (!moved.key || id < moved.id))
                moved = (moved_t){cm_cell_text(rows, j, 1), id};
        }
        if (!moved.key)
            continue;
        *key = moved.key;
        last[i] = moved.id;
        *any = 1;
    }
    return NULL;
}

/* Select the rows of the records of CHUNK, and the KEYS that they have now. */
static cm_error_t *find_rows(apr_hash_t **found, apr_array_header_t **keys,
                             cm_node_t *node, const apr_array_header_t *rows,
                             const apr_array_header_t *chunk, apr_pool_t *pool)
{
    const cm_table_t *table = row_at(rows, chunk, 0)->table;
    apr_int64_t last[CHUNK] = {0};
    int any;

    CM_TRY(find_keys(keys, node, rows, chunk, pool));
    do {
        CM_TRY(cm_captured_select(found, node->store, table, *keys, pool));
        CM_TRY(follow_keys(&any, *keys, last, node, table, *found, pool));
    } while (any);
    return NULL;
}

/* Complete the rows of CHUNK and count their *BYTES; above MOST, cut ROWS. */
static cm_error_t *complete_chunk(apr_int64_t *bytes, cm_node_t *node,
                                  apr_array_header_t *rows,
                                  const apr_array_header_t *chunk,
                                  apr_int64_t most, apr_pool_t *pool)
{
    apr_array_header_t *keys;
    apr_hash_t *found, *filtered;
    int i;

    CM_TRY(find_rows(&found, &keys, node, rows, chunk, pool));
    CM_TRY(find_filtered(&filtered, node, row_at(rows, chunk, 0)->table, keys,
                         pool));
    for (i = 0; i < chunk->nelts; i++) {
        const char *key = APR_ARRAY_IDX(keys, i, const char *);
        cm_outgoing_t *row = row_at(rows, chunk, i);

        if (is_outside(row, key, filtered))
            continue;
        CM_TRY(complete(row, key, node, found, pool));
        *bytes += row->message.body_size;
        if (*bytes <= most || !APR_ARRAY_IDX(chunk, i, int))
            continue;
        rows->nelts = APR_ARRAY_IDX(chunk, i, int);
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
