/* References on their way out: a column holds the parent's id here, a message
 * names the parent's identity. One query per model of the parents. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"
#include "store/bulk.h"
#include "record/reference.h"
#include "node/graves.h"
#include "outbox/missing.h"
#include "outbox/spelled.h"

/* The parents of one model that the rows refer to. */
typedef struct parents_t {
    const cm_model_t *model;
    const cm_stamp_model_t *stamped; /* what the chunk does to them, or NULL */
    cm_id_set_t *ids;
    apr_hash_t *found;   /* id -> cm_mapping_t * */
    apr_hash_t *spelled; /* id -> the key that the parent has, or NULL */
} parents_t;

/* What the identities are for. */
typedef struct naming_t {
    cm_node_t *node;
    const cm_stamp_t *stamp; /* NULL: the rows are stamped already */
    apr_array_header_t *rows;
    apr_hash_t *all; /* model's name -> parents_t * */
    apr_pool_t *pool;
} naming_t;

static parents_t *parents_of(const naming_t *naming, const cm_model_t *model)
{
    parents_t *parents =
        apr_hash_get(naming->all, model->name, APR_HASH_KEY_STRING);

    if (parents)
        return parents;
    parents = apr_pcalloc(naming->pool, sizeof(*parents));
    parents->model = model;
    parents->ids = cm_id_set_create(16, naming->pool);
    if (naming->stamp)
        parents->stamped = apr_hash_get(naming->stamp->models, model->name,
                                        APR_HASH_KEY_STRING);
    apr_hash_set(naming->all, model->name, APR_HASH_KEY_STRING, parents);
    return parents;
}

/* Return the model that ATTRIBUTE of ROW, in COLUMN, refers to, NULL when to
 * none. */
static const cm_model_t *reference_of(const cm_node_t *node,
                                      const cm_outgoing_t *row,
                                      const cm_attribute_t *attribute,
                                      const cm_column_t *column)
{
    if (attribute->reference_model || (attribute->value.kind != CM_TEXT &&
                                       attribute->value.kind != CM_NUMBER))
        return NULL;
    return cm_reference_model(
        node->settings, column,
        cm_reference_name(column, row->message.attributes));
}

/* Write what refers to nothing, in COLUMN, as null. */
static void write_none(const naming_t *naming, cm_attribute_t *attribute,
                       const cm_column_t *column)
{
    if (column->none &&
        cm_reference_is_none(column, attribute->value, naming->pool))
        attribute->value = (cm_value_t){.kind = CM_NULL};
}

/* What is done with an attribute that refers to a record. */
typedef void (*each_t)(parents_t *parents, cm_attribute_t *attribute,
                       apr_int64_t seq);

/* Call EACH for every attribute of ROW that refers to a record. Its column is
 * looked up once: the next look-up is fast only for the column behind it. */
static void walk_row(const naming_t *naming, cm_outgoing_t *row, each_t each)
{
    apr_array_header_t *attributes = row->message.attributes;
    int i;

    if (row->held || row->forwarded || !row->table)
        return;
    for (i = 0; i < attributes->nelts; i++) {
        cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);
        const cm_column_t *column =
            cm_table_column(row->table, attribute->name);
        const cm_model_t *model;

        if (!column)
            continue;
        write_none(naming, attribute, column);
        model = reference_of(naming->node, row, attribute, column);
        if (model)
            each(parents_of(naming, model), attribute, row->message.id);
    }
}

/* Call EACH for every attribute of the rows that refers to a record. */
static void walk(const naming_t *naming, each_t each)
{
    int i;

    for (i = 0; i < naming->rows->nelts; i++)
        walk_row(naming, &APR_ARRAY_IDX(naming->rows, i, cm_outgoing_t), each);
}

/* Return the identity of the record that LOCAL_ID meant when message SEQ was
 * made, if that record has lost the id since, within the chunk. */
static const cm_identity_t *lost_since(const parents_t *parents,
                                       const char *local_id, apr_int64_t seq)
{
    const apr_array_header_t *all =
        parents->stamped ? apr_hash_get(parents->stamped->lost, local_id,
                                        APR_HASH_KEY_STRING)
                         : NULL;
    int i;

    for (i = 0; all && i < all->nelts; i++) {
        const cm_lost_t *lost = &APR_ARRAY_IDX(all, i, cm_lost_t);

        if (lost->seq > seq)
            return &lost->identity;
    }
    return NULL;
}

static void collect(parents_t *parents, cm_attribute_t *attribute,
                    apr_int64_t seq)
{
    if (!lost_since(parents, attribute->value.data, seq))
        cm_id_set_add(parents->ids, attribute->value.data);
}

static void name_parent(parents_t *parents, cm_attribute_t *attribute,
                        apr_int64_t seq)
{
    const char *local_id = attribute->value.data;
    const cm_identity_t *lost = lost_since(parents, local_id, seq);
    const char *spelled =
        parents->spelled
            ? apr_hash_get(parents->spelled, local_id, APR_HASH_KEY_STRING)
            : NULL;
    const cm_mapping_t *mapping = apr_hash_get(
        parents->found, spelled ? spelled : local_id, APR_HASH_KEY_STRING);

    if (!lost && !mapping) {
        attribute->value.kind = CM_NULL;
        attribute->dangles = 1;
        return;
    }
    attribute->reference_model = parents->model->name;
    attribute->reference = lost ? *lost : mapping->identity;
}

