/* Adopting: a record that comes under a new name is one that is here. */
#include "apply/apply.h"

#include <string.h>

#include "outbox/aliases.h"

static cm_error_t *save_one(cm_apply_t *run, cm_mapping_t *mapping,
                            apr_pool_t *pool)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_mapping_t *));

    mapping->changed = 1;
    APR_ARRAY_PUSH(one, cm_mapping_t *) = mapping;
    return cm_mapping_save(run->node, one, pool);
}

/* OTHER, the smaller name, takes over the row of MAPPING, which becomes an
 * alias. A local id stands in one mapping only, hence the three steps. */
static cm_error_t *rename_record(cm_apply_t *run, cm_known_t *other,
                                 cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_mapping_t smaller = *mapping, alias = *mapping;

    alias.local_id = NULL;
    CM_TRY(save_one(run, &alias, pool));
    smaller.id = 0;
    smaller.identity = other->identity;
    CM_TRY(save_one(run, &smaller, pool));
    CM_TRY(cm_known_refresh(run, pool));
    alias.same_as = other->mapping->id;
    return save_one(run, &alias, pool);
}

static cm_error_t *add_alias(cm_apply_t *run, const cm_known_t *known,
                             const cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_mapping_t alias = {.type = mapping->type,
                          .identity = known->identity,
                          .same_as = mapping->id};

    return save_one(run, &alias, pool);
}

/* The messages of RECORD are about OTHER, which is of this run, too. */
static void join_records(cm_record_t *record, cm_record_t *other)
{
    int i;

    for (i = 0; i < record->items->nelts; i++)
        CM_NTH(record->items, i, cm_item_t)->record = other;
    apr_array_cat(other->items, record->items);
    record->items->nelts = 0;
    record->row = NULL;
    record->matched = CM_MATCH_NONE;
}

/* Give the record of MAPPING the name of RECORD, too. */
static cm_error_t *name_twice(cm_apply_t *run, cm_record_t *record,
                              cm_known_t *named, cm_mapping_t *mapping,
                              apr_pool_t *pool)
{
    cm_record_t *other = named->record;
    cm_known_t *known = record->known;

    /* The other peers are told, too: from now on they hear of this record, and
     * of what refers to it, by one of the two names. */
    CM_NTH(record->items, 0, cm_item_t)->news = 1;
    if (cm_aliases_compare(known->identity, mapping->identity) < 0)
        CM_TRY(rename_record(run, known, mapping, pool));
    else
        CM_TRY(add_alias(run, known, mapping, pool));
    CM_TRY(cm_known_refresh(run, pool));
    if (other)
        join_records(record, other);
    else
        other = record;
    known = cm_known_same(known);
    known->record = other;
    other->known = known;
    return NULL;
}

int cm_names_record_dies(const cm_record_t *record)
{
    int i;

    for (i = 0; i < record->items->nelts; i++) {
        if (CM_NTH(record->items, i, cm_item_t)->message->action == CM_DELETE)
            return 1;
    }
    return 0;
}

/* MAPPING has the row that RECORD matches, or nothing has. Two records of one
 * origin are two; and one that is about to be deleted makes room for its
 * successor. */
static cm_error_t *adopt(cm_apply_t *run, cm_record_t *record,
                         cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_known_t *named;

    if (!mapping)
        return NULL;
    named = cm_known_get(run, record->known->model, mapping->identity);
    if (!strcmp(mapping->identity.origin, record->known->identity.origin) ||
        (named->record && cm_names_record_dies(named->record))) {
        record->matched = CM_MATCH_NONE;
        record->row = NULL;
        return NULL;
    }
    return name_twice(run, record, named, mapping, pool);
}

cm_error_t *cm_names_adopt(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < run->matched->nelts; i++) {
        cm_record_t *record = CM_NTH(run->matched, i, cm_record_t);
        apr_array_header_t *ids;
        apr_hash_t *found;

        if (record->matched != CM_MATCH_FOUND || record->known->mapping)
            continue;
        if (!cm_match_stands(run, record)) {
            record->matched = CM_MATCH_NONE;
            record->row = NULL;
            continue;
        }
        ids = apr_array_make(scratch_pool, 1, sizeof(const char *));
        APR_ARRAY_PUSH(ids, const char *) = record->local_id;
        CM_TRY(cm_mapping_by_local_id(
            &found, run->node, record->table->model->type, ids, run->pool));
        CM_TRY(adopt(run, record,
                     apr_hash_get(found, record->local_id, APR_HASH_KEY_STRING),
                     scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_names_bury(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    apr_int64_t seq, before;

    if (!run->burials->nelts)
        return NULL;
    CM_TRY(cm_node_lock(&seq, run->node, scratch_pool));
    before = seq;
    CM_TRY(cm_aliases_bury(&seq, run->node, run->burials, scratch_pool));
    return seq > before ? cm_node_set_last_seq(run->node, seq, scratch_pool)
                        : NULL;
}
