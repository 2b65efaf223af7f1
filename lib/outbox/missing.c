/* Records that are missing here: see missing.h. */
#include "outbox/missing.h"

#include <string.h>

#include <apr_strings.h>

#include "config/key.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "record/fit.h"
#include "record/keys.h"
#include "record/reference.h"
#include "outbox/filter.h"
#include "outbox/publish.h"

/* Records looked for at once. */
#define PAGE_ROWS 500

/* In place of an heir: another record has taken the key. */
#define TAKEN ""

static const cm_bulk_column_t columns[] = {
    {"model", "text"}, {"local_record_id", "text"}, {"heir_id", "text"}};

cm_error_t *cm_missing_here(apr_array_header_t **here, cm_node_t *node,
                            const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *pool)
{
    const cm_table_t *table;
    cm_keys_t *keys;
    cm_rows_t *rows;
    int i;

    *here = apr_array_make(pool, local_ids->nelts, sizeof(const char *));
    CM_TRY(cm_node_table(&table, node, model, pool));
    keys = cm_keys_create(node->store, table, pool);
    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        cm_keys_add(keys, id, id, 1);
    }
    CM_TRY_FOR(cm_keys_select(&rows, keys, NULL, 0, pool), pool,
               "cannot look for the records of '%s'", model->name);
    for (i = 0; i < rows->count; i++) {
        const char *id = cm_keys_find(keys, cm_cell_text(rows, i, 0));

        if (id)
            APR_ARRAY_PUSH(*here, const char *) = id;
    }
    return NULL;
}

cm_error_t *cm_missing_present(apr_array_header_t **present, cm_node_t *node,
                               const cm_model_t *model,
                               const apr_array_header_t *local_ids,
                               apr_pool_t *pool)
{
    apr_hash_t *found;
    int i, applies;

    CM_TRY(cm_filter_applies(&applies, node, model, pool));
    if (!applies)
        return cm_missing_here(present, node, model, local_ids, pool);
    *present = apr_array_make(pool, local_ids->nelts, sizeof(const char *));
    CM_TRY(cm_filter_find(&found, node, model, local_ids, 0, NULL, pool));
    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);
        const cm_filter_row_t *row =
            apr_hash_get(found, id, APR_HASH_KEY_STRING);

        if (row && row->inside)
            APR_ARRAY_PUSH(*present, const char *) = id;
    }
    return NULL;
}

static cm_bulk_t *list_rows(const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *pool)
{
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_missing", columns, 2, 2, pool);
    int i;

    for (i = 0; i < local_ids->nelts; i++) {
        cm_bulk_row(bulk, "tt", model->name,
                    APR_ARRAY_IDX(local_ids, i, const char *));
    }
    return bulk;
}

cm_error_t *cm_missing_note(cm_node_t *node, const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *scratch_pool)
{
    apr_int64_t inserted;

    if (!local_ids->nelts || !cm_key_is_referred(node->settings, model))
        return NULL;
    CM_TRY_FOR(cm_bulk_insert(&inserted, node->store,
                              list_rows(model, local_ids, scratch_pool),
                              CM_PRESENT_KEEP, scratch_pool),
               scratch_pool, "cannot note which records are missing");
    return NULL;
}

cm_error_t *cm_missing_note_here(cm_node_t *node, const cm_model_t *model,
                                 const apr_array_header_t *local_ids,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *here;

    if (!local_ids->nelts || !cm_key_is_referred(node->settings, model))
        return NULL;
    CM_TRY(cm_missing_here(&here, node, model, local_ids, scratch_pool));
    return cm_missing_note(node, model, here, scratch_pool);
}

/* Return whether COLUMN may refer to records of MODEL. One of a key stays as it
 * is, since its row would be another record. */
static int may_refer(const cm_column_t *column, const cm_model_t *model)
{
    if (column->is_key || column->generated)
        return 0;
    return column->reference
               ? !strcmp(column->reference, model->name)
               : column->named_by && model->columns.key->nelts == 1;
}

/* Find the columns of CHILD (const cm_column_t *) that may hold a key which a
 * record of MODEL has given up: no foreign key forbids it. (An application on
 * SQLite need not enforce them.) */
