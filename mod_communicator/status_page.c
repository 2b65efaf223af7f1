/* The status page as HTML: nothing but headings, lists and tables, so that it
 * reads well without its style sheet, too. All text from elsewhere is
 * escaped; there is no script. */
#include <string.h>

#include <apr_strings.h>

#include "status.h"

#define FMT "%" APR_INT64_T_FMT

typedef struct page_t {
    cm_buffer_t *out;
    const cm_health_t *health;
    apr_pool_t *pool;
} page_t;

static void put(page_t *page, const char *html)
{
    cm_buffer_raw(page->out, html);
}

__attribute__((format(printf, 2, 3))) static void print(page_t *page,
                                                        const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(page, apr_pvsprintf(page->pool, format, args));
    va_end(args);
}

/* Return TEXT (NULL: a dash) fit for HTML. */
static const char *safe(const page_t *page, const char *text)
{
    return text ? ap_escape_html(page->pool, text) : "&ndash;";
}

/* Return NUMBER with narrow blanks between thousands. */
static const char *number(const page_t *page, apr_int64_t value)
{
    const char *digits =
        apr_psprintf(page->pool, FMT, value < 0 ? -value : value);
    apr_size_t size = strlen(digits), first = (size - 1) % 3 + 1;
    const char *text = apr_pstrmemdup(page->pool, digits, first);

    for (digits += first; *digits; digits += 3)
        text = apr_psprintf(page->pool, "%s&#8239;%.3s", text, digits);
    return value < 0 ? apr_pstrcat(page->pool, "&minus;", text, NULL) : text;
}

/* Return what goes behind a NUMBER that was not counted to its end. */
static const char *more(apr_int64_t value)
{
    return value >= CM_HEALTH_RECENT ? " or more" : "";
}

/* Return how long ago MOMENT was; 0: NEVER. */
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
    return apr_psprintf(page->pool,
                        "<time datetime=\"%s\" title=\"%s\">%s ago</time>",
                        date, date,
                        cm_health_span(moment < page->health->taken_at
                                           ? page->health->taken_at - moment
                                           : 0,
                                       page->pool));
}

/* Put TEXT, in which `words` are a command's. */
static void put_remedy(page_t *page, const char *text)
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

/* Return the sentence that says it all. */
static const char *headline(const page_t *page)
{
    const cm_health_t *health = page->health;

    if (!health->problems->nelts)
        return "All is well";
    return safe(page, APR_ARRAY_IDX(health->problems, 0, cm_problem_t).text);
}

static void put_head(page_t *page, int refresh)
{
    const cm_health_t *health = page->health;
    const char *state = cm_severity_name(health->severity);
    const char *name = safe(page, health->name);

    put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
              "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
              "content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n");
    if (refresh)
        print(page, "<meta http-equiv=\"refresh\" content=\"%d\">\n", refresh);
    print(page,
          "<title>%s: %s &ndash; Communicator</title>\n<style>\n%s</style>\n"
          "</head>\n<body>\n",
          name, state, cm_status_style);
    print(page,
          "<div class=\"banner %s\"><header>\n<h1>%s</h1>\n"
          "<p class=\"where\">Communicator <strong>%s</strong>, state: %s</p>\n"
          "</header></div>\n",
          state, headline(page), name, state);
}

