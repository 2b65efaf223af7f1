/* The status page as HTML: nothing but headings, lists and tables, so that it
 * reads well without its style sheet, too. All text from elsewhere is
 * escaped; there is no script. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "mod_communicator.h"

#include "base/buffer.h"
#include "base/clean.h"
#include "operate/health.h"

#define FMT "%" APR_INT64_T_FMT

/* So many rows of a list are shown, the others on a click: all but the charts
 * fits a screen. */
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
    ".reason,th code{overflow-wrap:anywhere;white-space:normal}\n"
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

typedef struct page_t {
    cm_buffer_t *out;
    const cm_health_t *health;
    apr_pool_t *pool;
} page_t;

/* Put HTML as it stands. */
static void put(page_t *page, const char *html)
{
    cm_buffer_raw(page->out, html);
}

/* Put HTML made from FORMAT. */
__attribute__((format(printf, 2, 3))) static void print(page_t *page,
                                                        const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(page, apr_pvsprintf(page->pool, format, args));
    va_end(args);
}

const char *mod_status_page_safe(const char *text, apr_pool_t *pool)
{
    return text ? ap_escape_html(pool, cm_clean(text, pool)) : "&ndash;";
}

static const char *safe(const page_t *page, const char *text)
{
    return mod_status_page_safe(text, page->pool);
}

const char *mod_status_page_number(apr_int64_t value, apr_pool_t *pool)
{
    const char *digits = apr_psprintf(pool, FMT, value < 0 ? -value : value);
    apr_size_t size = strlen(digits), first = (size - 1) % 3 + 1;
    const char *text = apr_pstrmemdup(pool, digits, first);

    for (digits += first; *digits; digits += 3)
        text = apr_psprintf(pool, "%s&#8239;%.3s", text, digits);
    return value < 0 ? apr_pstrcat(pool, "&minus;", text, NULL) : text;
}

static const char *number(const page_t *page, apr_int64_t value)
{
    return mod_status_page_number(value, page->pool);
}

/* Return " or more" when counting stopped at VALUE, else "". */
static const char *more(apr_int64_t value)
{
    return value >= CM_HEALTH_RECENT ? " or more" : "";
}

/* Return how long ago MOMENT was, or NEVER if it is 0. */
static const char *ago(const page_t *page, apr_int64_t moment,
                       const char *never)
{
    char date[32];
    apr_size_t size;
    apr_time_exp_t parts;

    if (!moment)
        return never;
    apr_time_exp_gmt(&parts, moment);
    apr_strftime(date, &size, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return apr_psprintf(
        page->pool, "<time datetime=\"%s\" title=\"%s\">%s ago</time>", date,
        date,
        cm_health_judge_span(moment < page->health->taken_at
                                 ? page->health->taken_at - moment
                                 : 0,
                             page->pool));
}

/* Put TEXT, in which `words` are a command. */
static void put_hint(page_t *page, const char *text)
{
    char *rest = apr_pstrdup(page->pool, text), *part;
    int code = 0;

    for (part = rest; part; part = rest, code = !code) {
        rest = strchr(part, '`');
        if (rest)
            *rest++ = 0;
        print(page, code ? "<code>%s</code>" : "%s", safe(page, part));
    }
}

/* Put a cell under LABEL: VALUE is HTML, SMALL below it is too (or NULL). */
static void put_cell(page_t *page, const char *label, const char *value,
                     const char *small)
{
    print(page, "<td data-label=\"%s\"><span>%s</span>", label, value);
    if (small)
        print(page, "<small>%s</small>", small);
    put(page, "</td>");
}

static void begin_table(page_t *page, const char *const *labels)
{
    put(page, "<table>\n<thead><tr>");
    for (; *labels; labels++)
        print(page, "<th scope=\"col\">%s</th>", *labels);
    put(page, "</tr></thead>\n<tbody>\n");
}

/* Put a table with LABELS (up to a NULL) and COUNT rows, which ROW puts; only
 * the first SHOWN are visible until the reader clicks. */
static void put_table(page_t *page, const char *const *labels, int count,
                      int shown, void (*row)(page_t *page, int row))
{
    int i;

    begin_table(page, labels);
    for (i = 0; i < count; i++) {
        if (i == shown) {
            print(page,
                  "</tbody></table>\n<details><summary>%d more"
                  "</summary>\n",
                  count - shown);
            begin_table(page, labels);
        }
        row(page, i);
    }
    put(page, "</tbody></table>\n");
    if (count > shown)
        put(page, "</details>\n");
}

/* Return TEXT with a capital letter. */
static const char *sentence(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);

    *copy = (char)apr_toupper(*copy);
    return copy;
}

