/* What a column of this database accepts: see fit.h. */
#include "record/fit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/moment.h"
#include "base/number.h"
#include "base/utf8.h"
#include "store/dialect.h"
#include "record/canonical.h"

typedef struct target_t {
    const cm_column_t *column;
    const cm_dialect_t *dialect;
    apr_pool_t *pool;
} target_t;

static cm_error_t *reject(const target_t *target, const char *reason)
{
    return CM_FAIL(target->pool, CM_REJECTED, "column '%s' %s",
                   target->column->name, reason);
}

#define REJECT(target, ...)                                                    \
    return reject((target), apr_psprintf((target)->pool, __VA_ARGS__))

/* Return whether the column's type begins with WORD. In SQLite the name of a
 * type means nothing: any column holds values of any type. */
static int type_begins(const target_t *target, const char *word)
{
    return !target->column->loose &&
           !strncasecmp(target->column->type, word, strlen(word));
}

/* SQLite turns text that looks like a number into one if the column's type does
 * not say text (as "STRING"): '007' would come back as 7. */
static int becomes_number(const target_t *target, cm_value_t value)
{
    static const char *const text_types[] = {"char", "clob", "text", "blob",
                                             NULL};
    const char *type = target->column->type;
    cm_decimal_t decimal;
    int i;

    if (!target->column->loose)
        return 0;
    for (i = 0; text_types[i]; i++)
        if (strcasestr(type, text_types[i]) && !strcasestr(type, "int"))
            return 0;
    if (!cm_number_decimal_read(&decimal, value.data, value.size, target->pool))
        return 0;
    return cm_number_decimal_scale(&decimal) ||
           !cm_number_decimal_fits(&decimal, 8, 0, target->pool) ||
           strcmp(cm_number_decimal_text(&decimal, 0, target->pool),
                  value.data);
}

/* Read the next member of MariaDB's type "enum('a','it''s')" or "set(...)" at
 * *AT into *MEMBER; return 0 after the last. */
static int next_member(cm_value_t *member, const char **at, apr_pool_t *pool)
{
    const char *from = strchr(*at, '\'');
    char *text, *to;

    if (!from)
        return 0;
    to = text = apr_palloc(pool, strlen(from));
    for (from++; *from; from++) {
        if (*from == '\'' && *++from != '\'')
            break;
        *to++ = *from;
    }
    *to = '\0';
    *member = (cm_value_t){CM_TEXT, text, to - text};
    *at = from;
    return 1;
}

/* MariaDB would accept 'A' for the 'a' of an enum. */
static int is_enum_value(const target_t *target, cm_value_t value)
{
    const char *at = target->column->type;
    cm_value_t member;

    while (next_member(&member, &at, target->pool))
        if (!cm_value_compare(member, value))
            return 1;
    return 0;
}

/* MariaDB would accept 'Y,x,x' for 'x,y', which would come back changed. */
static int is_set_value(const target_t *target, cm_value_t value)
{
    const char *at = target->column->type, *rest = value.data;
    cm_value_t member;

    if (!value.size)
        return 1;
    while (next_member(&member, &at, target->pool)) {
        if (strncmp(rest, member.data, member.size) ||
            (rest[member.size] && rest[member.size] != ','))
            continue;
        rest += member.size;
        if (!*rest)
            return rest == value.data + value.size;
        rest++;
    }
    return 0;
}

/* Return whether VALUE is a UUID in one of the forms that databases take: 32
 * digits, with hyphens between some of them, perhaps in braces. */
static int is_uuid(cm_value_t value)
{
    int in_braces = value.size >= 2 && value.data[0] == '{' &&
                    value.data[value.size - 1] == '}';
    apr_size_t i;
    int digits = 0;

    for (i = in_braces; i < value.size - in_braces; i++) {
        if (apr_isxdigit(value.data[i]))
            digits++;
        else if (value.data[i] != '-')
            return 0;
    }
    return digits == 32;
}

