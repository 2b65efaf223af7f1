/* The files of sql/, cut into sections and statements: see sql.h. */
#include "store/sql.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* The folder of what all databases have in common. */
#define ALL "all"

static const char *file_text(const char *driver, const char *name)
{
    const cm_sql_file_t *file;

    for (file = cm_sql_files; file->driver; file++)
        if (!strcmp(file->driver, driver) && !strcmp(file->name, name))
            return file->text;
    return NULL;
}

/* Return the line at *TEXT without its newline, and move *TEXT to the next;
 * NULL at the end. */
static const char *next_line(const char **text, apr_pool_t *pool)
{
    const char *begin = *text;
    const char *end = strchr(begin, '\n');

    if (!*begin)
        return NULL;
    *text = end ? end + 1 : begin + strlen(begin);
    return apr_pstrmemdup(pool, begin,
                          end ? (apr_size_t)(end - begin) : strlen(begin));
}

/* Return the length of the name in the heading LINE; 0: it is not a heading. */
static apr_size_t heading_length(const char *line)
{
    apr_size_t length;

    if (strncmp(line, "-- ", 3))
        return 0;
    length = strspn(line + 3, "abcdefghijklmnopqrstuvwxyz0123456789_.-");
    return strncmp(line + 3 + length, ": ", 2) ? 0 : length;
}

/* Return TEXT without the space around it and without a final ";". A final ";;"
 * stays: it says how the statements are separated. */
static const char *trimmed(const char *text, apr_pool_t *pool)
{
    apr_size_t size;

    while (apr_isspace(*text))
        text++;
    size = strlen(text);
    while (size && apr_isspace(text[size - 1]))
        size--;
    if (size && text[size - 1] == ';' && (size < 2 || text[size - 2] != ';'))
        size--;
    while (size && apr_isspace(text[size - 1]))
        size--;
    return apr_pstrmemdup(pool, text, size);
}

static const char *joined(const apr_array_header_t *lines, apr_pool_t *pool)
{
    return trimmed(apr_array_pstrcat(pool, lines, '\n'), pool);
}

static void add_line(cm_sql_section_t *section, apr_array_header_t *lines,
                     const char *line)
{
    if (!strncmp(line, "-- when ", 8) || !strncmp(line, "-- unless ", 10))
        APR_ARRAY_PUSH(section->conditions, const char *) = line + 3;
    else if (strncmp(line, "--", 2))
        APR_ARRAY_PUSH(lines, const char *) = line;
}

/* Return the first heading in TEXT, or NULL. */
static const char *next_heading(const char *text)
{
    while (text && *text && !heading_length(text)) {
        text = strchr(text, '\n');
        text += text != NULL;
    }
    return text && *text ? text : NULL;
}

/* Read the section that begins at HEADING. Returns the next heading, or NULL.
 */
static const char *read_section(cm_sql_section_t *section, const char *heading,
                                apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 64, sizeof(const char *));
    const char *text = heading, *line = next_line(&text, pool);
    apr_size_t length = heading_length(line);

    section->name = apr_pstrmemdup(pool, line + 3, length);
    section->what = line + 3 + length + 2;
    section->conditions = apr_array_make(pool, 2, sizeof(const char *));
    while (!heading_length(text) && (line = next_line(&text, pool)))
        add_line(section, lines, line);
    section->text = joined(lines, pool);
    return *text ? text : NULL;
}

apr_array_header_t *cm_sql_sections(const char *driver, const char *file,
                                    apr_pool_t *pool)
{
    apr_array_header_t *sections =
        apr_array_make(pool, 16, sizeof(cm_sql_section_t));
    const char *heading = next_heading(file_text(driver, file));

    while (heading)
        heading = read_section(apr_array_push(sections), heading, pool);
    return sections;
}

/* Return the heading of section NAME in TEXT, or NULL. */
static const char *find_heading(const char *text, const char *name)
{
    apr_size_t length = strlen(name);

    text = next_heading(text);
    while (text &&
           (heading_length(text) != length || strncmp(text + 3, name, length)))
        text = next_heading(strchr(text, '\n'));
    return text;
}

const char *cm_sql_section(const char *driver, const char *file,
                           const char *name, apr_pool_t *pool)
{
    const char *heading = find_heading(file_text(driver, file), name);
    cm_sql_section_t section;

    if (heading) {
        (void)read_section(&section, heading, pool);
        return section.text;
    }
    return strcmp(driver, ALL) ? cm_sql_section(ALL, file, name, pool) : NULL;
}

apr_array_header_t *cm_sql_statements(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *statements =
        apr_array_make(pool, 4, sizeof(const char *));
    const char *separator, *end, *statement;

    text = apr_pstrcat(pool, text, "\n", NULL);
    separator = strstr(text, "\n;;\n") ? "\n;;\n" : ";\n";
    for (; text; text = end ? end + strlen(separator) : NULL) {
        end = strstr(text, separator);
        statement =
            trimmed(end ? apr_pstrmemdup(pool, text, end - text) : text, pool);
        if (*statement)
            APR_ARRAY_PUSH(statements, const char *) = statement;
    }
    return statements;
}

const char *cm_sql_fill_by(const char *text, cm_sql_value_t value_of,
                           const void *baton, apr_pool_t *pool)
{
    apr_array_header_t *pieces = apr_array_make(pool, 32, sizeof(const char *));
    const char *open, *close, *value;

    for (; (open = strchr(text, '{')); text = close + 1) {
        value = NULL;
        close = strchr(open, '}');
        if (close)
            value = value_of(
                baton, apr_pstrmemdup(pool, open + 1, close - open - 1), pool);
        if (!value) {
            close = open;
            value = "{";
        }
        APR_ARRAY_PUSH(pieces, const char *) =
            apr_pstrmemdup(pool, text, open - text);
        APR_ARRAY_PUSH(pieces, const char *) = value;
    }
    APR_ARRAY_PUSH(pieces, const char *) = text;
    return apr_array_pstrcat(pool, pieces, 0);
}

static const char *hashed(const void *baton, const char *name, apr_pool_t *pool)
{
    (void)pool;
    return apr_hash_get((apr_hash_t *)baton, name, APR_HASH_KEY_STRING);
}

const char *cm_sql_fill(const char *text, apr_hash_t *values, apr_pool_t *pool)
{
    return cm_sql_fill_by(text, hashed, values, pool);
}
