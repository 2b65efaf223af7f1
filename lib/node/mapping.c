/* The mapping: see mapping.h. */
#include "node/mapping.h"

#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"
#include "base/number.h"
#include "store/bulk.h"
#include "record/canonical.h"

/* More aliases in a row than that are a circle. */
#define MOST_ALIASES 64

static const char fields[] =
    "t.id, t.local_record_type, t.origin, t.original_id, t.local_record_id,"
    " t.clock, t.clocks, t.deleted_at, t.same_as";

static const cm_bulk_column_t identity_columns[] = {
    {"local_record_type", NULL}, {"origin", NULL}, {"original_id", NULL}};

static const cm_bulk_column_t local_columns[] = {{"local_record_type", NULL},
                                                 {"local_record_id", NULL}};

static const cm_bulk_column_t id_columns[] = {{"id", "bigint"}};

int cm_mapping_first_life(const cm_node_t *node, const cm_model_t *model)
{
    return model->shared_keys ? 1 : node->life;
}

/* Return the identity of a record with shared keys: ("*", KEY), KEY in its
 * canonical form, since databases write it differently. */
static cm_identity_t identity_of_key(cm_node_t *node, const cm_model_t *model,
                                     const char *key, apr_pool_t *pool)
{
    const cm_table_t *table;
    cm_identity_t identity = {"*", key};
    const char *life;

    /* whether it is a key of that table shows when it is searched */
    if (cm_node_table(&table, node, model))
        return identity;
    key = cm_identity_without_life(&life, key, pool);
    key = cm_canonical_key(table, key, cm_dialect_of_store(node->store), pool);
    identity.original_id = *life ? apr_pstrcat(pool, key, life, NULL) : key;
    return identity;
}

cm_identity_t cm_mapping_identity_of_local(cm_node_t *node,
                                           const cm_model_t *model,
                                           const char *local_id, int life,
                                           apr_pool_t *pool)
{
    cm_identity_t identity = {node->settings->name, local_id};

    if (model->shared_keys)
        identity = identity_of_key(node, model, local_id, pool);
    identity.original_id =
        cm_identity_with_life(identity.original_id, life, pool);
    return identity;
}

static cm_error_t *read_row(cm_mapping_t *mapping, const cm_rows_t *rows,
                            int row, apr_pool_t *pool)
{
    memset(mapping, 0, sizeof(*mapping));
    mapping->id = cm_cell_number(rows, row, 0);
    mapping->type = cm_cell_text(rows, row, 1);
    mapping->identity.origin = cm_cell_text(rows, row, 2);
    mapping->identity.original_id = cm_cell_text(rows, row, 3);
    mapping->local_id = cm_cell_text(rows, row, 4);
    CM_TRY_FOR(cm_clocks_read(&mapping->clocks, cm_cell_number(rows, row, 5),
                              cm_cell_text(rows, row, 6), pool),
               pool, "mapping %" APR_INT64_T_FMT " cannot be read",
               mapping->id);
    mapping->deleted_at = cm_cell_number(rows, row, 7);
    mapping->same_as = cm_cell_number(rows, row, 8);
    return NULL;
}

/* Select the mappings that KEYS name: cm_mapping_t *. */
static cm_error_t *select_mappings(apr_array_header_t **mappings,
                                   cm_node_t *node, const cm_bulk_t *keys,
                                   apr_pool_t *pool)
{
    cm_mapping_t *mapping;
    cm_rows_t *rows;
    int i;

    *mappings =
        apr_array_make(pool, cm_bulk_rows(keys) + 1, sizeof(cm_mapping_t *));
    if (!cm_bulk_rows(keys))
        return NULL;
    CM_TRY_FOR(cm_bulk_select(&rows, node->store, fields, keys, NULL, 0, pool),
               pool, "cannot read the mappings");
    mapping = apr_palloc(pool, (rows->count + 1) * sizeof(*mapping));
    for (i = 0; i < rows->count; i++, mapping++) {
        CM_TRY(read_row(mapping, rows, i, pool));
        APR_ARRAY_PUSH(*mappings, cm_mapping_t *) = mapping;
    }
    return NULL;
}

/* Replace each alias in FOUND by the mapping that it stands for; *LEFT counts
 * those that are aliases themselves. */
