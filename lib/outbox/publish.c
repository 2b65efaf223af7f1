/* The present state of records as messages: see publish.h. */
#include "outbox/publish.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "record/fit.h"
#include "record/tuple.h"
#include "outbox/internal.h"
#include "outbox/publication.h"

#define CHUNK_ROWS  500
#define TRIES       5
#define TRIES_PAUSE apr_time_from_msec(100)

static const cm_publish_which_t all = {NULL, 0};

static cm_error_t *queue_once(apr_int64_t *count,
                              const cm_selection_t *selection,
                              const cm_condition_t *condition, apr_pool_t *pool)
{
    cm_store_t *store = selection->node->store;

    CM_TRY(cm_transaction_begin(store, pool));
    return cm_transaction_end(
        store, cm_selection_enqueue(count, selection, condition, pool), pool);
}

/* Queue the records of CONDITION in a transaction of their own; try again while
 * the application has them locked. */
static cm_error_t *queue_filtered(apr_int64_t *count,
                                  const cm_selection_t *selection,
                                  const cm_condition_t *condition,
                                  apr_pool_t *pool)
{
    cm_error_t *err = queue_once(count, selection, condition, pool);
    int i;

    for (i = 1; err && err->code == CM_BUSY && i < TRIES; i++) {
        cm_clock_sleep(i * TRIES_PAUSE);
        err = queue_once(count, selection, condition, pool);
    }
    return err;
}

/* The same; if the row filter fails for one, all of them, since it is asked
 * when each gets its number. */
static cm_error_t *queue(apr_int64_t *count, const cm_selection_t *selection,
                         const cm_condition_t *condition, apr_pool_t *pool)
{
    cm_error_t *err = queue_filtered(count, selection, condition, pool);
    cm_selection_t bare = *selection;

    return cm_selection_unfilter(&bare, err)
               ? queue_filtered(count, &bare, condition, pool)
               : err;
}

/* Select the one row of section NAME; *FOUND is NULL when there is none. */
static cm_error_t *select_one(const cm_datum_t **found,
                              const cm_selection_t *selection, const char *name,
                              const cm_condition_t *condition, apr_pool_t *pool)
{
    cm_selection_t bare = *selection;
    cm_error_t *err;
    cm_rows_t *rows;

    err = cm_selection_select(&rows, selection, name, condition, pool);
    if (cm_selection_unfilter(&bare, err))
        err = cm_selection_select(&rows, &bare, name, condition, pool);
    CM_TRY(err);
    *found = rows->count ? cm_cell(rows, 0, 0) : NULL;
    return NULL;
}

/* Leave out what is a record already, here and so at the peers. */
static cm_error_t *only_unsent(cm_selection_t *selection, apr_pool_t *pool)
{
    const cm_table_t *table = selection->table;
    const cm_records_t *records;
    const char *lack;

    CM_TRY(
        cm_node_records(&records, selection->node, table->model->type, pool));
    lack = cm_records_lack(table, records, pool);
    selection->where =
        selection->where
            ? apr_pstrcat(pool, lack, " AND (", selection->where, "\n)", NULL)
            : lack;
    return NULL;
}

static cm_error_t *open_selection(cm_selection_t *selection, cm_node_t *node,
                                  const cm_model_t *model,
                                  const cm_publish_which_t *which,
                                  apr_pool_t *pool)
{

    if (!model->publishes)
        return CM_FAIL(pool, CM_CONFIG,
                       "model '%s' is not published here (direction=receive)",
                       model->name);
    selection->node = node;
    selection->where = which && which->where
                           ? cm_dialect_doubled(which->where, '%', pool)
                           : NULL;
    selection->renewed = NULL;
    selection->rows = CHUNK_ROWS;
    CM_TRY(cm_node_table(&selection->table, node, model, pool));
    cm_selection_filter(selection, pool);
    return which && which->unsent ? only_unsent(selection, pool) : NULL;
}

/* Set *SQL to that of ID, a value of COLUMN. */
static cm_error_t *value_sql(const char **sql, cm_condition_t *condition,
                             const cm_table_t *table, const cm_column_t *column,
                             const char *id, apr_pool_t *pool)
{
    const cm_datum_t key = cm_datum_text(id);

    if (column->value_class == CM_CLASS_INTEGER && !cm_selection_is_integer(id))
        return CM_FAIL(pool, CM_REJECTED, "'%s' is not a %s of table '%s'", id,
                       column->name, table->model->table);
    *sql = cm_selection_key_sql(condition, column, &key);
    return NULL;
}

/* Make the condition for the records whose COLUMN holds one of COUNT LOCAL_IDS
 * from FIRST on. */
static cm_error_t *named(cm_condition_t **condition, const cm_table_t *table,
                         const cm_column_t *column,
                         const apr_array_header_t *local_ids, int first,
                         int count, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, count, sizeof(char *));
    int i;

    *condition = cm_selection_condition(pool);
    for (i = first; i < first + count; i++)
        CM_TRY(value_sql(apr_array_push(list), *condition, table, column,
                         APR_ARRAY_IDX(local_ids, i, const char *), pool));
    (*condition)->sql =
        apr_pstrcat(pool, "t.", column->quoted, " IN (",
                    apr_array_pstrcat(pool, list, ','), ")", NULL);
    return NULL;
}

