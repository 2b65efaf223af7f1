/* Folding: changes of one record that get their numbers together become one
 * message.
 *
 * An update is left out where the record's next change is an update that
 * changes all its columns again. The next one is stamped as if one statement
 * had made both: its base is the clock before the first, and each column gets
 * the clock that it would have had anyway. So nobody misses a state, and a
 * value that the sender did not know is still a conflict. The rows of a chunk
 * hold all changes of a record between its first and its last one there
 * (unstamped.h), and nothing that a peer sent can have changed the record in
 * between, since whoever applies messages stamps first.
 *
 * Only what means nothing to other rows is left out: a unique value that is
 * given up lets another row have it, and a row that no longer refers to another
 * lets that be deleted. Such changes keep their places. */
#include "outbox/internal.h"

#include <string.h>

#include "record/reference.h"

/* The rows of one model so far. */
typedef struct latest_t {
    cm_stamp_model_t *group;
    apr_hash_t *updates; /* local id -> cm_stamp_row_t *: the last change of the
                            record, where it is an update */
} latest_t;

struct cm_fold_t {
    cm_stamp_t *stamp;
    apr_hash_t *models; /* name -> latest_t * */
};

cm_fold_t *cm_fold_create(cm_stamp_t *stamp)
{
    cm_fold_t *fold = apr_palloc(stamp->pool, sizeof(*fold));

    fold->stamp = stamp;
    fold->models = apr_hash_make(stamp->pool);
    return fold;
}

static cm_error_t *find_latest(latest_t **found, cm_fold_t *fold,
                               const char *model)
{
    apr_pool_t *pool = fold->stamp->pool;

    *found = apr_hash_get(fold->models, model, APR_HASH_KEY_STRING);
    if (*found)
        return NULL;
    *found = apr_palloc(pool, sizeof(**found));
    (*found)->updates = apr_hash_make(pool);
    CM_TRY(cm_stamp_find_group(&(*found)->group, fold->stamp, model));
    apr_hash_set(fold->models, model, APR_HASH_KEY_STRING, *found);
    return NULL;
}

/* Return whether changes of COLUMN mean nothing to other rows. TIED: names that
 * the database gave; NULL stands for any. */
static int is_free(const cm_column_t *column, const cm_rows_t *tied)
{
    int i;

    if (!column || column->is_key || cm_reference_is(column) || column->names)
        return 0;
    for (i = 0; i < tied->count; i++) {
        const char *name = cm_cell_text(tied, i, 0);

        if (!name || !strcmp(name, column->name))
            return 0;
    }
    return 1;
}

/* Give GROUP the columns whose changes may be left out. */
static cm_error_t *find_free(cm_stamp_model_t *group, cm_stamp_t *stamp)
{
    const cm_table_t *table = group->table;
    const apr_array_header_t *match = group->model->columns.match;
    cm_rows_t *tied;
    int i;

    group->free = apr_hash_make(stamp->pool);
    if (!table)
        return NULL;
    CM_TRY(cm_table_ask(&tied, stamp->node->store, "catalog.sql", "tied",
                        group->model, stamp->pool));
    for (i = 0; i < table->column_count; i++)
        if (is_free(&table->columns[i], tied))
            apr_hash_set(group->free, table->columns[i].name,
                         APR_HASH_KEY_STRING, "");
    for (i = 0; i < match->nelts; i++)
        apr_hash_set(group->free, APR_ARRAY_IDX(match, i, const char *),
                     APR_HASH_KEY_STRING, NULL);
    return NULL;
}

/* Return whether ROW changes all columns of OLDER, and these may be left out.
 * A decision is sent: the peer waits for it.
 */
static int replaces(const cm_stamp_row_t *row, const cm_stamp_row_t *older,
                    const apr_hash_t *free, apr_pool_t *pool)
{
    apr_hash_index_t *at;

    if (!older->changed || older->seen)
        return 0;
    for (at = apr_hash_first(pool, older->changed); at;
         at = apr_hash_next(at)) {
        const char *name = apr_hash_this_key(at);

        if (!apr_hash_get((apr_hash_t *)free, name, APR_HASH_KEY_STRING) ||
            (row->changed &&
             !apr_hash_get(row->changed, name, APR_HASH_KEY_STRING)))
            return 0;
    }
    return 1;
}

/* Return whether ROW is a change of a record that stays who it is. */
static int is_update(const cm_stamp_row_t *row)
{
    return !strcmp(row->action, "update") && !row->former &&
           !cm_stamp_record_is_state(row);
}

cm_error_t *cm_fold_next(cm_stamp_row_t **older, cm_fold_t *fold,
                         cm_stamp_row_t *row)
{
    latest_t *latest;
    cm_stamp_row_t *before;

    *older = NULL;
    if (!row->action || !row->model || !row->local_id || row->identity.origin) {
        apr_hash_clear(fold->models); /* it may be about any record */
        return NULL;
    }
    CM_TRY(find_latest(&latest, fold, row->model));
    if (!latest->group)
        return NULL;
    before = apr_hash_get(latest->updates, row->local_id, APR_HASH_KEY_STRING);
    if (row->former)
        apr_hash_set(latest->updates, row->former, APR_HASH_KEY_STRING, NULL);
    if (!is_update(row)) {
        apr_hash_set(latest->updates, row->local_id, APR_HASH_KEY_STRING, NULL);
        return NULL;
    }
    apr_hash_set(latest->updates, row->local_id, APR_HASH_KEY_STRING, row);
    if (!before)
        return NULL;
    if (!latest->group->free)
        CM_TRY(find_free(latest->group, fold->stamp));
    if (replaces(row, before, latest->group->free, fold->stamp->pool))
        *older = before;
    return NULL;
}
