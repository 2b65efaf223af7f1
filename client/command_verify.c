/* verify: do both sides hold the same records? */
#include "command.h"

#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "base/number.h"
#include "operate/health.h"
#include "exchange/session.h"
#include "connect.h"
#include "listing.h"

/* So many records that differ are listed; --verbose and --json list all. */
#define SHOWN 20

static const char *const kinds[] = {[CM_RECORD_OPEN] = "open",
                                    [CM_RECORD_EQUAL] = "equal",
                                    [CM_RECORD_UNDER_WAY] = "under way",
                                    [CM_RECORD_PARKED] = "parked",
                                    [CM_RECORD_DIFFERS] = "differs",
                                    [CM_RECORD_MISSING_HERE] = "missing here",
                                    [CM_RECORD_MISSING_THERE] = "missing there",
                                    [CM_RECORD_KEPT] = "kept",
                                    [CM_RECORD_OUTSIDE] = "outside"};

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
    return text;
}

static void show_differences(const sync_client_t *client,
                             const cm_verify_report_t *report)
{
    const sync_output_t *output = client->output;
    int i, shown = 0, total = count_found(report);
    int most = output->verbose ? total : SHOWN;

    for (i = 0; i < report->differences->nelts && shown < most; i++) {
        const cm_difference_t *difference =
            &APR_ARRAY_IDX(report->differences, i, cm_difference_t);

        if (!is_found(difference))
            continue;
        shown++;
        sync_output_line(
            output, "  %-13s  %s%s", kinds[difference->kind],
            sync_output_record(&difference->identity, client->pool),
            columns_of(difference, output->verbose, client->pool));
    }
    if (shown < total)
        sync_output_line(output, "  and %d more (--verbose)", total - shown);
}

static void show_unpublished(const sync_client_t *client, const char *peer,
                             const cm_verify_report_t *report)
{
    if (report->unpublished_here)
        sync_output_line(
            client->output,
            "  %s records here were never sent to '%s': "
            "communicator-sync publish %s --all --missing",
            cm_number_grouped(report->unpublished_here, client->pool), peer,
            report->model);
    if (report->unpublished_there)
        sync_output_line(
            client->output,
            "  %s records of '%s' were never sent: at that host, "
            "communicator-sync publish %s --all --missing",
            cm_number_grouped(report->unpublished_there, client->pool), peer,
            report->model);
}

/* Report that row level security hides rows of the side NAME. THERE: "" for
 * this one. */
static void show_filtered(const sync_client_t *client, const char *name,
                          const cm_verify_shape_t *side, const char *there)
{
    if (side->filtered)
        sync_output_line(
            client->output,
            "  row level security of '%s' hides rows from %s user (%s that "
            "have been sent): give the user of DBDParams %sBYPASSRLS, or a "
            "policy for all rows",
            name, *there ? "its" : "this",
            cm_number_grouped(side->hidden, client->pool), there);
}

/* Report rows that the comparison of records does not show. */
static void show_rows(const sync_client_t *client, const char *peer,
                      const cm_verify_report_t *report)
{
    const cm_verify_shape_t *here = report->here, *there = report->there;
    const char *own = client->settings->name;
    apr_int64_t extra = report->extra;
    apr_pool_t *pool = client->pool;

    if (extra)
        sync_output_line(client->output,
                         "  the tables have %s rows here and %s there: '%s' "
                         "has %s rows more than its records explain (some "
                         "twice?)",
                         cm_number_grouped(here->rows, pool),
                         cm_number_grouped(there->rows, pool),
                         extra > 0 ? own : peer,
                         cm_number_grouped(extra > 0 ? extra : -extra, pool));
    show_filtered(client, own, here, "");
    show_filtered(client, peer, there, "there ");
}

