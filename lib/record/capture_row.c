/* Rows that their capture cannot hold: see capture_row.h. */
#include "record/capture_row.h"

#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "record/canonical.h"
#include "record/fit.h"
#include "record/message.h"

/* More no message can carry, and no memory should. */
#define MOST_BYTES (256 * 1024 * 1024)

/* Bytes are read in pieces of this part of max_allowed_packet. */
#define PIECES 4

/* Begin to ask for the row of TABLE with KEY. */
static cm_bulk_t *key_of(const cm_table_t *table, const char *key,
                         apr_pool_t *pool)
{
    cm_bulk_column_t *column = apr_palloc(pool, sizeof(*column));
    cm_bulk_t *keys;

    *column = (cm_bulk_column_t){table->key->quoted, table->key->type};
    keys = cm_bulk_create(table->quoted, column, 1, 1, pool);
    if (key)
        cm_bulk_row(keys, "t", key);
    return keys;
}

/* Return whether RAW is of a row that is larger than it. */
static int is_apart(const cm_datum_t *raw)
{
    static const char mark[] = "\"" CM_CAPTURE_APART "\"";
    const char *at = raw->data, *end = at + raw->size;

    for (; at && (at = memchr(at, '"', end - at)); at++) {
        if ((apr_size_t)(end - at) < sizeof(mark) - 1)
            return 0;
        if (!memcmp(at, mark, sizeof(mark) - 1))
            return 1;
    }
    return !raw->data;
}

/* Append the bytes of COLUMN, SIZE of them, as a JSON string of hexadecimal
 * digits. */
static cm_error_t *append_bytes(cm_buffer_t *buffer, cm_store_t *store,
                                const cm_table_t *table,
                                const cm_column_t *column, const char *key,
                                apr_int64_t size, apr_int64_t packet)
{
    apr_int64_t piece = packet / PIECES, at;
    apr_pool_t *pool = buffer->pool, *iterpool;
    cm_rows_t *rows;

    cm_buffer_raw(buffer, "\"");
    apr_pool_create(&iterpool, pool);
    for (at = 0; at < size; at += piece) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_bulk_select(
            &rows, store,
            apr_psprintf(iterpool,
                         "LOWER(HEX(SUBSTRING(CAST(t.%s AS BINARY), %" //
                         APR_INT64_T_FMT ", %" APR_INT64_T_FMT ")))",
                         column->quoted, at + 1, piece),
            key_of(table, key, iterpool), NULL, 0, iterpool));
        if (!rows->count || !cm_cell_text(rows, 0, 0))
            return CM_FAIL(pool, CM_BUSY, "column '%s' changes meanwhile",
                           column->name);
        cm_buffer_append(buffer, cm_cell(rows, 0, 0)->data,
                         cm_cell(rows, 0, 0)->size);
    }
    apr_pool_destroy(iterpool);
    cm_buffer_raw(buffer, "\"");
    return NULL;
}

/* Return SQL of the carried columns one by one, of bytes their number, behind
 * max_allowed_packet. */
static const char *columns_of(const cm_table_t *table, apr_pool_t *pool)
{
    apr_array_header_t *list =
        apr_array_make(pool, table->column_count + 1, sizeof(const char *));
    int i;

    APR_ARRAY_PUSH(list, const char *) = "@@max_allowed_packet";
    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if (column->carried)
            APR_ARRAY_PUSH(list, const char *) =
                column->value_class == CM_CLASS_BINARY
                    ? apr_psprintf(pool, "OCTET_LENGTH(t.%s)", column->quoted)
                    : column->capture;
    }
    return apr_array_pstrcat(pool, list, ',');
}

static cm_error_t *append_column(cm_buffer_t *buffer, cm_store_t *store,
                                 const cm_table_t *table,
                                 const cm_column_t *column, const char *key,
                                 const cm_rows_t *rows, int cell)
{
    const cm_datum_t *value = cm_cell(rows, 0, cell);

    cm_buffer_string(buffer, column->name, strlen(column->name));
    cm_buffer_raw(buffer, ":");
    if (!value->data) {
        cm_buffer_raw(buffer, "null");
    }
    else if (column->value_class == CM_CLASS_BINARY) {
        if (cm_cell_number(rows, 0, cell) > MOST_BYTES)
            return CM_FAIL(buffer->pool, CM_REJECTED,
                           "column '%s' is too large to be sent", column->name);
        return append_bytes(buffer, store, table, column, key,
                            cm_cell_number(rows, 0, cell),
                            cm_cell_number(rows, 0, 0));
    }
    else {
        cm_buffer_string(buffer, value->data, value->size);
    }
    return NULL;
}

cm_error_t *cm_capture_row_whole(const cm_datum_t **raw, cm_store_t *store,
                                 const cm_table_t *table, const char *key,
                                 apr_pool_t *result_pool)
{
    cm_buffer_t *buffer;
    cm_datum_t *whole;
    cm_rows_t *rows;
    int i, cell = 0;

    if (!cm_dialect_of_store(store)->reads_apart || !is_apart(*raw))
        return NULL;
    CM_TRY(cm_bulk_select(&rows, store, columns_of(table, result_pool),
                          key_of(table, key, result_pool), NULL, 0,
                          result_pool));
    if (!rows->count)
        return CM_FAIL(result_pool, CM_BUSY, "record %s is gone meanwhile",
                       key);
    buffer = cm_buffer_create(1024 * 1024, result_pool);
    for (i = 0; i < table->column_count; i++) {
        if (!table->columns[i].carried)
            continue;
        cm_buffer_raw(buffer, cell ? "," : "{");
        CM_TRY(append_column(buffer, store, table, &table->columns[i], key,
                             rows, ++cell));
    }
    cm_buffer_append(buffer, "}", 2);
    whole = apr_palloc(result_pool, sizeof(*whole));
    *whole = (cm_datum_t){buffer->data, buffer->size - 1, 0};
    *raw = whole;
    return NULL;
}

cm_error_t *cm_capture_row_read(apr_hash_t **found, cm_store_t *store,
                                const cm_table_t *table,
                                const apr_array_header_t *keys,
                                apr_pool_t *result_pool)
{
    cm_bulk_t *bulk = key_of(table, NULL, result_pool);
    cm_id_set_t *seen = cm_id_set_create(keys->nelts, result_pool);
    cm_rows_t *rows;
    int i;

    *found = apr_hash_make(result_pool);
    for (i = 0; i < keys->nelts; i++) {
        const char *key = APR_ARRAY_IDX(keys, i, const char *);
        cm_value_t value = {CM_TEXT, key, strlen(key)};
        cm_datum_t datum;

        if (cm_id_set_add(seen, key) &&
            !cm_fit_value(&datum, table->key, value, cm_dialect_of_store(store),
                          result_pool))
            cm_bulk_add(bulk, datum);
    }
    if (!cm_bulk_rows(bulk))
        return NULL;
    CM_TRY(cm_bulk_select(
        &rows, store,
        apr_pstrcat(result_pool, table->key_text, ", ", table->capture, NULL),
        bulk, NULL, 0, result_pool));
    for (i = 0; i < rows->count; i++)
        apr_hash_set(*found,
                     cm_canonical_key(table, cm_cell_text(rows, i, 0),
                                      cm_dialect_of_store(store), result_pool),
                     APR_HASH_KEY_STRING, cm_cell(rows, i, 1));
    return NULL;
}
