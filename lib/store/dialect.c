/* What the dialects share: see dialect.h. */
#include "store/internal.h"

#include <string.h>

#include <apr_escape.h>
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

char *cm_dialect_double(char *out, const char *data, apr_size_t size, char mark,
                        char escape)
{
    const char *end = data + size;

    for (; data < end; data++) {
        if (*data == mark || (escape && *data == escape))
            *out++ = *data;
        *out++ = *data;
    }
    return out;
}

const char *cm_dialect_doubled(const char *text, char mark, apr_pool_t *pool)
{
    apr_size_t size = strlen(text);
    char *copy = apr_palloc(pool, 2 * size + 1);

    *cm_dialect_double(copy, text, size, mark, 0) = '\0';
    return copy;
}

char *cm_dialect_quoted(char *out, const cm_datum_t *value)
{
    *out++ = '\'';
    out = cm_dialect_double(out, value->data, value->size, '\'', 0);
    *out++ = '\'';
    return out;
}

char *cm_dialect_literal(const cm_dialect_t *dialect, char *out,
                         const cm_datum_t *value)
{
    return value->data ? dialect->ops->literal(out, value)
                       : stpcpy(out, "NULL");
}

char *cm_dialect_hex(char *out, const cm_datum_t *value, const char *before,
                     const char *after)
{
    out = stpcpy(out, before);
    apr_escape_hex(out, value->data, value->size, 0, NULL);
    return stpcpy(out + 2 * value->size, after);
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
