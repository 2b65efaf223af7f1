/* InnoDB deletes rows by foreign keys, from parents to children and so on,
 * without running triggers. Such a record is deleted, but its mapping does not
 * say so, and no other node has heard of it. It is noticed here when the
 * database refuses a row because of it: then it is deleted as its trigger would
 * have said, and what refers to it goes on as with any deleted record. */
#include "apply/cascade_internal.h"

#include "base/clock.h"
#include "store/dialect.h"
#include "record/keys.h"
#include "node/graves.h"
#include "outbox/aliases.h"

/* Set *GONE: foreign keys may delete rows of TABLE, and have deleted ID. A row
 * that is gone otherwise (TRUNCATE) belongs to a record that is alive. */
static cm_error_t *is_gone(int *gone, cm_run_t *run, const cm_table_t *table,
                           const char *id, apr_pool_t *pool)
{
    cm_keys_t *keys = cm_keys_create(run->node->store, table, pool);
    cm_rows_t *rows;

    *gone = 0;
    cm_keys_add(keys, id, id, 1);
    CM_TRY(cm_keys_select(&rows, keys, NULL, 0, pool));
    return rows->count ? NULL : cm_cascade_deletes(gone, run, table);
}

/* Delete the record of ENTRY, whose row is gone, and send that. */
static cm_error_t *bury(cm_run_t *run, cm_entry_t *entry, apr_pool_t *pool)
{
    const cm_mapping_t *was = entry->found->mapping;
    cm_mapping_t *mapping = apr_pmemdup(run->pool, was, sizeof(*was));
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_mapping_t *));

    APR_ARRAY_PUSH(run->graves, cm_grave_t) =
        (cm_grave_t){entry->model, was->local_id, was->identity};
    mapping->deleted_at = cm_clock_now();
    if (mapping->deleted_at <= was->clocks.clock)
        mapping->deleted_at = was->clocks.clock + 1;
    if (entry->model->publishes)
        APR_ARRAY_PUSH(run->burials, cm_burial_t) =
            (cm_burial_t){.model = entry->model,
                          .mapping = *was,
                          .clock = mapping->deleted_at,
                          .unsent = 1};
    mapping->clocks = (cm_clocks_t){.clock = mapping->deleted_at};
    mapping->local_id = NULL;
    mapping->changed = 1;
    APR_ARRAY_PUSH(one, cm_mapping_t *) = mapping;
    CM_TRY(cm_mapping_save(run->node, one, pool));
    cm_directory_set(run, entry, mapping, NULL);
    return NULL;
}

/* Bury the parent of a refused record by ATTRIBUTE if its row is gone. One with
 * messages that are not done says itself what becomes of it. */
static cm_error_t *look_at(int *found, cm_run_t *run,
                           const cm_attribute_t *attribute, apr_pool_t *pool)
{
    cm_entry_t *parent = cm_directory_parent(run, attribute);
    const cm_table_t *table;
    int gone;

    if (!parent || !parent->found->mapping || !parent->found->local_id ||
        !parent->model->deletes ||
        (parent->record && cm_rounds_pending(parent->record)))
        return NULL;
    CM_TRY(cm_node_table(&table, run->node, parent->model, pool));
    CM_TRY(is_gone(&gone, run, table, parent->found->local_id, pool));
    if (gone)
        CM_TRY(bury(run, parent, pool));
    *found += gone;
    return NULL;
}

/* Return the message of RECORD that the database has refused, or NULL. */
static const cm_message_t *refused_of(const cm_record_t *record)
{
    const cm_task_t *task;

    if (!cm_rounds_pending(record) || !record->error ||
        record->error->code != CM_REJECTED)
        return NULL;
    task = CM_NTH(record->tasks, record->next, const cm_task_t);
    return task->fault || task->message->action == CM_DELETE ? NULL
                                                             : task->message;
}

cm_error_t *cm_unseen_bury(int *found, cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int i, j;

    if (!cm_dialect_of_store(run->node->store)->cascades_hidden)
        return NULL;
    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < run->records->nelts; i++) {
        const cm_message_t *message =
            refused_of(CM_NTH(run->records, i, cm_record_t));

        apr_pool_clear(iterpool);
        for (j = 0; message && j < message->attributes->nelts; j++)
            CM_TRY(
                look_at(found, run,
                        &APR_ARRAY_IDX(message->attributes, j, cm_attribute_t),
                        iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}
