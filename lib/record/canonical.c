/* The canonical form of values: see canonical.h. What a database takes is in
 * fit.c. */
#include "record/canonical.h"

#include <stdlib.h>
#include <string.h>

#include <apr_escape.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/moment.h"
#include "base/number.h"
#include "base/utf8.h"
#include "store/dialect.h"
#include "record/tuple.h"

static int is_word(cm_value_t value, const char *const *words)
{
    for (; *words; words++)
        if (value.size == strlen(*words) && !strcasecmp(value.data, *words))
            return 1;
    return 0;
}

static cm_value_t normalise_boolean(cm_value_t value)
{
    static const char *const yes[] = {"true", "t", "1", NULL};
    static const char *const no[] = {"false", "f", "0", NULL};

    if (is_word(value, yes))
        return cm_value_of(CM_BOOLEAN, "true");
    if (is_word(value, no))
        return cm_value_of(CM_BOOLEAN, "false");
    return value;
}

/* In a column of numbers booleans are 1 and 0. */
static cm_value_t without_boolean(cm_value_t value)
{
    if (value.kind != CM_BOOLEAN)
        return value;
    return cm_value_of(CM_NUMBER, *value.data == 't' ? "1" : "0");
}

/* Bits are sent as a number; PostgreSQL writes them as a string of 0 and 1. A
 * string of another length might be either: it stays as it is. */
static int read_bits(cm_value_t *value, const cm_column_t *column,
                     apr_pool_t *pool)
{
    if (!column->is_bits || value->size < 2 ||
        !cm_value_is_digits(*value, "01"))
        return 0;
    if (value->size == (apr_size_t)column->precision)
        *value = cm_value_of(
            CM_NUMBER,
            apr_psprintf(pool, "%" APR_UINT64_T_FMT,
                         (apr_uint64_t)strtoull(value->data, NULL, 2)));
    return 1;
}

static cm_value_t normalise_integer(const cm_column_t *column, cm_value_t value,
                                    apr_pool_t *pool)
{
    cm_decimal_t decimal;

    if (read_bits(&value, column, pool))
        return value;
    if (!cm_number_decimal_read(&decimal, value.data, value.size, pool) ||
        cm_number_decimal_scale(&decimal))
        return value;
    return cm_value_of(CM_NUMBER, cm_number_decimal_text(&decimal, 0, pool));
}

/* The scale is that of the column. SQLite stores none, so there it is what the
 * number needs, but at least the declared scale. */
static cm_value_t normalise_decimal(const cm_column_t *column, cm_value_t value,
                                    apr_pool_t *pool)
{
    cm_decimal_t decimal;
    int scale;

    value.kind = CM_TEXT;
    if (!cm_number_decimal_read(&decimal, value.data, value.size, pool))
        return value;
    scale = cm_number_decimal_scale(&decimal);
    if (column->scale > scale)
        scale = column->scale;
    else if (column->scale < 0 && !column->loose)
        scale = decimal.scale;
    return cm_value_of(CM_TEXT, cm_number_decimal_text(&decimal, scale, pool));
}

static cm_value_t normalise_float(const cm_column_t *column, cm_value_t value,
                                  apr_pool_t *pool)
{
    const char *text = cm_number_float_text(value.data, 8, pool);

    if (!text || strlen(value.data) != value.size)
        return value;
    if (column->length == 4) {
        const char *single = cm_number_float_text(value.data, 4, pool);

        /* only if the column holds exactly this number */
        if (single &&
            (!strcmp(single, text) || cm_number_float_is_single(text)))
            text = single;
    }
    return cm_value_of(apr_isalpha(text[*text == '-']) ? CM_TEXT : CM_NUMBER,
                       text);
}

/* The gem sends times with a date, 2000-01-01; another date would be lost. */
static int is_time(const cm_moment_t *moment)
{
    return moment->has_time &&
           (!moment->has_date ||
            (moment->year == 2000 && moment->month == 1 && moment->day == 1));
}