static void show_notes(const sync_client_t *client,
                       const cm_verify_report_t *report)
{
    const struct {
        int count;
        const char *text;
    } notes[] = {
        {report->counts[CM_RECORD_UNDER_WAY],
         "records are under way: run communicator-sync, then verify again"},
        {report->counts[CM_RECORD_PARKED],
         "records differ because of a parked message: communicator-sync "
         "parked, on both sides"},
        {report->counts[CM_RECORD_KEPT],
         "records are deleted on one side only (deletes=no)"},
        {report->counts[CM_RECORD_OUTSIDE],
         "records differ because where= keeps their changes on one side"},
        {report->undecided, "are on one side only, and were not published"},
        {report->left, "are only on the side that is not right: delete them "
                       "there, or repair --from that side"},
        {report->unrepaired, "cannot be repaired: the side that has them does "
                             "not publish the model"}};
    const sync_output_t *output = client->output;
    size_t i;

    if (report->too_many)
        sync_output_line(output,
                         "  more than %d records differ, the rest was not "
                         "compared: publish %s --all on both sides",
                         CM_VERIFY_MOST, report->model);
    if (report->left_out->nelts && output->verbose)
        sync_output_line(
            output, "  not compared: %s",
            apr_array_pstrcat(client->pool, report->left_out, ','));
    if (report->repairs_here || report->repairs_there)
        sync_output_line(output,
                         "  published again: %d here, %d there; the next run "
                         "sends them",
                         report->repairs_here, report->repairs_there);
    for (i = 0; i < sizeof(notes) / sizeof(*notes); i++)
        if (notes[i].count)
            sync_output_line(output, "  %d %s", notes[i].count, notes[i].text);
}

static void show_text(const sync_client_t *client, const char *peer,
                      const cm_verify_report_t *report)
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
                     cm_number_grouped(report->records, client->pool), found);
    show_differences(client, report);
    show_unpublished(client, peer, report);
    show_rows(client, peer, report);
    show_notes(client, report);
}

static const sync_column_t cell_columns[] = {
    {SYNC_COLUMN(NULL, "column", TEXT, cm_verify_cell_t, column)},
    {SYNC_COLUMN(NULL, "here", TEXT, cm_verify_cell_t, here)},
    {SYNC_COLUMN(NULL, "there", TEXT, cm_verify_cell_t, there)},
    SYNC_COLUMN_END};

static json_object *difference_json(const cm_difference_t *difference,
                                    apr_pool_t *pool)
{
    json_object *json = json_object_new_object();
    json_object *cells = json_object_new_array();

    sync_output_add_text(json, "kind", kinds[difference->kind]);
    sync_output_add_text(json, "origin", difference->identity.origin);
    sync_output_add_text(json, "original_id", difference->identity.original_id);
    if (difference->columns)
        sync_listing_json(cells, cell_columns, difference->columns, pool);
    json_object_object_add(json, "columns", cells);
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
    sync_output_add_number(json, "outside", report->counts[CM_RECORD_OUTSIDE]);
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
            json_object_array_add(list,
                                  difference_json(difference, client->pool));
    }
    json_object_object_add(json, "differences", list);
    sync_output_json(client->output, json);
}

/* Return the exit status: 65 when a person has to act, 75 when the next run
 * will mend it. */
