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
    "t.origin, t.original_id, t.local_id, t.clock, t.clocks, t.deleted_at,"
    " t.same_origin, t.same_id";

static const cm_bulk_column_t identity_columns[] = {{"original_id", NULL},
                                                    {"origin", NULL}};

static const cm_bulk_column_t alias_columns[] = {{"same_id", NULL},
                                                 {"same_origin", NULL}};

static const cm_bulk_column_t local_columns[] = {{"local_id", NULL}};

/* Return COUNT of COLUMNS with the type that local ids have in RECORDS. */
static const cm_bulk_column_t *typed(const cm_bulk_column_t *columns, int count,
                                     const cm_records_t *records,
                                     apr_pool_t *pool)
{
    cm_bulk_column_t *copy =
        apr_pmemdup(pool, columns, count * sizeof(*columns));
    int i;

    for (i = 0; i < count; i++)
        if (records->integer && !strcmp(copy[i].name, "local_id"))
            copy[i].type = "bigint";
    return copy;
}

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
    if (cm_node_table(&table, node, model, pool))
        return identity;
    key = cm_identity_without_life(&life, key, pool);
    key = cm_canonical_key(table, key, cm_dialect_of_store(node->store), pool);
    identity.original_id = *life ? apr_pstrcat(pool, key, life, NULL) : key;
    return identity;
}

int cm_mapping_is_kept(const cm_mapping_t *mapping)
{
    return mapping->deleted_at && mapping->local_id;
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
                            int row, const cm_records_t *records,
                            apr_pool_t *pool)
{
    const cm_identity_t other = {cm_cell_text(rows, row, 6),
                                 cm_cell_text(rows, row, 7)};

    *mapping = (cm_mapping_t){
        .stored = 1,
        .identity = {cm_cell_text(rows, row, 0), cm_cell_text(rows, row, 1)},
        .local_id = cm_cell_text(rows, row, 2),
        .stored_id = cm_cell_text(rows, row, 2),
        .deleted_at = cm_cell_number(rows, row, 5)};
    *(mapping->deleted_at ? &mapping->heir : &mapping->same_as) = other;
    CM_TRY_FOR(cm_clocks_unpack(&mapping->clocks, cm_cell_number(rows, row, 3),
                                cm_cell_text(rows, row, 4), records, pool),
               pool, "the mapping of record '%s' of '%s' cannot be read",
               mapping->identity.original_id, mapping->identity.origin);
    return NULL;
}

static cm_error_t *read_rows(apr_array_header_t *mappings,
                             const cm_rows_t *rows, const char *type,
                             const cm_records_t *records, apr_pool_t *pool)
{
    cm_mapping_t *mapping =
        apr_palloc(pool, (rows->count + 1) * sizeof(*mapping));
    int i;

    for (i = 0; i < rows->count; i++, mapping++) {
        CM_TRY(read_row(mapping, rows, i, records, pool));
        mapping->type = type;
        APR_ARRAY_PUSH(mappings, cm_mapping_t *) = mapping;
    }
    return NULL;
}

/* Select the mappings of TYPE that KEYS, of the table of RECORDS, name:
 * cm_mapping_t *. If a column has got a number since RECORDS were read, they
 * are read again. */
static cm_error_t *select_mappings(apr_array_header_t **mappings,
                                   cm_node_t *node, const char *type,
                                   const cm_records_t *records,
                                   const cm_bulk_t *keys, apr_pool_t *pool)
{
    cm_error_t *err;
    cm_rows_t *rows;

    *mappings =
        apr_array_make(pool, cm_bulk_rows(keys) + 1, sizeof(cm_mapping_t *));
    if (!cm_bulk_rows(keys))
        return NULL;
    CM_TRY_FOR(cm_bulk_select(&rows, node->store, fields, keys, NULL, 0, pool),
               pool, "cannot read the mappings");
    err = read_rows(*mappings, rows, type, records, pool);
    if (!err || err->code != CM_SCHEMA)
        return err;
    cm_node_forget_records(node);
    CM_TRY(cm_node_records(&records, node, type, pool));
    (*mappings)->nelts = 0;
    return read_rows(*mappings, rows, type, records, pool);
}

/* Select the mappings of TYPE whose COLUMNS, which are those of an identity,
 * are IDENTITIES (cm_identity_t). */
