/* The status page as HTML: nothing but headings, lists and tables, so that it
 * reads well without its style sheet, too. All text from elsewhere is
 * escaped; there is no script. */
#include <string.h>

#include <apr_strings.h>

#include "html.h"
#include "base/buffer.h"
#include "node/peer.h"
#include "outbox/withheld.h"
#include "inbox/inbox.h"
#include "operate/health.h"
#include "operate/parked.h"
#include "operate/status.h"

#define FMT "%" APR_INT64_T_FMT

/* So many rows of a list are shown, the others on a click: the whole page fits
 * a screen. */
#define SHOWN 4

/* One column on a phone, tables on a desktop, the system's own font, light or
 * dark as the browser prefers. */
static const char style[] =
    ":root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1b2026;"
    "--soft:#59636f;--line:#e1e5ea;--link:#0b5cad;--code:#eef1f4;"
    "--ok:#1b7a48;--warning:#8f5200;--critical:#b4211d;"
    "--ok-mark:#1b8a50;--warning-mark:#c27400;--critical-mark:#c92a25}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#12151a;--card:#1b2027;"
    "--text:#e4e8ed;--soft:#9ba6b3;--line:#2f3741;--link:#7ab7f5;"
    "--code:#272e37;--ok:#1d7a49;--warning:#965800;--critical:#b92a25;"
    "--ok-mark:#35b374;--warning-mark:#dd9a2b;--critical-mark:#f0645e}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--text);"
    "font:15px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',"
    "sans-serif;font-variant-numeric:tabular-nums}\n"
    "header,main,footer{max-width:76rem;margin:0 auto;padding:0 1rem}\n"
    ".banner{color:#fff;padding:.9rem 0}\n"
    ".banner.ok{background:var(--ok)}\n"
    ".banner.warning{background:var(--warning)}\n"
    ".banner.critical{background:var(--critical)}\n"
    ".banner p{margin:0}\n"
    ".banner h1{margin:0;font-size:1.35rem;line-height:1.3;"
    "overflow-wrap:anywhere}\n"
    ".banner .where{font-size:.9rem;opacity:.92}\n"
    "main{display:grid;gap:1rem;padding-top:1rem;padding-bottom:1rem}\n"
    "section{background:var(--card);border:1px solid var(--line);"
    "border-radius:.5rem;padding:.8rem 1rem;min-width:0}\n"
    "h2{margin:0 0 .4rem;font-size:1rem}\n"
    "h2 small,.soft{color:var(--soft);font-weight:400}\n"
    "p{margin:0}\n"
    "ul.problems{margin:0;padding:0;list-style:none}\n"
    "ul.problems li{border-left:.3rem solid var(--line);padding:.1rem 0 .1rem "
    ".7rem;margin:.45rem 0;overflow-wrap:anywhere;display:flex;"
    "flex-wrap:wrap;gap:0 1.2rem}\n"
    "li span{display:inline-block}\n"
    "ul.problems .warning{border-color:var(--warning-mark)}\n"
    "ul.problems .critical{border-color:var(--critical-mark)}\n"
    "code{background:var(--code);border-radius:.25rem;padding:.05rem .3rem;"
    "font:.92em ui-monospace,'DejaVu Sans Mono',monospace}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0}\n"
    "thead th{color:var(--soft);font-weight:400;font-size:.85rem;"
    "border-bottom:1px solid var(--line);white-space:nowrap}\n"
    "tbody tr+tr>*{border-top:1px solid var(--line)}\n"
    "tbody th{font-weight:600}\n"
    "td small,th small{display:block;color:var(--soft);font-weight:400;"
    "font-size:.85rem}\n"
    "summary{color:var(--link);cursor:pointer;padding-top:.4rem}\n"
    ".reason{overflow-wrap:anywhere}\n"
    ".mark{display:inline-block;width:.65rem;height:.65rem;"
    "border-radius:50%;margin-right:.45rem;background:var(--ok-mark)}\n"
    ".mark.warning{background:var(--warning-mark);border-radius:0}\n"
    ".mark.critical{background:var(--critical-mark);border-radius:0;"
    "transform:rotate(45deg)}\n"
    "footer{color:var(--soft);font-size:.85rem;padding-bottom:1.2rem}\n"
    "footer dl{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:0 0 .5rem}\n"
    "footer dl div{display:flex;gap:.35rem}\n"
    "footer dt::after{content:':'}\n"
    "footer dd{margin:0;color:var(--text)}\n"
    "a{color:var(--link)}\n"
    "nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem}\n"
    "@media(min-width:60rem){main.two{grid-template-columns:3fr 2fr}"
    "main.two .wide{grid-column:1/-1}"
    "tbody th,td[data-label]{white-space:nowrap}}\n"
    "@media(max-width:44rem){thead{position:absolute;width:1px;height:1px;"
    "overflow:hidden;clip-path:inset(50%)}"
    "table,tbody,tr,th,td{display:block}"
    "tr{padding:.4rem 0}tbody tr+tr{border-top:1px solid var(--line)}"
    "tbody tr+tr>*{border-top:0}th,td{padding:.1rem 0}"
    "td[data-label]{display:grid;grid-template-columns:7.5rem 1fr}"
    "td[data-label]::before{content:attr(data-label);color:var(--soft)}"
    "td small{grid-column:2}}\n"
    "@media print{.banner{color:#000;background:none!important}}\n";

