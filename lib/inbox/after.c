/* CommunicatorAfterApply: see after.h. */
#include "inbox/after.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"
#include "node/problem.h"

/* Notes that are read at once; the others are read the next time. */
#define MOST_NOTES 1000

#define KIND "after"

/* Return whether a message of APPLY about a model of ACTION took effect. */
static int concerns(const cm_action_t *action, const cm_apply_t *apply)
{
    int i, j;

    for (i = 0; i < apply->items->nelts; i++) {
        const cm_item_t *item = APR_ARRAY_IDX(apply->items, i, cm_item_t *);

        if (!item->applied || !item->message->model)
            continue;
        for (j = 0; j < action->names->nelts; j++)
            if (!strcmp(item->message->model,
                        APR_ARRAY_IDX(action->names, j, const char *)))
                return 1;
    }
    return 0;
}

static const cm_action_t *action_of(const cm_node_t *node, int i)
{
    return APR_ARRAY_IDX(node->settings->actions, i, const cm_action_t *);
}

/* Return whether an action before number I has the same models: one note is for
 * both. */
static int is_repeated(const cm_node_t *node, int i)
{
    int j;

    for (j = 0; j < i; j++)
        if (!strcmp(action_of(node, j)->models, action_of(node, i)->models))
            return 1;
    return 0;
}

cm_error_t *cm_after_note(const cm_apply_t *apply, apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"models", NULL}};
    cm_node_t *node = apply->node;
    apr_int64_t inserted;
    cm_bulk_t *bulk;
    int i;

    if (!node->settings->actions->nelts)
        return NULL;
    bulk = cm_bulk_create("communicator_after", columns, 1, 0, scratch_pool);
    for (i = 0; i < node->settings->actions->nelts; i++)
        if (!is_repeated(node, i) && concerns(action_of(node, i), apply))
            cm_bulk_row(bulk, "t", action_of(node, i)->models);
    return cm_bulk_rows(bulk) ? cm_bulk_insert(&inserted, node->store, bulk,
                                               CM_PRESENT_FAIL, scratch_pool)
                              : NULL;
}

/* Remove the notes IDS ("1,2,3"); *REMOVED counts them. */
static cm_error_t *forget(apr_int64_t *removed, cm_node_t *node,
                          const char *ids, apr_pool_t *pool)
{
    return cm_statement_run(
        removed, node->store,
        apr_pstrcat(pool, "DELETE FROM communicator_after WHERE id IN (", ids,
                    ")", NULL),
        NULL, 0, pool);
}

/* Run the statements for MODELS, unless somebody else has done so: then the
 * notes IDS are gone. They are removed first, so that two do not work at once.
 */
static cm_error_t *act(int *done, cm_node_t *node, const char *models,
                       const char *ids, apr_pool_t *pool)
{
    apr_int64_t removed;
    int i;

    CM_TRY(forget(&removed, node, ids, pool));
    for (i = 0; removed && i < node->settings->actions->nelts; i++) {
        const cm_action_t *action = action_of(node, i);

        if (strcmp(action->models, models))
            continue;
        CM_TRY(cm_statement_execute(node->store, action->sql, pool));
        ++*done;
    }
    return NULL;
}

/* Do what the notes IDS about MODELS ask for. */
static cm_error_t *do_one(int *done, cm_node_t *node, const char *models,
                          const char *ids, apr_pool_t *pool)
{
    int acted = 0;

    CM_TRY(cm_transaction_begin(node->store, pool));
    CM_TRY(cm_transaction_end(node->store, act(&acted, node, models, ids, pool),
                              pool));
    *done += acted;
    return NULL;
}

/* It has failed: one note is enough from now on, so they do not become many. */
static cm_error_t *keep_one(cm_node_t *node, const char *ids, apr_pool_t *pool)
{
    const char *others = strchr(ids, ',');
    apr_int64_t removed;

    if (!others)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, pool));
    return cm_transaction_end(node->store,
                              forget(&removed, node, others + 1, pool), pool);
}

static cm_error_t *note_failure(apr_array_header_t *failures, cm_node_t *node,
                                const char *models, const char *ids,
                                const cm_error_t *err, apr_pool_t *pool)
{
    const cm_error_t *failure =
        cm_error_make(pool, err->code, err, __FILE__, __LINE__,
                      "CommunicatorAfterApply %s failed", models);
    const cm_problem_t problem = {
        .severity = CM_SEVERITY_WARNING,
        .peer = node->settings->name,
        .kind = KIND,
        .text = cm_error_text(failure, pool),
        .hint = "correct the statement, or what it needs; it is run again by "
                "the next run"};

    APR_ARRAY_PUSH(failures, const cm_error_t *) = failure;
    CM_TRY(keep_one(node, ids, pool));
    return cm_problem_keep(node, &problem, pool);
}

/* Collect the notes by their models: *IDS: models -> "1,2,3". */
static cm_error_t *read_notes(apr_hash_t **ids, cm_node_t *node,
                              apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    *ids = apr_hash_make(pool);
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT id, models FROM communicator_after ORDER BY id"
                     " LIMIT %d",
                     MOST_NOTES),
        NULL, 0, pool));
    for (i = 0; i < rows->count; i++) {
        const char *id = cm_cell_text(rows, i, 0);
        const char *models = cm_cell_text(rows, i, 1);
        const char *others = apr_hash_get(*ids, models, APR_HASH_KEY_STRING);

        apr_hash_set(*ids, models, APR_HASH_KEY_STRING,
                     others ? apr_pstrcat(pool, others, ",", id, NULL) : id);
    }
    return NULL;
}

cm_error_t *cm_after_run(int *done, apr_array_header_t **failures,
                         cm_node_t *node, apr_pool_t *result_pool)
{
    apr_hash_index_t *index;
    apr_hash_t *notes;

    *done = 0;
    *failures = apr_array_make(result_pool, 0, sizeof(const cm_error_t *));
    CM_TRY_FOR(read_notes(&notes, node, result_pool), result_pool,
               "cannot read what is to be done after applying");
    for (index = apr_hash_first(result_pool, notes); index;
         index = apr_hash_next(index)) {
        const char *models = apr_hash_this_key(index);
        const char *ids = apr_hash_this_val(index);
        cm_error_t *err = do_one(done, node, models, ids, result_pool);

        if (err)
            CM_TRY(
                note_failure(*failures, node, models, ids, err, result_pool));
    }
    return apr_hash_count(notes) && !(*failures)->nelts
               ? cm_problem_end(node, node->settings->name, KIND, result_pool)
               : NULL;
}