static cm_error_t *select_by(apr_array_header_t **mappings, cm_node_t *node,
                             const char *type, const cm_bulk_column_t *columns,
                             const apr_array_header_t *identities,
                             apr_pool_t *pool)
{
    cm_id_set_t *asked = cm_id_set_create(identities->nelts, pool);
    const cm_records_t *records;
    cm_bulk_t *keys;
    int i;

    CM_TRY(cm_node_records(&records, node, type, pool));
    keys = cm_bulk_create(records->table, columns, 2, 2, pool);
    cm_bulk_reserve(keys, identities->nelts);
    for (i = 0; i < identities->nelts; i++) {
        cm_identity_t identity = APR_ARRAY_IDX(identities, i, cm_identity_t);
        const char *key = cm_identity_key(identity, pool);

        if (*key && cm_id_set_add(asked, key))
            cm_bulk_row(keys, "tt", identity.original_id, identity.origin);
    }
    return select_mappings(mappings, node, type, records, keys, pool);
}

cm_error_t *cm_mapping_aliases(apr_array_header_t **aliases, cm_node_t *node,
                               const char *type,
                               const apr_array_header_t *identities,
                               apr_pool_t *result_pool)
{
    apr_array_header_t *mappings;
    int i;

    CM_TRY(select_by(&mappings, node, type, alias_columns, identities,
                     result_pool));
    *aliases = apr_array_make(result_pool, mappings->nelts + 1,
                              sizeof(cm_mapping_t *));
    for (i = 0; i < mappings->nelts; i++) {
        cm_mapping_t *mapping = APR_ARRAY_IDX(mappings, i, cm_mapping_t *);

        if (mapping->same_as.origin)
            APR_ARRAY_PUSH(*aliases, cm_mapping_t *) = mapping;
    }
    return NULL;
}

/* Find mappings by identity, aliases as they are. */
static cm_error_t *find_identities(apr_hash_t **found, cm_node_t *node,
                                   const char *type,
                                   const apr_array_header_t *identities,
                                   apr_pool_t *pool)
{
    apr_array_header_t *mappings;
    int i;

    *found = apr_hash_make(pool);
    if (!identities->nelts)
        return NULL;
    CM_TRY(
        select_by(&mappings, node, type, identity_columns, identities, pool));
    for (i = 0; i < mappings->nelts; i++) {
        cm_mapping_t *mapping = APR_ARRAY_IDX(mappings, i, cm_mapping_t *);

        apr_hash_set(*found, cm_identity_key(mapping->identity, pool),
                     APR_HASH_KEY_STRING, mapping);
    }
    return NULL;
}

/* Replace each alias in FOUND by the mapping that it stands for; *LEFT counts
 * those that are aliases themselves. */
static cm_error_t *follow_once(int *left, apr_hash_t *found, cm_node_t *node,
                               const char *type, apr_pool_t *pool)
{
    apr_array_header_t *identities =
        apr_array_make(pool, 4, sizeof(cm_identity_t));
    cm_mapping_t *mapping, *target;
    apr_hash_t *targets;
    apr_hash_index_t *at;

    for (at = apr_hash_first(pool, found); at; at = apr_hash_next(at)) {
        mapping = apr_hash_this_val(at);
        if (mapping->same_as.origin)
            APR_ARRAY_PUSH(identities, cm_identity_t) = mapping->same_as;
    }
    CM_TRY(find_identities(&targets, node, type, identities, pool));
    *left = 0;
    for (at = apr_hash_first(pool, found); at; at = apr_hash_next(at)) {
        mapping = apr_hash_this_val(at);
        if (!mapping->same_as.origin)
            continue;
        target = apr_hash_get(targets, cm_identity_key(mapping->same_as, pool),
                              APR_HASH_KEY_STRING);
        if (!target)
            return CM_FAIL(
                pool, CM_DATABASE,
                "record '%s' of '%s' stands for '%s' of '%s', which "
                "is gone",
                mapping->identity.original_id, mapping->identity.origin,
                mapping->same_as.original_id, mapping->same_as.origin);
        apr_hash_set(found, apr_hash_this_key(at), APR_HASH_KEY_STRING, target);
        *left += target->same_as.origin != NULL;
    }
    return NULL;
}

static cm_error_t *follow_aliases(apr_hash_t *found, cm_node_t *node,
                                  const char *type, apr_pool_t *pool)
{
    apr_hash_index_t *at;
    int left = 0, round;

    for (at = apr_hash_first(pool, found); at; at = apr_hash_next(at))
        left += ((cm_mapping_t *)apr_hash_this_val(at))->same_as.origin != NULL;
    for (round = 0; left; round++) {
        if (round == MOST_ALIASES)
            return CM_FAIL(pool, CM_DATABASE,
                           "aliases stand for each other in a circle");
        CM_TRY(follow_once(&left, found, node, type, pool));
    }
    return NULL;
}

