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
    const char *rest; /* of the SQL: what has not been copied yet */
    char *text;       /* where the values' text goes */
    size_t room;      /* of taken.sql, and of text */
    int is_listed; /* after ORDER BY and GROUP BY, where numbers are columns */
} literals;

/* What a character may be a part of. */
static enum {
    MARK,
    WORD,
    NUMBER
} kinds[256];

static void know_kinds(void)
{
    int i;

    for (i = 0; i < 256; i++)
        if (isdigit(i))
            kinds[i] = NUMBER;
        else if (isalnum(i) || i & 0x80 || strchr("_$.", i))
            kinds[i] = WORD;
}

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

/* Copy what is left in front of END. */
static void copy(const char *end)
{
    size_t size = (size_t)(end - literals.rest);

    memcpy(literals.taken.sql + literals.taken.size, literals.rest, size);
    literals.taken.size += size;
    literals.rest = end;
}

/* Put a parameter in the place of the literal between FROM and END. */
static sim_literal_t *take(const char *from, const char *end)
{
    copy(from);
    literals.taken.sql[literals.taken.size++] = '?';
    literals.rest = end;
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
    sim_literal_t *literal = take(from, end);

    literal->text = *text;
    for (from++; from < end - 1; from++) {
        *(*text)++ = *from;
        from += *from == '\'';
    }
    literal->size = (int)(*text - literal->text);
}

/* A word, or a number: of these only whole ones are taken. Returns its end. */
static const char *word(const char *from, const char *end)
{
    const char *at = from;
    int is_number = 1;

    for (; at < end && kinds[(unsigned char)*at] != MARK; at++)
        is_number &= kinds[(unsigned char)*at] == NUMBER;
    if (is_number && at - from <= MOST_DIGITS && !literals.is_listed) {
        sim_literal_t *literal = take(from, at);

        literal->text = NULL;
        literal->number = strtoll(from, NULL, 10);
    }
    literals.is_listed |= at - from == 2 && !strncasecmp(from, "BY", 2);
    return at;
}

/* Pass over what begins at FROM, or take it. Returns its end. */
static const char *token(const char *from, const char *end, char **text)
{
    const char *at;

    if (*from == '\'') {
        at = quoted_end(from, end);
        take_text(from, at, text);
        return at;
    }
    if (kinds[(unsigned char)*from] != MARK) {
        at = word(from, end);
        /* X'00' */
        if (at == end || *at != '\'')
            return at;
        from = at;
    }
    literals.is_listed &= *from != ')';
    return *from == '"' || *from == '\'' ? quoted_end(from, end) : from + 1;
}

const sim_literals_t *sim_literals_take(const char *sql, size_t size)
{
    const char *end = sql + size;
    char *text;

    if (!literals.room)
        know_kinds();
    make_room(size);
    literals.taken.size = 0;
    literals.taken.count = literals.is_listed = 0;
    literals.rest = sql;
    text = literals.text;
    while (sql < end && literals.taken.count < SIM_LITERALS) {
        if (*sql == '?' || (*sql == '-' && sql[1] == '-'))
            return NULL;
        sql = token(sql, end, &text);
    }
    copy(sql);
    literals.taken.sql[literals.taken.size] = '\0';
    return sql == end && literals.taken.count ? &literals.taken : NULL;
}
