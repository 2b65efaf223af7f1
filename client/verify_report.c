/* What verify found: see verify_report.h. */
#include "verify_report.h"

#include <apr_strings.h>
#include <json.h>
#include "base/error.h"
#include "verify/compare.h"
#include "verify/verify.h"

/* Records that are named, one line each; --verbose and --json name all. */
#define SHOWN 20

static const char *const kinds[] = {"open",          "equal",   "under way",
                                    "parked",        "differs", "missing here",
                                    "missing there", "kept"};

static int is_found(const cm_difference_t *difference)
{
    return difference->kind >= CM_RECORD_DIFFERS &&
           difference->kind <= CM_RECORD_MISSING_THERE;
}

static int count_found(const cm_verify_report_t *report)
{
    return report->counts[CM_RECORD_DIFFERS] +
           report->counts[CM_RECORD_MISSING_HERE] +
           report->counts[CM_RECORD_MISSING_THERE];
}

static const char *name_of(const cm_difference_t *difference, apr_pool_t *pool)
{
    return sync_output_clean(apr_pstrcat(pool, difference->identity.origin, "/",
                                         difference->identity.original_id,
                                         NULL),
                             pool);
}

/* Return the names of the columns that differ; with VALUES what they hold. */
static const char *columns_of(const cm_difference_t *difference, int values,
                              apr_pool_t *pool)
{
    const apr_array_header_t *columns = difference->columns;
    const char *text = "";
    int i;

    if (difference->deleted)
        return " (deleted there)";
    for (i = 0; columns && i < columns->nelts; i++) {
        cm_verify_cell_t cell = APR_ARRAY_IDX(columns, i, cm_verify_cell_t);

        text = apr_pstrcat(pool, text, i ? ", " : ": ", cell.column, NULL);
        if (values)
            text = apr_psprintf(pool, "%s (here %s, there %s)", text,
                                cell.here ? cell.here : "NULL",
                                cell.there ? cell.there : "NULL");
    }
    return sync_output_clean(text, pool);
}

static void show_differences(const sync_client_t *client,
                             const cm_verify_report_t *report, apr_pool_t *pool)
{
    int i, shown = 0, total = count_found(report);
    int most = client->output->verbose ? total : SHOWN;

    for (i = 0; i < report->differences->nelts && shown < most; i++) {
        const cm_difference_t *difference =
            &APR_ARRAY_IDX(report->differences, i, cm_difference_t);

        if (!is_found(difference))
            continue;
        shown++;
        sync_output_line(client->output, "  %-13s  %s%s",
                         kinds[difference->kind], name_of(difference, pool),
                         columns_of(difference, client->output->verbose, pool));
    }
    if (shown < total)
        sync_output_line(client->output, "  and %d more (--verbose)",
                         total - shown);
}

static void show_unpublished(const sync_client_t *client, const char *peer,
                             const cm_verify_report_t *report, apr_pool_t *pool)
{
    if (report->unpublished_here)
        sync_output_line(client->output,
                         "  %s records here were never sent to '%s': "
                         "communicator-sync publish %s --all",
                         sync_output_number(report->unpublished_here, pool),
                         peer, report->model);
    if (report->unpublished_there)
        sync_output_line(client->output,
                         "  %s records of '%s' were never sent: at that host, "
                         "communicator-sync publish %s --all",
                         sync_output_number(report->unpublished_there, pool),
                         peer, report->model);
}

/* Rows that no comparison of records shows. */
static void show_rows(const sync_client_t *client, const char *peer,
                      const cm_verify_report_t *report, apr_pool_t *pool)
{
    const cm_verify_shape_t *here = report->here, *there = report->there;
    const char *own = client->settings->name;

    if (report->extra)
        sync_output_line(
            client->output,
            "  the tables have %s rows here and %s there: '%s' has "
            "%s rows more than its records tell (some twice?)",
            sync_output_number(here->rows, pool),
            sync_output_number(there->rows, pool),
            report->extra > 0 ? own : peer,
            sync_output_number(
                report->extra > 0 ? report->extra : -report->extra, pool));
    if (here->filtered)
        sync_output_line(
            client->output,
            "  row level security of '%s' hides rows from this user "
            "(%s that have been sent): give the user of DBDParams "
            "BYPASSRLS, or a policy for all rows",
            own, sync_output_number(here->hidden, pool));
    if (there->filtered)
        sync_output_line(
            client->output,
            "  row level security of '%s' hides rows from its user "
            "(%s that have been sent): give the user of DBDParams "
            "there BYPASSRLS, or a policy for all rows",
            peer, sync_output_number(there->hidden, pool));
}

static void show_notes(const sync_client_t *client,
                       const cm_verify_report_t *report, apr_pool_t *pool)
{
    if (report->counts[CM_RECORD_UNDER_WAY])
        sync_output_line(client->output,
                         "  %d records are under way: run communicator-sync, "
                         "then verify again",
                         report->counts[CM_RECORD_UNDER_WAY]);
    if (report->counts[CM_RECORD_PARKED])
        sync_output_line(client->output,
                         "  %d records differ by a parked message: "
                         "communicator-sync parked, on both sides",
                         report->counts[CM_RECORD_PARKED]);
    if (report->counts[CM_RECORD_KEPT])
        sync_output_line(client->output,
                         "  %d records are deleted on one side only "
                         "(deletes=no)",
                         report->counts[CM_RECORD_KEPT]);
    if (report->too_many)
        sync_output_line(client->output,
                         "  more than %d records differ, the rest was not "
                         "compared: publish %s --all on both sides",
                         CM_VERIFY_MOST, report->model);
    if (report->left_out->nelts && client->output->verbose)
        sync_output_line(client->output, "  not compared: %s",
                         apr_array_pstrcat(pool, report->left_out, ','));
    if (report->repairs_here || report->repairs_there)
        sync_output_line(client->output,
                         "  published again: %d here, %d there; the next run "
                         "brings them over",
                         report->repairs_here, report->repairs_there);
    if (report->undecided)
        sync_output_line(client->output,
                         "  %d are on one side only, and were not published",
                         report->undecided);
    if (report->left)
        sync_output_line(client->output,
                         "  %d are only on the side that is not right: delete "
                         "them there, or repair --from that side",
                         report->left);
    if (report->unrepaired)
        sync_output_line(client->output,
                         "  %d cannot be repaired: the side that has them does "
                         "not publish the model",
                         report->unrepaired);
}