/* The same for records of TABLE whose key has several columns. */
static cm_error_t *named_by_tuples(cm_condition_t **condition,
                                   const cm_table_t *table,
                                   const apr_array_header_t *local_ids,
                                   int first, int count, apr_pool_t *pool)
{
    const char **parts = apr_palloc(pool, table->key_count * sizeof(*parts));
    apr_array_header_t *pieces = apr_array_make(pool, count, sizeof(char *));
    const char *sql;
    int i, j;

    *condition = cm_selection_condition(pool);
    for (i = first; i < first + count; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        if (!cm_tuple_read(parts, table->key_count, id, pool))
            return CM_FAIL(pool, CM_REJECTED,
                           "'%s' is not a key of table '%s' (%s)", id,
                           table->model->table, table->model->key);
        APR_ARRAY_PUSH(pieces, const char *) = i > first ? " OR (" : "(";
        for (j = 0; j < table->key_count; j++) {
            CM_TRY(value_sql(&sql, *condition, table, table->keys[j], parts[j],
                             pool));
            APR_ARRAY_PUSH(pieces, const char *) =
                apr_pstrcat(pool, j ? " AND t." : "t.", table->keys[j]->quoted,
                            " = ", sql, NULL);
        }
        APR_ARRAY_PUSH(pieces, const char *) = ")";
    }
    (*condition)->sql =
        apr_pstrcat(pool, "(", apr_array_pstrcat(pool, pieces, 0), ")", NULL);
    return NULL;
}

/* Queue the records whose COLUMN holds one of LOCAL_IDS; NULL: whose key does.
 */
static cm_error_t *publish_named(apr_int64_t *published,
                                 const cm_selection_t *selection,
                                 const cm_column_t *column,
                                 const apr_array_header_t *local_ids,
                                 apr_pool_t *scratch_pool)
{
    const cm_table_t *table = selection->table;
    cm_condition_t *condition;
    apr_pool_t *iterpool;
    apr_int64_t count;
    int i, size;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < local_ids->nelts; i += size) {
        apr_pool_clear(iterpool);
        size = local_ids->nelts - i;
        if (size > CHUNK_ROWS)
            size = CHUNK_ROWS;
        if (!column && table->key_count > 1)
            CM_TRY(named_by_tuples(&condition, table, local_ids, i, size,
                                   iterpool));
        else
            CM_TRY(named(&condition, table, column ? column : table->keys[0],
                         local_ids, i, size, iterpool));
        CM_TRY_FOR(queue(&count, selection, condition, iterpool), scratch_pool,
                   "cannot publish records of model '%s'", table->model->name);
        *published += count;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_publish_records(apr_int64_t *published, cm_node_t *node,
                               const cm_model_t *model,
                               const apr_array_header_t *local_ids,
                               apr_pool_t *scratch_pool)
{
    cm_selection_t selection;

    *published = 0;
    CM_TRY(open_selection(&selection, node, model, NULL, scratch_pool));
    return publish_named(published, &selection, NULL, local_ids, scratch_pool);
}

/* Return those of LOCAL_IDS that COLUMN can hold: it may refer to records of
 * several models, whose keys differ. */
static apr_array_header_t *fitting(cm_node_t *node, const cm_column_t *column,
                                   const apr_array_header_t *local_ids,
                                   apr_pool_t *pool)
{
    apr_array_header_t *ids =
        apr_array_make(pool, local_ids->nelts, sizeof(const char *));
    int i;

    for (i = 0; i < local_ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);
        cm_datum_t cell;

        if (!cm_fit_value(&cell, column, cm_value_of(CM_TEXT, id),
                          cm_dialect_of_store(node->store), pool))
            APR_ARRAY_PUSH(ids, const char *) = id;
    }
    return ids;
}

cm_error_t *cm_publish_referring(apr_int64_t *published, cm_node_t *node,
                                 const cm_model_t *model, const char *name,
                                 const apr_array_header_t *local_ids,
                                 apr_pool_t *scratch_pool)
{
    cm_selection_t selection;
    const cm_column_t *column;

    *published = 0;
    CM_TRY(open_selection(&selection, node, model, NULL, scratch_pool));
    column = cm_table_column(selection.table, name);
    if (!column)
        return NULL;
    selection.renewed = column->name;
    return publish_named(published, &selection, column,
                         fitting(node, column, local_ids, scratch_pool),
                         scratch_pool);
}

cm_error_t *cm_publish_count(apr_int64_t *total, cm_node_t *node,
                             const cm_model_t *model,
                             const cm_publish_which_t *which,
                             apr_pool_t *scratch_pool)
{
    cm_selection_t selection;
    const cm_datum_t *count;

    if (which->unsent)
        CM_TRY(cm_publication_finish(node, scratch_pool));
    CM_TRY(open_selection(&selection, node, model, which, scratch_pool));
    CM_TRY_FOR(
        select_one(&count, &selection, "count",
                   cm_selection_between(&selection, NULL, NULL, scratch_pool),
                   scratch_pool),
        scratch_pool, "cannot count the records of model '%s'", model->name);
    *total += apr_atoi64(count->data);
    return NULL;
}

