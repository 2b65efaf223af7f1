/* Looking up rows by keys: see keys.h. */
#include "record/keys.h"

#include <apr_strings.h>

#include "record/canonical.h"
#include "record/fit.h"
#include "record/tuple.h"

static const char *canonical(const cm_keys_t *keys, const char *key)
{
    return cm_canonical_key(keys->table, key, cm_dialect_of_store(keys->store),
                            keys->bulk->pool);
}

int cm_keys_cells(cm_datum_t *cells, const cm_table_t *table, const char *key,
                  const cm_dialect_t *dialect, apr_pool_t *pool)
{
    const char **parts = apr_palloc(pool, table->key_count * sizeof(*parts));
    int i;

    if (!cm_tuple_read(parts, table->key_count, key, pool))
        return 0;
    for (i = 0; i < table->key_count; i++)
        if (cm_fit_value(&cells[i], table->keys[i],
                         cm_value_of(CM_TEXT, parts[i]), dialect, pool))
            return 0;
    return 1;
}

cm_bulk_column_t *cm_keys_columns(const cm_table_t *table, int more,
                                  apr_pool_t *pool)
{
    cm_bulk_column_t *columns =
        apr_palloc(pool, (table->key_count + more) * sizeof(*columns));
    int i;

    for (i = 0; i < table->key_count; i++)
        columns[i] =
            (cm_bulk_column_t){table->keys[i]->quoted, table->keys[i]->type};
    return columns;
}

static cm_bulk_t *create_bulk(const cm_table_t *table, apr_pool_t *pool)
{
    return cm_bulk_create(table->quoted, cm_keys_columns(table, 0, pool),
                          table->key_count, table->key_count, pool);
}

cm_keys_t *cm_keys_create(cm_store_t *store, const cm_table_t *table,
                          apr_pool_t *pool)
{
    cm_keys_t *keys = apr_palloc(pool, sizeof(*keys));

    keys->store = store;
    keys->table = table;
    keys->bulk = create_bulk(table, pool);
    keys->values = apr_hash_make(pool);
    return keys;
}

int cm_keys_add(cm_keys_t *keys, const char *key, const void *value,
                int replace)
{
    const int count = keys->table->key_count;
    cm_datum_t *cells = apr_palloc(keys->bulk->pool, count * sizeof(*cells));
    int i;

    if (!cm_keys_cells(cells, keys->table, key,
                       cm_dialect_of_store(keys->store), keys->bulk->pool))
        return 0;
    key = canonical(keys, key);
    if (!apr_hash_get(keys->values, key, APR_HASH_KEY_STRING))
        for (i = 0; i < count; i++)
            cm_bulk_add(keys->bulk, cells[i]);
    else if (!replace)
        return 1;
    apr_hash_set(keys->values, key, APR_HASH_KEY_STRING, value);
    return 1;
}

/* Return whether the database may refuse to read a key. */
static int may_refuse(const cm_table_t *table)
{
    int i;

    for (i = 0; i < table->key_count; i++)
        if (table->keys[i]->refuses)
            return 1;
    return 0;
}

/* Select the rows of BULK; *REFUSED: it holds what a type cannot read. The open
 * transaction goes on. */
static cm_error_t *try_select(int *refused, cm_rows_t **rows,
                              const cm_keys_t *keys, const cm_bulk_t *bulk,
                              const char *wanted, int lock,
                              apr_pool_t *result_pool)
{
    const int is_open = cm_transaction_is_open(keys->store);
    cm_error_t *err;

    *refused = 0;
    if (is_open)
        CM_TRY(cm_transaction_savepoint(keys->store, "keys", result_pool));
    err = cm_bulk_select(rows, keys->store, wanted, bulk, NULL, lock,
                         result_pool);
    *refused = err && err->code == CM_REJECTED;
    if (err && !*refused)
        return err;
    if (!is_open)
        return NULL;
    if (*refused)
        CM_TRY(cm_transaction_rollback_to(keys->store, "keys", result_pool));
    return cm_transaction_release(keys->store, "keys", result_pool);
}

/* Set *READABLE to those of KEYS that the types can read, each tried alone. */
static cm_error_t *find_readable(cm_bulk_t **readable, const cm_keys_t *keys,
                                 apr_pool_t *pool)
{
    const cm_table_t *table = keys->table;
    cm_datum_t *cells = apr_palloc(pool, table->key_count * sizeof(*cells));
    apr_hash_index_t *at;

    *readable = create_bulk(table, pool);
    for (at = apr_hash_first(pool, keys->values); at; at = apr_hash_next(at)) {
        cm_bulk_t *one = create_bulk(table, pool);
        cm_rows_t *rows;
        int refused, i;

        if (!cm_keys_cells(cells, table, apr_hash_this_key(at),
                           cm_dialect_of_store(keys->store), pool))
            continue;
        for (i = 0; i < table->key_count; i++)
            cm_bulk_add(one, cells[i]);
        CM_TRY(try_select(&refused, &rows, keys, one, "1", 0, pool));
        for (i = 0; i < table->key_count && !refused; i++)
            cm_bulk_add(*readable, cells[i]);
    }
    return NULL;
}

cm_error_t *cm_keys_select(cm_rows_t **rows, const cm_keys_t *keys,
                           const char *expressions, int lock,
                           apr_pool_t *result_pool)
{
    const char *wanted = keys->table->key_text;
    cm_bulk_t *bulk = keys->bulk;
    int refused = 0;

    *rows = apr_pcalloc(result_pool, sizeof(**rows));
    if (!cm_bulk_rows(bulk))
        return NULL;
    if (expressions)
        wanted = apr_pstrcat(bulk->pool, wanted, ", ", expressions, NULL);
    if (may_refuse(keys->table)) {
        CM_TRY(
            try_select(&refused, rows, keys, bulk, wanted, lock, result_pool));
        if (!refused)
            return NULL;
        *rows = apr_pcalloc(result_pool, sizeof(**rows));
        CM_TRY(find_readable(&bulk, keys, result_pool));
        if (!cm_bulk_rows(bulk))
            return NULL;
    }
    return cm_bulk_select(rows, keys->store, wanted, bulk, NULL, lock,
                          result_pool);
}

void *cm_keys_find(const cm_keys_t *keys, const char *key)
{
    return apr_hash_get(keys->values, canonical(keys, key),
                        APR_HASH_KEY_STRING);
}