cm_error_t *cm_mapping_by_identity(apr_hash_t **found, cm_node_t *node,
                                   const char *type,
                                   const apr_array_header_t *identities,
                                   apr_pool_t *result_pool)
{
    CM_TRY(find_identities(found, node, type, identities, result_pool));
    return follow_aliases(*found, node, type, result_pool);
}

cm_error_t *cm_mapping_of_identity(cm_mapping_t **mapping, cm_node_t *node,
                                   const char *type, cm_identity_t identity,
                                   apr_pool_t *result_pool)
{
    apr_array_header_t *one =
        apr_array_make(result_pool, 1, sizeof(cm_identity_t));
    apr_hash_t *found;

    *mapping = NULL;
    if (!identity.origin || !identity.original_id)
        return NULL;
    APR_ARRAY_PUSH(one, cm_identity_t) = identity;
    CM_TRY(cm_mapping_by_identity(&found, node, type, one, result_pool));
    *mapping = apr_hash_get(found, cm_identity_key(identity, result_pool),
                            APR_HASH_KEY_STRING);
    return NULL;
}

cm_error_t *cm_mapping_by_local_id(apr_hash_t **found, cm_node_t *node,
                                   const char *type,
                                   const apr_array_header_t *local_ids,
                                   apr_pool_t *result_pool)
{
    cm_id_set_t *asked = cm_id_set_create(local_ids->nelts, result_pool);
    apr_array_header_t *mappings;
    const cm_records_t *records;
    cm_bulk_t *keys;
    int i;

    *found = apr_hash_make(result_pool);
    if (!local_ids->nelts)
        return NULL;
    CM_TRY(cm_node_records(&records, node, type, result_pool));
    keys = cm_bulk_create(records->table,
                          typed(local_columns, 1, records, result_pool), 1, 1,
                          result_pool);
    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        if (cm_records_holds(records, id) && cm_id_set_add(asked, id))
            cm_bulk_row(keys, "t", id);
    }
    CM_TRY(select_mappings(&mappings, node, type, records, keys, result_pool));
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

/* Whole rows, by the identity; and what changes of a record that stays alive,
 * by its local id, which is the faster key. */
static const cm_bulk_column_t row_columns[] = {
    {"original_id", NULL}, {"origin", NULL}, {"local_id", NULL},
    {"clock", "bigint"},   {"clocks", NULL}, {"deleted_at", "bigint"},
    {"same_origin", NULL}, {"same_id", NULL}};
static const cm_bulk_column_t alive_columns[] = {
    {"local_id", NULL}, {"clock", "bigint"}, {"clocks", NULL}};

/* The mappings of one type that are to be written. */
typedef struct saving_t {
    const cm_records_t *records;
    cm_bulk_t *alive, *moved, *gone, *changed, *made;
} saving_t;

/* Return whether only the clocks of MAPPING have changed. */
static int is_alive(const cm_mapping_t *mapping)
{
    return mapping->stored_id && mapping->local_id && !mapping->deleted_at &&
           !mapping->same_as.origin &&
           !strcmp(mapping->stored_id, mapping->local_id);
}

static cm_error_t *begin_saving(saving_t *saving, cm_node_t *node,
                                const char *type,
                                const apr_array_header_t *mappings,
                                apr_pool_t *pool)
{
    const cm_bulk_column_t *columns;
    int i, stored = 0, all = 0;
    const char *table;

    CM_TRY(cm_node_records(&saving->records, node, type, pool));
    table = saving->records->table;
    columns = typed(alive_columns, 3, saving->records, pool);
    saving->alive = cm_bulk_create(table, columns, 3, 1, pool);
    columns = typed(row_columns, 8, saving->records, pool);
    saving->moved = cm_bulk_create(table, columns, 3, 2, pool);
    saving->gone = cm_bulk_create(table, columns, 8, 2, pool);
    saving->changed = cm_bulk_create(table, columns, 8, 2, pool);
    saving->made = cm_bulk_create(table, columns, 8, 2, pool);
    for (i = 0; i < mappings->nelts; i++) {
        const cm_mapping_t *mapping =
            APR_ARRAY_IDX(mappings, i, cm_mapping_t *);

        all += !strcmp(mapping->type, type);
        stored += !strcmp(mapping->type, type) && mapping->stored;
    }
    cm_bulk_reserve(saving->alive, stored);
    cm_bulk_reserve(saving->made, all - stored);
    return NULL;
}