static void show_text(const sync_client_t *client, const char *peer,
                      const cm_verify_report_t *report, apr_pool_t *pool)
{
    int found = count_found(report);

    if (report->skipped) {
        sync_output_line(client->output, "%s: %s: not compared, %s", peer,
                         report->model, report->skipped);
        return;
    }
    sync_output_line(client->output,
                     found ? "%s: %s: %s records, %d differ"
                           : "%s: %s: %s records, none differs",
                     peer, report->model,
                     sync_output_number(report->records, pool), found);
    show_differences(client, report, pool);
    show_unpublished(client, peer, report, pool);
    show_rows(client, peer, report, pool);
    show_notes(client, report, pool);
}

static json_object *difference_json(const cm_difference_t *difference)
{
    json_object *json = json_object_new_object();
    json_object *columns = json_object_new_array();
    int i;

    sync_output_add_text(json, "kind", kinds[difference->kind]);
    sync_output_add_text(json, "origin", difference->identity.origin);
    sync_output_add_text(json, "original_id", difference->identity.original_id);
    for (i = 0; difference->columns && i < difference->columns->nelts; i++) {
        cm_verify_cell_t cell =
            APR_ARRAY_IDX(difference->columns, i, cm_verify_cell_t);
        json_object *one = json_object_new_object();

        sync_output_add_text(one, "column", cell.column);
        sync_output_add_text(one, "here", cell.here);
        sync_output_add_text(one, "there", cell.there);
        json_object_array_add(columns, one);
    }
    json_object_object_add(json, "columns", columns);
    return json;
}

static void show_json(const sync_client_t *client, const char *peer,
                      const cm_verify_report_t *report)
{
    json_object *json = json_object_new_object();
    json_object *list = json_object_new_array();
    int i;

    sync_output_add_text(json, "peer", peer);
    sync_output_add_text(json, "model", report->model);
    sync_output_add_text(json, "skipped", report->skipped);
    sync_output_add_number(json, "records", report->records);
    sync_output_add_number(json, "differ", count_found(report));
    sync_output_add_number(json, "under_way",
                           report->counts[CM_RECORD_UNDER_WAY]);
    sync_output_add_number(json, "parked", report->counts[CM_RECORD_PARKED]);
    sync_output_add_number(json, "kept", report->counts[CM_RECORD_KEPT]);
    sync_output_add_number(json, "unpublished_here", report->unpublished_here);
    sync_output_add_number(json, "unpublished_there",
                           report->unpublished_there);
    sync_output_add_number(json, "published_here", report->repairs_here);
    sync_output_add_number(json, "published_there", report->repairs_there);
    sync_output_add_number(json, "rows_here", report->here->rows);
    sync_output_add_number(json, "rows_there", report->there->rows);
    sync_output_add_number(json, "extra_rows", report->extra);
    sync_output_add_number(json, "hidden_here", report->here->hidden);
    sync_output_add_number(json, "hidden_there", report->there->hidden);
    sync_output_add_truth(json, "filtered_here", report->here->filtered);
    sync_output_add_truth(json, "filtered_there", report->there->filtered);
    sync_output_add_number(json, "undecided", report->undecided);
    sync_output_add_number(json, "left", report->left);
    sync_output_add_truth(json, "complete", !report->too_many);
    for (i = 0; i < report->differences->nelts; i++) {
        const cm_difference_t *difference =
            &APR_ARRAY_IDX(report->differences, i, cm_difference_t);

        if (is_found(difference))
            json_object_array_add(list, difference_json(difference));
    }
    json_object_object_add(json, "differences", list);
    sync_output_json(client->output, json);
}

/* What is left to be done after this: 65, a person must look; 75, it will be
 * there after the next run. */
static int status_of(const sync_client_t *client,
                     const cm_verify_report_t *report)
{
    int repaired = client->options->repair && !report->unrepaired &&
                   !report->undecided && !report->left;

    if (report->skipped)
        return 0;
    if (report->too_many || report->extra || report->here->hidden ||
        report->there->hidden || report->unpublished_here ||
        report->unpublished_there || report->counts[CM_RECORD_PARKED] ||
        (count_found(report) && !repaired))
        return cm_error_code_exit_status(CM_REJECTED);
    if (count_found(report) || report->counts[CM_RECORD_UNDER_WAY])
        return cm_error_code_exit_status(CM_WAITS);
    return 0;
}

void sync_verify_report_show(int *status, const sync_client_t *client,
                             const char *peer, const cm_verify_report_t *report,
                             apr_pool_t *pool)
{
    int own = status_of(client, report);

    if (client->output->json)
        show_json(client, peer, report);
    else
        show_text(client, peer, report, pool);
    if (own && (!*status || *status == cm_error_code_exit_status(CM_WAITS)))
        *status = own;
}