static int is_date(const cm_moment_t *moment)
{
    return moment->has_date && !moment->hour && !moment->minute &&
           !moment->second && !moment->nanosecond;
}

static cm_value_t normalise_moment(const cm_column_t *column,
                                   const cm_moment_t *moment, cm_value_t value,
                                   apr_pool_t *pool)
{
    if (column->value_class == CM_CLASS_DATE && is_date(moment))
        return cm_value_of(CM_TEXT, cm_moment_date(moment, pool));
    if (column->value_class == CM_CLASS_TIME && is_time(moment))
        return cm_value_of(CM_TEXT, cm_moment_time(moment, pool));
    if ((column->value_class == CM_CLASS_TIMESTAMP ||
         column->value_class == CM_CLASS_TIMESTAMP_ZONE) &&
        moment->has_date)
        return cm_value_of(CM_TEXT, cm_moment_both(moment, "T", "Z", pool));
    return value;
}

static const char *lower(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text), *at;

    for (at = copy; *at; at++)
        *at = (char)apr_tolower(*at);
    return copy;
}

static int is_hex(cm_value_t value)
{
    return value.size % 2 == 0 && strlen(value.data) == value.size &&
           strspn(value.data, "0123456789abcdefABCDEF") == value.size;
}

/* The gem sends the bytes of a binary column as text. */
static cm_value_t normalise_binary(cm_value_t value, apr_pool_t *pool)
{
    if (is_hex(value))
        return cm_value_of(CM_TEXT, lower(value.data, pool));
    return cm_value_of(CM_TEXT,
                       apr_pescape_hex(pool, value.data, value.size, 0));
}

/* PostgreSQL's inet shows no prefix for the address of a single host; its cast
 * to text does. */
static cm_value_t without_prefix(cm_value_t value, apr_pool_t *pool)
{
    const char *whole = memchr(value.data, ':', value.size) ? "/128" : "/32";
    apr_size_t size = strlen(whole);

    if (value.size <= size ||
        memcmp(value.data + value.size - size, whole, size))
        return value;
    return cm_value_of(CM_TEXT,
                       apr_pstrmemdup(pool, value.data, value.size - size));
}

static cm_value_t normalise_text(const cm_column_t *column, cm_value_t value,
                                 apr_pool_t *pool)
{
    apr_size_t digits;

    if (column->value_class == CM_CLASS_TEXT && cm_value_hex(&digits, value))
        return value;
    /* a number is not a string of bits: the column refuses it */
    if (!strcmp(column->type, "bit varying") && !column->loose)
        return value;
    value.kind = CM_TEXT;
    if (!strcasecmp(column->type, "uuid"))
        return cm_value_of(CM_TEXT, lower(value.data, pool));
    if (!strcmp(column->type, "inet") && !column->loose)
        return without_prefix(value, pool);
    return value;
}

cm_value_t cm_canonical_normalise(const cm_column_t *column, cm_value_t value,
                                  apr_pool_t *pool)
{
    cm_moment_t moment;

    if (value.kind == CM_ABSENT || value.kind == CM_NULL)
        return value;
    switch (column->value_class) {
    case CM_CLASS_INTEGER:
        return normalise_integer(column, without_boolean(value), pool);
    case CM_CLASS_DECIMAL:
        return normalise_decimal(column, without_boolean(value), pool);
    case CM_CLASS_FLOAT:
        return normalise_float(column, without_boolean(value), pool);
    case CM_CLASS_BOOLEAN:
        return normalise_boolean(value);
    case CM_CLASS_DATE:
    case CM_CLASS_TIME:
    case CM_CLASS_TIMESTAMP:
    case CM_CLASS_TIMESTAMP_ZONE:
        if (value.kind != CM_TEXT ||
            !cm_moment_read(&moment, value.data, value.size))
            return value;
        return normalise_moment(column, &moment, value, pool);
    case CM_CLASS_BINARY:
        return value.kind == CM_TEXT ? normalise_binary(value, pool) : value;
    case CM_CLASS_TEXT:
    case CM_CLASS_JSON:
        return normalise_text(column, value, pool);
    case CM_CLASS_ANY:
        break;
    }
    return value;
}

