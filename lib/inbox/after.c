/* What is done when messages have changed records: see after.h. */
#include "inbox/after.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"
#include "node/problem.h"

/* Notes that are read at once; the others are read the next time. */
#define MOST_NOTES 1000

#define KIND         "after"
#define KIND_COMMAND "command"

/* What begins a note for the program, before the name of the model. No list of
 * models begins so. */
#define MARK "!"

/* Return the models (name -> name) about which messages of APPLY took effect.
 */
static apr_hash_t *changed_models(const cm_apply_t *apply, apr_pool_t *pool)
{
    apr_hash_t *changed = apr_hash_make(pool);
    int i;

    for (i = 0; i < apply->items->nelts; i++) {
        const cm_item_t *item = APR_ARRAY_IDX(apply->items, i, cm_item_t *);

        if (item->applied && item->message->model)
            apr_hash_set(changed, item->message->model, APR_HASH_KEY_STRING,
                         item->message->model);
    }
    return changed;
}

/* Return whether a model of ACTION is among those that have CHANGED. */
static int concerns(const cm_action_t *action, apr_hash_t *changed)
{
    int i;

    for (i = 0; i < action->names->nelts; i++)
        if (apr_hash_get(changed, APR_ARRAY_IDX(action->names, i, const char *),
                         APR_HASH_KEY_STRING))
            return 1;
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

/* Note for the program which models have CHANGED. */
static void note_models(cm_bulk_t *bulk, const cm_settings_t *settings,
                        apr_hash_t *changed, apr_pool_t *pool)
{
    int i;

    for (i = 0; settings->client.after_command && i < settings->models->nelts;
         i++) {
        const char *name =
            APR_ARRAY_IDX(settings->models, i, cm_model_t *)->name;

        if (apr_hash_get(changed, name, APR_HASH_KEY_STRING))
            cm_bulk_row(bulk, "t", apr_pstrcat(pool, MARK, name, NULL));
    }
}

cm_error_t *cm_after_note(const cm_apply_t *apply, apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"models", NULL}};
    cm_node_t *node = apply->node;
    apr_hash_t *changed;
    apr_int64_t inserted;
    cm_bulk_t *bulk;
    int i;

    if (!node->settings->actions->nelts &&
        !node->settings->client.after_command)
        return NULL;
    changed = changed_models(apply, scratch_pool);
    bulk = cm_bulk_create("communicator_after", columns, 1, 0, scratch_pool);
    for (i = 0; i < node->settings->actions->nelts; i++)
        if (!is_repeated(node, i) && concerns(action_of(node, i), changed))
            cm_bulk_row(bulk, "t", action_of(node, i)->models);
    note_models(bulk, node->settings, changed, scratch_pool);
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

/* Remove the notes IDS ("": none) in a transaction. */
static cm_error_t *forget_now(cm_node_t *node, const char *ids,
                              apr_pool_t *pool)
{
    apr_int64_t removed;

    if (!*ids)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, pool));
    return cm_transaction_end(node->store, forget(&removed, node, ids, pool),
                              pool);
}

/* Return the IDS behind the first. When something has failed, one note about it
 * is enough, so that they do not become many. */
static const char *behind_first(const char *ids)
{
    const char *comma = strchr(ids, ',');

    return comma ? comma + 1 : "";
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
    CM_TRY(forget_now(node, behind_first(ids), pool));
    return cm_problem_keep(node, &problem, pool);
}

/* Collect the notes by their models: *IDS: models -> "1,2,3"; those FOR_COMMAND
 * or the others. */
static cm_error_t *read_notes(apr_hash_t **ids, cm_node_t *node,
                              int for_command, apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    *ids = apr_hash_make(pool);
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT id, models FROM communicator_after"
                     " WHERE substr(models, 1, 1) %s '" MARK "'"
                     " ORDER BY id LIMIT %d",
                     for_command ? "=" : "<>", MOST_NOTES),
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
    CM_TRY_FOR(read_notes(&notes, node, 0, result_pool), result_pool,
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

/* Return LIST and IDS as one list. */
static const char *joined(const char *list, const char *ids, apr_pool_t *pool)
{
    return apr_pstrcat(pool, list, *list && *ids ? "," : "", ids, NULL);
}

cm_error_t *cm_after_changed(apr_array_header_t **models,
                             cm_after_notes_t *notes, cm_node_t *node,
                             apr_pool_t *result_pool)
{
    apr_hash_index_t *index;
    apr_hash_t *ids;

    notes->first = notes->others = "";
    *models = apr_array_make(result_pool, 4, sizeof(const char *));
    CM_TRY_FOR(read_notes(&ids, node, 1, result_pool), result_pool,
               "cannot read what has changed since the last run");
    for (index = apr_hash_first(result_pool, ids); index;
         index = apr_hash_next(index)) {
        const char *name = (const char *)apr_hash_this_key(index) + 1;
        const char *numbers = apr_hash_this_val(index);

        APR_ARRAY_PUSH(*models, const char *) = name;
        notes->first =
            joined(notes->first,
                   apr_pstrmemdup(result_pool, numbers, strcspn(numbers, ",")),
                   result_pool);
        notes->others =
            joined(notes->others, behind_first(numbers), result_pool);
    }
    return NULL;
}

cm_error_t *cm_after_told(cm_node_t *node, const cm_after_notes_t *notes,
                          const cm_error_t *failed, apr_pool_t *scratch_pool)
{
    cm_problem_t problem = {.severity = CM_SEVERITY_WARNING,
                            .peer = node->settings->name,
                            .kind = KIND_COMMAND};
    const char *all = joined(notes->first, notes->others, scratch_pool);

    if (failed) {
        CM_TRY(forget_now(node, notes->others, scratch_pool));
        problem.text = cm_error_text(failed, scratch_pool);
        problem.hint = failed->hint;
        return cm_problem_keep(node, &problem, scratch_pool);
    }
    CM_TRY(forget_now(node, all, scratch_pool));
    return cm_problem_end(node, problem.peer, KIND_COMMAND, scratch_pool);
}
