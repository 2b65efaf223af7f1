/* Which records go with their parent. What a foreign key deletes along with a
 * parent, MariaDB's triggers do not see. So the side that deleted the parent is
 * not told of a row that came meanwhile, and neither is the side that has lost
 * that row: both must come to the same result by themselves. */
#include "apply/cascade_internal.h"

#include <string.h>
#include <strings.h>

/* Set *ROWS to the columns of TABLE by which foreign keys delete rows, and the
 * tables of the parents. They are asked for once in a run. */
static cm_error_t *find_cascades(cm_rows_t **rows, cm_run_t *run,
                                 const cm_table_t *table)
{
    const char *name = table->model->name;

    if (!run->cascades)
        run->cascades = apr_hash_make(run->pool);
    *rows = apr_hash_get(run->cascades, name, APR_HASH_KEY_STRING);
    if (*rows)
        return NULL;
    CM_TRY(cm_table_ask(rows, run->node->store, "catalog.sql", "cascades",
                        table->model, run->pool));
    apr_hash_set(run->cascades, name, APR_HASH_KEY_STRING, *rows);
    return NULL;
}

cm_error_t *cm_cascade_deletes(int *result, cm_run_t *run,
                               const cm_table_t *table)
{
    cm_rows_t *rows;

    CM_TRY(find_cascades(&rows, run, table));
    *result = rows->count > 0;
    return NULL;
}

cm_error_t *cm_cascade_takes(int *result, cm_run_t *run,
                             const cm_record_t *record,
                             const cm_column_t *column,
                             const cm_entry_t *parent)
{
    const char *dot = strchr(parent->model->table, '.');
    const char *name = dot ? dot + 1 : parent->model->table;
    cm_rows_t *rows;
    int i;

    *result = 0;
    if (!record->entry || !record->table->model->deletes)
        return NULL;
    CM_TRY(find_cascades(&rows, run, record->table));
    for (i = 0; i < rows->count; i++)
        if (cm_table_column(record->table, cm_cell_text(rows, i, 0)) ==
                column &&
            !strcasecmp(cm_cell_text(rows, i, 1), name))
            *result = 1;
    return NULL;
}
