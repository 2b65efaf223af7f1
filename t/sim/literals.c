/* See literals.h. */
#include "literals.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Numbers of more digits may not be whole ones for SQLite. */
#define MOST_DIGITS 18

static struct {
    sim_literals_t taken;
    char *text;    /* where the values' text goes */
    size_t room;   /* of taken.sql, and of text */
    int is_listed; /* after ORDER BY and GROUP BY, where numbers are columns */
} literals;

static void make_room(size_t size)
{
    if (literals.room > size)
        return;
    literals.room = 2 * size + 1000;
    literals.taken.sql = realloc(literals.taken.sql, literals.room);
    literals.text = realloc(literals.text, literals.room);
    if (!literals.taken.sql || !literals.text)
        abort();
}

static void copy(const char *from, const char *end)
{
    memcpy(literals.taken.sql + literals.taken.size, from,
           (size_t)(end - from));
    literals.taken.size += (size_t)(end - from);
}

/* Put a parameter where a literal was. */
static sim_literal_t *take(void)
{
    copy("?", "?" + 1);
    return &literals.taken.values[literals.taken.count++];
}

/* Return the end of what is in quotation marks at FROM. */
static const char *quoted_end(const char *from, const char *end)
{
    const char *at;

    for (at = from + 1; at < end; at++)
        if (*at == *from && (++at == end || *at != *from))
            return at;
    return end;
}

static void take_text(const char *from, const char *end, char **text)
{
    sim_literal_t *literal = take();

    literal->text = *text;
    for (from++; from < end - 1; from++) {
        *(*text)++ = *from;
        from += *from == '\'';
    }
    literal->size = (int)(*text - literal->text);
}

static int is_word(char letter)
{
    return isalnum((unsigned char)letter) || strchr("_$.", letter) ||
           letter & 0x80;
}

/* A word, or a number: of these only whole ones are taken. */
static const char *word(const char *from, const char *end)
{
    const char *at = from;
    int digits = 0;

    for (; at < end && is_word(*at); at++)
        digits += isdigit((unsigned char)*at) != 0;
    if (at - from == digits && digits <= MOST_DIGITS && !literals.is_listed) {
        sim_literal_t *literal = take();

        literal->text = NULL;
        literal->number = strtoll(from, NULL, 10);
        return at;
    }
    literals.is_listed |= at - from == 2 && !strncasecmp(from, "BY", 2);
    copy(from, at);
    return at;
}

/* Copy what begins at FROM, or take it. Returns its end. */
static const char *token(const char *from, const char *end, char **text)
{
    const char *at = from + 1;

    if (*from == '\'') {
        at = quoted_end(from, end);
        take_text(from, at, text);
        return at;
    }
    if (is_word(*from)) {
        at = word(from, end);
        /* X'00' */
        if (at == end || *at != '\'')
            return at;
        from = at;
    }
    literals.is_listed &= *from != ')';
    if (*from == '"' || *from == '\'')
        at = quoted_end(from, end);
    copy(from, at);
    return at;
}

const sim_literals_t *sim_literals_take(const char *sql, size_t size)
{
    const char *end = sql + size;
    char *text;

    make_room(size);
    literals.taken.size = 0;
    literals.taken.count = literals.is_listed = 0;
    text = literals.text;
    while (sql < end && literals.taken.count < SIM_LITERALS) {
        if (*sql == '?' || (*sql == '-' && sql[1] == '-'))
            return NULL;
        sql = token(sql, end, &text);
    }
    literals.taken.sql[literals.taken.size] = '\0';
    return sql == end && literals.taken.count ? &literals.taken : NULL;
}