/* Return the most important sentence of the page. */
static const char *headline(const mod_html_t *page)
{
    const cm_health_t *health = page->health;

    if (!health->problems->nelts)
        return "All is well";
    return mod_html_safe(page,
                         APR_ARRAY_IDX(health->problems, 0, cm_problem_t).text);
}

static void put_head(mod_html_t *page, int refresh)
{
    const cm_health_t *health = page->health;
    const char *state = cm_health_severity_name(health->severity);
    const char *name = mod_html_safe(page, health->name);

    mod_html_put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                       "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                       "content=\"width=device-width, initial-scale=1\">\n"
                       "<meta name=\"color-scheme\" content=\"light dark\">\n");
    if (refresh)
        mod_html_print(page, "<meta http-equiv=\"refresh\" content=\"%d\">\n",
                       refresh);
    mod_html_print(
        page,
        "<title>%s: %s &ndash; Communicator</title>\n<style>\n%s</style>\n"
        "</head>\n<body>\n",
        name, state, style);
    mod_html_print(
        page,
        "<div class=\"banner %s\"><header>\n<h1>%s</h1>\n"
        "<p class=\"where\">Communicator <strong>%s</strong>, state: %s</p>\n"
        "</header></div>\n",
        state, headline(page), name, state);
}

static void put_problems(mod_html_t *page)
{
    const apr_array_header_t *problems = page->health->problems;
    int i;

    if (!problems->nelts)
        return;
    mod_html_put(page, "<section class=\"wide\">\n<h2>Needs attention</h2>\n"
                       "<ul class=\"problems\">\n");
    for (i = 0; i < problems->nelts; i++) {
        const cm_problem_t *problem = &APR_ARRAY_IDX(problems, i, cm_problem_t);

        mod_html_print(page, "<li class=\"%s\"><span>%s</span>",
                       cm_health_severity_name(problem->severity),
                       mod_html_safe(page, problem->text));
        if (problem->hint) {
            mod_html_put(page, " <span class=\"soft\">");
            mod_html_remedy(page, problem->hint);
            mod_html_put(page, "</span>");
        }
        mod_html_put(page, "</li>\n");
    }
    mod_html_put(page, "</ul>\n</section>\n");
}

static const char *clock_of(const mod_html_t *page, const cm_peer_t *known)
{
    if (!known->last_push_at && !known->last_pull_at)
        return "&ndash;";
    return apr_psprintf(
        page->pool, "%s%.1f s", known->clock_offset < 0 ? "&minus;" : "+",
        (double)(known->clock_offset < 0 ? -known->clock_offset
                                         : known->clock_offset) /
            1000000);
}

static void put_parked_cell(mod_html_t *page, const cm_status_peer_t *state)
{
    const char *small = NULL;

    if (state->waiting)
        small = apr_psprintf(page->pool, "%s waiting for other records",
                             mod_html_number(page, state->waiting));
    if (state->said.parked > 0)
        small = apr_psprintf(page->pool, "%s%s%s there", small ? small : "",
                             small ? ", " : "",
                             mod_html_number(page, state->said.parked));
    if (state->withheld.count > 0)
        small = apr_psprintf(page->pool, "%s%s%s withheld", small ? small : "",
                             small ? ", " : "",
                             mod_html_number(page, state->withheld.count));
    mod_html_cell(page, "Parked", mod_html_number(page, state->parked), small);
}

