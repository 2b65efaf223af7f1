/* A record whose key was changed, and whose row here could not be given the new
 * key (rename.c): another record continues it, and it is deleted. What refers
 * to it here must not be deleted with it, or forget it: it belongs to the heir.
 *
 * That is no change of the children: their own messages say the same, or will
 * when the children are sent again, as with a key that another record has got
 * (outbox/missing.h). */
#include "apply/heirs_internal.h"

#include <string.h>

#include "record/keys.h"
#include "outbox/missing.h"

/* So many times a key may have changed within one run. */
#define MOST_HEIRS 1000

/* Return the message that deletes RECORD, and names the record that continues
 * it; or NULL. */
static const cm_task_t *end_of(const cm_record_t *record)
{
    int i;

    for (i = 0; record && i < record->tasks->nelts; i++) {
        const cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);

        if (task->message->action == CM_DELETE && task->counterpart)
            return task;
    }
    return NULL;
}

cm_identity_t cm_heirs_first(const cm_record_t *record)
{
    const cm_task_t *end = end_of(record);

    return end ? cm_directory_main(end->counterpart)->identity
               : (cm_identity_t){NULL, NULL};
}

/* Return the record that continues RECORD in the end, or NULL: its key may have
 * changed more than once. */
static const cm_entry_t *heir_of(const cm_record_t *record)
{
    const cm_task_t *end = end_of(record);
    const cm_entry_t *heir = NULL;
    int i;

    for (i = 0; end && i < MOST_HEIRS; i++) {
        heir = cm_directory_main(end->counterpart);
        end = end_of(heir->record);
    }
    return heir && heir->record != record ? heir : NULL;
}

int cm_heirs_are_coming(const cm_record_t *record)
{
    const cm_entry_t *heir = heir_of(record);

    return heir && !heir->found->mapping && heir->record &&
           cm_rounds_pending(heir->record);
}

cm_error_t *cm_heirs_move(apr_int64_t *moved, cm_run_t *run,
                          const cm_table_t *table, const cm_column_t *column,
                          const char *former, const char *heir,
                          apr_pool_t *scratch_pool)
{
    const cm_bulk_column_t columns[] = {{column->quoted, column->type},
                                        {column->quoted, column->type}};
    cm_bulk_t *bulk =
        cm_bulk_create(table->quoted, columns, 2, 1, scratch_pool);

    cm_bulk_row(bulk, "tt", former, heir);
    CM_TRY(cm_bulk_update(moved, run->node->store, bulk, scratch_pool));
    if (*moved)
        apr_hash_set(run->referring, table->model->name, APR_HASH_KEY_STRING,
                     table);
    return NULL;
}

/* The same, as messages that are applied; *MOVED is increased. */
static cm_error_t *move_children(apr_int64_t *moved, cm_run_t *run,
                                 const cm_table_t *table,
                                 const cm_column_t *column, const char *former,
                                 const char *heir, apr_pool_t *pool)
{
    apr_int64_t count;

    CM_TRY(cm_node_applying(run->node, table, pool));
    CM_TRY(cm_heirs_move(&count, run, table, column, former, heir, pool));
    *moved += count;
    return NULL;
}

/* A column of a key stays: its row would be another record. */
static cm_error_t *move_all(apr_int64_t *moved, cm_run_t *run,
                            const cm_model_t *model, const char *former,
                            const char *heir, apr_pool_t *pool)
{
    const apr_array_header_t *models = run->node->settings->models;
    int i, j;

    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *child = APR_ARRAY_IDX(models, i, cm_model_t *);
        const cm_table_t *table;

        if (!child->columns.references->nelts)
            continue;
        CM_TRY(cm_node_table(&table, run->node, child, pool));
        for (j = 0; j < table->column_count; j++) {
            const cm_column_t *column = &table->columns[j];

            if (column->reference && !strcmp(column->reference, model->name) &&
                !column->is_key && !column->generated)
                CM_TRY(move_children(moved, run, table, column, former, heir,
                                     pool));
        }
    }
    return NULL;
}

/* What cannot be moved stays, and the database decides about it. */
static cm_error_t *adopt(cm_run_t *run, const cm_model_t *model,
                         const char *former, const char *heir, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(const char *));
    cm_store_t *store = run->node->store;
    apr_int64_t moved = 0;
    cm_error_t *err;

    CM_TRY(cm_transaction_savepoint(store, "heirs", pool));
    err = move_all(&moved, run, model, former, heir, pool);
    if (err && cm_write_is_fatal(run, err))
        return err;
    if (err)
        CM_TRY(cm_transaction_rollback_to(store, "heirs", pool));
    CM_TRY(cm_transaction_release(store, "heirs", pool));
    if (err || !moved)
        return NULL;
    APR_ARRAY_PUSH(ids, const char *) = heir;
    return cm_missing_note(run->node, model, ids, pool);
}

cm_error_t *cm_heirs_adopt(cm_run_t *run, const cm_record_t *record,
                           apr_pool_t *scratch_pool)
{
    const cm_entry_t *heir = heir_of(record);

    if (!heir || !heir->found->local_id)
        return NULL;
    return adopt(run, record->table->model, record->here->local_id,
                 heir->found->local_id, scratch_pool);
}
