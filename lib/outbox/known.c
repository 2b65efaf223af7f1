/* Which records peers know: see known.h, and internal.h. */
#include "outbox/known.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "outbox/internal.h"

/* Who has a key after some changes. */
typedef struct holder_t {
    const char *before; /* the key that its record had before them; NULL: it is
                           a new record, or the key is free */
    apr_int64_t ended;  /* the change that took the key from the record that had
                           it before; 0: none */
    apr_int64_t moved;  /* the change that gave it to this record; 0: none */
} holder_t;

/* Return SQL: ID is EXPRESSION of one of the rows of the outbox with IDS. */
static const char *is_of(const char *id, const char *expression,
                         const apr_array_header_t *ids, apr_pool_t *pool)
{
    apr_array_header_t *texts =
        apr_array_make(pool, ids->nelts, sizeof(const char *));
    int i;

    for (i = 0; i < ids->nelts; i++)
        APR_ARRAY_PUSH(texts, const char *) =
            apr_ltoa(pool, APR_ARRAY_IDX(ids, i, apr_int64_t));
    return apr_pstrcat(pool, id, " IN (SELECT ", expression,
                       " FROM outbound_messages WHERE id IN (",
                       texts->nelts ? apr_array_pstrcat(pool, texts, ',') : "0",
                       "))", NULL);
}

cm_error_t *cm_known_sql(const char **sql, cm_node_t *node,
                         const cm_model_t *model, const char *column,
                         const char *id, apr_hash_t *changes, apr_pool_t *pool)
{
    const char *exact = cm_dialect_of_store(node->store)->exact;
    const cm_known_t *known =
        changes ? apr_hash_get(changes, model->name, APR_HASH_KEY_STRING)
                : NULL;
    const cm_records_t *records;
    const char *text;

    CM_TRY(cm_node_records(&records, node, model->type, pool));
    *sql =
        apr_pstrcat(pool, "EXISTS (SELECT 1 FROM ", records->table,
                    " AS m WHERE m.local_id = ", records->integer ? column : id,
                    records->integer ? "" : exact, " AND m.clock > 0)", NULL);
    if (!known)
        return NULL;
    text = apr_pstrcat(pool, id, exact, NULL);
    *sql = apr_pstrcat(
        pool, "(", *sql, " AND NOT ",
        is_of(text,
              "CASE action WHEN 'update' THEN former_record_id"
              " ELSE local_record_id END",
              known->ended, pool),
        " OR ", is_of(text, "local_record_id", known->moved, pool), ")", NULL);
    return NULL;
}

static holder_t *holder_of(apr_hash_t *holders, const char *key,
                           apr_pool_t *pool)
{
    holder_t *holder = apr_hash_get(holders, key, APR_HASH_KEY_STRING);

    if (!holder) {
        holder = apr_pcalloc(pool, sizeof(*holder));
        holder->before = key;
        apr_hash_set(holders, key, APR_HASH_KEY_STRING, holder);
    }
    return holder;
}

/* Follow what ROW does to keys. */
static void follow(apr_hash_t *holders, const cm_stamp_t *stamp,
                   const cm_stamp_row_t *row)
{
    const int is_update = !strcmp(row->action, "update");
    holder_t *old, *next;

    if (is_update ? !row->former
                  : !strcmp(row->action, "create") &&
                        !cm_stamp_record_is_reborn(stamp, row))
        return;
    old = holder_of(holders, is_update ? row->former : row->local_id,
                    stamp->pool);
    if (is_update) {
        next = holder_of(holders, row->local_id, stamp->pool);
        next->before = old->before;
        next->moved = row->id;
    }
    old->before = NULL;
    if (!old->ended)
        old->ended = row->id;
}

/* Sort what has become of keys of GROUP; NULL: all is as the mappings say. */
static cm_known_t *sort(const cm_stamp_model_t *group, apr_hash_t *holders,
                        apr_pool_t *pool)
{
    cm_known_t *known = apr_palloc(pool, sizeof(*known));
    apr_hash_index_t *at;

    known->ended = apr_array_make(pool, 4, sizeof(apr_int64_t));
    known->moved = apr_array_make(pool, 4, sizeof(apr_int64_t));
    for (at = apr_hash_first(pool, holders); at; at = apr_hash_next(at)) {
        const holder_t *holder = apr_hash_this_val(at);

        if (holder->moved && cm_sift_knows(group, holder->before))
            APR_ARRAY_PUSH(known->moved, apr_int64_t) = holder->moved;
        else if (holder->ended && cm_sift_knows(group, apr_hash_this_key(at)))
            APR_ARRAY_PUSH(known->ended, apr_int64_t) = holder->ended;
    }
    return known->ended->nelts || known->moved->nelts ? known : NULL;
}

apr_hash_t *cm_known_find(const cm_stamp_t *stamp,
                          const apr_array_header_t *rows)
{
    apr_hash_t *changes = apr_hash_make(stamp->pool);
    apr_hash_index_t *at;
    int i;

    for (at = apr_hash_first(stamp->pool, stamp->models); at;
         at = apr_hash_next(at)) {
        const cm_stamp_model_t *group = apr_hash_this_val(at);
        apr_hash_t *holders = apr_hash_make(stamp->pool);

        for (i = 0; i < rows->nelts; i++) {
            const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

            if (row->id && row->group == group && cm_sift_decides(row))
                follow(holders, stamp, row);
        }
        apr_hash_set(changes, group->model->name, APR_HASH_KEY_STRING,
                     sort(group, holders, stamp->pool));
    }
    return changes;
}
