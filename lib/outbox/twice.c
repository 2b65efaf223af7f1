/* Rows that have the same key, in a table without a unique index. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/keys.h"
#include "store/dialect.h"
#include "outbox/unstamped.h"

/* Rows of the outbox that are read at a time. */
#define PAGE 5000

static int is_action(const cm_stamp_row_t *row, const char *action)
{
    return row->action && !strcmp(row->action, action);
}

/* Return the keys of GROUP with which ROWS are inserted although a record has
 * them. Most often none: an insert follows a delete, or is the first one. */
static cm_keys_t *inserted_again(cm_stamp_t *stamp,
                                 const cm_stamp_model_t *group,
                                 const apr_array_header_t *rows)
{
    cm_keys_t *keys =
        cm_keys_create(stamp->node->store, group->table, stamp->pool);
    apr_hash_t *inserted = apr_hash_make(stamp->pool);
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);
        const char *id = row->local_id;

        if (row->group != group || !id || !is_action(row, "create"))
            continue;
        if (apr_hash_get(group->alive, id, APR_HASH_KEY_STRING) ||
            apr_hash_get(inserted, id, APR_HASH_KEY_STRING))
            cm_keys_add(keys, id, id, 0);
        apr_hash_set(inserted, id, APR_HASH_KEY_STRING, id);
    }
    return keys;
}

/* Return the keys of GROUP of which ROWS have a delete, and no insert after it.
 */
static cm_keys_t *deleted_last(cm_stamp_t *stamp, const cm_stamp_model_t *group,
                               const apr_array_header_t *rows)
{
    cm_keys_t *keys =
        cm_keys_create(stamp->node->store, group->table, stamp->pool);
    apr_hash_t *inserted = apr_hash_make(stamp->pool);
    int i;

    for (i = rows->nelts - 1; i >= 0; i--) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (row->group != group || !row->local_id)
            continue;
        if (is_action(row, "create"))
            apr_hash_set(inserted, row->local_id, APR_HASH_KEY_STRING, "");
        else if (is_action(row, "delete") &&
                 !apr_hash_get(inserted, row->local_id, APR_HASH_KEY_STRING))
            cm_keys_add(keys, row->local_id, row->local_id, 0);
    }
    return keys;
}

/* Return the ids of the rows of the outbox that are being stamped. */
static apr_hash_t *ids_of(const cm_stamp_t *stamp,
                          const apr_array_header_t *rows)
{
    apr_hash_t *ids = apr_hash_make(stamp->pool);
    int i;

    for (i = 0; i < rows->nelts; i++)
        apr_hash_set(ids, &APR_ARRAY_IDX(rows, i, cm_stamp_row_t).id,
                     sizeof(apr_int64_t), "");
    for (i = 0; i < stamp->folded->nelts; i++)
        apr_hash_set(ids, &APR_ARRAY_IDX(stamp->folded, i, apr_int64_t),
                     sizeof(apr_int64_t), "");
    return ids;
}

/* Read the next inserts of records of GROUP that have no number, above the id
 * AFTER. */
static cm_error_t *read_inserts(cm_rows_t **found, const cm_stamp_t *stamp,
                                const cm_stamp_model_t *group,
                                apr_int64_t after, apr_pool_t *pool)
{
    const cm_datum_t model = cm_datum_text(group->model->name);
    const cm_dialect_t *dialect = cm_dialect_of_store(stamp->node->store);

    return cm_statement_select(
        found, stamp->node->store,
        apr_psprintf(
            pool,
            "SELECT id, local_record_id FROM %s WHERE %s"
            " AND id > %" APR_INT64_T_FMT " AND local_record_id IS NOT NULL"
            " AND action = 'create' AND model = %%s%s LIMIT %d",
            dialect->unstamped,
            cm_unstamped_where(stamp->node, stamp->stamping->all, pool), after,
            dialect->in_order, PAGE),
        &model, 1, pool);
}

/* Take out of LEFT the keys with which rows are inserted that are stamped after
 * ROWS: what has such a key now is the new record's. */
static cm_error_t *leave_new(const cm_stamp_t *stamp,
                             const cm_stamp_model_t *group,
                             const apr_array_header_t *rows, apr_hash_t *left)
{
    apr_hash_t *stamped = ids_of(stamp, rows);
    apr_int64_t id = 0;
    apr_pool_t *iterpool;
    cm_rows_t *found;
    int i;

    apr_pool_create(&iterpool, stamp->pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(read_inserts(&found, stamp, group, id, iterpool));
        for (i = 0; i < found->count; i++) {
            id = cm_cell_number(found, i, 0);
            if (!apr_hash_get(stamped, &id, sizeof(id)))
                apr_hash_set(left, cm_cell_text(found, i, 1),
                             APR_HASH_KEY_STRING, NULL);
        }
    } while (found->count == PAGE && apr_hash_count(left));
    apr_pool_destroy(iterpool);
    return NULL;
}

/* ROWS delete one of several rows with a key of LEFT, or change its key. The
 * record has the row that is left; nothing tells whether its values are others.
 */
static void keep_records(const cm_stamp_model_t *group,
                         const apr_array_header_t *rows, apr_hash_t *left)
{
    int i;

    for (i = 0; i < rows->nelts; i++) {
        cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (row->group != group || !row->local_id)
            continue;
        if (row->former && apr_hash_get(left, row->former, APR_HASH_KEY_STRING))
            row->former = NULL;
        if (!is_action(row, "delete") ||
            !apr_hash_get(left, row->local_id, APR_HASH_KEY_STRING))
            continue;
        row->action = "update";
        row->former = NULL;
        row->changed = NULL;
        row->body = (cm_datum_t){0};
        row->reread = 1;
    }
}

/* Let the records whose keys ROWS delete live on, where another row still has
 * that key. */
static cm_error_t *find_left(cm_stamp_t *stamp, cm_stamp_model_t *group,
                             const apr_array_header_t *rows)
{
    cm_keys_t *keys = deleted_last(stamp, group, rows);
    apr_hash_t *left = apr_hash_make(stamp->pool);
    cm_rows_t *found;
    int i;

    CM_TRY(cm_keys_select(&found, keys, NULL, 0, stamp->pool));
    for (i = 0; i < found->count; i++) {
        const char *id = cm_keys_find(keys, cm_cell_text(found, i, 0));

        if (id)
            apr_hash_set(left, id, APR_HASH_KEY_STRING, "");
    }
    if (!apr_hash_count(left))
        return NULL;
    CM_TRY(leave_new(stamp, group, rows, left));
    keep_records(group, rows, left);
    return NULL;
}

cm_error_t *cm_twice_find(cm_stamp_t *stamp, cm_stamp_model_t *group,
                          const apr_array_header_t *rows)
{
    apr_hash_t *once = apr_hash_make(stamp->pool);
    cm_keys_t *keys;
    cm_rows_t *found;
    int i;

    if (!group->table || group->table->key_is_unique)
        return NULL;
    keys = inserted_again(stamp, group, rows);
    group->twice = apr_hash_make(stamp->pool);
    CM_TRY(cm_keys_select(&found, keys, NULL, 0, stamp->pool));
    CM_TRY(find_left(stamp, group, rows));
    for (i = 0; i < found->count; i++) {
        const char *id = cm_keys_find(keys, cm_cell_text(found, i, 0));

        if (!id)
            continue;
        if (apr_hash_get(once, id, APR_HASH_KEY_STRING))
            apr_hash_set(group->twice, id, APR_HASH_KEY_STRING, id);
        apr_hash_set(once, id, APR_HASH_KEY_STRING, id);
    }
    return NULL;
}