/* SQLite: a column of text may hold bytes, {"hex":"..."}. Bytes that are text
 * become text. Returns 0 when they are not. */
static int read_hex_text(cm_value_t *value, apr_pool_t *pool)
{
    apr_size_t size;
    const char *digits = cm_value_hex(&size, *value), *text;

    if (!digits)
        return 0;
    text = cm_value_from_hex(digits, size, pool);
    size /= 2;
    if (!cm_utf8_is_valid(text, size))
        return 0;
    *value = (cm_value_t){CM_TEXT, text, size};
    return 1;
}

/* SQLite: the trigger writes numbers with 26 digits, and text as bytes where
 * the application bound bytes. */
static cm_value_t from_sqlite(const cm_column_t *column, cm_value_t raw,
                              apr_pool_t *pool)
{
    const char *text;

    if (raw.kind == CM_NUMBER && strpbrk(raw.data, ".e")) {
        text = cm_number_float_text(raw.data, 8, pool);
        if (text)
            raw = cm_value_of(CM_NUMBER, text);
    }
    if (raw.kind == CM_JSON && column->value_class != CM_CLASS_ANY &&
        !read_hex_text(&raw, pool))
        return raw;
    return cm_canonical_normalise(column, raw, pool);
}

/* MariaDB: the trigger writes every value as a string. Bits are numbers anyway,
 * and so is a TINYINT(1) other than 0 and 1. */
static cm_value_t from_mysql(const cm_column_t *column, cm_value_t raw)
{
    if (raw.kind == CM_TEXT && raw.size &&
        (column->value_class == CM_CLASS_INTEGER ||
         column->value_class == CM_CLASS_BOOLEAN) &&
        (*raw.data == '-' || apr_isdigit(*raw.data)) &&
        strspn(raw.data + 1, "0123456789") == raw.size - 1)
        raw.kind = CM_NUMBER;
    return raw;
}

cm_value_t cm_canonical_value(const cm_column_t *column, cm_value_t raw,
                              const cm_dialect_t *dialect, apr_pool_t *pool)
{
    cm_moment_t moment;

    /* MariaDB shows a TIMESTAMP in the session's zone, in which an hour of the
     * autumn is twice: the trigger writes seconds since 1970. */
    if (dialect->captures_text && raw.kind == CM_TEXT &&
        column->value_class == CM_CLASS_TIMESTAMP_ZONE &&
        cm_moment_read_epoch(&moment, raw.data, raw.size))
        return normalise_moment(column, &moment, raw, pool);
    if (dialect->captures_text)
        raw = from_mysql(column, raw);
    if (column->loose)
        return from_sqlite(column, raw, pool);
    return cm_canonical_normalise(column, raw, pool);
}

/* Most keys are numbers, which all databases write in the same way. */
static int is_plain_key(const cm_column_t *key, const char *text)
{
    return key->value_class == CM_CLASS_INTEGER && *text >= '1' &&
           strspn(text, "0123456789") == strlen(text) && !key->is_bits;
}

const char *cm_canonical_key(const cm_table_t *table, const char *text,
                             const cm_dialect_t *dialect, apr_pool_t *pool)
{
    const char **parts;
    int i;

    if (table->key_count == 1 && is_plain_key(table->keys[0], text))
        return text;
    parts = apr_palloc(pool, table->key_count * sizeof(*parts));
    if (!cm_tuple_read(parts, table->key_count, text, pool))
        return text;
    for (i = 0; i < table->key_count; i++)
        parts[i] =
            cm_canonical_value(table->keys[i], cm_value_of(CM_TEXT, parts[i]),
                               dialect, pool)
                .data;
    return cm_tuple_write(parts, table->key_count, pool);
}