static void put_head(page_t *page, int refresh)
{
    const cm_health_t *health = page->health;
    const char *state = cm_health_severity_name(health->severity);
    const char *name = safe(page, health->name);

    put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
              "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
              "content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n");
    if (refresh)
        print(page, "<meta http-equiv=\"refresh\" content=\"%d\">\n", refresh);
    print(page,
          "<title>%s: %s &ndash; Communicator</title>\n<style>\n%s%s</style>\n"
          "</head>\n<body>\n",
          name, state, style, mod_status_chart_style);
    print(page,
          "<div class=\"banner %s\"><header>\n<h1>%s</h1>\n"
          "<p class=\"where\">Communicator <strong>%s</strong>, state: %s</p>\n"
          "</header></div>\n",
          state,
          safe(page, sentence(cm_health_judge_headline(health, page->pool),
                              page->pool)),
          name, state);
}

static void put_problems(page_t *page)
{
    const apr_array_header_t *problems = page->health->problems;
    int i;

    if (!problems->nelts)
        return;
    put(page, "<section class=\"wide\">\n<h2>Needs attention</h2>\n"
              "<ul class=\"problems\">\n");
    for (i = 0; i < problems->nelts; i++) {
        const cm_problem_t *problem = &APR_ARRAY_IDX(problems, i, cm_problem_t);

        print(page, "<li class=\"%s\"><span>%s</span>",
              cm_health_severity_name(problem->severity),
              safe(page, problem->text));
        if (problem->hint) {
            put(page, " <span class=\"soft\">");
            put_hint(page, problem->hint);
            put(page, "</span>");
        }
        put(page, "</li>\n");
    }
    put(page, "</ul>\n</section>\n");
}

static const char *clock_of(const page_t *page, const cm_peer_t *known)
{
    apr_int64_t tenths;

    if (!known->last_push_at && !known->last_pull_at)
        return "&ndash;";
    tenths = known->clock_offset / 100000; /* whole, so that there is no -0.0 */
    return apr_psprintf(
        page->pool, "%s%" APR_INT64_T_FMT ".%" APR_INT64_T_FMT " s",
        tenths < 0 ? "&minus;" : "+", (tenths < 0 ? -tenths : tenths) / 10,
        (tenths < 0 ? -tenths : tenths) % 10);
}

/* Return LIST (NULL: empty) with COUNT and WORDS at its end, if COUNT is more
 * than 0. */
static const char *with_count(page_t *page, const char *list, apr_int64_t count,
                              const char *words)
{
    if (count <= 0)
        return list;
    return apr_psprintf(page->pool, "%s%s%s %s", list ? list : "",
                        list ? ", " : "", number(page, count), words);
}

static void put_parked_cell(page_t *page, const cm_status_peer_t *state)
{
    const char *small =
        with_count(page, NULL, state->waiting, "waiting for other records");

    small = with_count(page, small, state->said.parked, "there");
    small = with_count(page, small, state->withheld.count, "withheld");
    put_cell(page, "Parked", number(page, state->parked - state->waiting),
             small);
}

static void put_peer(page_t *page, int row)
{
    const cm_health_peer_t *peer =
        &APR_ARRAY_IDX(page->health->peers, row, cm_health_peer_t);
    const cm_status_peer_t *state = peer->state;
    const cm_peer_t *known = state->peer;
    const char *severity = cm_health_severity_name(peer->severity);
    const char *oldest = NULL, *late = NULL;

    if (state->pending.count && state->pending.oldest_clock)
        oldest = apr_psprintf(page->pool, "oldest %s",
                              ago(page, state->pending.oldest_clock, ""));
    if (peer->received_recently)
        late = apr_psprintf(page->pool, "%s%s in the last hour",
                            number(page, peer->received_recently),
                            more(peer->received_recently));
    print(page,
          "<tr><th scope=\"row\"><span class=\"mark %s\" title=\"%s\"></span>%s"
          "<small>%s</small></th>",
          severity, severity, safe(page, known->name),
          peer->connects ? "we connect to it" : "connects to us");
    put_cell(page, "Last push", ago(page, known->last_push_at, "never"), NULL);
    put_cell(page, "Last pull", ago(page, known->last_pull_at, "never"), NULL);
    put_cell(page, "Pending", number(page, state->pending.count), oldest);
    put_cell(page, "Confirmed", number(page, known->confirmed), NULL);
    put_cell(page, "Received", number(page, known->received), late);
    put_parked_cell(page, state);
    put_cell(page, "Clock", clock_of(page, known), NULL);
    put(page, "</tr>\n");
}