static cm_error_t *find_loose(apr_array_header_t **loose,
                              const cm_table_t **table, cm_node_t *node,
                              const cm_model_t *child, const cm_model_t *model,
                              apr_pool_t *pool)
{
    cm_rows_t *bound = NULL;
    cm_error_t *err;
    int i, j;

    *loose = apr_array_make(pool, 2, sizeof(const cm_column_t *));
    if (!child->receives || !child->columns.references->nelts)
        return NULL;
    err = cm_node_table(table, node, child, pool);
    if (err)
        return err->code == CM_SCHEMA ? NULL : err;
    for (i = 0; i < (*table)->column_count; i++) {
        const cm_column_t *column = &(*table)->columns[i];

        if (!may_refer(column, model))
            continue;
        if (!bound)
            CM_TRY(cm_table_ask(&bound, node->store, "catalog.sql", "bound",
                                child, pool));
        for (j = 0; j < bound->count; j++)
            if (!strcmp(cm_cell_text(bound, j, 0), column->name))
                break;
        if (j == bound->count)
            APR_ARRAY_PUSH(*loose, const cm_column_t *) = column;
    }
    return NULL;
}

/* Set *FOLLOWED: rows that this node may write can be left behind when a record
 * of MODEL gives up its key. */
static cm_error_t *is_followed(int *followed, cm_node_t *node,
                               const cm_model_t *model, apr_pool_t *pool)
{
    const apr_array_header_t *models = node->settings->models;
    apr_array_header_t *loose;
    const cm_table_t *table;
    int i;

    *followed = 0;
    for (i = 0; i < models->nelts && !*followed; i++) {
        CM_TRY(find_loose(&loose, &table, node,
                          APR_ARRAY_IDX(models, i, cm_model_t *), model, pool));
        *followed = loose->nelts > 0;
    }
    return NULL;
}

/* Where a key that is noted as an heir's was given up in its turn: note the
 * new one there. */
static cm_error_t *renew_heirs(cm_node_t *node, const cm_model_t *model,
                               const apr_array_header_t *heirs,
                               apr_pool_t *pool)
{
    const cm_bulk_column_t renewed[] = {columns[0], columns[2], columns[2]};
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_missing", renewed, 3, 2, pool);
    apr_int64_t updated;
    int i;

    for (i = 0; i < heirs->nelts; i++) {
        const cm_missing_heir_t *one =
            &APR_ARRAY_IDX(heirs, i, cm_missing_heir_t);

        if (one->heir)
            cm_bulk_row(bulk, "ttt", model->name, one->former, one->heir);
    }
    if (!cm_bulk_rows(bulk))
        return NULL;
    return cm_bulk_update(&updated, node->store, bulk, pool);
}

cm_error_t *cm_missing_note_heirs(cm_node_t *node, const cm_model_t *model,
                                  const apr_array_header_t *heirs,
                                  apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids =
        apr_array_make(scratch_pool, heirs->nelts + 1, sizeof(const char *));
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_missing", columns, 3, 2, scratch_pool);
    apr_int64_t count;
    int followed, i;

    for (i = 0; i < heirs->nelts; i++) {
        const cm_missing_heir_t *one =
            &APR_ARRAY_IDX(heirs, i, cm_missing_heir_t);

        APR_ARRAY_PUSH(ids, const char *) = one->former;
        cm_bulk_row(bulk, "ttt", model->name, one->former,
                    one->taken ? TAKEN : one->heir);
    }
    if (!heirs->nelts)
        return NULL;
    CM_TRY(is_followed(&followed, node, model, scratch_pool));
    if (!followed)
        return NULL;
    CM_TRY(renew_heirs(node, model, heirs, scratch_pool));
    CM_TRY(cm_bulk_delete(&count, node->store,
                          list_rows(model, ids, scratch_pool), scratch_pool));
    CM_TRY_FOR(cm_bulk_insert(&count, node->store, bulk, CM_PRESENT_KEEP,
                              scratch_pool),
               scratch_pool, "cannot note which keys were changed");
    return NULL;
}

/* Read the notes about LOCAL_IDS: *KEYS: former key -> new one. */
static cm_error_t *read_heirs(apr_hash_t **keys, cm_node_t *node,
                              const cm_model_t *model,
                              const apr_array_header_t *local_ids,
                              apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    *keys = apr_hash_make(pool);
    CM_TRY(cm_bulk_select(&rows, node->store, "t.local_record_id, t.heir_id",
                          list_rows(model, local_ids, pool),
                          "t.heir_id IS NOT NULL", 0, pool));
    for (i = 0; i < rows->count; i++)
        if (strcmp(cm_cell_text(rows, i, 1), TAKEN))
            apr_hash_set(*keys, cm_cell_text(rows, i, 0), APR_HASH_KEY_STRING,
                         cm_cell_text(rows, i, 1));
    return NULL;
}