/* Return those of IDS that are not in FOUND. */
static apr_array_header_t *missing_of(const apr_array_header_t *ids,
                                      apr_hash_t *found, apr_pool_t *pool)
{
    apr_array_header_t *missing = apr_array_make(pool, 4, sizeof(char *));
    int i;

    for (i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        if (!apr_hash_get(found, id, APR_HASH_KEY_STRING))
            APR_ARRAY_PUSH(missing, const char *) = id;
    }
    return missing;
}

/* The columns that name the record a message is about, and those of one whose
 * key it changes. */
static const cm_bulk_column_t deleted_columns[] = {{"model", NULL},
                                                   {"local_record_id", NULL}};
static const cm_bulk_column_t moved_columns[] = {{"model", NULL},
                                                 {"former_record_id", NULL}};

/* Look for the parents whose ids, in COLUMNS, messages that fulfil CONDITION
 * have taken away since: they have the identity. The first one above SEQ is of
 * the record that had the id then; FIRST: id -> apr_int64_t *. */
static cm_error_t *find_later(parents_t *parents, apr_hash_t *first,
                              cm_node_t *node, const apr_array_header_t *ids,
                              const cm_bulk_column_t *columns,
                              const char *condition, apr_int64_t seq,
                              apr_pool_t *pool)
{
    cm_bulk_t *keys = cm_bulk_create("outbound_messages", columns, 2, 2, pool);
    cm_rows_t *rows;
    int i;

    for (i = 0; i < ids->nelts; i++) {
        cm_bulk_row(keys, "tt", parents->model->name,
                    APR_ARRAY_IDX(ids, i, const char *));
    }
    CM_TRY(cm_bulk_select(
        &rows, node->store,
        apr_pstrcat(pool, "t.", columns[1].name,
                    ", t.origin, t.original_id, t.seq", NULL),
        keys,
        apr_psprintf(
            pool, "%s AND t.origin IS NOT NULL AND t.seq > %" APR_INT64_T_FMT,
            condition, seq),
        0, pool));
    for (i = 0; i < rows->count; i++) {
        const char *id = cm_cell_text(rows, i, 0);
        apr_int64_t *known = apr_hash_get(first, id, APR_HASH_KEY_STRING);
        apr_int64_t at = cm_cell_number(rows, i, 3);
        cm_mapping_t *mapping;

        if (known && *known < at)
            continue;
        mapping = apr_pcalloc(pool, sizeof(*mapping));
        mapping->identity.origin = cm_cell_text(rows, i, 1);
        mapping->identity.original_id = cm_cell_text(rows, i, 2);
        apr_hash_set(parents->found, id, APR_HASH_KEY_STRING, mapping);
        apr_hash_set(first, id, APR_HASH_KEY_STRING,
                     apr_pmemdup(pool, &at, sizeof(at)));
    }
    return NULL;
}

/* Look for the parents that were deleted since, or got another id. */
static cm_error_t *find_gone(parents_t *parents, cm_node_t *node,
                             const apr_array_header_t *ids, apr_int64_t seq,
                             apr_pool_t *pool)
{
    apr_hash_t *first = apr_hash_make(pool);

    CM_TRY(find_later(parents, first, node, ids, deleted_columns,
                      "t.action = 'delete'", seq, pool));
    return find_later(parents, first, node, ids, moved_columns,
                      "t.former_record_id IS NOT NULL"
                      " AND t.action = 'update'",
                      seq, pool);
}

/* Look for the parents that a peer has deleted. Where another record has got
 * the id since, it is that record's. */
static cm_error_t *find_buried(parents_t *parents, cm_node_t *node,
                               const apr_array_header_t *ids, apr_pool_t *pool)
{
    apr_array_header_t *here;
    apr_hash_t *found = apr_hash_make(pool);
    int i;

    CM_TRY(cm_graves_find(found, node, parents->model->type, ids, pool));
    if (!apr_hash_count(found))
        return NULL;
    CM_TRY(cm_missing_here(&here, node, parents->model, ids, pool));
    for (i = 0; i < here->nelts; i++)
        apr_hash_set(found, APR_ARRAY_IDX(here, i, const char *),
                     APR_HASH_KEY_STRING, NULL);
    parents->found = apr_hash_overlay(pool, parents->found, found);
    return NULL;
}

/* Remove from IDS those that a record has got by a change which has no number
 * yet: it has its mapping already. */
