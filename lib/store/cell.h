/* The cells of a result. */
#ifndef CM_STORE_CELL_H
#define CM_STORE_CELL_H

#include "store/datum.h"

/* A result, whole in memory: bound every SELECT. */
typedef struct cm_rows_t {
    int count;               /* rows */
    int columns;             /* cells per row */
    const cm_datum_t *cells; /* row by row */
} cm_rows_t;

#define cm_cell(rows, row, column)                                             \
    (&(rows)->cells[(row) * (rows)->columns + (column)])

/* Return the text of a cell (NULL for SQL NULL), or its number (0). */
const char *cm_cell_text(const cm_rows_t *rows, int row, int column);
apr_int64_t cm_cell_number(const cm_rows_t *rows, int row, int column);

#endif