cm_error_t *cm_missing_heirs(apr_hash_t **heirs, cm_node_t *node,
                             const cm_model_t *model,
                             const apr_array_header_t *local_ids,
                             apr_pool_t *pool)
{
    apr_array_header_t *here,
        *wanted = apr_array_make(pool, 4, sizeof(const char *));
    apr_hash_t *keys, *found;
    apr_hash_index_t *at;
    int i;

    *heirs = apr_hash_make(pool);
    if (!local_ids->nelts)
        return NULL;
    CM_TRY(read_heirs(&keys, node, model, local_ids, pool));
    if (!apr_hash_count(keys))
        return NULL;
    CM_TRY(cm_missing_here(&here, node, model, local_ids, pool));
    for (i = 0; i < here->nelts; i++)
        apr_hash_set(keys, APR_ARRAY_IDX(here, i, const char *),
                     APR_HASH_KEY_STRING, NULL);
    for (at = apr_hash_first(pool, keys); at; at = apr_hash_next(at))
        APR_ARRAY_PUSH(wanted, const char *) = apr_hash_this_val(at);
    CM_TRY(cm_mapping_by_local_id(&found, node, model->type, wanted, pool));
    for (at = apr_hash_first(pool, keys); at; at = apr_hash_next(at))
        apr_hash_set(
            *heirs, apr_hash_this_key(at), APR_HASH_KEY_STRING,
            apr_hash_get(found, apr_hash_this_val(at), APR_HASH_KEY_STRING));
    return NULL;
}

/* Publish the records that refer to MODEL's with LOCAL_IDS. */
static cm_error_t *publish_children(apr_int64_t *published, cm_node_t *node,
                                    const cm_model_t *model,
                                    const apr_array_header_t *local_ids,
                                    apr_pool_t *pool)
{
    const apr_array_header_t *models = node->settings->models;
    apr_int64_t count;
    int i, j;

    for (i = 0; local_ids->nelts && i < models->nelts; i++) {
        const cm_model_t *child = APR_ARRAY_IDX(models, i, cm_model_t *);

        for (j = 0; j < child->columns.references->nelts; j++) {
            const cm_reference_t *reference =
                &APR_ARRAY_IDX(child->columns.references, j, cm_reference_t);

            if (!child->publishes || !cm_settings_refers_to(reference, model))
                continue;
            CM_TRY(cm_publish_referring(&count, node, child, reference->column,
                                        local_ids, pool));
            *published += count;
        }
    }
    return NULL;
}

/* The same, but only what refers to them without a foreign key: with one, a
 * change of the key was one of these rows, too. */
static cm_error_t *publish_loose(apr_int64_t *published, cm_node_t *node,
                                 const cm_model_t *model,
                                 const apr_array_header_t *local_ids,
                                 apr_pool_t *pool)
{
    const apr_array_header_t *models = node->settings->models;
    apr_array_header_t *loose;
    const cm_table_t *table;
    apr_int64_t count;
    int i, j;

    for (i = 0; local_ids->nelts && i < models->nelts; i++) {
        const cm_model_t *child = APR_ARRAY_IDX(models, i, cm_model_t *);

        CM_TRY(find_loose(&loose, &table, node, child, model, pool));
        for (j = 0; child->publishes && j < loose->nelts; j++) {
            CM_TRY(cm_publish_referring(
                &count, node, child,
                APR_ARRAY_IDX(loose, j, const cm_column_t *)->name, local_ids,
                pool));
            *published += count;
        }
    }
    return NULL;
}

/* Return those of LOCAL_IDS that other records have taken, or the others. */
static apr_array_header_t *taken_ids(const apr_array_header_t *local_ids,
                                     apr_hash_t *heirs, int taken,
                                     apr_pool_t *pool)
{
    apr_array_header_t *ids =
        apr_array_make(pool, local_ids->nelts, sizeof(const char *));
    int i;

    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);
        const char *heir = apr_hash_get(heirs, id, APR_HASH_KEY_STRING);

        if ((heir && !strcmp(heir, TAKEN)) == taken)
            APR_ARRAY_PUSH(ids, const char *) = id;
    }
    return ids;
}

