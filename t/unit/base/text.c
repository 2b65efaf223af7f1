/* Text, byte by byte: what is read eight bytes at a time, and numbers that are
 * written without printf (base/json.h, record/canonical.h, base/number.h); and
 * what is fit to be shown (base/clean.h). */
#include "../tap.h"

#include <string.h>

#include <apr_general.h>

#include "base/buffer.h"
#include "base/clean.h"
#include "base/json.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/utf8.h"

#define LONGEST 19

/* Return how many of the texts of any length, with any byte at any place, are
 * judged wrongly. */
static int count_wrong(int *wrong_utf8)
{
    char text[LONGEST];
    int size, place, byte, wrong = 0;

    *wrong_utf8 = 0;
    for (size = 1; size <= LONGEST; size++)
        for (place = 0; place < size; place++)
            for (byte = 0; byte < 256; byte++) {
                int plain =
                    byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';

                memset(text, 'x', size);
                text[place] = (char)byte;
                wrong += cm_json_text_plain_end(text, text + size) !=
                         text + (plain ? size : place);
                *wrong_utf8 += cm_utf8_is_valid(text, size) != (byte < 0x80);
            }
    return wrong;
}

static void test_bytes(void)
{
    char text[LONGEST + 2];
    int place, wrong_utf8;

    is_int(count_wrong(&wrong_utf8), 0, "plain ends at each byte that is not");
    is_int(wrong_utf8, 0, "a lone byte is no UTF-8, wherever it stands");
    for (place = 0, wrong_utf8 = 0; place < LONGEST; place++) {
        memset(text, 'x', sizeof(text));
        memcpy(text + place, "\xC3\xA4", 2);
        wrong_utf8 += !cm_utf8_is_valid(text, sizeof(text));
    }
    is_int(wrong_utf8, 0, "a character is, wherever it stands");
}

static const struct {
    apr_int64_t number;
    const char *text;
} integers[] = {{0, "0"},
                {7, "7"},
                {-1, "-1"},
                {1700000000000001, "1700000000000001"},
                {APR_INT64_MAX, "9223372036854775807"},
                {APR_INT64_MIN, "-9223372036854775808"}};

static const struct {
    const char *text;
    int bytes;
    const char *shortest;
} floats[] = {
    {"12.5", 8, "12.5"},
    {"-12.5", 8, "-12.5"},
    {"12.50", 8, "12.5"},
    {"12.", 8, "12"},
    {"012.5", 8, "12.5"},
    {"0", 8, "0"},
    {"-0", 8, "-0"},
    {"0.5", 8, "0.5"},
    {"100", 8, "100"},
    {"1e2", 8, "100"},
    {"123456789012345", 8, "123456789012345"},
    {"1234567890123456", 8, "1234567890123456"},
    {"123456789012345678", 8, "1.2345678901234568e+17"},
    {"9007199254740993", 8, "9007199254740992"},
    {"0.10000000000000000555", 8, "0.1"},
    {"1.5", 4, "1.5"},
    {"123456", 4, "123456"},
    {"16777217", 4, "16777216"},
    {"1.23456789", 4, "1.2345679"},
    {"1e-45", 4, "1e-45"},
    {"4.94065645841247e-324", 8, "5e-324"},
    {"1.5x", 8, NULL},
    {"1.5.5", 8, NULL},
    {".", 8, NULL},
    {"-", 8, NULL},
    {"", 8, NULL},
};

static void test_numbers(apr_pool_t *pool)
{
    char room[CM_NUMBER_ROOM];
    apr_size_t i;

    for (i = 0; i < sizeof(integers) / sizeof(*integers); i++)
        is_str(cm_number_text(room, integers[i].number), integers[i].text,
               "%s as text", integers[i].text);
    for (i = 0; i < sizeof(floats) / sizeof(*floats); i++)
        is_str(cm_number_float_text(floats[i].text, floats[i].bytes, pool),
               floats[i].shortest, "'%s' in %d bytes", floats[i].text,
               floats[i].bytes);
}

static const char *const moments[] = {
    "2026-11-25T16:05:09Z",        "0001-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",        "294276-12-31T23:59:59.999999Z",
    "2026-02-03T04:05:06.000007Z", "2026-02-03T04:05:06.100000001Z",
};

