/* What a run knows of records by their names: the subjects of its messages
 * and the parents that they refer to. */
#include "apply/apply.h"

#include <string.h>

#include <apr_strings.h>
#include "record/canonical.h"
#include "record/fit.h"

static apr_hash_t *known_of_model(cm_apply_t *run, const cm_model_t *model)
{
    apr_hash_t *of_model =
        apr_hash_get(run->known, model->name, APR_HASH_KEY_STRING);

    if (!of_model) {
        of_model = apr_hash_make(run->pool);
        apr_hash_set(run->known, model->name, APR_HASH_KEY_STRING, of_model);
    }
    return of_model;
}

cm_known_t *cm_known_get(cm_apply_t *run, const cm_model_t *model,
                         cm_identity_t identity)
{
    apr_hash_t *of_model = known_of_model(run, model);
    const char *key = cm_identity_key(identity, run->pool);
    cm_known_t *known = apr_hash_get(of_model, key, APR_HASH_KEY_STRING);

    if (!known) {
        known = apr_pcalloc(run->pool, sizeof(*known));
        known->model = model;
        known->identity = identity;
        known->key = key;
        apr_hash_set(of_model, key, APR_HASH_KEY_STRING, known);
    }
    return known;
}

cm_known_t *cm_known_same(cm_known_t *known)
{
    while (known->same)
        known = known->same;
    return known;
}

/* Give all that is known of one model, as it is now. */
static apr_array_header_t *list_known(apr_hash_t *of_model, apr_pool_t *pool)
{
    apr_array_header_t *list =
        apr_array_make(pool, apr_hash_count(of_model), sizeof(cm_known_t *));
    apr_hash_index_t *index;

    for (index = apr_hash_first(pool, of_model); index;
         index = apr_hash_next(index))
        APR_ARRAY_PUSH(list, cm_known_t *) = apr_hash_this_val(index);
    return list;
}

static void take_mapping(cm_apply_t *run, cm_known_t *known,
                         cm_mapping_t *mapping)
{
    cm_known_t *target = known;

    if (strcmp(cm_identity_key(mapping->identity, run->pool), known->key)) {
        target = cm_known_get(run, known->model, mapping->identity);
        if (target != known && !target->same)
            known->same = target;
    }
    if (target->mapping)
        *target->mapping = *mapping;
    else
        target->mapping = mapping;
    target->stored = 1;
    target->local_id = mapping->deleted_at ? NULL : mapping->local_id;
}

static cm_error_t *refresh_model(cm_apply_t *run, apr_hash_t *of_model,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *list = list_known(of_model, scratch_pool);
    apr_array_header_t *identities;
    apr_hash_t *found;
    int i;

    if (!list->nelts)
        return NULL;
    identities =
        apr_array_make(scratch_pool, list->nelts, sizeof(cm_identity_t));
    for (i = 0; i < list->nelts; i++)
        APR_ARRAY_PUSH(identities, cm_identity_t) =
            CM_NTH(list, i, cm_known_t)->identity;
    CM_TRY(cm_mapping_by_identity(&found, run->node,
                                  CM_NTH(list, 0, cm_known_t)->model->type,
                                  identities, run->pool));
    for (i = 0; i < list->nelts; i++) {
        cm_known_t *known = CM_NTH(list, i, cm_known_t);
        cm_mapping_t *mapping =
            apr_hash_get(found, known->key, APR_HASH_KEY_STRING);

        if (mapping)
            take_mapping(run, known, mapping);
    }
    return NULL;
}

cm_error_t *cm_known_refresh(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_index_t *index;

    for (index = apr_hash_first(scratch_pool, run->known); index;
         index = apr_hash_next(index))
        CM_TRY(refresh_model(run, apr_hash_this_val(index), scratch_pool));
    return NULL;
}

const char *cm_known_probe(const cm_apply_t *run, const cm_known_t *known)
{
    const char *id = known->identity.original_id;
    const char *mark = strchr(id, '\x1f');
    const char *key = mark ? apr_pstrmemdup(run->pool, id, mark - id) : id;
    int life = mark ? (int)apr_atoi64(mark + 1) : 1;

    if (known->mapping)
        return NULL;
    if (known->model->shared_keys)
        return key;
    if (life == run->node->life &&
        !strcmp(known->identity.origin, run->node->settings->name))
        return key;
    return NULL;
}

const char *cm_known_add_key(cm_apply_t *run, const cm_table_t *table,
                             const char *key, cm_bulk_t *keys)
{
    cm_value_t value = {CM_TEXT, key, strlen(key)};
    cm_datum_t datum;

    if (cm_fit_value(&datum, table->key, value,
                     cm_dialect_of_store(run->node->store), run->pool))
        return NULL;
    cm_bulk_add(keys, datum);
    return cm_canonical_key(table, key, cm_dialect_of_store(run->node->store),
                            run->pool);
}

static cm_error_t *find_parents(cm_apply_t *run, const cm_table_t *table,
                                apr_hash_t *of_model, apr_pool_t *scratch_pool)
{
    apr_array_header_t *list = list_known(of_model, scratch_pool);
    const cm_bulk_column_t column = {table->key->quoted, table->key->type};
    cm_bulk_t *keys =
        cm_bulk_create(table->quoted, &column, 1, 1, scratch_pool);
    apr_hash_t *asked = apr_hash_make(scratch_pool);
    cm_rows_t *rows;
    int i;

    for (i = 0; i < list->nelts; i++) {
        cm_known_t *known = CM_NTH(list, i, cm_known_t);
        const char *probe = known->local_id || known->record
                                ? NULL
                                : cm_known_probe(run, known);
        const char *key =
            probe ? cm_known_add_key(run, table, probe, keys) : NULL;

        if (key)
            apr_hash_set(asked, key, APR_HASH_KEY_STRING, known);
    }
    if (!cm_bulk_rows(keys))
        return NULL;
    CM_TRY(cm_bulk_select(&rows, run->node->store, table->key_text, keys, NULL,
                          0, run->pool));
    for (i = 0; i < rows->count; i++) {
        const char *key = cm_cell_text(rows, i, 0);
        cm_known_t *known = apr_hash_get(
            asked,
            cm_canonical_key(table, key, cm_dialect_of_store(run->node->store),
                             scratch_pool),
            APR_HASH_KEY_STRING);

        if (known)
            known->local_id = key;
    }
    return NULL;
}

cm_error_t *cm_known_find_parents(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_index_t *index;

    for (index = apr_hash_first(scratch_pool, run->known); index;
         index = apr_hash_next(index)) {
        const char *name = apr_hash_this_key(index);
        const cm_table_t *table;

        if (!cm_node_table(&table, run->node,
                           cm_settings_model(run->node->settings, name)))
            CM_TRY(find_parents(run, table, apr_hash_this_val(index),
                                scratch_pool));
    }
    return NULL;
}
