/* Values on their way into and out of the database: text, bytes or NULL; and
 * the rows of a result. */
#ifndef CM_STORE_DATUM_H
#define CM_STORE_DATUM_H

#include <apr_pools.h>
#include <apr_strings.h>

/* How a value is stored. */
typedef enum cm_datum_kind_e {
    CM_DATUM_TEXT,
    CM_DATUM_BYTES, /* bytea, BLOB */
    CM_DATUM_NUMBER /* in SQLite, where the column does not decide */
} cm_datum_kind_e;

/* A NUL follows the SIZE bytes of DATA. SQL NULL: data == NULL. */
typedef struct cm_datum_t {
    const char *data;
    apr_size_t size;
    cm_datum_kind_e kind; /* in */
} cm_datum_t;

/* Return a text datum of the NUL-terminated TEXT (NULL: SQL NULL), or of
 * NUMBER printed in POOL. */
cm_datum_t cm_datum_text(const char *text);
cm_datum_t cm_datum_number(apr_int64_t number, apr_pool_t *pool);

/* Return MICROSECONDS since 1970 as timestamp columns hold it, in UTC. */
cm_datum_t cm_datum_moment(apr_int64_t microseconds, apr_pool_t *pool);

/* A result, whole in memory: bound every SELECT. */
typedef struct cm_rows_t {
    int count;               /* rows */
    int columns;             /* cells per row */
    const cm_datum_t *cells; /* row by row */
} cm_rows_t;

static inline const cm_datum_t *cm_cell(const cm_rows_t *rows, int row,
                                        int column)
{
    return &rows->cells[row * rows->columns + column];
}

/* Return the text of a cell; SQL NULL: NULL. */
static inline const char *cm_cell_text(const cm_rows_t *rows, int row,
                                       int column)
{
    return cm_cell(rows, row, column)->data;
}

/* Return the number in a cell; SQL NULL: 0. */
static inline apr_int64_t cm_cell_number(const cm_rows_t *rows, int row,
                                         int column)
{
    const char *text = cm_cell_text(rows, row, column);

    return text ? apr_atoi64(text) : 0;
}

#endif