static void note_progress(cm_publish_progress_t *progress, apr_int64_t count)
{
    if (!progress)
        return;
    progress->done += count;
    progress->report(progress->baton, progress->done, progress->total);
}

/* Queue the records of SELECTION, chunk by chunk. */
static cm_error_t *queue_chunks(apr_int64_t *published,
                                const cm_selection_t *selection,
                                cm_publish_progress_t *progress,
                                apr_pool_t *scratch_pool)
{
    const cm_datum_t *after, *last = NULL;
    apr_pool_t *iterpool, *last_pool, *swap;
    apr_int64_t count;

    apr_pool_create(&iterpool, scratch_pool);
    apr_pool_create(&last_pool, scratch_pool); /* LAST lives here */
    do {
        apr_pool_clear(iterpool);
        after = last;
        CM_TRY(select_one(
            &last, selection, "bound",
            cm_selection_between(selection, after, NULL, iterpool), iterpool));
        CM_TRY(queue(&count, selection,
                     cm_selection_between(selection, after, last, iterpool),
                     iterpool));
        *published += count;
        note_progress(progress, count);
        swap = iterpool;
        iterpool = last_pool;
        last_pool = swap;
    } while (last);
    apr_pool_destroy(iterpool);
    apr_pool_destroy(last_pool);
    return NULL;
}

/* Let the next runs read the records of MODEL from its table; *BEGUN is 0 when
 * they have to become rows now. These are numbered before a table is, so the
 * tables that were published before, with the parents, are numbered first. */
static cm_error_t *begin(int *begun, cm_node_t *node, const cm_table_t *table,
                         apr_int64_t *records, apr_pool_t *scratch_pool)
{
    *records = 0;
    CM_TRY(cm_publish_count(records, node, table->model, &all, scratch_pool));
    CM_TRY(cm_publication_begin(begun, node, table, *records, scratch_pool));
    return *begun ? NULL : cm_publication_finish(node, scratch_pool);
}

static cm_error_t *publish(apr_int64_t *published,
                           const cm_selection_t *selection, int whole,
                           cm_publish_progress_t *progress,
                           apr_pool_t *scratch_pool)
{
    int begun = 0;

    if (whole)
        CM_TRY(begin(&begun, selection->node, selection->table, published,
                     scratch_pool));
    if (!begun) {
        *published = 0;
        return queue_chunks(published, selection, progress, scratch_pool);
    }
    note_progress(progress, *published);
    return NULL;
}

cm_error_t *cm_publish_all(apr_int64_t *published, cm_node_t *node,
                           const cm_model_t *model,
                           const cm_publish_which_t *which,
                           cm_publish_progress_t *progress,
                           apr_pool_t *scratch_pool)
{
    const int whole = !which || (!which->where && !which->unsent);
    cm_selection_t selection;

    *published = 0;
    CM_TRY(open_selection(&selection, node, model, which, scratch_pool));
    CM_TRY_FOR(publish(published, &selection, whole, progress, scratch_pool),
               scratch_pool, "cannot publish model '%s'", model->name);
    if (whole)
        CM_TRY_FOR(cm_publish_deletes(node, model, scratch_pool), scratch_pool,
                   "cannot publish the deletes of model '%s'", model->name);
    return NULL;
}

cm_error_t *cm_publish_identities(apr_int64_t *published, cm_node_t *node,
                                  const cm_model_t *model,
                                  const apr_array_header_t *identities,
                                  apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids = apr_array_make(
        scratch_pool, identities->nelts + 1, sizeof(const char *));
    apr_array_header_t *deleted =
        apr_array_make(scratch_pool, 4, sizeof(cm_identity_t));
    apr_int64_t deletes = 0;
    apr_hash_t *found;
    int i;

    CM_TRY(cm_mapping_by_identity(&found, node, model->type, identities,
                                  scratch_pool));
    for (i = 0; i < identities->nelts; i++) {
        const cm_identity_t identity =
            APR_ARRAY_IDX(identities, i, cm_identity_t);
        const char *key = cm_identity_key(identity, scratch_pool);
        const cm_mapping_t *mapping =
            apr_hash_get(found, key, APR_HASH_KEY_STRING);

        if (!mapping)
            continue;
        apr_hash_set(found, key, APR_HASH_KEY_STRING, NULL); /* once */
        if (mapping->local_id && !mapping->deleted_at)
            APR_ARRAY_PUSH(ids, const char *) = mapping->local_id;
        else if (mapping->deleted_at && model->deletes)
            APR_ARRAY_PUSH(deleted, cm_identity_t) = identity;
    }
    CM_TRY(cm_publish_records(published, node, model, ids, scratch_pool));
    if (deleted->nelts)
        CM_TRY_FOR(
            cm_publish_deletes_of(&deletes, node, model, deleted, scratch_pool),
            scratch_pool, "cannot publish the deletes of model '%s'",
            model->name);
    *published += deletes;
    return NULL;
}
