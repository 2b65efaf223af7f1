/* Many rows in one statement: the only way in which a batch writes tables.
 *
 * The caller describes rows once. The dialect makes SQL of them (unnest on
 * PostgreSQL, VALUES elsewhere), in as many statements as the limits of
 * parameters and packet size require. When one fails, those before it are not
 * undone: use a savepoint. */
#ifndef CM_STORE_BULK_H
#define CM_STORE_BULK_H

#include "store/store.h"

typedef struct cm_bulk_column_t {
    const char *name; /* already quoted, if it is the application's */
    const char *type; /* SQL type to cast to on PostgreSQL; NULL: text */
} cm_bulk_column_t;

/* Rows for one table. Cells are appended row by row. */
typedef struct cm_bulk_t {
    const char *table; /* already quoted, if it is the application's */
    const cm_bulk_column_t *columns;
    int column_count;
    int key_count;             /* the first columns are the key */
    apr_array_header_t *cells; /* cm_datum_t */
    int defaults; /* rows that are given no value: column_count is 0, columns[0]
                     is any column of the table */
    apr_pool_t *pool;
} cm_bulk_t;

/* The key of a table, of whose new rows it is asked. */
typedef struct cm_bulk_key_t {
    const char *given;               /* SQL of its text, for RETURNING */
    const char *text;                /* the same of the row "t" */
    const cm_bulk_column_t *columns; /* quoted */
    int count;
} cm_bulk_key_t;

/* What an INSERT does with a row whose unique key exists. */
typedef enum cm_present_e {
    CM_PRESENT_FAIL, /* fails with CM_REJECTED */
    CM_PRESENT_KEEP  /* keeps the old row and does not count the new one */
} cm_present_e;

/* Return an empty bulk of rows for TABLE, which keeps TABLE and COLUMNS and
 * does not copy them. The first KEY_COUNT columns are the key. */
cm_bulk_t *cm_bulk_create(const char *table, const cm_bulk_column_t *columns,
                          int column_count, int key_count, apr_pool_t *pool);

/* Return ROWS rows for TABLE that are given no value. COLUMN is any column of
 * it. */
cm_bulk_t *cm_bulk_create_defaults(const char *table,
                                   const cm_bulk_column_t *column, int rows,
                                   apr_pool_t *pool);

/* Make room for ROWS rows before the first is added: a bulk that grows takes
 * twice the memory. */
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

/* Insert all rows. *KEYS gets the text of KEY that the database has given each,
 * in the order of the rows: const char *, or NULL. Where there is no INSERT ...
 * RETURNING, they are read afterwards; that fails with CM_REJECTED when a
 * column of the key is neither given nor AUTO_INCREMENT. */
cm_error_t *cm_bulk_insert_keys(apr_array_header_t **keys, cm_store_t *store,
                                const cm_bulk_t *bulk, const cm_bulk_key_t *key,
                                apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Update the rows found by their key columns: set the other columns. *UPDATED
 * counts the rows found, changed or not. */
cm_error_t *cm_bulk_update(apr_int64_t *updated, cm_store_t *store,
                           const cm_bulk_t *bulk,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Delete the rows found by their key columns (all columns are keys). */
cm_error_t *cm_bulk_delete(apr_int64_t *deleted, cm_store_t *store,
                           const cm_bulk_t *bulk,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Select EXPRESSIONS ("t.a, t.b") from the table of KEYS, "t", where its
 * columns (all are keys) equal one of the rows of KEYS and CONDITION (may be
 * NULL) holds. With LOCK the rows stay locked until the end of the transaction.
 * Rows come in any order. */
cm_error_t *cm_bulk_select(cm_rows_t **rows, cm_store_t *store,
                           const char *expressions, const cm_bulk_t *keys,
                           const char *condition, int lock,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
