/* Values between a gem and this node: see cast.h. */
#include "record/cast.h"

#include <string.h>

#include <apr_escape.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/utf8.h"

static const cm_value_t null = {.kind = CM_NULL};

static int is_time(const cm_column_t *column)
{
    return column->value_class == CM_CLASS_TIME ||
           column->value_class == CM_CLASS_TIMESTAMP ||
           column->value_class == CM_CLASS_TIMESTAMP_ZONE;
}

/* Return how many bytes at the beginning of TEXT are a number; with FRACTION
 * one that may have a fraction. */
static apr_size_t number_size(const char *text, int fraction)
{
    const char *at = text + (*text == '-'), *digits = at;

    while (apr_isdigit(*at))
        at++;
    if (at == digits)
        return 0;
    if (fraction && *at == '.' && apr_isdigit(at[1]))
        for (at++; apr_isdigit(*at); at++)
            ;
    return at - text;
}

/* Return the number that VALUE, text or a number, begins with; else 0. */
static cm_value_t number_of(cm_value_t value, int fraction, apr_pool_t *pool)
{
    const char *text = value.data;
    apr_size_t size;

    while (apr_isspace(*text))
        text++;
    if (!*text)
        return null;
    if (*text == '+' && apr_isdigit(text[1]))
        text++;
    size = number_size(text, fraction);
    return size ? cm_value_of(CM_NUMBER, apr_pstrmemdup(pool, text, size))
                : cm_value_of(CM_NUMBER, "0");
}

/* Return whether VALUE is a number as JSON has it, with an exponent perhaps. */
static int is_exponent(cm_value_t value)
{
    return strspn(value.data, "0123456789+-.eE") == value.size &&
           strpbrk(value.data, "eE") && apr_isdigit(value.data[value.size - 1]);
}

/* Add one to the last of the DIGITS, which may have a point; return them with
 * one more in front if that is needed. */
static const char *add_one(char *digits, apr_pool_t *pool)
{
    char *at = digits + strlen(digits);

    while (at-- > digits) {
        if (*at == '.')
            continue;
        if (*at != '9') {
            ++*at;
            return digits;
        }
        *at = '0';
    }
    return apr_pstrcat(pool, "1", digits, NULL);
}

/* Round VALUE, a number, to SCALE digits of a fraction, as databases do. */
static cm_value_t rounded(cm_value_t value, int scale, apr_pool_t *pool)
{
    const char *point = strchr(value.data, '.');
    const int negative = *value.data == '-';
    char *kept;

    if (!point || scale < 0 || (int)strlen(point + 1) <= scale)
        return value;
    kept =
        apr_pstrmemdup(pool, value.data + negative,
                       point - value.data - negative + (scale ? scale + 1 : 0));
    return cm_value_of(
        CM_NUMBER,
        apr_pstrcat(pool, negative ? "-" : "",
                    point[scale + 1] >= '5' ? add_one(kept, pool) : kept,
                    NULL));
}

/* Cut from a time what is behind DIGITS digits of the second's fraction. */
static cm_value_t cut(cm_value_t value, int digits, apr_pool_t *pool)
{
    const char *point = memchr(value.data, '.', value.size), *end;

    if (!point || !apr_isdigit(point[1]))
        return value;
    for (end = point + 1; apr_isdigit(*end); end++)
        ;
    if (end - point - 1 <= digits)
        return value;
    return cm_value_of(
        CM_TEXT, apr_pstrcat(pool,
                             apr_pstrmemdup(pool, value.data,
                                            point - value.data +
                                                (digits ? digits + 1 : 0)),
                             end, NULL));
}

/* A number, from text or from JSON. */
static cm_value_t cast_number(const cm_column_t *column, cm_value_t value,
                              apr_pool_t *pool)
{
    const int fraction = column->value_class != CM_CLASS_INTEGER;

    if ((value.kind != CM_TEXT && value.kind != CM_NUMBER) ||
        strlen(value.data) != value.size || is_exponent(value))
        return value;
    value = number_of(value, fraction, pool);
    return value.kind == CM_NUMBER && column->value_class == CM_CLASS_DECIMAL
               ? rounded(value, column->scale, pool)
               : value;
}

