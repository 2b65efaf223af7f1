/* Dates and times: see moment.h. */
#include "base/moment.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

/* More than the longest date and time take. */
#define ROOM 80

/* What is left of the text that is read. */
typedef struct cursor_t {
    const char *at, *end;
} cursor_t;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read LEAST to MOST digits into *NUMBER; returns how many there were, or 0
 * and leaves the cursor alone. */
static int read_digits(int *number, cursor_t *cursor, int least, int most)
{
    int count = 0;

    *number = 0;
    while (count < most && cursor->at + count < cursor->end &&
           is_digit(cursor->at[count])) {
        *number = *number * 10 + (cursor->at[count] - '0');
        count++;
    }
    if (count < least)
        return 0;
    cursor->at += count;
    return count;
}

static int read_char(cursor_t *cursor, const char *accepted)
{
    if (cursor->at < cursor->end && strchr(accepted, *cursor->at)) {
        cursor->at++;
        return 1;
    }
    return 0;
}

static int month_days(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* The year before year 1 is 1 BC: it counts as 0. */
static int counted_year(const cm_moment_t *moment)
{
    return moment->before_christ ? 1 - moment->year : moment->year;
}

/* Days since 1970-01-01, by counting years from March, so that the leap day
 * is a year's last. */
static apr_int64_t days_of(int year, int month, int day)
{
    apr_int64_t y = year - (month <= 2);
    apr_int64_t era = (y >= 0 ? y : y - 399) / 400;
    apr_int64_t of_era = y - era * 400;
    apr_int64_t of_year =
        (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

static void set_days(cm_moment_t *moment, apr_int64_t days)
{
    apr_int64_t z = days + 719468;
    apr_int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    apr_int64_t of_era = z - era * 146097;
    apr_int64_t year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    apr_int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    apr_int64_t march = (5 * of_year + 2) / 153;

    moment->day = (int)(of_year - (153 * march + 2) / 5 + 1);
    moment->month = (int)(march < 10 ? march + 3 : march - 9);
    moment->year = (int)(year + era * 400 + (moment->month <= 2));
    moment->before_christ = moment->year < 1;
    if (moment->before_christ)
        moment->year = 1 - moment->year;
}

static void set_seconds(cm_moment_t *moment, apr_int64_t seconds)
{
    apr_int64_t days = seconds / 86400, rest = seconds % 86400;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    set_days(moment, days);
    moment->hour = (int)(rest / 3600);
    moment->minute = (int)(rest / 60 % 60);
    moment->second = (int)(rest % 60);
}

static int read_date(cm_moment_t *moment, cursor_t *cursor)
{
    cursor_t start = *cursor;

    if (read_digits(&moment->year, cursor, 4, 7) && read_char(cursor, "-/") &&
        read_digits(&moment->month, cursor, 1, 2) && read_char(cursor, "-/") &&
        read_digits(&moment->day, cursor, 1, 2)) {
        moment->has_date = 1;
        return 1;
    }
    *cursor = start;
    return 0;
}

static int is_real_date(const cm_moment_t *moment)
{
    return moment->year > 0 && moment->month >= 1 && moment->month <= 12 &&
           moment->day >= 1 &&
           moment->day <= month_days(counted_year(moment), moment->month);
}

static int read_fraction(cm_moment_t *moment, cursor_t *cursor)
{
    int digits;

    if (!read_char(cursor, "."))
        return 1;
    digits = read_digits(&moment->nanosecond, cursor, 1, 9);
    if (!digits)
        return 0;
    for (; digits < 9; digits++)
        moment->nanosecond *= 10;
    while (read_char(cursor, "0"))
        ;
    return cursor->at == cursor->end || !is_digit(*cursor->at);
}

static int read_time(cm_moment_t *moment, cursor_t *cursor)
{
    moment->negative = read_char(cursor, "-");
    if (!read_digits(&moment->hour, cursor, 1, 3) || !read_char(cursor, ":") ||
        !read_digits(&moment->minute, cursor, 2, 2))
        return 0;
    if (read_char(cursor, ":") &&
        (!read_digits(&moment->second, cursor, 2, 2) ||
         !read_fraction(moment, cursor)))
        return 0;
    moment->has_time = 1;
    return moment->minute < 60 && moment->second < 60;
}

/* Read "Z", "UTC", "+02", "+0200", "+02:00", "+02:00:30". */
static int read_zone(int *offset, cursor_t *cursor)
{
    int hours = 0, minutes = 0, seconds = 0, sign;

    *offset = 0;
    if (cursor->end - cursor->at == 3 && memcmp(cursor->at, "UTC", 3) == 0) {
        cursor->at += 3;
        return 1;
    }
    if (read_char(cursor, "Zz"))
        return 1;
    sign = cursor->at < cursor->end && *cursor->at == '-' ? -1 : 1;
    if (!read_char(cursor, "+-") || !read_digits(&hours, cursor, 2, 2))
        return 0;
    read_char(cursor, ":");
    if (read_digits(&minutes, cursor, 2, 2)) {
        read_char(cursor, ":");
        read_digits(&seconds, cursor, 2, 2);
    }
    *offset = sign * (hours * 3600 + minutes * 60 + seconds);
    return hours < 24 && minutes < 60 && seconds < 60;
}

int cm_moment_read(cm_moment_t *moment, const char *text, apr_size_t size)
{
    cursor_t cursor = {text, text + size};
    int offset;

    memset(moment, 0, sizeof(*moment));
    moment->is_real = 1;
    if (size > 3 && !memcmp(cursor.end - 3, " BC", 3)) {
        moment->before_christ = 1;
        cursor.end -= 3;
    }
    if (read_date(moment, &cursor)) {
        moment->is_real = is_real_date(moment);
        if (cursor.at == cursor.end)
            return 1;
        if (!read_char(&cursor, "Tt "))
            return 0;
    }
    if (!read_time(moment, &cursor) ||
        (moment->has_date ? moment->negative : moment->before_christ))
        return 0;
    if (moment->has_date && moment->hour > 23)
        moment->is_real = 0;
    if (cursor.at == cursor.end)
        return 1;
    read_char(&cursor, " ");
    if (!moment->has_date || !read_zone(&offset, &cursor) ||
        cursor.at != cursor.end)
        return 0;
    if (offset && moment->is_real)
        set_seconds(moment,
                    days_of(counted_year(moment), moment->month, moment->day) *
                            86400 +
                        moment->hour * 3600 + moment->minute * 60 +
                        moment->second - offset);
    return 1;
}

int cm_moment_read_epoch(cm_moment_t *moment, const char *text, apr_size_t size)
{
    cursor_t cursor = {text, text + size};
    apr_int64_t seconds = 0;
    int digits = 0;

    memset(moment, 0, sizeof(*moment));
    while (cursor.at < cursor.end && is_digit(*cursor.at) && digits++ < 12)
        seconds = seconds * 10 + (*cursor.at++ - '0');
    if (!digits || !read_fraction(moment, &cursor) || cursor.at != cursor.end)
        return 0;
    moment->has_date = moment->has_time = moment->is_real = 1;
    set_seconds(moment, seconds);
    return 1;
}

apr_int64_t cm_moment_clock(const cm_moment_t *moment)
{
    apr_time_exp_t time = {.tm_usec = moment->nanosecond / 1000,
                           .tm_sec = moment->second,
                           .tm_min = moment->minute,
                           .tm_hour = moment->hour,
                           .tm_mday = moment->day,
                           .tm_mon = moment->month - 1,
                           .tm_year = moment->year - 1900};
    apr_time_t clock;

    return moment->has_date && moment->is_real && !moment->before_christ &&
                   !apr_time_exp_get(&clock, &time)
               ? clock
               : 0;
}

int cm_moment_fraction(const cm_moment_t *moment)
{
    int digits = 9, rest = moment->nanosecond;

    while (digits > 0 && rest % 10 == 0) {
        rest /= 10;
        digits--;
    }
    return digits;
}

/* Write NUMBER to TO with LEAST digits or more; return where it ends. */
static char *put_number(char *to, int number, int least)
{
    char digits[12], *end = digits + sizeof(digits), *at = end;

    while (number > 0 || at > end - least) {
        *--at = (char)('0' + number % 10);
        number /= 10;
    }
    memcpy(to, at, end - at);
    return to + (end - at);
}

static char *put_era(char *to, const cm_moment_t *moment)
{
    return moment->before_christ ? apr_cpystrn(to, " BC", 4) : to;
}

static char *put_date(char *to, const cm_moment_t *moment)
{
    to = put_number(to, moment->year, 4);
    *to++ = '-';
    to = put_number(to, moment->month, 2);
    *to++ = '-';
    return put_number(to, moment->day, 2);
}

static char *put_time(char *to, const cm_moment_t *moment)
{
    int digits = cm_moment_fraction(moment), cut, rest = moment->nanosecond;

    if (moment->negative)
        *to++ = '-';
    to = put_number(to, moment->hour, 2);
    *to++ = ':';
    to = put_number(to, moment->minute, 2);
    *to++ = ':';
    to = put_number(to, moment->second, 2);
    if (!digits)
        return to;
    for (cut = digits; cut < 9; cut++)
        rest /= 10;
    *to++ = '.';
    return put_number(to, rest, digits);
}

const char *cm_moment_date(const cm_moment_t *moment, apr_pool_t *pool)
{
    char text[ROOM];

    return apr_pstrmemdup(pool, text,
                          put_era(put_date(text, moment), moment) - text);
}

const char *cm_moment_time(const cm_moment_t *moment, apr_pool_t *pool)
{
    char text[ROOM];

    return apr_pstrmemdup(pool, text, put_time(text, moment) - text);
}

const char *cm_moment_both(const cm_moment_t *moment, const char *between,
                           const char *zone, apr_pool_t *pool)
{
    char text[ROOM], *end;

    end = apr_cpystrn(put_date(text, moment), between, 2);
    end = put_era(apr_cpystrn(put_time(end, moment), zone, 2), moment);
    return apr_pstrmemdup(pool, text, end - text);
}

const char *cm_moment_iso(apr_int64_t clock, apr_pool_t *pool)
{
    apr_time_exp_t time;

    apr_time_exp_gmt(&time, clock);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                        time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
                        time.tm_hour, time.tm_min, time.tm_sec, time.tm_usec);
}
