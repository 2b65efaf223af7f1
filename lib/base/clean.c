/* Text that is safe to show: see clean.h. */
#include "base/clean.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* How a text is cleaned. */
typedef enum how_e {
    LINE,
    LINES,
    JSON
} how_e;

#define REPLACEMENT 0xFFFD
/* The size of an escape like \u202e, the most that a byte becomes. */
#define ESCAPE_SIZE 6

/* Return the character at AT and set *SIZE to its bytes; -1 and 1 for a byte
 * that is not UTF-8. */
static long character(const char *at, apr_size_t *size)
{
    long code;
    int bytes = cm_utf8_read(&code, at, at + strnlen(at, 4));

    *size = bytes ? bytes : 1;
    return bytes ? code : -1;
}

/* Return whether the character CODE ends a line or controls a terminal. */
static int is_control(long code)
{
    return (code >= 0 && code < 0x20) || code == 0x7F || code == 0x2028 ||
           code == 0x2029;
}

/* Return whether CODE is a control character of C1, or changes the direction of
 * text. */
static int is_hidden(long code)
{
    return (code >= 0x80 && code < 0xA0) || code == 0x061C || code == 0x200E ||
           code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x206F);
}

/* Write to OUT what replaces the character CODE; return where it ends. */
static char *put(char *out, long code, how_e how)
{
    if (how == JSON)
        return out + snprintf(out, ESCAPE_SIZE + 1, "\\u%04lx",
                              (unsigned long)(code < 0 ? REPLACEMENT : code));
    *out = is_control(code) ? ' ' : '?';
    return out + 1;
}

static int stays(long code, how_e how)
{
    /* in JSON such a character is white space outside of strings */
    if (code == '\n' || code == '\t' || code == '\r')
        return how == JSON || (how == LINES && code != '\r');
    return code >= 0 && !is_control(code) && !is_hidden(code);
}

/* Return the first character that does not stay, or the end. */
static const char *first_bad(const char *text, how_e how)
{
    apr_size_t size;

    for (; *text && stays(character(text, &size), how); text += size)
        ;
    return text;
}

static const char *clean(const char *text, how_e how, apr_pool_t *pool)
{
    const char *at = text ? first_bad(text, how) : NULL;
    char *copy, *out;
    apr_size_t size;
    long code;

    if (!at || !*at)
        return text;
    out = copy = apr_palloc(pool, at - text + strlen(at) * ESCAPE_SIZE + 1);
    memcpy(out, text, at - text);
    for (out += at - text; *at; at += size) {
        code = character(at, &size);
        if (!stays(code, how)) {
            out = put(out, code, how);
            continue;
        }
        memcpy(out, at, size);
        out += size;
    }
    *out = '\0';
    return copy;
}

const char *cm_clean(const char *text, apr_pool_t *pool)
{
    return clean(text, LINE, pool);
}

const char *cm_clean_lines(const char *text, apr_pool_t *pool)
{
    return clean(text, LINES, pool);
}

const char *cm_clean_json(const char *json, apr_pool_t *pool)
{
    return clean(json, JSON, pool);
}
