/* The strings of JSON: checked, decoded, written (json.h). */
#include "base/json.h"

#include <string.h>

#include <apr_strings.h>

#include "base/utf8.h"

/* Eight bytes of value N. */
#define EACH(n) (APR_UINT64_C(0x0101010101010101) * (n))

/* Return the code unit of the four hexadecimal digits at AT, or -1. */
static long hex4(const char *at, const char *end)
{
    long unit = 0;
    int i;

    if (end - at < 4)
        return -1;
    for (i = 0; i < 4; i++) {
        char c = at[i];

        if (c >= '0' && c <= '9')
            unit = unit * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            unit = unit * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return unit;
}

/* Read the escape at AT, behind the backslash, into *CODE. Return where it
 * ends, or NULL when it is wrong. */
static const char *read_escape(const char *at, const char *end, long *code)
{
    static const char names[] = "\"\\/bfnrt";
    static const char codes[] = "\"\\/\b\f\n\r\t";
    const char *found;
    long low;

    if (at == end)
        return NULL;
    if (*at != 'u') {
        found = *at ? strchr(names, *at) : NULL;
        if (!found)
            return NULL;
        *code = codes[found - names];
        return at + 1;
    }
    *code = hex4(at + 1, end);
    if (*code < 0 || (*code >= 0xDC00 && *code <= 0xDFFF))
        return NULL;
    at += 5;
    if (*code < 0xD800 || *code > 0xDBFF)
        return at;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return NULL;
    low = hex4(at + 2, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return NULL;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return at + 6;
}

/* Return whether one of the eight bytes is below N (at most 0x80). */
static apr_uint64_t any_below(apr_uint64_t eight, unsigned int n)
{
    return (eight - EACH(n)) & ~eight & EACH(0x80);
}

const char *cm_json_text_plain_end(const char *at, const char *end)
{
    apr_uint64_t eight;

    for (; end - at >= 8; at += 8) {
        memcpy(&eight, at, 8);
        if (eight & EACH(0x80) || any_below(eight, 0x20) ||
            any_below(eight ^ EACH('"'), 1) || any_below(eight ^ EACH('\\'), 1))
            break;
    }
    while (at < end && *at != '"' && *at != '\\' &&
           (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80)
        at++;
    return at;
}

const char *cm_json_text_end(const char *at, const char *end, int *escaped,
                             const char **problem)
{
    const char *next;
    int length;
    long code;

    *escaped = 0;
    for (;;) {
        at = cm_json_text_plain_end(at, end);
        if (at == end) {
            *problem = "a string does not end";
            return at;
        }
        if (*at == '"')
            return at + 1;
        if (*at == '\\') {
            *escaped = 1;
            next = read_escape(at + 1, end, &code);
            if (!next)
                *problem = "an invalid escape or half a character";
        }
        else {
            length =
                (unsigned char)*at < 0x20 ? 0 : cm_utf8_read(&code, at, end);
            next = length ? at + length : NULL;
            if (!next)
                *problem = (unsigned char)*at < 0x20
                               ? "a control character in a string"
                               : "invalid UTF-8";
        }
        if (!next)
            return at;
        at = next;
    }
}

static char *put_character(char *out, long code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    }
    else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    return out;
}

void cm_json_text_decode(cm_value_t *value, const char *at, const char *end,
                         apr_pool_t *pool)
{
    /* an escape is never shorter than what it stands for */
    char *data = apr_palloc(pool, end - at + 1), *out = data;
    const char *escape;
    long code;

    value->data = data;
    while ((escape = memchr(at, '\\', end - at))) {
        memcpy(out, at, escape - at);
        out += escape - at;
        at = read_escape(escape + 1, end, &code);
        out = put_character(out, code);
    }
    memcpy(out, at, end - at);
    out += end - at;
    *out = '\0';
    value->size = out - data;
}