static cm_error_t *follow_once(int *left, apr_hash_t *found, cm_node_t *node,
                               apr_pool_t *pool)
{
    cm_bulk_t *keys =
        cm_bulk_create("communicator_mappings", id_columns, 1, 1, pool);
    apr_hash_t *by_id = apr_hash_make(pool);
    apr_array_header_t *targets;
    cm_mapping_t *mapping, *target;
    apr_hash_index_t *at;
    int i;

    for (at = apr_hash_first(pool, found); at; at = apr_hash_next(at)) {
        mapping = apr_hash_this_val(at);
        if (!mapping->same_as ||
            apr_hash_get(by_id, &mapping->same_as, sizeof(apr_int64_t)))
            continue;
        apr_hash_set(by_id, &mapping->same_as, sizeof(apr_int64_t), mapping);
        cm_bulk_row(keys, "n", mapping->same_as);
    }
    CM_TRY(select_mappings(&targets, node, keys, pool));
    apr_hash_clear(by_id);
    for (i = 0; i < targets->nelts; i++) {
        target = APR_ARRAY_IDX(targets, i, cm_mapping_t *);
        apr_hash_set(by_id, &target->id, sizeof(target->id), target);
    }
    *left = 0;
    for (at = apr_hash_first(pool, found); at; at = apr_hash_next(at)) {
        mapping = apr_hash_this_val(at);
        if (!mapping->same_as)
            continue;
        target =
            apr_hash_get(by_id, &mapping->same_as, sizeof(mapping->same_as));
        if (!target)
            return CM_FAIL(pool, CM_DATABASE,
                           "mapping %" APR_INT64_T_FMT
                           " stands for %" APR_INT64_T_FMT ", which is gone",
                           mapping->id, mapping->same_as);
        apr_hash_set(found, apr_hash_this_key(at), APR_HASH_KEY_STRING, target);
        *left += target->same_as != 0;
    }
    return NULL;
}

static cm_error_t *follow_aliases(apr_hash_t *found, cm_node_t *node,
                                  apr_pool_t *pool)
{
    apr_hash_index_t *at;
    int left = 0, round;

    for (at = apr_hash_first(pool, found); at; at = apr_hash_next(at))
        left += ((cm_mapping_t *)apr_hash_this_val(at))->same_as != 0;
    for (round = 0; left; round++) {
        if (round == MOST_ALIASES)
            return CM_FAIL(pool, CM_DATABASE,
                           "aliases stand for each other in a circle");
        CM_TRY(follow_once(&left, found, node, pool));
    }
    return NULL;
}

/* Find mappings by identity, aliases as they are. */
static cm_error_t *find_identities(apr_hash_t **found, cm_node_t *node,
                                   const char *type,
                                   const apr_array_header_t *identities,
                                   apr_pool_t *pool)
{
    cm_bulk_t *keys =
        cm_bulk_create("communicator_mappings", identity_columns, 3, 3, pool);
    cm_id_set_t *asked = cm_id_set_create(identities->nelts, pool);
    apr_array_header_t *mappings;
    int i;

    *found = apr_hash_make(pool);
    cm_bulk_reserve(keys, identities->nelts);
    for (i = 0; i < identities->nelts; i++) {
        cm_identity_t identity = APR_ARRAY_IDX(identities, i, cm_identity_t);
        const char *key = cm_identity_key(identity, pool);

        if (!*key || !cm_id_set_add(asked, key))
            continue;
        cm_bulk_row(keys, "ttt", type, identity.origin, identity.original_id);
    }
    CM_TRY(select_mappings(&mappings, node, keys, pool));
    for (i = 0; i < mappings->nelts; i++) {
        cm_mapping_t *mapping = APR_ARRAY_IDX(mappings, i, cm_mapping_t *);

        apr_hash_set(*found, cm_identity_key(mapping->identity, pool),
                     APR_HASH_KEY_STRING, mapping);
    }
    return NULL;
}

cm_error_t *cm_mapping_by_identity(apr_hash_t **found, cm_node_t *node,
                                   const char *type,
                                   const apr_array_header_t *identities,
                                   apr_pool_t *result_pool)
{
    CM_TRY(find_identities(found, node, type, identities, result_pool));
    return follow_aliases(*found, node, result_pool);
}

cm_error_t *cm_mapping_by_local_id(apr_hash_t **found, cm_node_t *node,
                                   const char *type,
                                   const apr_array_header_t *local_ids,
                                   apr_pool_t *result_pool)
{
    cm_bulk_t *keys = cm_bulk_create("communicator_mappings", local_columns, 2,
                                     2, result_pool);
    cm_id_set_t *asked = cm_id_set_create(local_ids->nelts, result_pool);
    apr_array_header_t *mappings;
    int i;

    *found = apr_hash_make(result_pool);
    cm_bulk_reserve(keys, local_ids->nelts);
    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        if (!cm_id_set_add(asked, id))
            continue;
        cm_bulk_row(keys, "tt", type, id);
    }
    CM_TRY(select_mappings(&mappings, node, keys, result_pool));
    for (i = 0; i < mappings->nelts; i++) {
        cm_mapping_t *mapping = APR_ARRAY_IDX(mappings, i, cm_mapping_t *);

        apr_hash_set(*found, mapping->local_id, APR_HASH_KEY_STRING, mapping);
    }
    return NULL;
}

/* Return COUNT lives, FROM on, of each of LOCAL_IDS that has no number yet. */
static apr_array_header_t *lives_to_try(apr_hash_t *lives, cm_node_t *node,
                                        const cm_model_t *model,
                                        const apr_array_header_t *local_ids,
                                        int from, int count, apr_pool_t *pool)
{
    apr_array_header_t *identities =
        apr_array_make(pool, local_ids->nelts + 1, sizeof(cm_identity_t));
    int i, life;

    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        if (apr_hash_get(lives, id, APR_HASH_KEY_STRING))
            continue;
        for (life = from; life < from + count; life++)
            APR_ARRAY_PUSH(identities, cm_identity_t) =
                cm_mapping_identity_of_local(node, model, id, life, pool);
    }
    return identities;
}