/* Leave out what is behind the time of day in VALUE: its zone. */
static cm_value_t without_zone(cm_value_t value, apr_pool_t *pool)
{
    const char *at = memchr(value.data, ':', value.size);

    if (!at)
        return value;
    while (apr_isdigit(*at) || *at == ':' || *at == '.')
        at++;
    return cm_value_of(CM_TEXT,
                       apr_pstrmemdup(pool, value.data, at - value.data));
}

static cm_value_t cast_time(const cm_column_t *column, cm_value_t value,
                            int local_times, apr_pool_t *pool)
{
    if (!value.size)
        return null;
    if (value.kind != CM_TEXT || !is_time(column))
        return value;
    if (local_times && column->value_class != CM_CLASS_TIMESTAMP_ZONE)
        value = without_zone(value, pool);
    return column->loose ? value : cut(value, column->fraction, pool);
}

cm_value_t cm_cast_from_gem(const cm_column_t *column, cm_value_t value,
                            int local_times, apr_pool_t *pool)
{
    if (value.kind != CM_TEXT && value.kind != CM_NUMBER)
        return value;
    switch (column->value_class) {
    case CM_CLASS_INTEGER:
    case CM_CLASS_DECIMAL:
    case CM_CLASS_FLOAT:
        return column->is_bits ? value : cast_number(column, value, pool);
    case CM_CLASS_BINARY:
        return value.kind == CM_NUMBER
                   ? value
                   : cm_value_of(CM_TEXT, apr_pescape_hex(pool, value.data,
                                                          value.size, 0));
    case CM_CLASS_BOOLEAN:
    case CM_CLASS_DATE:
    case CM_CLASS_TIME:
    case CM_CLASS_TIMESTAMP:
    case CM_CLASS_TIMESTAMP_ZONE:
        return cast_time(column, value, local_times, pool);
    case CM_CLASS_TEXT:
    case CM_CLASS_JSON:
    case CM_CLASS_ANY:
        break;
    }
    return value;
}

/* The bytes themselves, if they are text. */
static const char *cast_bytes(cm_value_t *value, apr_pool_t *pool)
{
    const apr_size_t size = value->size / 2;
    const char *bytes;

    if (!cm_value_is_digits(*value, "0123456789abcdef"))
        return NULL;
    bytes = cm_value_from_hex(value->data, value->size, pool);
    if (!cm_utf8_is_valid(bytes, size))
        return "a gem takes bytes only if they are text in UTF-8";
    *value = (cm_value_t){CM_TEXT, bytes, size};
    return NULL;
}

const char *cm_cast_to_gem(const cm_column_t *column, cm_value_t *value,
                           apr_pool_t *pool)
{
    if (value->kind != CM_TEXT)
        return NULL;
    if (column->value_class == CM_CLASS_BINARY) {
        const char *held = cast_bytes(value, pool);

        if (held)
            return held;
    }
    if (memchr(value->data, '\0', value->size))
        return CM_CAST_NUL;
    /* an old gem would drop the zone with the fraction */
    if ((column->value_class == CM_CLASS_TIMESTAMP ||
         column->value_class == CM_CLASS_TIMESTAMP_ZONE) &&
        value->size && value->data[value->size - 1] == 'Z')
        *value = cut(*value, 0, pool);
    return NULL;
}

int cm_cast_is_kept(const cm_column_t *column, cm_value_t value,
                    cm_value_t whole, apr_pool_t *pool)
{
    return is_time(column) && value.kind == CM_TEXT && whole.kind == CM_TEXT &&
           !memchr(value.data, '.', value.size) &&
           !cm_value_compare(value, cut(whole, 0, pool));
}