/* Publish what refers to those of LOCAL_IDS, noted as missing, that are here
 * now, and forget these. */
static cm_error_t *publish_page(apr_int64_t *published, cm_node_t *node,
                                const cm_model_t *model,
                                const apr_array_header_t *local_ids,
                                apr_hash_t *heirs, apr_pool_t *pool)
{
    apr_array_header_t *present;
    apr_int64_t deleted;

    CM_TRY(cm_missing_present(&present, node, model, local_ids, pool));
    if (!present->nelts)
        return NULL;
    CM_TRY(publish_children(published, node, model,
                            taken_ids(present, heirs, 0, pool), pool));
    CM_TRY(publish_loose(published, node, model,
                         taken_ids(present, heirs, 1, pool), pool));
    return cm_bulk_delete(&deleted, node->store,
                          list_rows(model, present, pool), pool);
}

/* Rows that hold a former key in COLUMN. */
typedef struct follow_t {
    cm_node_t *node;
    const cm_model_t *model; /* of the keys */
    const apr_array_header_t *former;
    apr_hash_t *heirs; /* former key -> new one */
    const cm_table_t *table;
    const cm_column_t *column;
    apr_pool_t *pool;
} follow_t;

/* Add to BULK what becomes of the key FORMER, unless the column cannot hold
 * such keys, or it means none there. NAME: how rows name the model, in another
 * column; or NULL. */
static void add_follower(cm_bulk_t *bulk, const follow_t *follow,
                         const char *former, const char *name)
{
    const char *heir = apr_hash_get(follow->heirs, former, APR_HASH_KEY_STRING);
    const cm_dialect_t *dialect = cm_dialect_of_store(follow->node->store);
    cm_datum_t from, to;

    if (cm_reference_is_none(follow->column, cm_value_of(CM_TEXT, former),
                             follow->pool) ||
        cm_fit_value(&from, follow->column, cm_value_of(CM_TEXT, former),
                     dialect, follow->pool) ||
        cm_fit_value(&to, follow->column, cm_value_of(CM_TEXT, heir), dialect,
                     follow->pool))
        return;
    cm_bulk_add(bulk, from);
    if (name)
        cm_bulk_add(bulk, cm_datum_text(name));
    cm_bulk_add(bulk, to);
}

/* Let rows hold the new keys, as a change made here; *MOVED is increased by
 * them. NAME: as above. */
static cm_error_t *follow_column(apr_int64_t *moved, const follow_t *follow,
                                 const char *name)
{
    const cm_column_t *column = follow->column;
    const cm_bulk_column_t cell = {column->quoted, column->type};
    cm_bulk_column_t cells[] = {cell, cell, cell};
    apr_int64_t count = 0;
    cm_bulk_t *bulk;
    int i;

    if (name)
        cells[1] = (cm_bulk_column_t){column->named_by->quoted,
                                      column->named_by->type};
    bulk = cm_bulk_create(follow->table->quoted, cells, name ? 3 : 2,
                          name ? 2 : 1, follow->pool);
    for (i = 0; i < follow->former->nelts; i++)
        add_follower(bulk, follow,
                     APR_ARRAY_IDX(follow->former, i, const char *), name);
    if (cm_bulk_rows(bulk))
        CM_TRY(cm_bulk_update(&count, follow->node->store, bulk, follow->pool));
    *moved += count;
    return NULL;
}

/* The same in all tables. A column that refers to one of several models stands
 * beside another one that names the model: by its name or its class. */
static cm_error_t *follow_all(apr_int64_t *moved, follow_t *follow)
{
    const apr_array_header_t *models = follow->node->settings->models;
    const cm_model_t *model = follow->model;
    apr_array_header_t *loose;
    int i, j;

    for (i = 0; i < models->nelts; i++) {
        CM_TRY(find_loose(&loose, &follow->table, follow->node,
                          APR_ARRAY_IDX(models, i, cm_model_t *), model,
                          follow->pool));
        for (j = 0; j < loose->nelts; j++) {
            follow->column = APR_ARRAY_IDX(loose, j, const cm_column_t *);
            CM_TRY(follow_column(
                moved, follow, follow->column->named_by ? model->name : NULL));
            if (follow->column->named_by && strcmp(model->type, model->name))
                CM_TRY(follow_column(moved, follow, model->type));
        }
    }
    return NULL;
}

