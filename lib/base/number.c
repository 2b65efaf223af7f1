/* Numbers as text: see number.h. */
#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clock.h"

const char *cm_number_text(char room[CM_NUMBER_ROOM], apr_int64_t number)
{
    char *at = &room[CM_NUMBER_ROOM - 1];
    apr_uint64_t rest = (apr_uint64_t)number;

    if (number < 0)
        rest = 0 - rest;
    *at = '\0';
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    return at;
}

/* The longest number that is written out: PostgreSQL's longest is, 1e999999999
 * is not. */
#define DIGITS_MAX 150000

/* Read the digits around the point; return where they end, NULL: there are
 * none. */
static const char *read_mantissa(cm_decimal_t *decimal, char *digits,
                                 const char *at, const char *end)
{
    int seen = 0, behind = 0;

    for (; at < end; at++) {
        if (*at == '.' && !behind) {
            behind = 1;
            continue;
        }
        if (*at < '0' || *at > '9')
            break;
        seen = 1;
        decimal->scale += behind;
        if (decimal->count || *at != '0')
            digits[decimal->count++] = *at;
    }
    return seen ? at : NULL;
}

static int read_exponent(int *exponent, const char *at, const char *end)
{
    int negative = 0, digits = 0;

    *exponent = 0;
    if (at == end)
        return 1;
    if (*at++ != 'e' && at[-1] != 'E')
        return 0;
    if (at < end && (*at == '-' || *at == '+'))
        negative = *at++ == '-';
    for (; at < end && isdigit((unsigned char)*at); at++, digits++) {
        *exponent = *exponent * 10 + (*at - '0');
        if (*exponent > DIGITS_MAX)
            return 0;
    }
    if (negative)
        *exponent = -*exponent;
    return digits && at == end;
}

int cm_number_decimal_read(cm_decimal_t *decimal, const char *text,
                           apr_size_t size, apr_pool_t *pool)
{
    const char *at = text, *end = text + size;
    char *digits, *all;
    int exponent;

    memset(decimal, 0, sizeof(*decimal));
    while (at < end && *at == ' ')
        at++;
    while (end > at && end[-1] == ' ')
        end--;
    if (end - at > DIGITS_MAX)
        return 0;
    if (at < end && (*at == '-' || *at == '+'))
        decimal->negative = *at++ == '-';
    digits = apr_palloc(pool, end - at + 1);
    at = read_mantissa(decimal, digits, at, end);
    if (!at || !read_exponent(&exponent, at, end))
        return 0;
    decimal->scale -= exponent;
    if (decimal->scale < 0) {
        all = apr_palloc(pool, decimal->count - decimal->scale + 1);
        memcpy(all, digits, decimal->count);
        memset(all + decimal->count, '0', -decimal->scale);
        decimal->count = decimal->count ? decimal->count - decimal->scale : 0;
        decimal->scale = 0;
        digits = all;
    }
    digits[decimal->count] = '\0';
    decimal->digits = digits;
    decimal->negative &= decimal->count > 0;
    return 1;
}

int cm_number_decimal_scale(const cm_decimal_t *decimal)
{
    int scale = decimal->scale, at = decimal->count;

    if (!decimal->count)
        return 0;
    while (scale > 0 && at > 0 && decimal->digits[at - 1] == '0') {
        scale--;
        at--;
    }
    return scale;
}

const char *cm_number_decimal_text(const cm_decimal_t *decimal, int scale,
                                   apr_pool_t *pool)
{
    int whole = decimal->count - decimal->scale, i;
    char *text = apr_palloc(pool, (whole > 0 ? whole : 1) + scale + 3);
    char *to = text;

    if (decimal->negative)
        *to++ = '-';
    for (i = 0; i < whole; i++)
        *to++ = decimal->digits[i];
    if (whole <= 0)
        *to++ = '0';
    if (scale)
        *to++ = '.';
    for (i = whole; i < whole + scale; i++)
        *to++ = i >= 0 && i < decimal->count ? decimal->digits[i] : '0';
    *to = '\0';
    return text;
}

