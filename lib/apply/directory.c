/* The directory: which record here each identity in the messages is. */
#include "apply/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/keys.h"

static const cm_found_t nothing;

static apr_hash_t *entries_of_model(cm_run_t *run, const cm_model_t *model)
{
    apr_hash_t *of_model =
        apr_hash_get(run->entries, model->name, APR_HASH_KEY_STRING);

    if (!of_model) {
        of_model = apr_hash_make(run->pool);
        apr_hash_set(run->entries, model->name, APR_HASH_KEY_STRING, of_model);
    }
    return of_model;
}

cm_entry_t *cm_directory_get(cm_run_t *run, const cm_model_t *model,
                             cm_identity_t identity)
{
    apr_hash_t *of_model = entries_of_model(run, model);
    const char *key = cm_identity_key(identity, run->pool);
    cm_entry_t *entry = apr_hash_get(of_model, key, APR_HASH_KEY_STRING);

    if (!entry) {
        entry = apr_pcalloc(run->pool, sizeof(*entry));
        entry->model = model;
        entry->identity = identity;
        entry->key = key;
        entry->found = &nothing;
        apr_hash_set(of_model, key, APR_HASH_KEY_STRING, entry);
    }
    return entry;
}

cm_entry_t *cm_directory_main(cm_entry_t *entry)
{
    while (entry->alias_of)
        entry = entry->alias_of;
    return entry;
}

cm_entry_t *cm_directory_parent(cm_run_t *run, const cm_attribute_t *attribute)
{
    const cm_model_t *model =
        cm_settings_model(run->node->settings, attribute->reference_model);

    return model ? cm_directory_main(
                       cm_directory_get(run, model, attribute->reference))
                 : NULL;
}

cm_entry_t *cm_directory_heir(cm_run_t *run, const cm_entry_t *entry)
{
    const cm_mapping_t *mapping = entry->found->mapping;

    return mapping && mapping->deleted_at && mapping->heir.origin
               ? cm_directory_main(
                     cm_directory_get(run, entry->model, mapping->heir))
               : NULL;
}

cm_entry_t *cm_directory_parent_now(cm_run_t *run,
                                    const cm_attribute_t *attribute,
                                    const cm_column_t *column)
{
    cm_entry_t *parent = cm_directory_parent(run, attribute);
    cm_entry_t *heir = parent;
    int i;

    for (i = 0; heir && !column->is_key && i < CM_MOST_HEIRS; i++) {
        heir = cm_directory_heir(run, parent);
        if (heir)
            parent = heir;
    }
    return parent;
}

void cm_directory_set(cm_run_t *run, cm_entry_t *entry,
                      const cm_mapping_t *mapping, const char *local_id)
{
    cm_found_t *found = apr_palloc(run->pool, sizeof(*found));

    *found = (cm_found_t){mapping, local_id};
    entry->found = found;
}

/* Return the entries of one model as a list, since the hash may grow. */
static apr_array_header_t *list_entries(apr_hash_t *of_model, apr_pool_t *pool)
{
    apr_array_header_t *list =
        apr_array_make(pool, apr_hash_count(of_model), sizeof(cm_entry_t *));
    apr_hash_index_t *index;

    for (index = apr_hash_first(pool, of_model); index;
         index = apr_hash_next(index))
        APR_ARRAY_PUSH(list, cm_entry_t *) = apr_hash_this_val(index);
    return list;
}

static void take_mapping(cm_run_t *run, cm_entry_t *entry,
                         const cm_mapping_t *mapping)
{
    cm_entry_t *main = entry;

    if (strcmp(cm_identity_key(mapping->identity, run->pool), entry->key)) {
        main = cm_directory_get(run, entry->model, mapping->identity);
        if (main != entry && !main->alias_of)
            entry->alias_of = main;
    }
    cm_directory_set(run, main, mapping,
                     mapping->deleted_at ? NULL : mapping->local_id);
}

/* Read the mappings of the entries in LIST, of one model. *HEIRS: entries of
 * the records that continue theirs, and that had none yet. */
