/* The configuration file of communicator-sync: see config_file.h. */
#include "config/config_file.h"

#include <glob.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/file.h"
#include "config/directive.h"

#define INCLUDE_DEPTH 16
#define FILE_BYTES    (1024 * 1024)

typedef struct reader_t {
    cm_settings_t *settings;
    apr_pool_t *pool;
    int depth;
} reader_t;

static cm_error_t *read_file(reader_t *reader, const char *path);
static cm_error_t *read_path(reader_t *reader, const char *path);

/* Fail because the directive NAME is httpd's, or unknown. */
static cm_error_t *refuse(const char *name, apr_pool_t *pool)
{
    static const char *const httpd_words[] = {
        "Communicator",    "Define",     "UnDefine",
        "IncludeOptional", "LoadModule", "SetHandler",
        "Require",         "SetEnv",     NULL};
    int i;

    if (!strncmp(name, "\xEF\xBB\xBF", 3))
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG,
                    "the file begins with a byte order mark, which httpd does "
                    "not read either"),
            pool,
            "save it as UTF-8 without BOM: sed -i '1s/^\\xEF\\xBB\\xBF//'");
    for (i = 0; httpd_words[i] && strcasecmp(httpd_words[i], name); i++)
        ;
    if (*name == '<' || httpd_words[i] || !strncasecmp(name, "DBD", 3))
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG,
                    "'%s' is only for httpd: communicator-sync has no "
                    "sections, variables or other modules",
                    name),
            pool,
            "keep it in httpd's own files, and put here only lines that both "
            "programs read");
    return CM_FAIL(pool, CM_CONFIG, "unknown directive '%s' (known: %s)", name,
                   cm_directive_names(pool));
}

/* httpd would expand variables; here they would be taken literally. */
static cm_error_t *refuse_variables(const apr_array_header_t *words,
                                    apr_pool_t *pool)
{
    const char *dollar, *end;
    int i;

    for (i = 0; i < words->nelts; i++) {
        dollar = strstr(APR_ARRAY_IDX(words, i, const char *), "${");
        end = dollar ? strchr(dollar, '}') : NULL;
        if (end)
            return cm_error_hint(CM_FAIL(pool, CM_CONFIG,
                                         "'%.*s' is a variable of httpd, which "
                                         "communicator-sync does not know",
                                         (int)(end - dollar + 1), dollar),
                                 pool, "write the value instead");
    }
    return NULL;
}

static int is_directory(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;

    return !apr_stat(&info, path, APR_FINFO_TYPE, pool) &&
           info.filetype == APR_DIR;
}

/* Read all files that match PATTERN, in alphabetical order. With MUST fail when
 * there are none. */
static cm_error_t *read_matches(reader_t *reader, const char *pattern, int must)
{
    cm_error_t *err = NULL;
    glob_t found;
    apr_size_t i;
    int status = glob(pattern, must ? GLOB_NOCHECK : 0, NULL, &found);

    if (status == GLOB_NOMATCH)
        return NULL;
    if (status)
        return CM_FAIL(reader->pool, CM_FILE, "cannot look for '%s'", pattern);
    for (i = 0; !err && i < found.gl_pathc; i++)
        err = read_path(reader, apr_pstrdup(reader->pool, found.gl_pathv[i]));
    globfree(&found);
    return err;
}

/* Read the file PATH, or all files of the directory PATH, which may be empty.
 */
static cm_error_t *read_path(reader_t *reader, const char *path)
{
    cm_error_t *err;

    if (reader->depth >= INCLUDE_DEPTH)
        return CM_FAIL(reader->pool, CM_CONFIG,
                       "files include each other more than %d deep",
                       INCLUDE_DEPTH);
    if (!is_directory(path, reader->pool))
        return read_file(reader, path);
    reader->depth++;
    err = read_matches(reader, apr_pstrcat(reader->pool, path, "/*", NULL), 0);
    reader->depth--;
    return err;
}

/* Read NAME, which the file FROM includes and which is relative to it. */
static cm_error_t *include(reader_t *reader, const char *name, const char *from)
{
    const char *slash = strrchr(from, '/');
    cm_error_t *err;

    if (*name != '/' && slash)
        name = apr_psprintf(reader->pool, "%.*s/%s", (int)(slash - from), from,
                            name);
    reader->depth++;
    err = strpbrk(name, "*?[") ? read_matches(reader, name, 1)
                               : read_path(reader, name);
    reader->depth--;
    return err;
}

