/* Captured changes that a delete has overtaken: see overtaken.h. */
#include "outbox/overtaken.h"

#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "outbox/missing.h"
#include "outbox/unstamped.h"

/* Rows of the outbox that are read at a time. */
#define PAGE 5000

/* A captured update of a record that is gone, or of a row that has its id now:
 * of what a trigger inserts, PostgreSQL captures an update. */
typedef struct doubtful_t {
    const cm_grave_t *grave;
    cm_datum_t id;
} doubtful_t;

/* What is looked for. */
typedef struct search_t {
    const cm_overtaking_t *by;
    apr_hash_t *gone;             /* key -> cm_grave_t * */
    const char *reused;           /* the model of a created one that others had;
                                     NULL: none */
    cm_bulk_t *overtaken;         /* ids */
    apr_array_header_t *put_back; /* cm_grave_t *: other rows have their ids */
    apr_array_header_t *doubtful; /* doubtful_t */
    apr_array_header_t *updates;  /* cm_overtaken_t */
    apr_hash_t *listed;           /* key and columns of what is in UPDATES */
    apr_pool_t *result_pool;
} search_t;

const char *cm_overtaken_key(const char *model, const char *local_id,
                             apr_pool_t *pool)
{
    return apr_pstrcat(pool, model, "\x1f", local_id, NULL);
}

/* Return the keys of GRAVES: key -> cm_grave_t *. */
static apr_hash_t *keys_of(const apr_array_header_t *graves, apr_pool_t *pool)
{
    apr_hash_t *keys = apr_hash_make(pool);
    int i;

    for (i = 0; i < graves->nelts; i++) {
        const cm_grave_t *grave = &APR_ARRAY_IDX(graves, i, cm_grave_t);

        apr_hash_set(
            keys, cm_overtaken_key(grave->model->name, grave->local_id, pool),
            APR_HASH_KEY_STRING, grave);
    }
    return keys;
}

/* List UPDATE, of the record called KEY, once for the same columns. */
static void list_update(search_t *search, const char *key,
                        cm_overtaken_t update)
{
    apr_pool_t *pool = search->result_pool;
    const char *what = apr_pstrcat(pool, key, "\x1f",
                                   update.changed ? update.changed : "", NULL);

    if (apr_hash_get(search->listed, what, APR_HASH_KEY_STRING))
        return;
    apr_hash_set(search->listed, what, APR_HASH_KEY_STRING, "");
    update.local_id = apr_pstrdup(pool, update.local_id);
    update.changed = apr_pstrdup(pool, update.changed);
    APR_ARRAY_PUSH(search->updates, cm_overtaken_t) = update;
}

/* Note ROW of ROWS (id, model, local_record_id, action, changed, former) if it
 * is of a record that is looked for. A create says that the application has put
 * the row back: its record is no longer gone. An update may say so. Where a
 * message has brought another record with the key of one that is gone, an
 * update is taken for one of that.
 */
static void look_at(search_t *search, const cm_rows_t *rows, int row,
                    apr_pool_t *pool)
{
    const char *key = cm_overtaken_key(cm_cell_text(rows, row, 1),
                                       cm_cell_text(rows, row, 2), pool);
    const char *action = cm_cell_text(rows, row, 3);
    const void *record =
        apr_hash_get(search->by->written, key, APR_HASH_KEY_STRING);
    const void *model = apr_hash_get(
        search->by->referring, cm_cell_text(rows, row, 1), APR_HASH_KEY_STRING);
    const cm_grave_t *grave =
        apr_hash_get(search->gone, key, APR_HASH_KEY_STRING);

    if (grave && !strcmp(action, "create")) {
        APR_ARRAY_PUSH(search->put_back, const cm_grave_t *) = grave;
        apr_hash_set(search->gone, key, APR_HASH_KEY_STRING, NULL);
    }
    else if (grave && strcmp(action, "update")) {
        cm_bulk_add(search->overtaken, *cm_cell(rows, row, 0));
    }
    else if (grave && !record) {
        APR_ARRAY_PUSH(search->doubtful, doubtful_t) =
            (doubtful_t){grave, *cm_cell(rows, row, 0)};
    }
    else if (strcmp(action, "update")) {
        if (!search->reused)
            search->reused =
                apr_hash_get(search->by->created, key, APR_HASH_KEY_STRING);
    }
    else if (record || (model && !cm_cell_text(rows, row, 5))) {
        cm_bulk_add(search->overtaken, *cm_cell(rows, row, 0));
        list_update(search, key,
                    (cm_overtaken_t){record, model, cm_cell_text(rows, row, 2),
                                     cm_cell_text(rows, row, 4)});
    }
}