static cm_error_t *refresh_list(apr_array_header_t **heirs, cm_run_t *run,
                                const apr_array_header_t *list,
                                apr_pool_t *pool)
{
    const cm_model_t *model = CM_NTH(list, 0, cm_entry_t)->model;
    apr_array_header_t *identities =
        apr_array_make(pool, list->nelts, sizeof(cm_identity_t));
    apr_hash_t *found;
    int i;

    for (i = 0; i < list->nelts; i++)
        APR_ARRAY_PUSH(identities, cm_identity_t) =
            CM_NTH(list, i, cm_entry_t)->identity;
    CM_TRY(cm_mapping_by_identity(&found, run->node, model->type, identities,
                                  run->pool));
    *heirs = apr_array_make(pool, 1, sizeof(cm_entry_t *));
    for (i = 0; i < list->nelts; i++) {
        cm_entry_t *entry = CM_NTH(list, i, cm_entry_t), *heir;
        const cm_mapping_t *mapping =
            apr_hash_get(found, entry->key, APR_HASH_KEY_STRING);

        if (!mapping)
            continue;
        take_mapping(run, entry, mapping);
        heir = cm_directory_heir(run, cm_directory_main(entry));
        if (heir && !heir->found->mapping)
            APR_ARRAY_PUSH(*heirs, cm_entry_t *) = heir;
    }
    return NULL;
}

static cm_error_t *refresh_model(cm_run_t *run, apr_hash_t *of_model,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *list = list_entries(of_model, scratch_pool);
    int i;

    for (i = 0; list->nelts && i < CM_MOST_HEIRS; i++)
        CM_TRY(refresh_list(&list, run, list, scratch_pool));
    return NULL;
}

cm_error_t *cm_directory_refresh(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_index_t *index;

    for (index = apr_hash_first(scratch_pool, run->entries); index;
         index = apr_hash_next(index))
        CM_TRY(refresh_model(run, apr_hash_this_val(index), scratch_pool));
    return NULL;
}

const char *cm_directory_probe(const cm_run_t *run, const cm_entry_t *entry)
{
    const char *key =
        cm_identity_without_life(NULL, entry->identity.original_id, run->pool);

    if (entry->found->mapping)
        return NULL;
    if (entry->model->shared_keys)
        return key;
    if (cm_identity_life(entry->identity.original_id) == run->node->life &&
        !strcmp(entry->identity.origin, run->node->settings->name))
        return key;
    return NULL;
}

/* Find the mappings of ROWS (keys), if they may be those of other lives. */
static cm_error_t *find_owners(apr_hash_t **owners, cm_run_t *run,
                               const cm_model_t *model, const cm_rows_t *rows)
{
    apr_array_header_t *ids =
        apr_array_make(run->pool, rows->count + 1, sizeof(const char *));
    int i;

    for (i = 0; model->shared_keys && i < rows->count; i++)
        APR_ARRAY_PUSH(ids, const char *) = cm_cell_text(rows, i, 0);
    return cm_mapping_by_local_id(owners, run->node, model->type, ids,
                                  run->pool);
}

/* Return whether the row KEY is that of another life than ENTRY's. */
static int is_other_life(const cm_entry_t *entry, apr_hash_t *owners,
                         const char *key)
{
    const cm_mapping_t *owner = apr_hash_get(owners, key, APR_HASH_KEY_STRING);

    return owner && !strcmp(owner->identity.origin, "*") &&
           cm_identity_life(owner->identity.original_id) !=
               cm_identity_life(entry->identity.original_id);
}

static cm_error_t *find_parents(cm_run_t *run, const cm_table_t *table,
                                apr_hash_t *of_model, apr_pool_t *scratch_pool)
{
    apr_array_header_t *list = list_entries(of_model, scratch_pool);
    cm_keys_t *keys = cm_keys_create(run->node->store, table, scratch_pool);
    apr_hash_t *owners;
    cm_rows_t *rows;
    int i;

    for (i = 0; i < list->nelts; i++) {
        cm_entry_t *entry = CM_NTH(list, i, cm_entry_t);
        const char *probe = entry->found->local_id || entry->record
                                ? NULL
                                : cm_directory_probe(run, entry);

        if (probe)
            cm_keys_add(keys, probe, entry, 1);
    }
    CM_TRY(cm_keys_select(&rows, keys, NULL, 0, run->pool));
    if (!rows->count)
        return NULL;
    CM_TRY(find_owners(&owners, run, table->model, rows));
    for (i = 0; i < rows->count; i++) {
        const char *key = cm_cell_text(rows, i, 0);
        cm_entry_t *entry = cm_keys_find(keys, key);

        if (entry && !is_other_life(entry, owners, key))
            cm_directory_set(run, entry, NULL, key);
    }
    return NULL;
}

cm_error_t *cm_directory_find_parents(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_index_t *index;

    for (index = apr_hash_first(scratch_pool, run->entries); index;
         index = apr_hash_next(index)) {
        const char *name = apr_hash_this_key(index);
        const cm_table_t *table;

        if (!cm_node_table(&table, run->node,
                           cm_settings_model(run->node->settings, name),
                           scratch_pool))
            CM_TRY(find_parents(run, table, apr_hash_this_val(index),
                                scratch_pool));
    }
    return NULL;
}
