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

cm_keys_t *cm_keys_create(cm_store_t *store, const cm_table_t *table,
                          apr_pool_t *pool)
{
    cm_keys_t *keys = apr_palloc(pool, sizeof(*keys));

    keys->store = store;
    keys->table = table;
    keys->bulk = cm_bulk_create(table->quoted, cm_keys_columns(table, 0, pool),
                                table->key_count, table->key_count, pool);
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