static cm_error_t *remove_moved(apr_array_header_t **ids, cm_node_t *node,
                                const cm_model_t *model, apr_pool_t *pool)
{
    cm_bulk_t *keys =
        cm_bulk_create("outbound_messages", deleted_columns, 2, 2, pool);
    apr_hash_t *moved = apr_hash_make(pool);
    cm_rows_t *rows;
    int i;

    if (!(*ids)->nelts)
        return NULL;
    for (i = 0; i < (*ids)->nelts; i++) {
        cm_bulk_row(keys, "tt", model->name,
                    APR_ARRAY_IDX(*ids, i, const char *));
    }
    CM_TRY(cm_bulk_select(&rows, node->store, "t.local_record_id", keys,
                          "t.seq IS NULL AND t.former_record_id IS NOT NULL"
                          " AND t.action = 'update'",
                          0, pool));
    for (i = 0; i < rows->count; i++)
        apr_hash_set(moved, cm_cell_text(rows, i, 0), APR_HASH_KEY_STRING, "");
    *ids = missing_of(*ids, moved, pool);
    return NULL;
}

/* Make mappings for the parents that have none, in the open transaction; note
 * those that are not here at all. */
static cm_error_t *make_mappings(parents_t *parents, cm_node_t *node,
                                 apr_array_header_t *ids, apr_pool_t *pool)
{
    apr_array_header_t *mappings =
        apr_array_make(pool, ids->nelts, sizeof(cm_mapping_t *));
    apr_array_header_t *missing, *present;
    apr_hash_t *found;
    apr_int64_t last_seq;
    int i;

    CM_TRY(cm_node_lock(&last_seq, node, pool));
    CM_TRY(
        cm_mapping_by_local_id(&found, node, parents->model->type, ids, pool));
    missing = missing_of(ids, found, pool);
    CM_TRY(cm_missing_present(&present, node, parents->model, missing, pool));
    CM_TRY(remove_moved(&present, node, parents->model, pool));
    CM_TRY(cm_mapping_make(found, node, parents->model, present, pool));
    for (i = 0; i < present->nelts; i++)
        APR_ARRAY_PUSH(mappings, cm_mapping_t *) =
            apr_hash_get(found, APR_ARRAY_IDX(present, i, const char *),
                         APR_HASH_KEY_STRING);
    CM_TRY(cm_mapping_save(node, mappings, pool));
    parents->found = apr_hash_overlay(pool, parents->found, found);
    return cm_missing_note(node, parents->model,
                           missing_of(missing, found, pool), pool);
}

/* Find the mappings of the parents. Where a reference spells its parent's key
 * otherwise, the key takes its place among the ids. */
static cm_error_t *find_mappings(parents_t *parents, cm_node_t *node,
                                 apr_pool_t *pool)
{
    const apr_array_header_t *ids = parents->ids->ids;
    apr_array_header_t *missing;
    int i;

    CM_TRY(cm_mapping_by_local_id(&parents->found, node, parents->model->type,
                                  ids, pool));
    missing = missing_of(ids, parents->found, pool);
    CM_TRY(cm_spelled_find(&parents->spelled, node, parents->model, missing,
                           pool));
    if (!apr_hash_count(parents->spelled))
        return NULL;
    parents->ids = cm_id_set_create(ids->nelts, pool);
    for (i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);
        const char *key =
            apr_hash_get(parents->spelled, id, APR_HASH_KEY_STRING);

        cm_id_set_add(parents->ids, key ? key : id);
    }
    return cm_mapping_by_local_id(&parents->found, node, parents->model->type,
                                  parents->ids->ids, pool);
}

static cm_error_t *find_parents(parents_t *parents, const naming_t *naming,
                                apr_int64_t after, apr_pool_t *pool)
{
    cm_node_t *node = naming->node;
    apr_array_header_t *missing;

    CM_TRY(find_mappings(parents, node, pool));
    missing = missing_of(parents->ids->ids, parents->found, pool);
    if (!missing->nelts)
        return NULL;
    CM_TRY(find_gone(parents, node, missing, after, pool));
    missing = missing_of(parents->ids->ids, parents->found, pool);
    CM_TRY(find_buried(parents, node, missing, pool));
    missing = missing_of(parents->ids->ids, parents->found, pool);
    if (!missing->nelts)
        return NULL;
    if (naming->stamp)
        return make_mappings(parents, node, missing, pool);
    CM_TRY(cm_transaction_begin(node->store, pool));
    return cm_transaction_end(
        node->store, make_mappings(parents, node, missing, pool), pool);
}

cm_error_t *cm_references_name(cm_node_t *node, const cm_stamp_t *stamp,
                               apr_array_header_t *rows,
                               apr_pool_t *result_pool,
                               apr_pool_t *scratch_pool)
{
    const naming_t naming = {node, stamp, rows, apr_hash_make(scratch_pool),
                             scratch_pool};
    apr_hash_index_t *at;
    apr_int64_t after;

    if (!rows->nelts)
        return NULL;
    after = APR_ARRAY_IDX(rows, 0, cm_outgoing_t).message.id;
    walk(&naming, collect);
    for (at = apr_hash_first(scratch_pool, naming.all); at;
         at = apr_hash_next(at))
        CM_TRY_FOR(
            find_parents(apr_hash_this_val(at), &naming, after, result_pool),
            scratch_pool, "cannot find the identities of the parents");
    walk(&naming, name_parent);
    return NULL;
}
