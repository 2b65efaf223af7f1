/* Values between a gem and this node. */
#include "record/cast.h"

#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "../tap.h"

/* A value as one text: "NULL", 5, 'text. */
static const char *text_of(cm_value_t value, apr_pool_t *pool)
{
    if (value.kind == CM_NULL)
        return "NULL";
    return apr_pstrcat(pool, value.kind == CM_TEXT ? "'" : "",
                       apr_pstrmemdup(pool, value.data, value.size), NULL);
}

static cm_value_t value_of(const char *text)
{
    return *text == '\'' ? cm_value_of(CM_TEXT, text + 1)
                         : cm_value_of(CM_NUMBER, text);
}

static void test_from(apr_pool_t *pool)
{
    static const struct {
        cm_class_e value_class;
        int digits; /* of the fraction */
        const char *sent, *kept;
    } cases[] = {
        {CM_CLASS_INTEGER, 0, "'42abc", "42"},
        {CM_CLASS_INTEGER, 0, "' -42", "-42"},
        {CM_CLASS_INTEGER, 0, "'+7.9", "7"},
        {CM_CLASS_INTEGER, 0, "'abc", "0"},
        {CM_CLASS_INTEGER, 0, "'+abc", "0"},
        {CM_CLASS_INTEGER, 0, "'+", "0"},
        {CM_CLASS_INTEGER, 0, "'-", "0"},
        {CM_CLASS_INTEGER, 0, "'.5", "0"},
        {CM_CLASS_INTEGER, 0, "'", "NULL"},
        {CM_CLASS_INTEGER, 0, "' ", "NULL"},
        {CM_CLASS_INTEGER, 0, "1.9", "1"},
        {CM_CLASS_INTEGER, 0, "9007199254740993", "9007199254740993"},
        {CM_CLASS_DECIMAL, 2, "'12.345 EUR", "12.35"},
        {CM_CLASS_DECIMAL, 2, "12.3", "12.3"},
        {CM_CLASS_DECIMAL, 2, "-0.994", "-0.99"},
        {CM_CLASS_DECIMAL, 2, "'99.995", "100.00"},
        {CM_CLASS_DECIMAL, 0, "'9.5", "10"},
        {CM_CLASS_DECIMAL, 2, "'+1.005", "1.01"},
        {CM_CLASS_DECIMAL, -1, "'1.23456", "1.23456"},
        {CM_CLASS_DECIMAL, 2, "'", "NULL"},
        {CM_CLASS_FLOAT, 0, "1.0e+20", "1.0e+20"},
        {CM_CLASS_FLOAT, 0, "'1.5x", "1.5"},
        {CM_CLASS_FLOAT, 0, "'", "NULL"},
        {CM_CLASS_BOOLEAN, 0, "'", "NULL"},
        {CM_CLASS_BOOLEAN, 0, "'t", "'t"},
        {CM_CLASS_TIMESTAMP, 0, "'", "NULL"},
        {CM_CLASS_TIMESTAMP, 0, "'2011-06-22T10:11:12.345Z",
         "'2011-06-22T10:11:12Z"},
        {CM_CLASS_TIMESTAMP, 2, "'2011-06-22T10:11:12.345+02:00",
         "'2011-06-22T10:11:12.34+02:00"},
        {CM_CLASS_TIMESTAMP, 6, "'2011-06-22T10:11:12.345Z",
         "'2011-06-22T10:11:12.345Z"},
        {CM_CLASS_DATE, 0, "'", "NULL"},
        {CM_CLASS_BINARY, 0, "'abcd", "'61626364"},
        {CM_CLASS_BINARY, 0, "'", "'"},
        {CM_CLASS_BINARY, 0, "'\xc3\xa9", "'c3a9"},
        {CM_CLASS_TEXT, 0, "'", "'"},
        {CM_CLASS_TEXT, 0, "'42abc", "'42abc"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const cm_column_t column = {.value_class = cases[i].value_class,
                                    .scale = cases[i].digits,
                                    .fraction = cases[i].digits};

        is_str(
            text_of(cm_cast_from_gem(&column, value_of(cases[i].sent), 0, pool),
                    pool),
            cases[i].kept, "from a gem: %s", cases[i].sent);
    }
}

static void test_local(apr_pool_t *pool)
{
    static const char *const cases[][2] = {
        {"'2011-06-22T12:11:12+02:00", "'2011-06-22T12:11:12"},
        {"'2011/06/22 12:11:12 -0500", "'2011/06/22 12:11:12"},
        {"'2011-06-22T12:11:12.25Z", "'2011-06-22T12:11:12.2"},
        {"'2011-06-22", "'2011-06-22"},
        {"'", "NULL"},
    };
    cm_column_t column = {.value_class = CM_CLASS_TIMESTAMP, .fraction = 1};
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        is_str(
            text_of(cm_cast_from_gem(&column, value_of(cases[i][0]), 1, pool),
                    pool),
            cases[i][1], "times=local: %s", cases[i][0]);
    column.value_class = CM_CLASS_TIMESTAMP_ZONE;
    is_str(text_of(cm_cast_from_gem(&column, value_of(cases[0][0]), 1, pool),
                   pool),
           cases[0][0], "  a column with a zone keeps it");
}

static const char *sent(cm_class_e value_class, const char *text,
                        apr_pool_t *pool)
{
    const cm_column_t column = {.value_class = value_class};
    cm_value_t value = cm_value_of(CM_TEXT, text);
    const char *held = cm_cast_to_gem(&column, &value, pool);

    return held ? held : text_of(value, pool);
}

static void test_to(apr_pool_t *pool)
{
    const cm_column_t column = {.value_class = CM_CLASS_TIMESTAMP};
    const cm_value_t whole = cm_value_of(CM_TEXT, "2011-06-22T10:11:12.5Z");

    is_str(sent(CM_CLASS_BINARY, "61c3a9", pool), "'a\xc3\xa9",
           "to a gem: bytes that are text");
    is_str(sent(CM_CLASS_BINARY, "ff", pool),
           "a gem takes bytes only if they are text in UTF-8",
           "  others are held back");
    is_str(sent(CM_CLASS_BINARY, "6100", pool), CM_CAST_NUL, "  U+0000, too");
    is_str(sent(CM_CLASS_BINARY, "", pool), "'", "  none are");
    is_str(sent(CM_CLASS_TEXT, "61c3", pool), "'61c3", "  digits in a text");
    is_str(sent(CM_CLASS_TIMESTAMP, "2011-06-22T10:11:12.5Z", pool),
           "'2011-06-22T10:11:12Z", "  no fraction of a second");
    ok(cm_cast_is_kept(&column, cm_value_of(CM_TEXT, "2011-06-22T10:11:12Z"),
                       whole, pool),
       "a time without its fraction comes back");
    ok(!cm_cast_is_kept(&column, cm_value_of(CM_TEXT, "2011-06-22T10:11:13Z"),
                        whole, pool),
       "  another one does not");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_from(pool);
    test_local(pool);
    test_to(pool);
    apr_terminate();
    return done_testing();
}
