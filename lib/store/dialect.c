/* What the dialects share: see dialect.h. */
#include "store/internal.h"

#include <string.h>

#include <apr_strings.h>

/* A database may quote a whole value, but data must not get into logs. */
#define WORDS_LIMIT 200

const cm_dialect_t *cm_dialect_of_driver(const char *driver)
{
    static const cm_dialect_t *const dialects[] = {
        &cm_dialect_sqlite3, &cm_dialect_pgsql, &cm_dialect_mysql};
    apr_size_t i;

    for (i = 0; i < sizeof(dialects) / sizeof(*dialects); i++)
        if (!strcmp(dialects[i]->driver, driver))
            return dialects[i];
    return NULL;
}

apr_size_t cm_dialect_double(char *out, const char *data, apr_size_t size,
                             char mark, char escape)
{
    apr_size_t i, length = 0;

    for (i = 0; i < size; i++) {
        if (data[i] == mark || (escape && data[i] == escape)) {
            if (out)
                out[length] = data[i];
            length++;
        }
        if (out)
            out[length] = data[i];
        length++;
    }
    return length;
}

const char *cm_dialect_doubled(const char *text, char mark, apr_pool_t *pool)
{
    apr_size_t size = strlen(text);
    char *copy = apr_palloc(pool, 2 * size + 1);

    copy[cm_dialect_double(copy, text, size, mark, 0)] = '\0';
    return copy;
}

apr_size_t cm_dialect_quoted(char *out, const cm_datum_t *value)
{
    apr_size_t length = cm_dialect_double(out ? out + 1 : NULL, value->data,
                                          value->size, '\'', 0);

    if (out)
        out[0] = out[length + 1] = '\'';
    return length + 2;
}

apr_size_t cm_dialect_literal(const cm_dialect_t *dialect, char *out,
                              const cm_datum_t *value)
{
    static const char null[] = "NULL";

    if (value->data)
        return dialect->ops->literal(out, value);
    if (out)
        memcpy(out, null, sizeof(null) - 1);
    return sizeof(null) - 1;
}

apr_size_t cm_dialect_hex(char *out, const cm_datum_t *value,
                          const char *before, const char *after)
{
    static const char digits[] = "0123456789abcdef";
    apr_size_t head = strlen(before), tail = strlen(after), i;
    const unsigned char *data = (const unsigned char *)value->data;

    if (out) {
        memcpy(out, before, head);
        out += head;
        for (i = 0; i < value->size; i++) {
            *out++ = digits[data[i] >> 4];
            *out++ = digits[data[i] & 15];
        }
        memcpy(out, after, tail);
    }
    return head + 2 * value->size + tail;
}

const char *cm_dialect_first_line(const char *text, apr_pool_t *pool)
{
    apr_size_t length = strcspn(text, "\r\n");

    if (length > WORDS_LIMIT) {
        length = WORDS_LIMIT;
        while (length && (text[length] & 0xc0) == 0x80)
            length--;
    }
    return apr_pstrmemdup(pool, text, length);
}

const char *cm_dialect_repeat(const char *text, const char *between, int count,
                              apr_pool_t *pool)
{
    apr_size_t length = strlen(text), gap = strlen(between);
    char *repeated = apr_palloc(pool, (length + gap) * count + 1);
    char *end = repeated;
    int i;

    for (i = 0; i < count; i++) {
        if (i > 0) {
            memcpy(end, between, gap);
            end += gap;
        }
        memcpy(end, text, length);
        end += length;
    }
    *end = '\0';
    return repeated;
}

const char *cm_dialect_rows(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const int columns = chunk->bulk->column_count;
    const char *row = apr_pstrcat(
        pool, "(", cm_dialect_repeat("%s", ",", columns, pool), ")", NULL);

    return apr_pstrcat(pool, "VALUES ",
                       cm_dialect_repeat(row, ",", chunk->rows, pool), NULL);
}

const cm_dialect_t *cm_dialect_of_store(const cm_store_t *store)
{
    return store->dialect;
}