/* Add all of MAPPING to BULK. */
static void add_row(cm_bulk_t *bulk, const cm_mapping_t *mapping,
                    const char *clocks)
{
    const cm_identity_t *other =
        mapping->deleted_at ? &mapping->heir : &mapping->same_as;

    cm_bulk_row(bulk, "tttntztt", mapping->identity.original_id,
                mapping->identity.origin, mapping->stored_id,
                mapping->clocks.clock, clocks, mapping->deleted_at,
                other->origin, other->original_id);
}

static void add_saved(const saving_t *saving, cm_mapping_t *mapping,
                      apr_pool_t *pool)
{
    const int alive = is_alive(mapping);
    const char *clocks;

    if (mapping->stored && !mapping->changed)
        return;
    clocks = cm_clocks_pack(&mapping->clocks, saving->records, pool);
    if (mapping->stored_id && mapping->local_id && !alive)
        cm_bulk_row(saving->moved, "ttt", mapping->identity.original_id,
                    mapping->identity.origin, (const char *)NULL);
    mapping->stored_id = mapping->local_id;
    if (mapping->stored_id &&
        !cm_records_holds(saving->records, mapping->stored_id))
        mapping->stored_id = NULL; /* an application wrote something else */
    if (mapping->stored && alive)
        cm_bulk_row(saving->alive, "tnt", mapping->stored_id,
                    mapping->clocks.clock, clocks);
    else
        add_row(!mapping->stored     ? saving->made
                : mapping->stored_id ? saving->changed
                                     : saving->gone,
                mapping, clocks);
    mapping->changed = 0;
    mapping->stored = 1;
}

static cm_error_t *finish_saving(const saving_t *saving, cm_node_t *node,
                                 apr_pool_t *pool)
{
    apr_int64_t count;

    if (cm_bulk_rows(saving->alive) || cm_bulk_rows(saving->gone) ||
        cm_bulk_rows(saving->changed) || cm_bulk_rows(saving->made))
        CM_TRY(cm_node_mappings_change(node, pool));
    if (cm_bulk_rows(saving->alive))
        CM_TRY_FOR(cm_bulk_update(&count, node->store, saving->alive, pool),
                   pool, "cannot update the mappings");
    /* records may have exchanged their local ids */
    if (cm_bulk_rows(saving->moved))
        CM_TRY_FOR(cm_bulk_update(&count, node->store, saving->moved, pool),
                   pool, "cannot update the mappings");
    /* a new life, or a record that moves, takes the local id that another one
     * gave up */
    if (cm_bulk_rows(saving->gone))
        CM_TRY_FOR(cm_bulk_update(&count, node->store, saving->gone, pool),
                   pool, "cannot update the mappings");
    if (cm_bulk_rows(saving->changed))
        CM_TRY_FOR(cm_bulk_update(&count, node->store, saving->changed, pool),
                   pool, "cannot update the mappings");
    if (cm_bulk_rows(saving->made))
        CM_TRY_FOR(cm_bulk_insert(&count, node->store, saving->made,
                                  CM_PRESENT_FAIL, pool),
                   pool, "cannot make the mappings");
    return NULL;
}

/* Save those of MAPPINGS that are of TYPE. */
static cm_error_t *save_type(cm_node_t *node, const char *type,
                             const apr_array_header_t *mappings,
                             apr_pool_t *pool)
{
    saving_t saving;
    int i;

    CM_TRY(begin_saving(&saving, node, type, mappings, pool));
    for (i = 0; i < mappings->nelts; i++) {
        cm_mapping_t *mapping = APR_ARRAY_IDX(mappings, i, cm_mapping_t *);

        if (!strcmp(mapping->type, type))
            add_saved(&saving, mapping, pool);
    }
    return finish_saving(&saving, node, pool);
}

cm_error_t *cm_mapping_save(cm_node_t *node, const apr_array_header_t *mappings,
                            apr_pool_t *scratch_pool)
{
    cm_id_set_t *types = cm_id_set_create(4, scratch_pool);
    int i;

    for (i = 0; i < mappings->nelts; i++)
        cm_id_set_add(types, APR_ARRAY_IDX(mappings, i, cm_mapping_t *)->type);
    for (i = 0; i < types->ids->nelts; i++)
        CM_TRY(save_type(node, APR_ARRAY_IDX(types->ids, i, const char *),
                         mappings, scratch_pool));
    return NULL;
}