static void put_peer(mod_html_t *page, int row)
{
    const cm_health_peer_t *peer =
        &APR_ARRAY_IDX(page->health->peers, row, cm_health_peer_t);
    const cm_status_peer_t *state = peer->state;
    const cm_peer_t *known = state->peer;
    const char *severity = cm_health_severity_name(peer->severity);
    const char *oldest = NULL, *late = NULL;

    if (state->pending.count && state->pending.oldest_clock)
        oldest =
            apr_psprintf(page->pool, "oldest %s",
                         mod_html_ago(page, state->pending.oldest_clock, ""));
    if (peer->received_of_late)
        late = apr_psprintf(page->pool, "%s%s in the last hour",
                            mod_html_number(page, peer->received_of_late),
                            mod_html_more(peer->received_of_late));
    mod_html_print(
        page,
        "<tr><th scope=\"row\"><span class=\"mark %s\" title=\"%s\"></span>%s"
        "<small>%s</small></th>",
        severity, severity, mod_html_safe(page, known->name),
        peer->connects ? "we connect to it" : "connects to us");
    mod_html_cell(page, "Last push",
                  mod_html_ago(page, known->last_push_at, "never"), NULL);
    mod_html_cell(page, "Last pull",
                  mod_html_ago(page, known->last_pull_at, "never"), NULL);
    mod_html_cell(page, "Pending", mod_html_number(page, state->pending.count),
                  oldest);
    mod_html_cell(page, "Confirmed", mod_html_number(page, known->confirmed),
                  NULL);
    mod_html_cell(page, "Received", mod_html_number(page, known->received),
                  late);
    put_parked_cell(page, state);
    mod_html_cell(page, "Clock", clock_of(page, known), NULL);
    mod_html_put(page, "</tr>\n");
}

static void put_peers(mod_html_t *page)
{
    static const char *const labels[] = {"Peer",    "Last push", "Last pull",
                                         "Pending", "Confirmed", "Received",
                                         "Parked",  "Clock",     NULL};
    int count = page->health->peers->nelts;

    mod_html_put(page, "<section class=\"wide\">\n<h2>Peers</h2>\n");
    if (count)
        mod_html_table(page, labels, count, count, put_peer);
    else
        mod_html_put(page, "<p class=\"soft\">No CommunicatorPeer is "
                           "configured.</p>\n");
    mod_html_put(page, "</section>\n");
}

/* Put the table of LIST, or "None.". */
static void put_list(mod_html_t *page, const char *const *labels,
                     const apr_array_header_t *list,
                     void (*row)(mod_html_t *page, int row))
{
    if (list->nelts)
        mod_html_table(page, labels, list->nelts, SHOWN, row);
    else
        mod_html_put(page, "<p class=\"soft\">None.</p>\n");
    mod_html_put(page, "</section>\n");
}

static void put_parked_row(mod_html_t *page, int i)
{
    const cm_parked_row_t *row =
        &APR_ARRAY_IDX(page->health->parked, i, cm_parked_row_t);
    const cm_parked_t *message = &row->message;

    mod_html_print(page, "<tr><th scope=\"row\">%s " FMT "<small>%s",
                   mod_html_safe(page, row->peer), message->id,
                   mod_html_safe(page, message->model));
    if (message->identity.origin)
        mod_html_print(page, " %s/%s",
                       mod_html_safe(page, message->identity.origin),
                       mod_html_safe(page, message->identity.original_id));
    mod_html_put(page, "</small></th>");
    mod_html_print(
        page, "<td class=\"reason\">%s%s</td>",
        mod_html_safe(page,
                      message->reason ? message->reason : "not tried yet"),
        message->transient ? "<small>waits for another record</small>" : "");
    mod_html_cell(page, "Since",
                  mod_html_ago(page, row->received_at, "&ndash;"),
                  apr_psprintf(page->pool, "%d %s", row->attempts,
                               row->attempts == 1 ? "try" : "tries"));
    mod_html_put(page, "</tr>\n");
}

static void put_parked(mod_html_t *page)
{
    static const char *const labels[] = {"Message", "Reason", "Since", NULL};
    const apr_array_header_t *parked = page->health->parked;
    apr_int64_t all = cm_health_sum(page->health).parked;

    mod_html_put(page, "<section>\n<h2>Parked messages");
    if (parked->nelts < all)
        mod_html_print(page, " <small>%d of %s</small>", parked->nelts,
                       mod_html_number(page, all));
    mod_html_put(page, "</h2>\n");
    put_list(page, labels, parked, put_parked_row);
}