static cm_error_t *datum_text(cm_datum_t *datum, const target_t *target,
                              cm_value_t value)
{
    const cm_column_t *column = target->column;
    int characters = cm_utf8_count(value.data, value.size);

    if (!target->dialect->holds_nul && memchr(value.data, 0, value.size))
        REJECT(target, "cannot hold U+0000");
    if (column->length && characters > column->length)
        REJECT(target, "holds %d characters, the value has %d", column->length,
               characters);
    if (column->octets && (apr_int64_t)value.size > column->octets)
        REJECT(target,
               "holds %" APR_INT64_T_FMT " bytes, the value has "
               "%" APR_SIZE_T_FMT,
               column->octets, value.size);
    if ((type_begins(target, "bpchar") || type_begins(target, "char(")) &&
        value.size && value.data[value.size - 1] == ' ')
        REJECT(target, "has a fixed length and drops trailing spaces");
    if (becomes_number(target, value))
        REJECT(target, "of type '%s' would turn the text into a number",
               column->type);
    if (type_begins(target, "enum(") && !is_enum_value(target, value))
        REJECT(target, "has no such value in its enum");
    if (type_begins(target, "set(") && !is_set_value(target, value))
        REJECT(target, "has no such values in its set, or not in this "
                       "order");
    if (!column->loose && !strcmp(column->type, "bit varying") && value.size &&
        !cm_value_is_digits(value, "01"))
        REJECT(target, "holds bits, as a string of the digits 0 and 1");
    if (!column->loose && !strcasecmp(column->type, "uuid") && !is_uuid(value))
        REJECT(target, "holds UUIDs only");
    *datum = (cm_datum_t){value.data, value.size, 0};
    return NULL;
}

/* Return the bits of the number DIGITS as the database takes them: each as a
 * digit, or eight in a byte. */
static cm_datum_t bits_of(const target_t *target, const char *digits)
{
    apr_uint64_t number = strtoull(digits, NULL, 10);
    int as_text = target->dialect->bits_as_text, width = as_text ? 1 : 8;
    int count = (target->column->precision + width - 1) / width, i;
    char *data = apr_palloc(target->pool, count + 1);

    for (i = count; i > 0; i--, number >>= width)
        data[i - 1] = (char)(as_text ? '0' + (number & 1) : number & 0xFF);
    data[count] = '\0';
    return (cm_datum_t){data, count, !as_text};
}

/* MariaDB would turn the text 5 into 2005, and 0 into 2000. */
static cm_error_t *datum_year(cm_datum_t *datum, const target_t *target,
                              cm_value_t value)
{
    apr_int64_t year = value.size <= 4 ? apr_atoi64(value.data) : -1;

    if (year && (year < 1901 || year > 2155))
        REJECT(target, "holds the years from 1901 to 2155, and 0");
    *datum = cm_datum_text(apr_psprintf(target->pool, "%04d", (int)year));
    return NULL;
}

static cm_error_t *datum_integer(cm_datum_t *datum, const target_t *target,
                                 cm_value_t value)
{
    const cm_column_t *column = target->column;
    cm_decimal_t decimal;

    if (column->is_bits && value.kind == CM_TEXT &&
        cm_value_is_digits(value, "01"))
        REJECT(target, "holds %d bits, the value has %" APR_SIZE_T_FMT,
               column->precision, value.size);
    if (!cm_number_decimal_read(&decimal, value.data, value.size,
                                target->pool) ||
        cm_number_decimal_scale(&decimal))
        REJECT(target, "holds whole numbers only");
    if (!cm_number_decimal_fits(&decimal, column->length, column->is_unsigned,
                                target->pool) ||
        (column->is_bits && column->precision < 64 &&
         strtoull(value.data, NULL, 10) >> column->precision))
        REJECT(target, "is too small for the number");
    if (type_begins(target, "year"))
        return datum_year(datum, target, value);
    *datum = column->is_bits ? bits_of(target, value.data)
                             : (cm_datum_t){value.data, value.size, 0};
    return NULL;
}

/* SQLite stores a decimal as a floating point number. */
static int survives_as_float(const target_t *target, cm_value_t value)
{
    const char *text = cm_number_float_text(value.data, 8, target->pool);
    cm_decimal_t before, after;
    int scale;

    if (text && !strcmp(text, value.data))
        return 1;
    if (!text ||
        !cm_number_decimal_read(&before, value.data, value.size,
                                target->pool) ||
        !cm_number_decimal_read(&after, text, strlen(text), target->pool))
        return 0;
    if (!cm_number_decimal_scale(&before) &&
        cm_number_decimal_fits(&before, 8, 0, target->pool))
        return 1;
    scale = cm_number_decimal_scale(&before);
    return scale == cm_number_decimal_scale(&after) &&
           !strcmp(cm_number_decimal_text(&before, scale, target->pool),
                   cm_number_decimal_text(&after, scale, target->pool));
}

