/* The application's rows, read by plain SQL: what a row is called on all
 * nodes, and its values, those of references by the names of the rows that they
 * lead to. */
#ifndef SIM_ROWS_H
#define SIM_ROWS_H

#include "node.h"

/* A row's name is its tag; with keys=shared its key, and the tag is a value:
 * rows that two nodes insert under one key are one record. If the key refers to
 * other rows, it is called by their names, with "," between. */
typedef struct sim_row_t {
    int table;
    const char *name;
    const char *key;                     /* here */
    const char *values[SIM_COLUMNS + 1]; /* NULL: none, or not here; the last
                                            one: the tag */
} sim_row_t;

/* Read all rows of NODE as SESSION sees them, ordered by table and name. */
apr_array_header_t *sim_rows_read(const sim_node_t *node,
                                  sim_session_t *session, apr_pool_t *pool);

/* Return the row of TABLE called NAME, or NULL. */
const sim_row_t *sim_rows_find(const apr_array_header_t *rows, int table,
                               const char *name);

#endif
