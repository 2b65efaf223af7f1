/* Our section in mod_status' page. It shows what the watchdog saw last and does
 * not use the database, so that the page appears even when the database hangs.
 */
#include <http_main.h>
#include <http_protocol.h>
#include <mod_status.h>

#include <apr_strings.h>

#include "mod_communicator.h"
#include "operate/health.h"

#define FMT "%" APR_INT64_T_FMT

static apr_int64_t seconds_since(apr_int64_t moment)
{
    return apr_time_sec(apr_time_now() - moment);
}

/* One number per line, and each name only once: programs that read ?auto
 * expect that. */
static void print_short(request_rec *r, const mod_sample_t *all)
{
    ap_rprintf(r, "CommunicatorState: %d\n", all->severity);
    ap_rprintf(r, "CommunicatorPending: " FMT "\n", all->sums.pending);
    ap_rprintf(r, "CommunicatorOldestPending: " FMT "\n", all->sums.oldest);
    ap_rprintf(r, "CommunicatorParked: " FMT "\n", all->sums.parked);
    ap_rprintf(r, "CommunicatorLastContact: " FMT "\n", all->sums.age);
    ap_rprintf(r, "CommunicatorSampleAge: " FMT "\n",
               seconds_since(all->taken_at));
}

/* Add ONE to ALL: the worst state, the oldest times, the sum of messages. */
static void add(mod_sample_t *all, const mod_sample_t *one)
{
    cm_health_sums_t *sums = &all->sums;

    if (!all->taken_at) {
        *all = *one;
        return;
    }
    if (cm_health_severity_is_worse(one->severity, all->severity))
        all->severity = one->severity;
    if (sums->oldest < one->sums.oldest)
        sums->oldest = one->sums.oldest;
    if (one->sums.age < 0 || (sums->age >= 0 && sums->age < one->sums.age))
        sums->age = one->sums.age;
    if (all->taken_at > one->taken_at)
        all->taken_at = one->taken_at;
    sums->pending += one->sums.pending;
    sums->parked += one->sums.parked;
}

static const char *span(apr_int64_t seconds, apr_pool_t *pool)
{
    return cm_health_judge_span(apr_time_from_sec(seconds), pool);
}

static void print_row(request_rec *r, const char *name, const mod_sample_t *one)
{
    const char *contact = "never";

    if (one->sums.age >= 0)
        contact =
            apr_pstrcat(r->pool, span(one->sums.age, r->pool), " ago", NULL);
    ap_rprintf(r,
               "<tr><td>%s</td><td>%s</td><td>" FMT "</td><td>%s</td><td>" FMT
               "</td><td>%s</td><td>%s ago</td></tr>\n",
               ap_escape_html(r->pool, name),
               cm_health_severity_name(one->severity), one->sums.pending,
               one->sums.pending ? span(one->sums.oldest, r->pool) : "-",
               one->sums.parked, contact,
               span(seconds_since(one->taken_at), r->pool));
}

int mod_status_hook(request_rec *r, int flags)
{
    mod_sample_t all = {0};
    server_rec *each;

    for (each = ap_server_conf; each; each = each->next) {
        const mod_server_t *config = mod_server_own(ap_server_conf, each);

        if (!config || !config->sample || !config->sample->taken_at)
            continue;
        if (!(flags & AP_STATUS_SHORT) && !all.taken_at)
            ap_rputs("<hr />\n<h2>Communicator</h2>\n<table border=\"0\">\n"
                     "<tr><th>Node</th><th>State</th><th>Pending</th>"
                     "<th>Oldest</th><th>Parked</th><th>Last contact</th>"
                     "<th>Seen</th></tr>\n",
                     r);
        add(&all, config->sample);
        if (!(flags & AP_STATUS_SHORT))
            print_row(r, config->settings->name, config->sample);
    }
    if (!all.taken_at)
        return OK;
    if (flags & AP_STATUS_SHORT)
        print_short(r, &all);
    else
        ap_rputs("</table>\n", r);
    return OK;
}