static cm_error_t *datum_decimal(cm_datum_t *datum, const target_t *target,
                                 cm_value_t value)
{
    const cm_column_t *column = target->column;
    cm_decimal_t decimal;
    int scale;

    *datum = (cm_datum_t){value.data, value.size, 0};
    if (!cm_number_decimal_read(&decimal, value.data, value.size,
                                target->pool)) {
        if (target->dialect->names_numbers &&
            cm_number_float_text(value.data, 8, target->pool))
            return NULL;
        REJECT(target, "holds decimal numbers only");
    }
    scale = cm_number_decimal_scale(&decimal);
    if (column->loose && !survives_as_float(target, value))
        REJECT(target, "keeps a floating point number, which is not exact "
                       "enough for the value");
    if (!column->loose && column->scale >= 0 && scale > column->scale)
        REJECT(target, "keeps %d digits after the point, the value has %d",
               column->scale, scale);
    if (!column->loose && column->precision &&
        decimal.count - decimal.scale > column->precision - column->scale)
        REJECT(target, "keeps %d digits before the point, the value has %d",
               column->precision - column->scale,
               decimal.count - decimal.scale);
    if (column->is_unsigned && decimal.negative)
        REJECT(target, "cannot be negative");
    return NULL;
}

/* SQLite before 3.43 reads about one number in ten thousand wrongly, as its
 * neighbour, when it is given in its shortest form; two more digits help. */
static const char *for_sqlite(const char *text, apr_pool_t *pool)
{
    char digits[40];

    snprintf(digits, sizeof(digits), "%.18e", strtod(text, NULL));
    return apr_pstrdup(pool, digits);
}

/* The shortest text of the largest number of 4 bytes is that of a larger one,
 * which MariaDB refuses. Return one that is read as the same number. */
static const char *not_above_single(const char *text)
{
    const double number = strtod(text, NULL);

    if (fabs(number) <= FLT_MAX)
        return text;
    return number < 0 ? "-3.4028234e+38" : "3.4028234e+38";
}

static cm_error_t *datum_float(cm_datum_t *datum, const target_t *target,
                               cm_value_t value)
{
    const cm_column_t *column = target->column;
    const char *text = cm_number_float_text(value.data, 8, target->pool),
               *single;
    cm_decimal_t decimal;

    if (!text || strlen(value.data) != value.size)
        REJECT(target, "holds floating point numbers only, or is too small "
                       "for the value");
    if (value.kind == CM_TEXT && column->loose && strcmp(text, "NaN"))
        text = *text == '-' ? "-9e999" : "9e999";
    else if (value.kind == CM_TEXT && !target->dialect->names_numbers)
        REJECT(target, "cannot hold %s", text);
    single = column->length == 4 ? cm_number_float_text(text, 4, target->pool)
                                 : text;
    if (!single || strcmp(single, text))
        REJECT(target, "keeps 4 bytes, which is not exact enough for the "
                       "value");
    if (column->scale >= 0 && !column->loose &&
        cm_number_decimal_read(&decimal, text, strlen(text), target->pool) &&
        cm_number_decimal_scale(&decimal) > column->scale)
        REJECT(target, "keeps %d digits after the point", column->scale);
    if (column->loose && value.kind == CM_NUMBER)
        text = for_sqlite(text, target->pool);
    if (column->length == 4 && value.kind == CM_NUMBER)
        text = not_above_single(text);
    *datum = cm_datum_text(text);
    return NULL;
}

static cm_error_t *datum_boolean(cm_datum_t *datum, const target_t *target,
                                 cm_value_t value)
{
    if (value.kind == CM_BOOLEAN) {
        int yes = *value.data == 't';

        *datum = cm_datum_text(target->dialect->booleans[yes]);
        if (target->column->is_bits)
            *datum = bits_of(target, yes ? "1" : "0");
        return NULL;
    }
    if (target->dialect->strict_booleans || target->column->is_bits)
        REJECT(target, "holds true and false only");
    return datum_integer(datum, target, value);
}

static cm_error_t *datum_binary(cm_datum_t *datum, const target_t *target,
                                cm_value_t value)
{
    const cm_column_t *column = target->column;
    apr_size_t bytes = value.size / 2;

    if (value.kind != CM_TEXT)
        REJECT(target, "holds bytes, as hexadecimal digits");
    if (column->length && bytes > (apr_size_t)column->length)
        REJECT(target, "holds %d bytes, the value has %" APR_SIZE_T_FMT,
               column->length, bytes);
    if (type_begins(target, "binary(") && bytes < (apr_size_t)column->length)
        REJECT(target, "has a fixed length of %d bytes and would pad the value",
               column->length);
    *datum =
        (cm_datum_t){cm_value_from_hex(value.data, value.size, target->pool),
                     bytes, CM_DATUM_BYTES};
    return NULL;
}

