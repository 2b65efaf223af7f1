/* Looking up the rows of a table by many keys at once.
 *
 * A key is text: a local id, or an id from the wire; of several columns as in
 * tuple.h. Databases may write one key differently, so keys are compared in
 * their canonical form. Keys that the column cannot hold have no row. */
#ifndef CM_RECORD_KEYS_H
#define CM_RECORD_KEYS_H

#include "store/bulk.h"
#include "schema/table.h"

typedef struct cm_keys_t {
    cm_store_t *store;
    const cm_table_t *table;
    cm_bulk_t *bulk;
    apr_hash_t *values; /* canonical key -> the caller's value */
} cm_keys_t;

/* Set CELLS, one per column of the key of TABLE, to the values of KEY. Returns
 * 0 when the columns cannot hold them. */
int cm_keys_cells(cm_datum_t *cells, const cm_table_t *table, const char *key,
                  const cm_dialect_t *dialect, apr_pool_t *pool);

/* Return the columns of the key of TABLE, for a bulk, with room for MORE. */
cm_bulk_column_t *cm_keys_columns(const cm_table_t *table, int more,
                                  apr_pool_t *pool);

/* Return an empty set of keys of TABLE. */
cm_keys_t *cm_keys_create(cm_store_t *store, const cm_table_t *table,
                          apr_pool_t *pool);

/* Add KEY with VALUE, for cm_keys_find(). If the key was added before, it keeps
 * its value unless REPLACE is set. Returns 0 when the column cannot hold it. */
int cm_keys_add(cm_keys_t *keys, const char *key, const void *value,
                int replace);

/* Select the key of each row as text, and EXPRESSIONS (NULL: nothing else).
 * With LOCK the rows stay locked. Fails as cm_bulk_select(). */
cm_error_t *cm_keys_select(cm_rows_t **rows, const cm_keys_t *keys,
                           const char *expressions, int lock,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Return the value of KEY, or NULL. */
void *cm_keys_find(const cm_keys_t *keys, const char *key);

#endif