static void put_withheld_row(mod_html_t *page, int i)
{
    const cm_withheld_t *row =
        &APR_ARRAY_IDX(page->health->withheld, i, cm_withheld_t);

    mod_html_print(page, "<tr><th scope=\"row\">%s " FMT "<small>%s",
                   mod_html_safe(page, row->peer), row->seq,
                   mod_html_safe(page, row->model ? row->model : "?"));
    if (row->identity.origin)
        mod_html_print(page, " %s/%s",
                       mod_html_safe(page, row->identity.origin),
                       mod_html_safe(page, row->identity.original_id));
    mod_html_put(page, "</small></th>");
    mod_html_print(page,
                   "<td class=\"reason\">%s<small>refused by %s</small></td>",
                   mod_html_safe(page, row->reason),
                   row->refuser == CM_REFUSER_PEER    ? "the peer"
                   : row->refuser == CM_REFUSER_PROXY ? "a proxy"
                                                      : "this node");
    mod_html_cell(page, "Since",
                  mod_html_ago(page, row->withheld_at, "&ndash;"), NULL);
    mod_html_put(page, "</tr>\n");
}

/* Shown only when there are any. */
static void put_withheld(mod_html_t *page)
{
    static const char *const labels[] = {"Message", "Reason", "Since", NULL};

    if (!page->health->withheld->nelts)
        return;
    mod_html_put(page, "<section>\n<h2>Withheld messages</h2>\n");
    put_list(page, labels, page->health->withheld, put_withheld_row);
}

static void put_conflict(mod_html_t *page, int i)
{
    const cm_health_conflict_t *conflict =
        &APR_ARRAY_IDX(page->health->conflicts, i, cm_health_conflict_t);

    mod_html_print(page, "<tr><th scope=\"row\">%s %s</th>",
                   mod_html_safe(page, conflict->model),
                   mod_html_safe(page, conflict->local_record_id));
    mod_html_cell(page, "Column",
                  conflict->column ? mod_html_safe(page, conflict->column)
                                   : "the whole record",
                  NULL);
    mod_html_cell(
        page, "When", mod_html_ago(page, conflict->created_at, "&ndash;"),
        conflict->peer ? apr_pstrcat(page->pool, "with ",
                                     mod_html_safe(page, conflict->peer), NULL)
                       : NULL);
    mod_html_put(page, "</tr>\n");
}

static void put_conflicts(mod_html_t *page)
{
    static const char *const labels[] = {"Record", "Column", "When", NULL};
    apr_int64_t late = page->health->state->conflicts;

    mod_html_put(page, "<section>\n<h2>Recent conflicts");
    if (late)
        mod_html_print(page, " <small>%s%s in the last day</small>",
                       mod_html_number(page, late), mod_html_more(late));
    mod_html_put(page, "</h2>\n");
    put_list(page, labels, page->health->conflicts, put_conflict);
}

static void put_fact(mod_html_t *page, const char *name, const char *value)
{
    mod_html_print(page, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

static void put_footer(mod_html_t *page)
{
    const cm_health_t *health = page->health;
    char date[32];
    apr_time_exp_t parts;
    apr_size_t size;

    apr_time_exp_gmt(&parts, health->taken_at);
    apr_strftime(date, &size, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &parts);
    mod_html_put(page, "<footer>\n<dl>\n");
    put_fact(page, "As of", date);
    put_fact(page, "Version", health->version);
    if (health->expect_every)
        put_fact(page, "Peers expected every",
                 cm_health_judge_span(health->expect_every, page->pool));
    if (health->state) {
        put_fact(page, "Database", health->driver);
        put_fact(page, "Schema", apr_itoa(page->pool, health->state->schema));
        put_fact(page, "Epoch",
                 mod_html_safe(
                     page, apr_pstrndup(page->pool, health->state->epoch, 8)));
        put_fact(page, "Messages",
                 apr_psprintf(page->pool, "%s, %s%s in the last hour",
                              mod_html_number(page, health->state->last_seq),
                              mod_html_number(page, health->made_of_late),
                              mod_html_more(health->made_of_late)));
    }
    mod_html_put(page, "</dl>\n<nav aria-label=\"Other formats\">"
                       "<a href=\"?format=json\">JSON</a>"
                       "<a href=\"?format=prometheus\">Prometheus</a>"
                       "<a href=\"?format=nagios\">Nagios</a>"
                       "<a href=\"?refresh=30\">Refresh every 30 s</a></nav>\n"
                       "</footer>\n</body>\n</html>\n");
}

void mod_status_page(cm_buffer_t *out, const cm_health_t *health, int refresh)
{
    mod_html_t page = {out, health, out->pool};

    put_head(&page, refresh);
    mod_html_put(&page, "<main class=\"two\">\n");
    put_problems(&page);
    if (health->state) {
        put_peers(&page);
        put_parked(&page);
        put_withheld(&page);
        put_conflicts(&page);
    }
    mod_html_put(&page, "</main>\n");
    put_footer(&page);
}
