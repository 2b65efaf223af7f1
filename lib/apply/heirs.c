/* A record whose key was changed, and whose row here could not be given the new
 * key (rename.c): another record continues it, and it is deleted. What refers
 * to it here must not be deleted with it, or forget it: it belongs to the heir.
 * If that one is not here yet, the delete waits for it.
 *
 * That is no change of the children: their own messages say the same, or will
 * when the children are sent again, as with a key that another record has got
 * (outbox/missing.h). */
#include "apply/heirs_internal.h"

#include <string.h>

#include "record/keys.h"
#include "outbox/missing.h"

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

const cm_entry_t *cm_heirs_next(cm_run_t *run, const cm_entry_t *entry)
{
    const cm_task_t *end = end_of(entry->record);

    return end ? cm_directory_main(end->counterpart)
               : cm_directory_heir(run, entry);
}

const cm_entry_t *cm_heirs_last(cm_run_t *run, const cm_record_t *record)
{
    const cm_task_t *end = end_of(record);
    const cm_entry_t *heir = NULL, *next;
    int i;

    next = end ? cm_directory_main(end->counterpart) : NULL;
    for (i = 0; next && i < CM_MOST_HEIRS; i++) {
        heir = next;
        next = cm_heirs_next(run, heir);
    }
    return heir && heir->record != record ? heir : NULL;
}

int cm_heirs_are_coming(cm_run_t *run, const cm_record_t *record)
{
    const cm_entry_t *heir = cm_heirs_last(run, record);

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

/* Return whether COLUMN refers to records of MODEL, and may refer to another
 * one: a column of a key stays, as its row would be another record. */
static int may_move(const cm_column_t *column, const cm_model_t *model)
{
    return column->reference && !strcmp(column->reference, model->name) &&
           !column->is_key && !column->generated;
}

/* Does something with what refers by COLUMN of TABLE to the row FORMER. */
typedef cm_error_t *(*child_t)(apr_int64_t *count, cm_run_t *run,
                               const cm_table_t *table,
                               const cm_column_t *column, const char *former,
                               const char *heir, apr_pool_t *pool);

/* Do that for all columns that may refer to records of MODEL. */
static cm_error_t *for_children(child_t act, apr_int64_t *count, cm_run_t *run,
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
        for (j = 0; j < table->column_count; j++)
            if (may_move(&table->columns[j], model))
                CM_TRY(act(count, run, table, &table->columns[j], former, heir,
                           pool));
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
    err = for_children(move_children, &moved, run, model, former, heir, pool);
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

/* Set *ROWS to how many rows of TABLE hold VALUE in all COUNT COLUMNS. */
static cm_error_t *count_rows(apr_int64_t *rows, cm_run_t *run,
                              const cm_table_t *table,
                              const cm_bulk_column_t *columns, int count,
                              const char *value, apr_pool_t *pool)
{
    cm_bulk_t *bulk =
        cm_bulk_create(table->quoted, columns, count, count, pool);
    cm_rows_t *counted;
    int i;

    for (i = 0; i < count; i++)
        cm_bulk_row(bulk, "t", value);
    CM_TRY(cm_bulk_select(&counted, run->node->store, "count(*)", bulk, NULL, 0,
                          pool));
    *rows = cm_cell_number(counted, 0, 0);
    return NULL;
}

/* Add to *COUNT the rows that refer by COLUMN of TABLE to FORMER, but for that
 * row itself: it is deleted, with its reference. */
static cm_error_t *count_children(apr_int64_t *count, cm_run_t *run,
                                  const cm_table_t *table,
                                  const cm_column_t *column, const char *former,
                                  const char *heir, apr_pool_t *pool)
{
    const cm_column_t *key = table->keys[0];
    const cm_bulk_column_t columns[] = {{column->quoted, column->type},
                                        {key->quoted, key->type}};
    apr_int64_t all, own = 0;

    (void)heir;
    CM_TRY(count_rows(&all, run, table, columns, 1, former, pool));
    if (all && table->key_count == 1 &&
        !strcmp(column->reference, table->model->name))
        CM_TRY(count_rows(&own, run, table, columns, 2, former, pool));
    *count += all - own;
    return NULL;
}

/* RECORD is continued by HEIR, which is not here, and may still come: wait for
 * it while rows refer to RECORD. */
static cm_error_t *await(cm_run_t *run, const cm_record_t *record,
                         const cm_entry_t *heir, apr_pool_t *pool)
{
    const cm_model_t *model = record->table->model;
    apr_int64_t count = 0;

    if (heir->found->mapping)
        return NULL;
    CM_TRY(for_children(count_children, &count, run, model,
                        record->here->local_id, NULL, pool));
    return count ? CM_FAIL(run->pool, CM_WAITS,
                           "its key was changed: what refers to it waits for "
                           "'%s' of model '%s', which is not here",
                           heir->identity.original_id, model->name)
                 : NULL;
}

cm_error_t *cm_heirs_adopt(cm_run_t *run, const cm_record_t *record,
                           apr_pool_t *scratch_pool)
{
    const cm_entry_t *heir = cm_heirs_last(run, record);

    if (!heir)
        return NULL;
    if (!heir->found->local_id)
        return await(run, record, heir, scratch_pool);
    return adopt(run, record->table->model, record->here->local_id,
                 heir->found->local_id, scratch_pool);
}