static int status_of(const sync_client_t *client,
                     const cm_verify_report_t *report)
{
    int repaired = client->options->mend.repair && !report->unrepaired &&
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

/* Print REPORT about PEER; the exit status is that of the worst report. */
static void show(sync_client_t *client, const char *peer,
                 const cm_verify_report_t *report)
{
    int *status = &client->status, own = status_of(client, report);

    if (client->output->json)
        show_json(client, peer, report);
    else
        show_text(client, peer, report);
    if (own && (!*status || *status == cm_error_code_exit_status(CM_WAITS)))
        *status = own;
}

static void on_progress(void *baton, apr_int64_t done, apr_int64_t total)
{
    sync_progress_show(baton, "verify", done, total);
}

/* Give the names of the models to verify: const char *. */
static cm_error_t *find_models(const apr_array_header_t **names,
                               const sync_client_t *client)
{
    const apr_array_header_t *models = client->settings->models;
    const cm_model_t *model;
    apr_array_header_t *all;
    int i;

    *names = client->options->arguments;
    for (i = 0; i < (*names)->nelts; i++)
        CM_TRY(sync_client_model(&model, client,
                                 APR_ARRAY_IDX(*names, i, const char *)));
    if ((*names)->nelts)
        return NULL;
    all = apr_array_make(client->pool, 8, sizeof(const char *));
    for (i = 0; i < models->nelts; i++)
        APR_ARRAY_PUSH(all, const char *) =
            APR_ARRAY_IDX(models, i, cm_model_t *)->name;
    *names = all;
    return NULL;
}

static cm_error_t *open_session(cm_session_t **session,
                                const sync_client_t *client,
                                const cm_peer_settings_t *peer)
{
    CM_TRY(sync_connect(session, client, peer, client->pool));
    CM_TRY(cm_session_greet(*session, client->pool));
    if ((*session)->kind == CM_PEER_OURS)
        return NULL;
    return CM_FAIL(client->pool, CM_PROTOCOL,
                   "the peer is a gem, which cannot say what it holds");
}

/* Warn of messages that do not arrive by themselves: their records differ until
 * a person acts. */
static cm_error_t *warn_of_stuck(const sync_client_t *client, const char *peer)
{
    const apr_array_header_t *stuck;
    cm_status_t *state;
    int i;

    CM_TRY(cm_status_read(&state, client->node, peer, client->pool));
    stuck = sync_client_stuck(&APR_ARRAY_IDX(state->peers, 0, cm_status_peer_t),
                              client->pool);
    for (i = 0; i < stuck->nelts; i++) {
        const cm_problem_t *one = &APR_ARRAY_IDX(stuck, i, cm_problem_t);

        sync_output_warn(client->output, peer, "%s: %s", one->text, one->hint);
    }
    return NULL;
}

/* --from names one of the two sides. */
static cm_error_t *check_from(const sync_client_t *client, const char *peer)
{
    const char *from = client->options->mend.from,
               *own = client->settings->name;

    if (!from)
        return NULL;
    if (!client->options->mend.repair)
        return CM_FAIL(client->pool, CM_USAGE, "--from goes with --repair");
    if (!strcmp(from, own) || !strcmp(from, peer))
        return NULL;
    return CM_FAIL(client->pool, CM_USAGE,
                   "--from '%s' is neither '%s' nor '%s'", from, own, peer);
}

/* A record that only one side has may have been lost on the other one, or
 * removed there where no trigger saw it: a person has to decide. */
static cm_error_t *ask_for_side(const sync_client_t *client, const char *peer,
                                int count)
{
    const char *own = client->settings->name;

    return cm_error_hint(
        CM_FAIL(client->pool, CM_USAGE,
                "%d records are on one side only, and --repair does not know "
                "which side is right: they were not published",
                count),
        client->pool,
        "after a restore or a loss at '%s' add --from %s, at '%s' --from %s: "
        "what only that side has is sent again; after a TRUNCATE delete the "
        "records on the other side",
        peer, own, own, peer);
}

static cm_error_t *compare(cm_verify_work_t *work, const sync_client_t *client,
                           cm_session_t *session, const char *model)
{
    cm_error_t *err;

    *work = (cm_verify_work_t){.node = client->node,
                               .peer = session->settings->name,
                               .ask = cm_session_ask,
                               .baton = session,
                               .progress = on_progress,
                               .progress_baton = client->output,
                               .pool = client->pool};
    err = cm_verify_compare(work, model, client->pool);
    sync_progress_end(client->output);
    CM_TRY_FOR(err, client->pool, "cannot verify model '%s'", model);
    return NULL;
}

/* Compare all models, then those records again that differ: by then their
 * messages may have arrived. */
static cm_error_t *verify_peer(sync_client_t *client,
                               const cm_peer_settings_t *peer,
                               const apr_array_header_t *names)
{
    apr_pool_t *pool = client->pool;
    cm_verify_work_t *works =
        apr_pcalloc(pool, (names->nelts + 1) * sizeof(*works));
    cm_session_t *session;
    int i, undecided = 0;

    CM_TRY(check_from(client, peer->name));
    CM_TRY(open_session(&session, client, peer));
    for (i = 0; i < names->nelts; i++)
        CM_TRY(compare(&works[i], client, session,
                       APR_ARRAY_IDX(names, i, const char *)));
    for (i = 0; i < names->nelts; i++) {
        const cm_verify_report_t *report = works[i].report;

        CM_TRY_FOR(cm_verify_settle(&works[i], pool), pool,
                   "cannot verify model '%s'", report->model);
        if (client->options->mend.repair && !report->skipped)
            CM_TRY_FOR(cm_verify_settle_repair(
                           &works[i], client->options->mend.from, pool),
                       pool, "cannot repair model '%s'", report->model);
        show(client, peer->name, report);
        undecided += report->undecided;
    }
    CM_TRY(warn_of_stuck(client, peer->name));
    return undecided ? ask_for_side(client, peer->name, undecided) : NULL;
}

cm_error_t *sync_command_verify(sync_client_t *client)
{
    const apr_array_header_t *names;
    apr_array_header_t *peers;
    int i;

    CM_TRY(find_models(&names, client));
    CM_TRY(sync_client_peers(&peers, client, 1));
    CM_TRY(sync_client_node(client));
    for (i = 0; i < peers->nelts; i++) {
        const cm_peer_settings_t *peer =
            APR_ARRAY_IDX(peers, i, cm_peer_settings_t *);
        cm_error_t *err = verify_peer(client, peer, names);

        if (err && peers->nelts == 1)
            return err;
        if (err)
            sync_client_report(client, peer->name, err);
    }
    return NULL;
}
