/* What a trigger captured: see captured.h. */
#include "record/captured.h"

#include <string.h>

#include <apr_escape.h>
#include <apr_strings.h>

#include "base/json.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "store/dialect.h"
#include "record/canonical.h"
#include "record/keys.h"
#include "record/message.h"

/* A larger value is not sent: no message can carry it. */
#define MOST_BYTES (256 * 1024 * 1024)

/* Bytes are read in pieces of this part of max_allowed_packet. */
#define PIECES 4

/* Return a copy of RAW in which all bytes beyond ASCII are '?'. */
static const char *ascii_of(cm_datum_t raw, apr_pool_t *pool)
{
    char *copy = apr_pstrmemdup(pool, raw.data, raw.size);
    apr_size_t i;

    for (i = 0; i < raw.size; i++)
        if ((unsigned char)copy[i] >= 0x80)
            copy[i] = '?';
    return copy;
}

/* Append the string between BEGIN and END as {"hex":"..."}. */
static void append_hex(cm_buffer_t *buffer, const char *begin, const char *end,
                       apr_pool_t *pool)
{
    cm_value_t value;

    cm_json_text_decode(&value, begin, end, pool);
    cm_buffer_raw(buffer, "{\"hex\":\"");
    cm_buffer_raw(buffer, apr_pescape_hex(pool, value.data, value.size, 0));
    cm_buffer_raw(buffer, "\"}");
}

cm_datum_t cm_captured_mend(cm_datum_t raw, const cm_dialect_t *dialect,
                            apr_pool_t *pool)
{
    const char *at = raw.data, *done = at, *end = at + raw.size, *next, *ascii;
    const char *wrong = NULL, *problem = NULL;
    cm_buffer_t *buffer;
    int escaped;

    if (dialect->checks_utf8 || cm_utf8_is_valid(raw.data, raw.size))
        return raw;
    buffer = cm_buffer_create(raw.size + 64, pool);
    ascii = ascii_of(raw, pool);
    for (; (at = memchr(at, '"', end - at)) && !wrong; at = next) {
        next =
            raw.data + (cm_json_text_end(ascii + (at + 1 - raw.data),
                                         ascii + raw.size, &escaped, &wrong) -
                        ascii);
        problem = NULL;
        cm_json_text_end(at + 1, end, &escaped, &problem);
        if (wrong || !problem)
            continue;
        cm_buffer_append(buffer, done, at - done);
        append_hex(buffer, at + 1, next - 1, pool);
        done = next;
    }
    cm_buffer_append(buffer, done, end - done);
    cm_buffer_append(buffer, "", 1);
    return (cm_datum_t){buffer->data, buffer->size - 1, 0};
}

cm_error_t *cm_captured_read(apr_array_header_t **attributes,
                             const cm_table_t *table, cm_datum_t raw,
                             const cm_dialect_t *dialect, apr_pool_t *pool)
{
    const cm_column_t *column;
    cm_attribute_t *attribute;
    cm_value_t name, value;
    cm_json_t json;
    int count = 0;

    *attributes =
        apr_array_make(pool, table->column_count + 1, sizeof(cm_attribute_t));
    raw = cm_captured_mend(raw, dialect, pool);
    cm_json_init(&json, raw.data, raw.size, pool);
    cm_json_open(&json, '{');
    while (cm_json_next(&json, '}', &count)) {
        if (!cm_json_name(&json, &name) || !cm_json_value(&json, &value))
            break;
        column = cm_table_column(table, name.data);
        if (!column || !column->carried)
            continue;
        attribute = apr_array_push(*attributes);
        memset(attribute, 0, sizeof(*attribute));
        attribute->name = name.data;
        attribute->value = cm_canonical_value(column, value, dialect, pool);
    }
    if (!cm_json_done(&json))
        return cm_json_error(&json, "the capture cannot be read", pool);
    return NULL;
}

/* Select EXPRESSIONS from the row of TABLE with KEY. */
static cm_error_t *select_row(cm_rows_t **rows, cm_store_t *store,
                              const cm_table_t *table, const char *key,
                              const char *expressions, apr_pool_t *pool)
{
    cm_keys_t *keys = cm_keys_create(store, table, pool);

    cm_keys_add(keys, key, key, 0);
    return cm_bulk_select(rows, store, expressions, keys->bulk, NULL, 0, pool);
}

/* Return whether RAW lacks values that are too large for it. */
static int is_incomplete(const cm_datum_t *raw)
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

