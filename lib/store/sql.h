/* The files of sql/, built into the program (build-aux/embed-sql.awk). */
#ifndef CM_STORE_SQL_H
#define CM_STORE_SQL_H

#include <apr_hash.h>
#include <apr_tables.h>

#include "base/error.h"

typedef struct cm_sql_file_t {
    const char *driver; /* "sqlite3", "pgsql", "mysql"; "all" */
    const char *name;   /* "001-create.sql", "capture.sql" */
    const char *text;
} cm_sql_file_t;

/* Every file, sorted by driver and name; the last has a driver of NULL. */
extern const cm_sql_file_t cm_sql_files[];

/* A piece of a file. It begins with a line "-- name: what it is for" and ends
 * at the next one. */
typedef struct cm_sql_section_t {
    const char *name;
    const char *what;               /* what it is for */
    const char *text;               /* without the lines that begin with "--",
                                       and without the last ";" */
    apr_array_header_t *conditions; /* const char *: "when ..." and "unless
                                       ..." of its lines "-- when ..." */
} cm_sql_section_t;

/* Return the text of section NAME of sql/DRIVER/FILE, else of sql/all/FILE, in
 * POOL; NULL: there is none. */
const char *cm_sql_section(const char *driver, const char *file,
                           const char *name, apr_pool_t *pool);

/* Return all sections of sql/DRIVER/FILE in their order, in POOL:
 * cm_sql_section_t. */
apr_array_header_t *cm_sql_sections(const char *driver, const char *file,
                                    apr_pool_t *pool);

/* Return the statements of the section TEXT in POOL: const char *. Lines ";;"
 * separate them where a ";" at the end of a line would not do (triggers). */
apr_array_header_t *cm_sql_statements(const char *text, apr_pool_t *pool);

/* Return the value of NAME, or NULL: it has none. */
typedef const char *(*cm_sql_value_t)(const void *baton, const char *name,
                                      apr_pool_t *pool);

/* Return TEXT in POOL with each "{name}" replaced by its value, unquoted; other
 * braces stay. */
const char *cm_sql_fill_by(const char *text, cm_sql_value_t value_of,
                           const void *baton, apr_pool_t *pool);

/* The same with VALUES: name -> const char *. */
const char *cm_sql_fill(const char *text, apr_hash_t *values, apr_pool_t *pool);

#endif
