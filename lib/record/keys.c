/* Looking up rows by keys: see keys.h. */
#include "record/keys.h"

#include <apr_strings.h>

#include "record/canonical.h"
#include "record/fit.h"

static const char *canonical(const cm_keys_t *keys, const char *key)
{
    return cm_canonical_key(keys->table, key, cm_dialect_of_store(keys->store),
                            keys->bulk->pool);
}

cm_keys_t *cm_keys_create(cm_store_t *store, const cm_table_t *table,
                          apr_pool_t *pool)
{
    cm_keys_t *keys = apr_palloc(pool, sizeof(*keys));
    cm_bulk_column_t *column = apr_palloc(pool, sizeof(*column));

    *column = (cm_bulk_column_t){table->key->quoted, table->key->type};
    keys->store = store;
    keys->table = table;
    keys->bulk = cm_bulk_create(table->quoted, column, 1, 1, pool);
    keys->values = apr_hash_make(pool);
    return keys;
}

int cm_keys_add(cm_keys_t *keys, const char *key, const void *value,
                int replace)
{
    cm_datum_t datum;

    if (cm_fit_value(&datum, keys->table->key, cm_value_of(CM_TEXT, key),
                     cm_dialect_of_store(keys->store), keys->bulk->pool))
        return 0;
    key = canonical(keys, key);
    if (!apr_hash_get(keys->values, key, APR_HASH_KEY_STRING))
        cm_bulk_add(keys->bulk, datum);
    else if (!replace)
        return 1;
    apr_hash_set(keys->values, key, APR_HASH_KEY_STRING, value);
    return 1;
}

cm_error_t *cm_keys_select(cm_rows_t **rows, const cm_keys_t *keys,
                           const char *expressions, int lock,
                           apr_pool_t *result_pool)
{
    const char *wanted = keys->table->key_text;

    *rows = apr_pcalloc(result_pool, sizeof(**rows));
    if (!cm_bulk_rows(keys->bulk))
        return NULL;
    if (expressions)
        wanted = apr_pstrcat(keys->bulk->pool, wanted, ", ", expressions, NULL);
    return cm_bulk_select(rows, keys->store, wanted, keys->bulk, NULL, lock,
                          result_pool);
}

void *cm_keys_find(const cm_keys_t *keys, const char *key)
{
    return apr_hash_get(keys->values, canonical(keys, key),
                        APR_HASH_KEY_STRING);
}