/* Read the next captured rows without a number, above the id AFTER. */
static cm_error_t *read_page(cm_rows_t **rows, cm_node_t *node,
                             apr_int64_t after, apr_pool_t *pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);

    return cm_statement_select(
        rows, node->store,
        apr_psprintf(
            pool,
            "SELECT id, model, local_record_id, action, changed_columns,"
            " former_record_id FROM %s"
            " WHERE %s AND id > %" APR_INT64_T_FMT
            " AND local_record_id IS NOT NULL"
            " AND action IS NOT NULL AND source IS NULL%s LIMIT %d",
            dialect->unstamped, cm_unstamped_where(node, 0, pool), after,
            dialect->in_order, PAGE),
        NULL, 0, pool);
}

static cm_error_t *find(search_t *search, cm_node_t *node, apr_pool_t *pool)
{
    apr_int64_t after = 0;
    cm_rows_t *rows;
    int i;

    do {
        CM_TRY(read_page(&rows, node, after, pool));
        for (i = 0; i < rows->count; i++)
            look_at(search, rows, i, pool);
        if (rows->count)
            after = cm_cell_number(rows, rows->count - 1, 0);
    } while (rows->count == PAGE);
    return NULL;
}

/* Set *HERE to the keys of the doubtful ones that are here: key -> "". */
static cm_error_t *find_rows(apr_hash_t **here, const search_t *search,
                             cm_node_t *node, apr_pool_t *pool)
{
    apr_hash_t *models = apr_hash_make(pool); /* model -> ids */
    apr_hash_index_t *at;
    int i;

    *here = apr_hash_make(pool);
    for (i = 0; i < search->doubtful->nelts; i++) {
        const cm_grave_t *grave =
            APR_ARRAY_IDX(search->doubtful, i, doubtful_t).grave;
        cm_id_set_t *ids =
            apr_hash_get(models, &grave->model, sizeof(grave->model));

        if (!ids) {
            ids = cm_id_set_create(4, pool);
            apr_hash_set(models, &grave->model, sizeof(grave->model), ids);
        }
        cm_id_set_add(ids, grave->local_id);
    }
    for (at = apr_hash_first(pool, models); at; at = apr_hash_next(at)) {
        const cm_model_t *model = *(cm_model_t *const *)apr_hash_this_key(at);
        const cm_id_set_t *ids = apr_hash_this_val(at);
        apr_array_header_t *found;

        CM_TRY(cm_missing_here(&found, node, model, ids->ids, pool));
        for (i = 0; i < found->nelts; i++)
            apr_hash_set(*here,
                         cm_overtaken_key(model->name,
                                          APR_ARRAY_IDX(found, i, const char *),
                                          pool),
                         APR_HASH_KEY_STRING, "");
    }
    return NULL;
}

