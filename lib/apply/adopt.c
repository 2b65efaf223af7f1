/* Adopting: a record that comes under a new name is one that is here. */
#include "apply/internal.h"

#include <string.h>

#include "outbox/aliases.h"

static cm_error_t *save_one(cm_run_t *run, cm_mapping_t *mapping,
                            apr_pool_t *pool)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_mapping_t *));

    mapping->changed = 1;
    APR_ARRAY_PUSH(one, cm_mapping_t *) = mapping;
    return cm_mapping_save(run->node, one, pool);
}

/* OTHER, the smaller name, takes over the row of MAPPING, which becomes an
 * alias. A local id stands in one mapping only, hence the three steps. */
static cm_error_t *rename_record(cm_run_t *run, const cm_entry_t *other,
                                 const cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_mapping_t smaller = *mapping, alias = *mapping;

    alias.local_id = NULL;
    CM_TRY(save_one(run, &alias, pool));
    smaller.id = 0;
    smaller.identity = other->identity;
    CM_TRY(save_one(run, &smaller, pool));
    CM_TRY(cm_directory_refresh(run, pool));
    alias.same_as = other->found->mapping->id;
    return save_one(run, &alias, pool);
}

static cm_error_t *add_alias(cm_run_t *run, const cm_entry_t *entry,
                             const cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_mapping_t alias = {.type = mapping->type,
                          .identity = entry->identity,
                          .same_as = mapping->id};

    return save_one(run, &alias, pool);
}

/* RECORD is not the one whose row it matches. */
static void let_go(cm_run_t *run, cm_record_t *record)
{
    record->match = CM_MATCH_NONE;
    cm_lock_set_row(run, record, record->row->wanted, NULL,
                    record->row->local_id);
}

/* The messages of RECORD are about OTHER, which is of this run, too. */
static void join_records(cm_run_t *run, cm_record_t *record, cm_record_t *other)
{
    int i;

    for (i = 0; i < record->tasks->nelts; i++)
        CM_NTH(record->tasks, i, cm_task_t)->record = other;
    apr_array_cat(other->tasks, record->tasks);
    record->tasks->nelts = 0;
    let_go(run, record);
}

/* Give the record of MAPPING the name of RECORD, too. */
static cm_error_t *name_twice(cm_run_t *run, cm_record_t *record,
                              cm_entry_t *named, const cm_mapping_t *mapping,
                              apr_pool_t *pool)
{
    cm_record_t *other = named->record;
    cm_entry_t *entry = record->entry;

    /* The other peers are told, too: from now on they hear of this record, and
     * of what refers to it, by one of the two names. */
    CM_NTH(record->tasks, 0, cm_task_t)->news = 1;
    if (cm_aliases_compare(entry->identity, mapping->identity) < 0)
        CM_TRY(rename_record(run, entry, mapping, pool));
    else
        CM_TRY(add_alias(run, entry, mapping, pool));
    CM_TRY(cm_directory_refresh(run, pool));
    if (other)
        join_records(run, record, other);
    else
        other = record;
    entry = cm_directory_main(entry);
    entry->record = other;
    other->entry = entry;
    return NULL;
}

int cm_adopt_is_dying(const cm_record_t *record)
{
    int i;

    for (i = 0; i < record->tasks->nelts; i++) {
        if (CM_NTH(record->tasks, i, cm_task_t)->message->action == CM_DELETE)
            return 1;
    }
    return 0;
}

/* MAPPING has the row that RECORD matches, or nothing has. Two records of one
 * origin are two; and one that is about to be deleted makes room for its
 * successor. */
static cm_error_t *adopt(cm_run_t *run, cm_record_t *record,
                         const cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_entry_t *named;

    if (!mapping)
        return NULL;
    named = cm_directory_get(run, record->entry->model, mapping->identity);
    if (!strcmp(mapping->identity.origin, record->entry->identity.origin) ||
        (named->record && cm_adopt_is_dying(named->record))) {
        let_go(run, record);
        return NULL;
    }
    return name_twice(run, record, named, mapping, pool);
}

cm_error_t *cm_adopt_matched(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < run->matched->nelts; i++) {
        cm_record_t *record = CM_NTH(run->matched, i, cm_record_t);
        apr_array_header_t *ids;
        apr_hash_t *found;

        if (record->match != CM_MATCH_FOUND || record->entry->found->mapping)
            continue;
        if (!cm_match_stands(run, record)) {
            let_go(run, record);
            continue;
        }
        ids = apr_array_make(scratch_pool, 1, sizeof(const char *));
        APR_ARRAY_PUSH(ids, const char *) = record->row->local_id;
        CM_TRY(cm_mapping_by_local_id(
            &found, run->node, record->table->model->type, ids, run->pool));
        CM_TRY(adopt(
            run, record,
            apr_hash_get(found, record->row->local_id, APR_HASH_KEY_STRING),
            scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_adopt_bury(cm_run_t *run, apr_pool_t *scratch_pool)
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
