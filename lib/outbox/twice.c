/* Rows that have the same key, in a table without a unique index. */
#include "outbox/internal.h"

#include <string.h>

#include "record/keys.h"

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
    if (apr_hash_count(left))
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
