/* The files of sql/, built into the program (build-aux/embed-sql.awk). */
#ifndef CM_SQL_H
#define CM_SQL_H

#include "cm_error.h"

typedef struct cm_sql_file_t {
    const char *driver; /* "sqlite3", "pgsql", "mysql" */
    const char *name;   /* "001-create.sql", "capture.sql" */
    const char *text;
} cm_sql_file_t;

/* Every file, sorted by driver and name; ends with a driver of NULL. */
extern const cm_sql_file_t cm_sql_files[];

/* Return the section NAME of sql/DRIVER/FILE, in POOL; NULL when there is
 * none. A section begins with a line "-- name: what it is for" and ends at
 * the next one. Statements within are separated by a line ";;" where a ";"
 * alone would not do (triggers). */
const char *cm_sql_section(const char *driver, const char *file,
                           const char *name, apr_pool_t *pool);

#endif
