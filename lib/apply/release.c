/* A delete, or a change of a key, that a foreign key here refuses, since rows
 * refer to the record. Where they need not refer to anything, they let go of it
 * first.
 *
 * On every other node a reference to a deleted record is NULL, where the column
 * can be NULL. So it is no change of these rows: their own messages say the
 * same when they are received behind the delete. Only where a row filter may
 * judge by that column, it is captured as a change, so that the filter is asked
 * again. A key changes only where it is a reference, and another record has got
 * the key that it leads to: the rows then refer to the same record as before.
 */
#include "apply/heirs_internal.h"

#include <string.h>

#include "record/keys.h"
#include "record/reference.h"
#include "store/dialect.h"

/* Rows that have let go of a record whose key changes. */
typedef struct released_t {
    const cm_table_t *table;
    const cm_column_t *column;
    cm_rows_t *rows; /* their keys */
} released_t;

/* Return whether COLUMN holds references to MODEL that can be given up. A
 * column of a key stays: its row would be another record. */
static int can_release(const cm_column_t *column, const cm_model_t *model)
{
    return column->reference && !strcmp(column->reference, model->name) &&
           !column->is_key && !column->generated &&
           cm_reference_may_be_none(column);
}

/* Let rows of TABLE that hold LOCAL_ID in COLUMN refer to nothing. */
static cm_error_t *release_column(cm_run_t *run, const cm_table_t *table,
                                  const cm_column_t *column,
                                  const char *local_id, apr_pool_t *pool)
{
    const cm_value_t none = cm_reference_none(column);
    apr_int64_t count;

    return cm_heirs_move(&count, run, table, column, local_id, none.data, pool);
}

/* Add the rows of TABLE that hold LOCAL_ID in COLUMN to RELEASED. */
static cm_error_t *note_rows(apr_array_header_t *released, cm_run_t *run,
                             const cm_table_t *table, const cm_column_t *column,
                             const char *local_id, apr_pool_t *pool)
{
    const cm_bulk_column_t columns[] = {{column->quoted, column->type}};
    cm_bulk_t *bulk = cm_bulk_create(table->quoted, columns, 1, 1, pool);
    released_t *one = apr_array_push(released);

    *one = (released_t){table, column, NULL};
    cm_bulk_row(bulk, "t", local_id);
    return cm_bulk_select(&one->rows, run->node->store, table->key_text, bulk,
                          NULL, 1, pool);
}

cm_error_t *cm_release_references(apr_array_header_t **released, cm_run_t *run,
                                  const cm_record_t *record, apr_pool_t *pool)
{
    const apr_array_header_t *models = run->node->settings->models;
    const int moves = record->effect->moves;
    const char *local_id = record->here->local_id;
    const cm_table_t *table;
    int i, j;

    *released = apr_array_make(pool, 4, sizeof(released_t));
    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *child = APR_ARRAY_IDX(models, i, cm_model_t *);

        if (!child->columns.references->nelts)
            continue;
        CM_TRY(cm_node_table(&table, run->node, child, pool));
        CM_TRY(cm_node_applying(run->node,
                                child->where && !moves ? NULL : table, pool));
        for (j = 0; j < table->column_count; j++) {
            const cm_column_t *column = &table->columns[j];

            if (!can_release(column, record->table->model))
                continue;
            if (moves)
                CM_TRY(
                    note_rows(*released, run, table, column, local_id, pool));
            CM_TRY(release_column(run, table, column, local_id, pool));
        }
    }
    return NULL;
}

/* Let the rows of ONE refer to the record again. One may be its own. */
static cm_error_t *return_rows(cm_run_t *run, const released_t *one,
                               const cm_record_t *record, const char *new_id,
                               apr_pool_t *pool)
{
    const cm_table_t *table = one->table;
    cm_bulk_column_t *columns = cm_keys_columns(table, 1, pool);
    cm_datum_t *cells = apr_palloc(pool, table->key_count * sizeof(*cells));
    apr_int64_t count;
    cm_bulk_t *bulk;
    int i, j;

    columns[table->key_count] =
        (cm_bulk_column_t){one->column->quoted, one->column->type};
    bulk = cm_bulk_create(table->quoted, columns, table->key_count + 1,
                          table->key_count, pool);
    for (i = 0; i < one->rows->count; i++) {
        const char *key = cm_cell_text(one->rows, i, 0);

        if (table == record->table && !strcmp(key, record->here->local_id))
            key = new_id;
        if (!cm_keys_cells(cells, table, key,
                           cm_dialect_of_store(run->node->store), pool))
            continue;
        for (j = 0; j < table->key_count; j++)
            cm_bulk_add(bulk, cells[j]);
        cm_bulk_row(bulk, "t", new_id);
    }
    CM_TRY(cm_node_applying(run->node, table, pool));
    return cm_bulk_update(&count, run->node->store, bulk, pool);
}

cm_error_t *cm_release_return(const apr_array_header_t *released, cm_run_t *run,
                              const cm_record_t *record, const char *new_id,
                              apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < released->nelts; i++)
        CM_TRY(return_rows(run, &APR_ARRAY_IDX(released, i, released_t), record,
                           new_id, scratch_pool));
    return NULL;
}

/* Return whether to merge RECORD until the task before UNTIL: until the first,
 * a delete, or all of them, since to try each would cost their square. */
static int is_worth_merging(const cm_record_t *record, int until)
{
    return until == record->next + 1 || until == record->tasks->nelts ||
           CM_NTH(record->tasks, until - 1, cm_task_t)->message->action ==
               CM_DELETE;
}

/* Return whether the delete of RECORD, now merged, or the change of its key,
 * was refused: it may stand behind messages that were refused, too. */
static int is_refused(cm_run_t *run, cm_record_t *record)
{
    const cm_error_t *refused = record->error;
    int until;

    if (!cm_rounds_pending(record) || !refused ||
        refused->code != CM_REJECTED || !record->here->exists)
        return 0;
    for (until = record->next + 1; until <= record->tasks->nelts; until++) {
        if (!is_worth_merging(record, until))
            continue;
        record->error = cm_merge_record(run, record, until, 0);
        if (!record->error &&
            (record->effect->kind == CM_EFFECT_DELETE || record->effect->moves))
            return 1;
    }
    record->error = refused;
    record->effect = NULL;
    return 0;
}

static cm_error_t *write_released(int *moved, cm_run_t *run,
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

cm_error_t *cm_release_refused(int *moved, cm_run_t *run,
                               apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        apr_pool_clear(iterpool);
        if (is_refused(run, record))
            CM_TRY(write_released(moved, run, record, iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}