cm_error_t *cm_mapping_lives(apr_hash_t **lives, cm_node_t *node,
                             const cm_model_t *model,
                             const apr_array_header_t *local_ids,
                             apr_pool_t *result_pool)
{
    apr_array_header_t *identities;
    apr_hash_t *found;
    int from = cm_mapping_first_life(node, model), width, i, life, tried;

    *lives = apr_hash_make(result_pool);
    /* twice as many each time: few statements for an id used very often */
    for (width = 1;; from += width, width *= 2) {
        identities = lives_to_try(*lives, node, model, local_ids, from, width,
                                  result_pool);
        if (!identities->nelts)
            return NULL;
        CM_TRY(find_identities(&found, node, model->type, identities,
                               result_pool));
        for (i = 0, tried = 0; i < local_ids->nelts; i++) {
            const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

            if (apr_hash_get(*lives, id, APR_HASH_KEY_STRING))
                continue;
            for (life = from; life < from + width; life++, tried++) {
                cm_identity_t identity =
                    APR_ARRAY_IDX(identities, tried, cm_identity_t);

                if (!apr_hash_get(*lives, id, APR_HASH_KEY_STRING) &&
                    !apr_hash_get(found, cm_identity_key(identity, result_pool),
                                  APR_HASH_KEY_STRING))
                    apr_hash_set(*lives, id, APR_HASH_KEY_STRING,
                                 apr_pmemdup(result_pool, &life, sizeof(life)));
            }
        }
    }
}

cm_error_t *cm_mapping_make(apr_hash_t *found, cm_node_t *node,
                            const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *result_pool)
{
    apr_hash_t *lives;
    int i;

    CM_TRY(cm_mapping_lives(&lives, node, model, local_ids, result_pool));
    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);
        const int *life = apr_hash_get(lives, id, APR_HASH_KEY_STRING);
        cm_mapping_t *mapping = apr_pcalloc(result_pool, sizeof(*mapping));

        mapping->type = model->type;
        mapping->local_id = id;
        mapping->identity =
            cm_mapping_identity_of_local(node, model, id, *life, result_pool);
        mapping->changed = 1;
        apr_hash_set(found, id, APR_HASH_KEY_STRING, mapping);
    }
    return NULL;
}

static const cm_bulk_column_t state_columns[] = {
    {"id", "bigint"}, {"local_record_id", NULL}, {"clock", "bigint"},
    {"clocks", NULL}, {"deleted_at", "bigint"},  {"same_as", "bigint"}};

static const cm_bulk_column_t new_columns[] = {
    {"local_record_type", NULL}, {"origin", NULL},     {"original_id", NULL},
    {"local_record_id", NULL},   {"clock", "bigint"},  {"clocks", NULL},
    {"deleted_at", "bigint"},    {"same_as", "bigint"}};

static void add_state(cm_bulk_t *bulk, const cm_mapping_t *mapping,
                      apr_pool_t *pool)
{
    cm_bulk_row(bulk, "tntnz", mapping->local_id, mapping->clocks.clock,
                cm_clocks_list(&mapping->clocks, pool), mapping->deleted_at,
                mapping->same_as);
}

cm_error_t *cm_mapping_save(cm_node_t *node, const apr_array_header_t *mappings,
                            apr_pool_t *scratch_pool)
{
    cm_bulk_t *changed = cm_bulk_create("communicator_mappings", state_columns,
                                        6, 1, scratch_pool);
    cm_bulk_t *made = cm_bulk_create("communicator_mappings", new_columns, 8, 3,
                                     scratch_pool);
    apr_int64_t count;
    int i, known = 0;

    for (i = 0; i < mappings->nelts; i++)
        known += APR_ARRAY_IDX(mappings, i, cm_mapping_t *)->id != 0;
    cm_bulk_reserve(changed, known);
    cm_bulk_reserve(made, mappings->nelts - known);
    for (i = 0; i < mappings->nelts; i++) {
        cm_mapping_t *mapping = APR_ARRAY_IDX(mappings, i, cm_mapping_t *);

        if (!mapping->id) {
            cm_bulk_row(made, "ttt", mapping->type, mapping->identity.origin,
                        mapping->identity.original_id);
            add_state(made, mapping, scratch_pool);
        }
        else if (mapping->changed) {
            cm_bulk_row(changed, "n", mapping->id);
            add_state(changed, mapping, scratch_pool);
        }
        mapping->changed = 0;
    }
    if (cm_bulk_rows(changed) || cm_bulk_rows(made))
        CM_TRY(cm_node_mappings_change(node, scratch_pool));
    /* a new life takes the local id that the old one gave up */
    if (cm_bulk_rows(changed))
        CM_TRY_FOR(cm_bulk_update(&count, node->store, changed, scratch_pool),
                   scratch_pool, "cannot update the mappings");
    if (cm_bulk_rows(made))
        CM_TRY_FOR(cm_bulk_insert(&count, node->store, made, CM_PRESENT_FAIL,
                                  scratch_pool),
                   scratch_pool, "cannot make the mappings");
    return NULL;
}