static cm_error_t *datum_any(cm_datum_t *datum, const target_t *target,
                             cm_value_t value)
{
    apr_size_t size;
    const char *digits = cm_value_hex(&size, value);

    *datum = (cm_datum_t){value.data, value.size, CM_DATUM_TEXT};
    if (target->column->loose && value.kind == CM_NUMBER)
        datum->kind = CM_DATUM_NUMBER;
    if (!digits)
        return NULL;
    if (!target->column->loose)
        REJECT(target, "cannot hold bytes that are not text");
    *datum = (cm_datum_t){cm_value_from_hex(digits, size, target->pool),
                          size / 2, CM_DATUM_BYTES};
    return NULL;
}

static const char *moment_text(const target_t *target,
                               const cm_moment_t *moment)
{
    const cm_dialect_t *dialect = target->dialect;

    switch (target->column->value_class) {
    case CM_CLASS_DATE:
        return cm_moment_date(moment, target->pool);
    case CM_CLASS_TIME:
        return cm_moment_time(moment, target->pool);
    default:
        return cm_moment_both(moment, dialect->before_time, dialect->after_time,
                              target->pool);
    }
}

static cm_error_t *datum_moment(cm_datum_t *datum, const target_t *target,
                                cm_value_t value)
{
    const cm_dialect_t *dialect = target->dialect;
    const cm_column_t *column = target->column;
    int is_time = column->value_class == CM_CLASS_TIME, is_zero;
    cm_moment_t moment;

    *datum = (cm_datum_t){value.data, value.size, 0};
    if ((column->loose && value.kind == CM_NUMBER) ||
        (dialect->wide_dates && !is_time &&
         (!strcmp(value.data, "infinity") || !strcmp(value.data, "-infinity"))))
        return NULL;
    if (!cm_moment_read(&moment, value.data, value.size) ||
        (is_time ? moment.has_date : !moment.has_date) ||
        (column->value_class == CM_CLASS_DATE && moment.has_time))
        REJECT(target, "can hold only a %s",
               is_time                                ? "time"
               : column->value_class == CM_CLASS_DATE ? "date"
                                                      : "date and time");
    is_zero = moment.has_date && (!moment.month || !moment.day);
    if ((!moment.is_real && (dialect->wide_dates || !is_zero)) ||
        (moment.before_christ && !dialect->wide_dates))
        REJECT(target, "cannot hold a date that does not exist");
    if (is_time && dialect->holds_time && !dialect->holds_time(&moment))
        REJECT(target, "cannot hold a time with so many hours");
    if (cm_moment_fraction(&moment) > column->fraction)
        REJECT(target, "keeps %d digits of a second, the value has %d",
               column->fraction, cm_moment_fraction(&moment));
    *datum = cm_datum_text(moment_text(target, &moment));
    return NULL;
}

static cm_error_t *datum_of_class(cm_datum_t *datum, const target_t *target,
                                  cm_value_t value)
{
    switch (target->column->value_class) {
    case CM_CLASS_INTEGER:
        return datum_integer(datum, target, value);
    case CM_CLASS_DECIMAL:
        return datum_decimal(datum, target, value);
    case CM_CLASS_FLOAT:
        return datum_float(datum, target, value);
    case CM_CLASS_BOOLEAN:
        return datum_boolean(datum, target, value);
    case CM_CLASS_DATE:
    case CM_CLASS_TIME:
    case CM_CLASS_TIMESTAMP:
    case CM_CLASS_TIMESTAMP_ZONE:
        return datum_moment(datum, target, value);
    case CM_CLASS_BINARY:
        return datum_binary(datum, target, value);
    case CM_CLASS_ANY:
        return datum_any(datum, target, value);
    case CM_CLASS_TEXT:
        if (!target->column->loose && value.kind != CM_TEXT &&
            !strcmp(target->column->type, "bit varying"))
            REJECT(target, "holds bits, as a string of the digits 0 and 1");
        if (value.kind == CM_JSON)
            return datum_any(datum, target, value);
        break;
    case CM_CLASS_JSON:
        break;
    }
    return datum_text(datum, target, value);
}

cm_error_t *cm_fit_value(cm_datum_t *datum, const cm_column_t *column,
                         cm_value_t value, const cm_dialect_t *dialect,
                         apr_pool_t *pool)
{
    target_t target = {column, dialect, pool};

    *datum = (cm_datum_t){NULL, 0, 0};
    value = cm_canonical_normalise(column, value, pool);
    if (value.kind > CM_NULL)
        return datum_of_class(datum, &target, value);
    /* MariaDB would write the current time into a TIMESTAMP */
    if (!column->nullable)
        REJECT(&target, "may not be NULL");
    return NULL;
}
