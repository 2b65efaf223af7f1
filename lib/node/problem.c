/* Problems that are kept: see problem.h. */
#include "node/problem.h"

#include <apr_strings.h>

#include "base/clock.h"
#include "store/bulk.h"

#define LISTED 100

/* Update the problem if it is kept already; else *FOUND is 0. */
static cm_error_t *renew(apr_int64_t *found, cm_node_t *node,
                         const cm_problem_t *problem, apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_number(problem->severity, pool),
        cm_datum_text(problem->text),
        cm_datum_text(problem->hint),
        cm_datum_number(cm_clock_now(), pool),
        cm_datum_text(problem->peer),
        cm_datum_text(problem->kind),
    };

    return cm_statement_run(
        found, node->store,
        "UPDATE communicator_problems SET severity = %s,"
        " text = %s, remedy = %s, seen_at = %s,"
        " times = times + 1 WHERE subject = %s AND kind = %s",
        arguments, 6, pool);
}

static cm_error_t *insert(cm_node_t *node, const cm_problem_t *problem,
                          apr_pool_t *pool)
{
    static const cm_bulk_column_t columns[] = {
        {"subject", NULL},     {"kind", NULL},     {"severity", "integer"},
        {"text", NULL},        {"remedy", NULL},   {"since", "bigint"},
        {"seen_at", "bigint"}, {"times", "bigint"}};
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_problems", columns, 8, 2, pool);
    apr_int64_t now = cm_clock_now(), inserted;

    cm_bulk_row(bulk, "ttnttnnn", problem->peer, problem->kind,
                (apr_int64_t)problem->severity, problem->text, problem->hint,
                now, now, (apr_int64_t)1);
    return cm_bulk_insert(&inserted, node->store, bulk, CM_PRESENT_KEEP, pool);
}

cm_error_t *cm_problem_note(cm_node_t *node, const cm_problem_t *problem,
                            apr_pool_t *scratch_pool)
{
    apr_int64_t found;

    CM_TRY(renew(&found, node, problem, scratch_pool));
    return found ? NULL : insert(node, problem, scratch_pool);
}

cm_error_t *cm_problem_keep(cm_node_t *node, const cm_problem_t *problem,
                            apr_pool_t *scratch_pool)
{
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    CM_TRY_FOR(cm_transaction_end(node->store,
                                  cm_problem_note(node, problem, scratch_pool),
                                  scratch_pool),
               scratch_pool, "cannot note a problem of '%s'", problem->peer);
    return NULL;
}

cm_error_t *cm_problem_end(cm_node_t *node, const char *peer, const char *kind,
                           apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer), cm_datum_text(kind)};
    cm_error_t *err;

    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    err =
        cm_statement_run(NULL, node->store,
                         "DELETE FROM communicator_problems WHERE subject = %s"
                         " AND kind = %s",
                         arguments, 2, scratch_pool);
    CM_TRY_FOR(cm_transaction_end(node->store, err, scratch_pool), scratch_pool,
               "cannot end a problem of '%s'", peer);
    return NULL;
}

cm_error_t *cm_problem_list(apr_array_header_t **list, cm_node_t *node,
                            apr_pool_t *result_pool)
{
    cm_rows_t *rows;
    int i;

    CM_TRY_FOR(cm_statement_select(
                   &rows, node->store,
                   apr_psprintf(result_pool,
                                "SELECT subject, kind, severity, text, remedy,"
                                " since, seen_at"
                                " FROM communicator_problems"
                                " ORDER BY since DESC, subject, kind LIMIT %d",
                                LISTED),
                   NULL, 0, result_pool),
               result_pool, "cannot read the problems that are kept");
    *list = apr_array_make(result_pool, 4, sizeof(cm_problem_t));
    for (i = 0; i < rows->count; i++) {
        cm_problem_t *problem = apr_array_push(*list);

        problem->peer = cm_cell_text(rows, i, 0);
        problem->kind = cm_cell_text(rows, i, 1);
        problem->severity = cm_cell_number(rows, i, 2) > CM_SEVERITY_WARNING
                                ? CM_SEVERITY_CRITICAL
                                : CM_SEVERITY_WARNING;
        problem->text = cm_cell_text(rows, i, 3);
        problem->hint = cm_cell_text(rows, i, 4);
        problem->since = cm_cell_number(rows, i, 5);
        problem->seen_at = cm_cell_number(rows, i, 6);
    }
    return NULL;
}