static void test_moments(apr_pool_t *pool)
{
    cm_moment_t moment;
    apr_size_t i;

    for (i = 0; i < sizeof(moments) / sizeof(*moments); i++) {
        cm_moment_read(&moment, moments[i], strlen(moments[i]));
        is_str(cm_moment_both(&moment, "T", "Z", pool), moments[i],
               "%s comes back", moments[i]);
    }
    cm_moment_read(&moment, "2012-01-01 01:00:00.000007+01:00", 32);
    is_int(cm_moment_clock(&moment), 1325376000000007, "a time as a clock");
    cm_moment_read(&moment, "2012-02-31", 10);
    is_int(cm_moment_clock(&moment), 0, "  but not one that is not real");
    cm_moment_read(&moment, "-838:59:59.5", 12);
    is_str(cm_moment_time(&moment, pool), "-838:59:59.5", "a time below 0");
    cm_moment_read(&moment, "2026-01-02", 10);
    is_str(cm_moment_date(&moment, pool), "2026-01-02", "a date");
}

/* What a peer may send, and how it is shown: in a line, in JSON. */
static const struct {
    const char *text, *line, *json;
} shown[] = {
    {"", "", ""},
    {"Gr\xC3\xBC\xC3\x9F"
     "e \xF0\x9F\x98\x80",
     NULL, NULL},
    {"\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D", NULL, NULL},
    {"a\033[31mb", "a [31mb", "a\\u001b[31mb"},
    {"a\x7F"
     "b",
     "a b", "a\\u007fb"},
    {"a\xC2\x9B"
     "31mb",
     "a?31mb", "a\\u009b31mb"},
    {"\xE2\x80\xAE"
     "evil",
     "?evil", "\\u202eevil"},
    {"\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C", "???", "\\u200e\\u200f\\u061c"},
    {"\xE2\x81\xA6x\xE2\x81\xA9", "?x?", "\\u2066x\\u2069"},
    {"a\xE2\x80\xA8"
     "b\xE2\x80\xA9",
     "a b ", "a\\u2028b\\u2029"},
    {"\x9B"
     "31m\xFF",
     "?31m?", "\\ufffd31m\\ufffd"},
    {"\xE2\x80", "??", "\\ufffd\\ufffd"},
};

static void test_shown(apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
        const char *text = shown[i].text;

        is_str(cm_clean(text, pool), shown[i].line ? shown[i].line : text,
               "text %d in a line", (int)i);
        is_str(cm_clean_json(text, pool), shown[i].json ? shown[i].json : text,
               "text %d in JSON", (int)i);
        ok(shown[i].line || cm_clean(text, pool) == text,
           "  and copied only where it must be");
    }
    is_str(cm_clean("a\nb\tc\r", pool), "a b c ", "a line has no ends");
    is_str(cm_clean_lines("a\nb\tc\r\033", pool), "a\nb\tc  ", "lines have");
    ok(!cm_clean(NULL, pool), "nothing stays nothing");
}

/* Every byte that JSON escapes, and what grows. */
static void test_written(apr_pool_t *pool)
{
    char bytes[0x20 + 2];
    cm_buffer_t *buffer = cm_buffer_create(1, pool);
    int i;

    for (i = 0; i < 0x20; i++)
        bytes[i] = (char)i;
    bytes[0x20] = '"';
    bytes[0x21] = '\\';
    cm_buffer_string(buffer, bytes, sizeof(bytes));
    cm_buffer_raw(buffer, ",");
    cm_buffer_number(buffer, APR_INT64_MIN);
    cm_buffer_number(buffer, 0);
    cm_buffer_append(buffer, "", 1);
    is_str(
        buffer->data,
        "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n"
        "\\u000b\\f\\r\\u000e\\u000f\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015"
        "\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f"
        "\\\"\\\\\",-92233720368547758080",
        "a string is escaped, and a buffer grows");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_bytes();
    test_numbers(pool);
    test_moments(pool);
    test_shown(pool);
    test_written(pool);
    apr_terminate();
    return done_testing();
}
