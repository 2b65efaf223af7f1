/* A delete that a foreign key here refuses, since rows refer to the record. On
 * every other node a reference to a deleted record is NULL, where the column
 * can be NULL: let it be so here before the record is deleted.
 *
 * That is no change of these rows: their own messages say the same when they
 * are received behind the delete. Only where a row filter may judge by that
 * column, it is captured as a change, so that the filter is asked again. */
#include "apply/internal.h"

#include <string.h>

#include "record/reference.h"

/* Return whether COLUMN holds references to MODEL that can be given up. A
 * column of a key stays: its row would be another record. */
static int can_release(const cm_column_t *column, const cm_model_t *model)
{
    return column->reference && !strcmp(column->reference, model->name) &&
           !column->is_key && !column->generated &&
           cm_reference_may_be_none(column);
}

/* Let rows of TABLE that hold LOCAL_ID in COLUMN refer to nothing. *RELEASED
 * counts them. */
static cm_error_t *release_column(apr_int64_t *released, cm_run_t *run,
                                  const cm_table_t *table,
                                  const cm_column_t *column,
                                  const char *local_id, apr_pool_t *pool)
{
    const cm_value_t none = cm_reference_none(column);
    apr_int64_t count;

    CM_TRY(
        cm_node_applying(run->node, table->model->where ? NULL : table, pool));
    CM_TRY(
        cm_heirs_move(&count, run, table, column, local_id, none.data, pool));
    *released += count;
    return NULL;
}

cm_error_t *cm_release_references(apr_int64_t *released, cm_run_t *run,
                                  const cm_record_t *record,
                                  apr_pool_t *scratch_pool)
{
    const apr_array_header_t *models = run->node->settings->models;
    const cm_table_t *table;
    int i, j;

    *released = 0;
    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *child = APR_ARRAY_IDX(models, i, cm_model_t *);

        if (!child->columns.references->nelts)
            continue;
        CM_TRY(cm_node_table(&table, run->node, child));
        for (j = 0; j < table->column_count; j++)
            if (can_release(&table->columns[j], record->table->model))
                CM_TRY(release_column(released, run, table, &table->columns[j],
                                      record->here->local_id, scratch_pool));
    }
    return NULL;
}

/* Return whether the delete of RECORD, now merged, was refused: it may stand
 * behind messages that were refused, too. */
static int is_refused(cm_run_t *run, cm_record_t *record)
{
    const cm_error_t *refused = record->error;
    int until;

    if (!cm_rounds_pending(record) || !refused ||
        refused->code != CM_REJECTED || !record->here->exists)
        return 0;
    for (until = record->next + 1; until <= record->tasks->nelts; until++) {
        record->error = cm_merge_record(run, record, until, 0);
        if (!record->error && record->effect->kind == CM_EFFECT_DELETE)
            return 1;
    }
    record->error = refused;
    record->effect = NULL;
    return 0;
}

static cm_error_t *delete_released(int *moved, cm_run_t *run,
                                   cm_record_t *record, apr_pool_t *pool)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_record_t *));

    APR_ARRAY_PUSH(one, cm_record_t *) = record;
    record->releases = 1;
    CM_TRY(cm_write_records(run, one, pool));
    record->releases = 0;
    *moved += !record->error;
    return NULL;
}

cm_error_t *cm_release_deletes(int *moved, cm_run_t *run,
                               apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        apr_pool_clear(iterpool);
        if (is_refused(run, record))
            CM_TRY(delete_released(moved, run, record, iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}