/* Read LINE, which is at PLACE. */
static cm_error_t *take_line(reader_t *reader, const char *line,
                             cm_place_t place)
{
    const cm_directive_t *directive;
    apr_array_header_t *words;
    const char *name;

    while (apr_isspace(*line))
        line++;
    if (!*line || *line == '#')
        return NULL;
    CM_TRY(cm_directive_words(&words, line, reader->pool));
    name = APR_ARRAY_IDX(words, 0, const char *);
    directive = cm_directive_find(name);
    if (!directive)
        return refuse(name, reader->pool);
    CM_TRY(refuse_variables(words, reader->pool));
    if (directive->id == CM_DIRECTIVE_INCLUDE && words->nelts == 2)
        return include(reader, APR_ARRAY_IDX(words, 1, const char *),
                       place.file);
    return cm_directive_set(reader->settings, directive, words->nelts - 1,
                            (const char *const *)words->elts + 1, place,
                            reader->pool);
}

/* Return the next line of *TEXT, NULL at the end. A backslash at the end of a
 * line joins the next one to it. *LINE counts the lines of the file. */
static char *next_line(char **text, int *line)
{
    char *start = *text, *to = start, *from = start;

    if (!*from)
        return NULL;
    for (; *from; from++) {
        if (*from != '\n') {
            *to++ = *from;
            continue;
        }
        ++*line;
        if (to > start && to[-1] == '\r')
            to--;
        if (to == start || to[-1] != '\\')
            break;
        to--;
    }
    *text = *from ? from + 1 : from;
    if (!*from)
        ++*line;
    *to = '\0';
    return start;
}

/* Read all of PATH. */
static cm_error_t *slurp(char **text, const char *path, apr_pool_t *pool)
{
    apr_size_t size = FILE_BYTES;
    apr_status_t status;
    apr_file_t *file;
    char words[120];

    CM_TRY(cm_file_open(&file, path, pool));
    *text = apr_palloc(pool, size + 1);
    status = apr_file_read_full(file, *text, size, &size);
    apr_file_close(file);
    if (!status)
        return CM_FAIL(pool, CM_CONFIG, "'%s' is larger than 1 MiB", path);
    if (!APR_STATUS_IS_EOF(status))
        return CM_FAIL(pool, CM_FILE, "cannot read '%s': %s", path,
                       apr_strerror(status, words, sizeof(words)));
    (*text)[size] = '\0';
    if (strlen(*text) != size)
        return CM_FAIL(pool, CM_CONFIG, "'%s' is not a text file", path);
    return NULL;
}

static cm_error_t *read_file(reader_t *reader, const char *path)
{
    apr_pool_t *file_pool;
    cm_place_t place = {path, 0};
    char *text = NULL, *line;
    cm_error_t *err;

    apr_pool_create(&file_pool, reader->pool);
    err = slurp(&text, path, file_pool);
    if (err)
        err = cm_error_copy(err, reader->pool);
    while (!err && (line = next_line(&text, &place.line))) {
        err = take_line(reader, line, place);
        /* an included file's error names its own line */
        if (err && strncmp(err->message, "Syntax error", 12))
            err = cm_settings_error(place, err, reader->pool);
    }
    apr_pool_destroy(file_pool);
    return err;
}

/* communicator-sync connects itself; in httpd mod_dbd does. */
static cm_error_t *check_database(const cm_settings_t *settings,
                                  apr_pool_t *pool)
{
    const char *missing = !settings->database.driver   ? "DBDriver"
                          : !settings->database.params ? "DBDParams"
                                                       : NULL;

    if (!missing)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_CONFIG, "%s is missing", missing), pool,
        "name the database as for mod_dbd, by DBDriver and DBDParams");
}

cm_error_t *cm_config_file_read(cm_settings_t **settings, const char *path,
                                apr_pool_t *pool)
{
    reader_t reader = {cm_settings_create(pool), pool, 0};

    CM_TRY(read_file(&reader, apr_pstrdup(pool, path)));
    CM_TRY(cm_settings_check(reader.settings, pool));
    CM_TRY_FOR(check_database(reader.settings, pool), pool, "cannot use '%s'",
               path);
    *settings = reader.settings;
    return NULL;
}