int cm_number_decimal_fits(const cm_decimal_t *decimal, int bytes,
                           int is_unsigned, apr_pool_t *pool)
{
    apr_uint64_t most = is_unsigned ? APR_UINT64_MAX : APR_INT64_MAX;
    const char *limit, *digits;
    int count = decimal->count - decimal->scale;

    if (is_unsigned && decimal->negative)
        return 0;
    if (bytes < 8)
        most = ((apr_uint64_t)1 << (8 * bytes - !is_unsigned)) - 1;
    most += decimal->negative;
    limit = apr_psprintf(pool, "%" APR_UINT64_T_FMT, most);
    if (count <= 0)
        return 1;
    digits = apr_pstrmemdup(pool, decimal->digits, count);
    return count < (int)strlen(limit) ||
           (count == (int)strlen(limit) && strcmp(digits, limit) <= 0);
}

/* Print NUMBER with as few digits as distinguish it from its neighbours. */
static const char *shortest(double number, int bytes, apr_pool_t *pool)
{
    char text[320];
    int digits = bytes == 4 ? 6 : 15, most = bytes == 4 ? 9 : 17;

    /* Those next to 0 have few digits: more would not be theirs. */
    if (fabs(number) < (bytes == 4 ? FLT_MIN : DBL_MIN))
        digits = 1;
    do
        snprintf(text, sizeof(text), "%.*g", digits, number);
    while (digits++ < most && (bytes == 4 ? strtof(text, NULL) != (float)number
                                          : strtod(text, NULL) != number));
    return apr_pstrdup(pool, text);
}

/* Return whether TEXT is as short as possible, and has so few digits that a
 * number of BYTES bytes keeps them. */
static int is_shortest(const char *text, int bytes)
{
    static const char digits[] = "0123456789";
    const char *at = text + (*text == '-');
    apr_size_t most = bytes == 4 ? 6 : 15, whole, fraction = 0;

    whole = strspn(at, digits);
    if (!whole || *at == '0')
        return 0;
    at += whole;
    if (*at == '.') {
        fraction = strspn(at + 1, digits);
        at += 1 + fraction;
        if (!fraction || at[-1] == '0')
            return 0;
    }
    return !*at && whole + fraction <= most;
}

const char *cm_number_float_text(const char *text, int bytes, apr_pool_t *pool)
{
    char *end;
    double number;

    if (is_shortest(text, bytes))
        return apr_pstrdup(pool, text);

    /* strtod() would read hexadecimal numbers, too */
    if (strspn(text, "+-.0123456789eE") != strlen(text)) {
        if (!strcasecmp(text, "nan"))
            return "NaN";
        if (!strcasecmp(text, "infinity") || !strcasecmp(text, "inf"))
            return "Infinity";
        if (!strcasecmp(text, "-infinity") || !strcasecmp(text, "-inf"))
            return "-Infinity";
        return NULL;
    }
    number = bytes == 4 ? strtof(text, &end) : strtod(text, &end);
    if (end == text || *end)
        return NULL;
    if (isinf(number))
        return NULL;
    return shortest(number, bytes, pool);
}

int cm_number_float_is_single(const char *text)
{
    return (double)strtof(text, NULL) == strtod(text, NULL);
}

int cm_number_read(apr_int64_t *number, const char *text, apr_int64_t most)
{
    char *end;

    if (!apr_isdigit(*text))
        return 0;
    errno = 0;
    *number = apr_strtoi64(text, &end, 10);
    return !errno && !*end && *number <= most;
}

const char *cm_number_grouped(apr_int64_t number, apr_pool_t *pool)
{
    const char *digits = apr_psprintf(pool, "%" APR_INT64_T_FMT, number);
    const char *sign = *digits == '-' ? "-" : "";
    apr_size_t size, first;
    const char *text;

    digits += strlen(sign);
    size = strlen(digits);
    first = (size - 1) % 3 + 1;
    text = apr_pstrmemdup(pool, digits, first);
    for (digits += first; *digits; digits += 3)
        text = apr_psprintf(pool, "%s,%.3s", text, digits);
    return apr_pstrcat(pool, sign, text, NULL);
}

const char *cm_number_of(apr_int64_t count, const char *thing, apr_pool_t *pool)
{
    return apr_pstrcat(pool, cm_number_grouped(count, pool), " ", thing,
                       count == 1 ? "" : "s", NULL);
}

cm_error_t *cm_number_random(const char **digits, apr_pool_t *pool)
{
    unsigned char bytes[16];
    apr_status_t status = cm_clock_random(bytes, sizeof(bytes));

    if (status)
        return CM_FAIL(pool, CM_UNAVAILABLE, "cannot get random bytes (%d)",
                       status);
    *digits = apr_pescape_hex(pool, bytes, sizeof(bytes), 0);
    return NULL;
}