/* Write the SIZE bytes of COLUMN as a JSON string of hexadecimal digits. */
static cm_error_t *write_bytes(cm_buffer_t *json, cm_store_t *store,
                               const cm_table_t *table,
                               const cm_column_t *column, const char *key,
                               apr_int64_t size, apr_int64_t packet)
{
    apr_int64_t piece = packet / PIECES, at;
    apr_pool_t *pool = json->pool, *iterpool;
    cm_rows_t *rows;

    cm_json_write_raw(json, column->name, "\"", 1);
    apr_pool_create(&iterpool, pool);
    for (at = 0; at < size; at += piece) {
        apr_pool_clear(iterpool);
        CM_TRY(select_row(
            &rows, store, table, key,
            apr_psprintf(iterpool,
                         "LOWER(HEX(SUBSTRING(CAST(t.%s AS BINARY), %" //
                         APR_INT64_T_FMT ", %" APR_INT64_T_FMT ")))",
                         column->quoted, at + 1, piece),
            iterpool));
        if (!rows->count || !cm_cell_text(rows, 0, 0))
            return CM_FAIL(pool, CM_BUSY,
                           "column '%s' was changed while it was read",
                           column->name);
        cm_buffer_append(json, cm_cell(rows, 0, 0)->data,
                         cm_cell(rows, 0, 0)->size);
    }
    apr_pool_destroy(iterpool);
    cm_buffer_raw(json, "\"");
    return NULL;
}

/* Return the SQL of max_allowed_packet and of each carried column: of bytes,
 * their number. */
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

static cm_error_t *write_column(cm_buffer_t *json, cm_store_t *store,
                                const cm_table_t *table,
                                const cm_column_t *column, const char *key,
                                const cm_rows_t *rows, int cell)
{
    const cm_datum_t *value = cm_cell(rows, 0, cell);

    if (!value->data || column->value_class != CM_CLASS_BINARY) {
        cm_json_write_value(json, column->name,
                            (cm_value_t){value->data ? CM_TEXT : CM_NULL,
                                         value->data, value->size});
        return NULL;
    }
    if (cm_cell_number(rows, 0, cell) > MOST_BYTES)
        return CM_FAIL(json->pool, CM_REJECTED,
                       "column '%s' is too large to be sent", column->name);
    return write_bytes(json, store, table, column, key,
                       cm_cell_number(rows, 0, cell),
                       cm_cell_number(rows, 0, 0));
}

cm_error_t *cm_captured_complete(const cm_datum_t **raw, cm_store_t *store,
                                 const cm_table_t *table, const char *key,
                                 apr_pool_t *result_pool)
{
    cm_buffer_t *json;
    cm_datum_t *whole;
    cm_rows_t *rows;
    int i, cell = 0;

    if (!cm_dialect_of_store(store)->reads_apart || !is_incomplete(*raw))
        return NULL;
    CM_TRY(select_row(&rows, store, table, key, columns_of(table, result_pool),
                      result_pool));
    if (!rows->count)
        return CM_FAIL(result_pool, CM_BUSY,
                       "record %s was deleted while it was read", key);
    json = cm_buffer_create(1024 * 1024, result_pool);
    cm_json_write_open(json, NULL, '{');
    for (i = 0; i < table->column_count; i++)
        if (table->columns[i].carried)
            CM_TRY(write_column(json, store, table, &table->columns[i], key,
                                rows, ++cell));
    cm_buffer_append(json, "}", 2);
    whole = apr_palloc(result_pool, sizeof(*whole));
    *whole = (cm_datum_t){json->data, json->size - 1, 0};
    *raw = whole;
    return NULL;
}

cm_error_t *cm_captured_select(apr_hash_t **found, cm_store_t *store,
                               const cm_table_t *table,
                               const apr_array_header_t *keys,
                               apr_pool_t *result_pool)
{
    cm_keys_t *wanted = cm_keys_create(store, table, result_pool);
    cm_rows_t *rows;
    int i;

    *found = apr_hash_make(result_pool);
    for (i = 0; i < keys->nelts; i++) {
        const char *key = APR_ARRAY_IDX(keys, i, const char *);

        cm_keys_add(wanted, key, key, 0);
    }
    CM_TRY(cm_keys_select(&rows, wanted, table->capture, 0, result_pool));
    for (i = 0; i < rows->count; i++)
        apr_hash_set(*found,
                     cm_canonical_key(table, cm_cell_text(rows, i, 0),
                                      cm_dialect_of_store(store), result_pool),
                     APR_HASH_KEY_STRING, cm_cell(rows, i, 1));
    return NULL;
}