/* A doubtful row is of one that was put back if that is here. */
static cm_error_t *settle_doubtful(search_t *search, cm_node_t *node,
                                   apr_pool_t *pool)
{
    apr_hash_t *here;
    int i;

    if (!search->doubtful->nelts)
        return NULL;
    CM_TRY(find_rows(&here, search, node, pool));
    for (i = 0; i < search->doubtful->nelts; i++) {
        const doubtful_t *row = &APR_ARRAY_IDX(search->doubtful, i, doubtful_t);
        const char *key = cm_overtaken_key(row->grave->model->name,
                                           row->grave->local_id, pool);

        if (apr_hash_get(search->gone, key, APR_HASH_KEY_STRING) &&
            apr_hash_get(here, key, APR_HASH_KEY_STRING))
            APR_ARRAY_PUSH(search->put_back, const cm_grave_t *) = row->grave;
        else
            cm_bulk_add(search->overtaken, row->id);
    }
    return NULL;
}

/* What refers to a row that was put back did not change, but refers to another
 * record now: let it be sent again. */
static cm_error_t *note_put_back(const search_t *search, cm_node_t *node,
                                 apr_pool_t *pool)
{
    int i;

    for (i = 0; i < search->put_back->nelts; i++) {
        const cm_grave_t *grave =
            APR_ARRAY_IDX(search->put_back, i, cm_grave_t *);
        apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(char *));

        APR_ARRAY_PUSH(ids, const char *) = grave->local_id;
        CM_TRY(cm_missing_note(node, grave->model, ids, pool));
    }
    return NULL;
}

cm_error_t *cm_overtaken_delete(apr_array_header_t **updates, cm_node_t *node,
                                const cm_overtaking_t *by,
                                apr_pool_t *result_pool,
                                apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"id", "bigint"}};
    search_t search = {
        .by = by,
        .gone = keys_of(by->graves, scratch_pool),
        .overtaken =
            cm_bulk_create("outbound_messages", columns, 1, 1, scratch_pool),
        .put_back = apr_array_make(scratch_pool, 0, sizeof(cm_grave_t *)),
        .doubtful = apr_array_make(scratch_pool, 0, sizeof(doubtful_t)),
        .updates = apr_array_make(result_pool, 0, sizeof(cm_overtaken_t)),
        .listed = apr_hash_make(result_pool),
        .result_pool = result_pool};
    apr_int64_t deleted;

    *updates = search.updates;
    CM_TRY_FOR(find(&search, node, scratch_pool), scratch_pool,
               "cannot read what was captured while messages were applied");
    if (search.reused)
        return CM_FAIL(scratch_pool, CM_BUSY,
                       "the application inserted and deleted a record of model "
                       "'%s' while a message brought one with the same key",
                       search.reused);
    CM_TRY(settle_doubtful(&search, node, scratch_pool));
    CM_TRY(note_put_back(&search, node, scratch_pool));
    if (!cm_bulk_rows(search.overtaken))
        return NULL;
    CM_TRY_FOR(
        cm_bulk_delete(&deleted, node->store, search.overtaken, scratch_pool),
        scratch_pool,
        "cannot delete what was captured while messages were applied");
    return NULL;
}

cm_error_t *cm_overtaken_is_deleted(apr_int64_t *clock, cm_node_t *node,
                                    const cm_model_t *model,
                                    const char *local_id,
                                    apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(model->name),
                                    cm_datum_text(local_id)};
    const cm_dialect_t *dialect = cm_dialect_of_store(node->store);
    cm_rows_t *rows;

    *clock = 0;
    CM_TRY_FOR(cm_statement_select(
                   &rows, node->store,
                   apr_pstrcat(scratch_pool, "SELECT action, clock FROM ",
                               dialect->unstamped, " WHERE ",
                               cm_unstamped_where(node, 0, scratch_pool),
                               " AND source IS NULL AND action IS NOT NULL"
                               " AND model = %s AND local_record_id = %s"
                               " ORDER BY id DESC LIMIT 1",
                               NULL),
                   arguments, 2, scratch_pool),
               scratch_pool, "cannot read what was captured of %s '%s'",
               model->name, local_id);
    if (rows->count && !strcmp(cm_cell_text(rows, 0, 0), "delete"))
        *clock = cm_cell_number(rows, 0, 1);
    return NULL;
}
