/* Many rows in one statement: the only way that tables are written per batch.
 *
 * The caller describes rows once; the dialect says how they become SQL
 * (unnest on PostgreSQL, VALUES elsewhere), and statements are cut so that no
 * limit of parameters or packet size is met. A failing statement leaves the
 * ones before it done: use a savepoint. */
#ifndef CM_STORE_BULK_H
#define CM_STORE_BULK_H

#include "store/store.h"

typedef struct cm_bulk_column_t {
    const char *name; /* quoted already when it is the application's */
    const char *type; /* SQL type to cast to on PostgreSQL; NULL: text */
} cm_bulk_column_t;

/* Rows for one table. Cells are appended row by row. */
typedef struct cm_bulk_t {
    const char *table; /* quoted already when it is the application's */
    const cm_bulk_column_t *columns;
    int column_count;
    int key_count;             /* the first columns are the key */
    apr_array_header_t *cells; /* cm_datum_t */
    int defaults; /* rows that get no value at all: columns[0] names one of
                     the table's columns, column_count is 0 */
    apr_pool_t *pool;
} cm_bulk_t;

/* What an INSERT does with a row whose unique key is there already. */
typedef enum cm_present_e {
    CM_PRESENT_FAIL, /* CM_REJECTED */
    CM_PRESENT_KEEP  /* keep the old row; the new one is not counted */
} cm_present_e;

/* Return an empty bulk of rows for TABLE; TABLE and COLUMNS are kept, not
 * copied. The first KEY_COUNT columns are the key. */
cm_bulk_t *cm_bulk_create(const char *table, const cm_bulk_column_t *columns,
                          int column_count, int key_count, apr_pool_t *pool);

/* Return ROWS rows for TABLE that get no value at all; COLUMN is one that the
 * table has. */
cm_bulk_t *cm_bulk_create_defaults(const char *table,
                                   const cm_bulk_column_t *column, int rows,
                                   apr_pool_t *pool);

/* Make room for ROWS rows before the first is added: growing takes twice the
 * memory. */
void cm_bulk_reserve(cm_bulk_t *bulk, int rows);

/* Append one cell; column_count of them make a row. */
void cm_bulk_add(cm_bulk_t *bulk, cm_datum_t cell);

/* Append a cell for each letter of FORMAT, usually a whole row:
 *   t  const char *, text that the bulk keeps and does not copy; or NULL
 *   n  apr_int64_t (no int: cast it)
 *   z  apr_int64_t, of which 0 becomes NULL
 *   d  cm_datum_t */
void cm_bulk_row(cm_bulk_t *bulk, const char *format, ...);

/* Return the number of whole rows. */
int cm_bulk_rows(const cm_bulk_t *bulk);

/* Insert all rows. */
cm_error_t *cm_bulk_insert(apr_int64_t *inserted, cm_store_t *store,
                           const cm_bulk_t *bulk, cm_present_e present,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Insert all rows, and give the values that the database gave KEY_COLUMN
 * (quoted already), in the order of the rows: const char * in *KEYS, NULL where
 * the row has none. */
cm_error_t *cm_bulk_insert_keys(apr_array_header_t **keys, cm_store_t *store,
                                const cm_bulk_t *bulk, const char *key_column,
                                apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Update the rows found by their key columns: the other columns get the
 * values given. *UPDATED counts the rows found, changed or not. */
cm_error_t *cm_bulk_update(apr_int64_t *updated, cm_store_t *store,
                           const cm_bulk_t *bulk,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Delete the rows found by their key columns (all columns are keys). */
cm_error_t *cm_bulk_delete(apr_int64_t *deleted, cm_store_t *store,
                           const cm_bulk_t *bulk,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Select EXPRESSIONS ("t.a, t.b") from the bulk's table, known as "t", where
 * the first columns equal one of the rows given (all columns are keys) and
 * CONDITION (or NULL) holds. With LOCK the rows stay locked until the end of
 * the transaction. Rows come in any order. */
cm_error_t *cm_bulk_select(cm_rows_t **rows, cm_store_t *store,
                           const char *expressions, const cm_bulk_t *keys,
                           const char *condition, int lock,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
