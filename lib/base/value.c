/* A value as it stands in JSON: see value.h. */
#include "base/value.h"

#include <string.h>

int cm_value_is_digits(cm_value_t value, const char *digits)
{
    return value.kind == CM_TEXT && value.size &&
           strspn(value.data, digits) == value.size;
}

int cm_value_is_bytes(cm_value_t value)
{
    static const char begin[] = "{\"hex\":\"";
    apr_size_t head = sizeof(begin) - 1, digits;

    if (value.kind != CM_JSON || strncmp(value.data, begin, head))
        return 0;
    digits = strspn(value.data + head, "0123456789abcdef");
    return digits % 2 == 0 && !strcmp(value.data + head + digits, "\"}");
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
