/* What the dialects share: see dialect.h. */
#include "store/internal.h"

#include <string.h>

#include <apr_strings.h>

/* A database may quote a whole value; a message's body belongs in no log. */
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

const char *cm_dialect_repeat(const char *format, const char *between,
                              int count, apr_pool_t *pool)
{
    apr_size_t length = strlen(format), gap = strlen(between);
    char *text = apr_palloc(pool, (length + gap) * count + 1);
    char *end = text;
    int i;

    for (i = 0; i < count; i++) {
        if (i > 0) {
            memcpy(end, between, gap);
            end += gap;
        }
        memcpy(end, format, length);
        end += length;
    }
    *end = '\0';
    return text;
}

const cm_dialect_t *cm_dialect_of_store(const cm_store_t *store)
{
    return store->dialect;
}