static void put_peers(page_t *page)
{
    static const char *const labels[] = {"Peer",    "Last push", "Last pull",
                                         "Pending", "Confirmed", "Received",
                                         "Parked",  "Clock",     NULL};
    int count = page->health->peers->nelts;

    put(page, "<section class=\"wide\">\n<h2>Peers</h2>\n");
    if (count)
        put_table(page, labels, count, count, put_peer);
    else
        put(page, "<p class=\"soft\">No CommunicatorPeer is "
                  "configured.</p>\n");
    put(page, "</section>\n");
}

/* Put the table of LIST, or "None.". */
static void put_list(page_t *page, const char *const *labels,
                     const apr_array_header_t *list,
                     void (*row)(page_t *page, int row))
{
    if (list->nelts)
        put_table(page, labels, list->nelts, SHOWN, row);
    else
        put(page, "<p class=\"soft\">None.</p>\n");
    put(page, "</section>\n");
}

/* Return a command of communicator-sync as HTML, made from FORMAT. */
__attribute__((format(printf, 2, 3))) static const char *
command(page_t *page, const char *format, ...)
{
    const char *text;
    va_list args;

    va_start(args, format);
    text = safe(page, apr_pvsprintf(page->pool, format, args));
    va_end(args);
    return apr_psprintf(page->pool,
                        "<code title=\"communicator-sync %s\">%s</code>", text,
                        text);
}

/* Put the cell that says which message a row is about. */
static void put_message(page_t *page, const char *peer, apr_int64_t id,
                        const char *model, const cm_identity_t *identity)
{
    print(page, "<tr><th scope=\"row\">%s " FMT "<small>%s", safe(page, peer),
          id, safe(page, model ? model : "?"));
    if (identity->origin)
        print(page, " %s/%s", safe(page, identity->origin),
              safe(page, identity->original_id));
    put(page, "</small></th>");
}

static void put_parked_row(page_t *page, int i)
{
    const cm_parked_row_t *row =
        &APR_ARRAY_IDX(page->health->parked, i, cm_parked_row_t);
    const cm_parked_t *message = &row->message;

    put_message(page, row->peer, message->id, message->model,
                &message->identity);
    print(page, "<td class=\"reason\">%s<small>%s</small></td>",
          safe(page, message->reason ? message->reason : "not tried yet"),
          message->transient
              ? "waits for another record"
              : command(page, "retry %s " FMT, row->peer, message->id));
    put_cell(page, "Since", ago(page, row->received_at, "&ndash;"),
             apr_psprintf(page->pool, "%d %s", row->attempts,
                          row->attempts == 1 ? "try" : "tries"));
    put(page, "</tr>\n");
}

static void put_parked(page_t *page)
{
    static const char *const labels[] = {"Message", "Reason", "Since", NULL};
    const apr_array_header_t *parked = page->health->parked;
    apr_int64_t all = cm_health_sum(page->health).parked;

    put(page, "<section>\n<h2>Parked messages");
    if (parked->nelts < all)
        print(page, " <small>%d of %s</small>", parked->nelts,
              number(page, all));
    put(page, "</h2>\n");
    put_list(page, labels, parked, put_parked_row);
}

static void put_withheld_row(page_t *page, int i)
{
    const cm_withheld_t *row =
        &APR_ARRAY_IDX(page->health->withheld, i, cm_withheld_t);

    put_message(page, row->peer, row->seq, row->model, &row->identity);
    print(page, "<td class=\"reason\">%s<small>refused by %s; %s</small></td>",
          safe(page, row->reason),
          row->refuser == CM_REFUSER_PEER    ? "the peer"
          : row->refuser == CM_REFUSER_PROXY ? "a proxy"
          : row->refuser == CM_REFUSER_GEM   ? "the gem's application"
                                             : "this node",
          command(page, "retry %s " FMT, row->peer, row->seq));
    put_cell(page, "Since", ago(page, row->withheld_at, "&ndash;"), NULL);
    put(page, "</tr>\n");
}