/* Let rows follow the records of MODEL that have given up those of LOCAL_IDS
 * which have HEIRS, unless other records have them now; and forget these. What
 * the database refuses stays as it is. */
static cm_error_t *follow_page(apr_int64_t *moved, cm_node_t *node,
                               const cm_model_t *model,
                               const apr_array_header_t *local_ids,
                               apr_hash_t *heirs, apr_pool_t *pool)
{
    apr_array_header_t *former =
        apr_array_make(pool, local_ids->nelts, sizeof(const char *));
    apr_array_header_t *here;
    apr_int64_t deleted;
    cm_error_t *err;
    int i;

    CM_TRY(cm_missing_here(&here, node, model, local_ids, pool));
    for (i = 0; i < here->nelts; i++)
        apr_hash_set(heirs, APR_ARRAY_IDX(here, i, const char *),
                     APR_HASH_KEY_STRING, NULL);
    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        const char *heir = apr_hash_get(heirs, id, APR_HASH_KEY_STRING);

        if (heir && strcmp(heir, TAKEN))
            APR_ARRAY_PUSH(former, const char *) = id;
    }
    if (!former->nelts)
        return NULL;
    err = follow_all(moved, &(follow_t){.node = node,
                                        .model = model,
                                        .former = former,
                                        .heirs = heirs,
                                        .pool = pool});
    if (err && err->code != CM_REJECTED)
        return err;
    return cm_bulk_delete(&deleted, node->store, list_rows(model, former, pool),
                          pool);
}

/* Read the next page of missing ids of MODEL, above AFTER; HEIRS: id -> heir of
 * those that have one. */
static cm_error_t *read_page(apr_array_header_t **local_ids, apr_hash_t **heirs,
                             cm_node_t *node, const cm_model_t *model,
                             const char *after, apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(model->name),
                                    cm_datum_text(after)};
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT local_record_id, heir_id FROM communicator_missing"
                     " WHERE model = %%s AND local_record_id > %%s"
                     " ORDER BY local_record_id LIMIT %d",
                     PAGE_ROWS),
        arguments, 2, pool));
    *local_ids = apr_array_make(pool, rows->count, sizeof(const char *));
    *heirs = apr_hash_make(pool);
    for (i = 0; i < rows->count; i++) {
        const char *id = cm_cell_text(rows, i, 0);

        APR_ARRAY_PUSH(*local_ids, const char *) = id;
        apr_hash_set(*heirs, id, APR_HASH_KEY_STRING, cm_cell_text(rows, i, 1));
    }
    return NULL;
}

static cm_error_t *publish_model(apr_int64_t *published, cm_node_t *node,
                                 const cm_model_t *model,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *local_ids;
    apr_hash_t *heirs;
    const char *after = "";
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(read_page(&local_ids, &heirs, node, model, after, iterpool));
        if (!local_ids->nelts)
            break;
        CM_TRY_FOR(
            publish_page(published, node, model, local_ids, heirs, iterpool),
            scratch_pool, "cannot publish what refers to records of model '%s'",
            model->name);
        CM_TRY_FOR(
            follow_page(published, node, model, local_ids, heirs, iterpool),
            scratch_pool,
            "cannot change what refers to former keys of model '%s'",
            model->name);
        after = apr_pstrdup(
            scratch_pool,
            APR_ARRAY_IDX(local_ids, local_ids->nelts - 1, const char *));
    } while (local_ids->nelts == PAGE_ROWS);
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_missing_publish(apr_int64_t *published, cm_node_t *node,
                               apr_pool_t *scratch_pool)
{
    cm_rows_t *models;
    int i;

    *published = 0;
    CM_TRY_FOR(
        cm_statement_select(&models, node->store,
                            "SELECT DISTINCT model FROM communicator_missing",
                            NULL, 0, scratch_pool),
        scratch_pool, "cannot read which records are missing");
    for (i = 0; i < models->count; i++) {
        const cm_model_t *model =
            cm_settings_model(node->settings, cm_cell_text(models, i, 0));
        cm_error_t *err =
            model ? publish_model(published, node, model, scratch_pool) : NULL;

        if (err && err->code != CM_BUSY)
            return err;
    }
    return NULL;
}