static void put_problems(page_t *page)
{
    const apr_array_header_t *problems = page->health->problems;
    int i;

    if (!problems->nelts)
        return;
    put(page, "<section class=\"wide\">\n<h2>To be looked at</h2>\n"
              "<ul class=\"problems\">\n");
    for (i = 0; i < problems->nelts; i++) {
        const cm_problem_t *problem = &APR_ARRAY_IDX(problems, i, cm_problem_t);

        print(page, "<li class=\"%s\"><span>%s</span>",
              cm_severity_name(problem->severity), safe(page, problem->text));
        if (problem->remedy) {
            put(page, " <span class=\"soft\">");
            put_remedy(page, problem->remedy);
            put(page, "</span>");
        }
        put(page, "</li>\n");
    }
    put(page, "</ul>\n</section>\n");
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

static void put_head_row(page_t *page, const char *const *labels)
{
    put(page, "<table>\n<thead><tr>");
    for (; *labels; labels++)
        print(page, "<th scope=\"col\">%s</th>", *labels);
    put(page, "</tr></thead>\n<tbody>\n");
}

static const char *clock_of(const page_t *page, const cm_peer_t *known)
{
    if (!known->last_push_at && !known->last_pull_at)
        return "&ndash;";
    return apr_psprintf(
        page->pool, "%s%.1f s", known->clock_offset < 0 ? "&minus;" : "+",
        (double)(known->clock_offset < 0 ? -known->clock_offset
                                         : known->clock_offset) /
            1000000);
}

static void put_parked_cell(page_t *page, const cm_peer_state_t *state)
{
    const char *small = NULL;

    if (state->waiting)
        small = apr_psprintf(page->pool, "%s for other records",
                             number(page, state->waiting));
    if (state->said.parked > 0)
        small =
            apr_psprintf(page->pool, "%s%s%s there", small ? small : "",
                         small ? ", " : "", number(page, state->said.parked));
    put_cell(page, "Parked", number(page, state->parked), small);
}

static void put_peer(page_t *page, const cm_health_peer_t *peer)
{
    const cm_peer_state_t *state = peer->state;
    const cm_peer_t *known = state->peer;
    const char *severity = cm_severity_name(peer->severity);
    const char *oldest = NULL, *late = NULL;

    if (state->pending.count && state->pending.oldest_clock)
        oldest = apr_psprintf(page->pool, "oldest %s",
                              ago(page, state->pending.oldest_clock, ""));
    if (peer->received_of_late)
        late = apr_psprintf(page->pool, "%s%s in the last hour",
                            number(page, peer->received_of_late),
                            more(peer->received_of_late));
    print(page,
          "<tr><th scope=\"row\"><span class=\"mark %s\" title=\"%s\"></span>%s"
          "<small>%s</small></th>",
          severity, severity, safe(page, known->name),
          peer->connects ? "we connect to it" : "connects to us");
    put_cell(page, "Last push", ago(page, known->last_push_at, "never"), NULL);
    put_cell(page, "Last pull", ago(page, known->last_pull_at, "never"), NULL);
    put_cell(page, "Waiting for it", number(page, state->pending.count),
             oldest);
    put_cell(page, "Confirmed", number(page, known->confirmed), NULL);
    put_cell(page, "Received", number(page, known->received), late);
    put_parked_cell(page, state);
    put_cell(page, "Clock", clock_of(page, known), NULL);
    put(page, "</tr>\n");
}

static void put_peers(page_t *page)
{
    static const char *const labels[] = {
        "Peer",           "Last push", "Last pull",
        "Waiting for it", "Confirmed", "Received",
        "Parked",         "Clock",     NULL};
    const apr_array_header_t *peers = page->health->peers;
    int i;

    put(page, "<section class=\"wide\">\n<h2>Peers</h2>\n");
    if (!peers->nelts)
        put(page, "<p class=\"soft\">No CommunicatorPeer is configured.</p>\n");
    else {
        put_head_row(page, labels);
        for (i = 0; i < peers->nelts; i++)
            put_peer(page, &APR_ARRAY_IDX(peers, i, cm_health_peer_t));
        put(page, "</tbody></table>\n");
    }
    put(page, "</section>\n");
}

static void put_parked_row(page_t *page, const cm_parked_row_t *row)
{
    const cm_parked_t *message = &row->message;

    print(page, "<tr><th scope=\"row\">%s " FMT "<small>%s",
          safe(page, row->peer), message->id, safe(page, message->model));
    if (message->identity.origin)
        print(page, " %s/%s", safe(page, message->identity.origin),
              safe(page, message->identity.original_id));
    put(page, "</small></th>");
    print(page, "<td class=\"reason\">%s%s</td>",
          safe(page, message->reason ? message->reason : "not tried yet"),
          message->transient ? "<small>waits for another record</small>" : "");
    put_cell(page, "Since", ago(page, row->received_at, "&ndash;"),
             apr_psprintf(page->pool, "%d %s", row->attempts,
                          row->attempts == 1 ? "try" : "tries"));
    put(page, "</tr>\n");
}

/* Return how many messages are parked of all peers. */
static apr_int64_t parked_of(const cm_health_t *health)
{
    return cm_health_sum(health).parked;
}

static void put_parked(page_t *page)
{
    static const char *const labels[] = {"Message", "Reason", "Since", NULL};
    const cm_health_t *health = page->health;
    int i;

    put(page, "<section>\n<h2>Parked messages");
    if (health->parked->nelts < parked_of(health))
        print(page, " <small>%d of %s</small>", health->parked->nelts,
              number(page, parked_of(health)));
    put(page, "</h2>\n");
    if (!health->parked->nelts)
        put(page, "<p class=\"soft\">None.</p>\n");
    else {
        put_head_row(page, labels);
        for (i = 0; i < health->parked->nelts; i++)
            put_parked_row(page,
                           &APR_ARRAY_IDX(health->parked, i, cm_parked_row_t));
        put(page, "</tbody></table>\n");
    }
    put(page, "</section>\n");
}

static void put_conflicts(page_t *page)
{
    static const char *const labels[] = {"Record", "Column", "When", NULL};
    const cm_health_t *health = page->health;
    int i;

    put(page, "<section>\n<h2>Conflicts of late");
    if (health->state->conflicts)
        print(page, " <small>%s%s in a day</small>",
              number(page, health->state->conflicts),
              more(health->state->conflicts));
    put(page, "</h2>\n");
    if (!health->conflicts->nelts)
        put(page, "<p class=\"soft\">None.</p>\n");
    else
        put_head_row(page, labels);
    for (i = 0; i < health->conflicts->nelts; i++) {
        const cm_health_conflict_t *conflict =
            &APR_ARRAY_IDX(health->conflicts, i, cm_health_conflict_t);

        print(page, "<tr><th scope=\"row\">%s %s</th>",
              safe(page, conflict->model),
              safe(page, conflict->local_record_id));
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
    put(page, health->conflicts->nelts ? "</tbody></table>\n</section>\n"
                                       : "</section>\n");
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
                 cm_health_span(health->expect_every, page->pool));
    if (health->state) {
        put_fact(page, "Database", health->driver);
        put_fact(page, "Schema", apr_itoa(page->pool, health->state->schema));
        put_fact(page, "Epoch",
                 safe(page, apr_pstrndup(page->pool, health->state->epoch, 8)));
        put_fact(page, "Messages made",
                 apr_psprintf(page->pool, "%s, %s%s in the last hour",
                              number(page, health->state->last_seq),
                              number(page, health->made_of_late),
                              more(health->made_of_late)));
    }
    put(page, "</dl>\n<nav aria-label=\"Other formats\">"
              "<a href=\"?format=json\">JSON</a>"
              "<a href=\"?format=prometheus\">Prometheus</a>"
              "<a href=\"?format=nagios\">Nagios</a>"
              "<a href=\"?refresh=30\">Every 30 seconds anew</a></nav>\n"
              "</footer>\n</body>\n</html>\n");
}

void cm_status_page(cm_buffer_t *out, const cm_health_t *health, int refresh)
{
    page_t page = {out, health, out->pool};

    put_head(&page, refresh);
    put(&page, "<main class=\"two\">\n");
    put_problems(&page);
    if (health->state) {
        put_peers(&page);
        put_parked(&page);
        put_conflicts(&page);
    }
    put(&page, "</main>\n");
    put_footer(&page);
}