/* Shown only when there are any. */
static void put_withheld(page_t *page)
{
    static const char *const labels[] = {"Message", "Reason", "Since", NULL};

    if (!page->health->withheld->nelts)
        return;
    put(page, "<section>\n<h2>Withheld messages</h2>\n");
    put_list(page, labels, page->health->withheld, put_withheld_row);
}

static void put_conflict(page_t *page, int i)
{
    const cm_health_conflict_t *conflict =
        &APR_ARRAY_IDX(page->health->conflicts, i, cm_health_conflict_t);

    print(page, "<tr><th scope=\"row\">%s %s<small>%s</small></th>",
          safe(page, conflict->model), safe(page, conflict->local_record_id),
          command(page, "explain %s %s", conflict->model,
                  conflict->local_record_id));
    put_cell(page, "Column",
             conflict->column ? safe(page, conflict->column)
                              : "the whole record",
             NULL);
    put_cell(page, "When", ago(page, conflict->created_at, "&ndash;"),
             conflict->peer ? apr_pstrcat(page->pool, "with ",
                                          safe(page, conflict->peer), NULL)
                            : NULL);
    put(page, "</tr>\n");
}

static void put_conflicts(page_t *page)
{
    static const char *const labels[] = {"Record", "Column", "When", NULL};
    apr_int64_t late = page->health->state->conflicts;

    put(page, "<section>\n<h2>Recent conflicts");
    if (late)
        print(page, " <small>%s%s in the last day</small>", number(page, late),
              more(late));
    put(page, "</h2>\n");
    put_list(page, labels, page->health->conflicts, put_conflict);
}

static void put_fact(page_t *page, const char *name, const char *value)
{
    print(page, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

static void put_footer(page_t *page)
{
    const cm_health_t *health = page->health;
    char date[32];
    apr_time_exp_t parts;
    apr_size_t size;

    apr_time_exp_gmt(&parts, health->taken_at);
    apr_strftime(date, &size, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &parts);
    put(page, "<footer>\n<dl>\n");
    put_fact(page, "As of", date);
    put_fact(page, "Version", health->version);
    if (health->expect_every)
        put_fact(page, "Peers expected every",
                 cm_health_judge_span(health->expect_every, page->pool));
    if (health->state) {
        put_fact(page, "Database", health->driver);
        put_fact(page, "Schema", apr_itoa(page->pool, health->state->schema));
        put_fact(page, "Epoch",
                 safe(page, apr_pstrndup(page->pool, health->state->epoch, 8)));
        put_fact(page, "Messages",
                 apr_psprintf(page->pool, "%s, %s%s in the last hour",
                              number(page, health->state->last_seq),
                              number(page, health->made_recently),
                              more(health->made_recently)));
    }
    put(page, "</dl>\n<nav aria-label=\"Other formats\">"
              "<a href=\"?format=json\">JSON</a>"
              "<a href=\"?format=prometheus\">Prometheus</a>"
              "<a href=\"?format=nagios\">Nagios</a>"
              "<a href=\"?refresh=30\">Refresh every 30 s</a></nav>\n"
              "</footer>\n</body>\n</html>\n");
}

/* Put since when nothing can be read, and the figures of before. */
static void put_known(page_t *page)
{
    const cm_health_t *health = page->health;
    cm_health_t shown;
    page_t known = *page;

    print(
        page,
        "<section class=\"wide\">\n<h2>The database cannot be read</h2>\n<p>%s",
        health->unread_since == health->taken_at
            ? "Seen just now."
            : apr_pstrcat(page->pool, "First seen ",
                          ago(page, health->unread_since, ""), ".", NULL));
    if (!health->known) {
        put(page, "</p>\n</section>\n");
        return;
    }
    print(page, " What follows was read %s.</p>\n</section>\n",
          ago(page, health->known->taken_at, ""));
    shown = *health->known;
    shown.taken_at = health->taken_at;
    known.health = &shown;
    put_peers(&known);
}

void mod_status_page(cm_buffer_t *out, const cm_health_t *health,
                     const apr_array_header_t *days, int refresh)
{
    page_t page = {out, health, out->pool};

    put_head(&page, refresh);
    put(&page, "<main class=\"two\">\n");
    put_problems(&page);
    if (health->state) {
        put_peers(&page);
        put_parked(&page);
        put_withheld(&page);
        put_conflicts(&page);
        mod_status_chart(out, days);
    }
    else if (health->unread_since) {
        put_known(&page);
    }
    put(&page, "</main>\n");
    put_footer(&page);
}
