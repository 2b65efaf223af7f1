/* JSON values: see value.h. */
#include "base/value.h"

#include <string.h>

#include <apr_escape.h>

cm_value_t cm_value_of(cm_kind_e kind, const char *text)
{
    return (cm_value_t){kind, text, strlen(text)};
}

int cm_value_is_digits(cm_value_t value, const char *digits)
{
    return value.kind == CM_TEXT && value.size &&
           strspn(value.data, digits) == value.size;
}

const char *cm_value_hex(apr_size_t *size, cm_value_t value)
{
    static const char begin[] = "{\"hex\":\"";
    const char *digits = value.data + sizeof(begin) - 1;

    if (value.kind != CM_JSON || strncmp(value.data, begin, sizeof(begin) - 1))
        return NULL;
    *size = strspn(digits, "0123456789abcdef");
    return *size % 2 == 0 && !strcmp(digits + *size, "\"}") ? digits : NULL;
}

char *cm_value_from_hex(const char *digits, apr_size_t size, apr_pool_t *pool)
{
    char *bytes = apr_palloc(pool, size / 2 + 1);

    apr_unescape_hex(bytes, digits, size, 0, NULL);
    bytes[size / 2] = '\0';
    return bytes;
}

int cm_value_compare(cm_value_t a, cm_value_t b)
{
    apr_size_t least = a.size < b.size ? a.size : b.size;
    int a_is_null = a.kind <= CM_NULL, b_is_null = b.kind <= CM_NULL, order;

    if (a_is_null || b_is_null)
        return b_is_null - a_is_null;
    order = memcmp(a.data, b.data, least);
    if (order)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}
