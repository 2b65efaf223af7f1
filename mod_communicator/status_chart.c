/* The charts of the status page: what the journal knows of the last day. Each
 * has two lines: what goes to the peer, filled, and what comes from it, dashed.
 * Colour alone says nothing, and a table says what the lines show. */
#include <math.h>
#include <stdarg.h>

#include <apr_strings.h>

#include "mod_communicator.h"

#include "base/buffer.h"
#include "operate/journal.h"

/* The charts of so many peers are shown, so many more on a click: those of one
 * peer take up to 12 KB. */
#define SHOWN 4
#define MOST  12

/* In units of the picture: a slot is one wide. */
#define HEIGHT 40

#define MINUTE apr_time_from_sec(60)

const char mod_status_chart_style[] =
    ":root{--out:#0b5cad;--in:#8a3fa8}\n"
    "@media(prefers-color-scheme:dark){:root{--out:#7ab7f5;--in:#d79af0}}\n"
    ".charts{display:grid;gap:.5rem 1.5rem;"
    "grid-template-columns:repeat(auto-fit,minmax(min(15rem,100%),1fr))}\n"
    "h3{margin:.3rem 0 0;font-size:.95rem}\n"
    "figure{margin:0;min-width:0}\n"
    "figcaption,.key{font-size:.85rem;color:var(--soft)}\n"
    ".key{display:flex;flex-wrap:wrap;gap:0 1.2rem}\n"
    ".key i{display:inline-block;width:1.3rem;margin-right:.35rem;"
    "vertical-align:middle;border-top:2px solid var(--out)}\n"
    ".key .from i{border-top:2px dashed var(--in)}\n"
    ".key .failed i{width:.6rem;border-top:4px solid var(--critical-mark)}\n"
    "svg{display:block;width:100%;height:3rem;"
    "border-bottom:1px solid var(--soft)}\n"
    "svg path{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke}\n"
    "svg .grid{stroke:var(--line);stroke-width:1}\n"
    "svg .to{stroke:var(--out);fill:var(--out);fill-opacity:.25}\n"
    "svg .from{stroke:var(--in);stroke-dasharray:4 3}\n"
    "svg .failed{stroke:var(--critical-mark);stroke-width:4}\n";

/* One line of a chart. */
typedef struct line_t {
    double values[CM_JOURNAL_SLOTS]; /* below 0: not known */
    double most;
    int at; /* the slot that has it; -1: nothing is known */
} line_t;

typedef struct chart_t {
    const char *title, *about;
    /* Return the value of WAY in a slot of so many MINUTES. */
    double (*value)(const cm_journal_way_t *way, double minutes);
    const char *(*text)(double value, apr_pool_t *pool);
} chart_t;

__attribute__((format(printf, 2, 3))) static void print(cm_buffer_t *out,
                                                        const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cm_buffer_raw(out, apr_pvsprintf(out->pool, format, args));
    va_end(args);
}

static double queue_of(const cm_journal_way_t *way, double minutes)
{
    (void)minutes;
    return (double)way->pending;
}

static double rate_of(const cm_journal_way_t *way, double minutes)
{
    return (double)way->moved / minutes;
}

static double lag_of(const cm_journal_way_t *way, double minutes)
{
    (void)minutes;
    return way->pending < 0 ? -1 : (double)way->lag;
}

static const char *count_text(double value, apr_pool_t *pool)
{
    return mod_status_page_number((apr_int64_t)value, pool);
}

static const char *rate_text(double value, apr_pool_t *pool)
{
    return value < 10 && value > 0 ? apr_psprintf(pool, "%.1f", value)
                                   : count_text(value, pool);
}

static const char *lag_text(double value, apr_pool_t *pool)
{
    return cm_health_judge_span((apr_int64_t)value, pool);
}

static const chart_t charts[] = {
    {"Queue", "messages that wait", queue_of, count_text},
    {"Messages per minute", "messages that moved", rate_of, rate_text},
    {"Lag", "how long the oldest message has waited", lag_of, lag_text}};

/* Return the time of the day, in UTC, at which slot I begins. */
static const char *time_of(const cm_journal_day_t *day, int i, apr_pool_t *pool)
{
    apr_time_exp_t parts;

    apr_time_exp_gmt(&parts, cm_journal_slot_at(day->now, i));
    return apr_psprintf(pool, "%02d:%02d", parts.tm_hour, parts.tm_min);
}

/* Return how many minutes slot I has so far. */
static double minutes_of(const cm_journal_day_t *day, int i)
{
    apr_int64_t span = i < CM_JOURNAL_SLOTS - 1
                           ? CM_JOURNAL_SLOT
                           : day->now - cm_journal_slot_at(day->now, i);

    return span < MINUTE ? 1 : (double)span / MINUTE;
}

static void read_line(line_t *line, const chart_t *chart,
                      const cm_journal_day_t *day, int comes)
{
    int i;

    line->most = 0;
    line->at = -1;
    for (i = 0; i < CM_JOURNAL_SLOTS; i++) {
        const cm_journal_slot_t *slot = &day->slots[i];
        double value = chart->value(comes ? &slot->received : &slot->sent,
                                    minutes_of(day, i));

        line->values[i] = slot->known ? value : -1;
        if (line->values[i] < 0 || (line->at >= 0 && value <= line->most))
            continue;
        line->most = value;
        line->at = i;
    }
}

/* Put LINE as a path of CLASS, with MOST on top; with AREA, closed at the
 * bottom. Where nothing is known there is a gap, where nothing changes no
 * step. */
static void put_line(cm_buffer_t *out, const line_t *line, const char *class,
                     double most, int area)
{
    double y, last = 0;
    int i;

    if (line->at < 0)
        return;
    print(out, "<path class=\"%s\" d=\"", class);
    for (i = 0; i < CM_JOURNAL_SLOTS; i++) {
        if (line->values[i] < 0)
            continue;
        y = HEIGHT - (HEIGHT - 2) * line->values[i] / most;
        if (i == 0 || line->values[i - 1] < 0)
            print(out, "M%d %.1fV%.1f", i, area ? HEIGHT : y, y);
        else if (fabs(y - last) >= 0.1)
            print(out, "H%dV%.1f", i, y);
        else
            y = last;
        last = y;
        if (i + 1 == CM_JOURNAL_SLOTS || line->values[i + 1] < 0)
            print(out, area ? "H%dV%dZ" : "H%d", i + 1, HEIGHT);
    }
    cm_buffer_raw(out, "\"/>\n");
}

/* Put a mark at the bottom where runs of DAY failed. */
static void put_failed(cm_buffer_t *out, const cm_journal_day_t *day)
{
    int i;

    cm_buffer_raw(out, "<path class=\"failed\" d=\"");
    for (i = 0; i < CM_JOURNAL_SLOTS; i++)
        if (day->slots[i].failed)
            print(out, "M%d %dh1", i, HEIGHT);
    cm_buffer_raw(out, "\"/>\n");
}

static int count_failed(const cm_journal_day_t *day)
{
    int i, failed = 0;

    for (i = 0; i < CM_JOURNAL_SLOTS; i++)
        failed += day->slots[i].failed;
    return failed;
}

/* Append what LINE shows to KEY, with a mark of CLASS, and to the words of
 * ABOUT: "to central: most 12 at 03:15". */
static void tell_line(cm_buffer_t *key, cm_buffer_t *about, const line_t *line,
                      const chart_t *chart, const cm_journal_day_t *day,
                      const char *class, const char *peer)
{
    apr_pool_t *pool = key->pool;
    const char *words;

    if (line->at < 0)
        return;
    words = apr_psprintf(pool, "%s %s: always 0", class, peer);
    if (line->most > 0)
        words = apr_psprintf(pool, "%s %s: most %s at %s", class, peer,
                             chart->text(line->most, pool),
                             time_of(day, line->at, pool));
    print(key, "<span class=\"%s\"><i></i>%s</span>", class, words);
    print(about, "; %s", words);
}

/* Put CHART number ID of the page, about DAY of PEER (HTML). Its title and
 * description are for those who do not see it. */
static void put_chart(cm_buffer_t *out, const chart_t *chart, int id,
                      const cm_journal_day_t *day, const char *peer)
{
    cm_buffer_t *key = cm_buffer_create(256, out->pool);
    cm_buffer_t *about = cm_buffer_create(256, out->pool);
    const int failed = count_failed(day);
    line_t sent, received;
    double most = 1;

    read_line(&sent, chart, day, 0);
    read_line(&received, chart, day, 1);
    if (sent.most > 0 || received.most > 0)
        most = sent.most > received.most ? sent.most : received.most;
    tell_line(key, about, &sent, chart, day, "to", peer);
    tell_line(key, about, &received, chart, day, "from", peer);
    if (failed) {
        print(key, "<span class=\"failed\"><i></i>failed runs: %d</span>",
              failed);
        print(about, "; failed runs: %d", failed);
    }
    print(out,
          "<figure><figcaption>%s</figcaption>\n"
          "<svg role=\"img\" aria-labelledby=\"t%d d%d\" viewBox=\"0 0 %d %d\""
          " preserveAspectRatio=\"none\"><title id=\"t%d\">%s</title>"
          "<desc id=\"d%d\">The last day, %s%.*s</desc>\n"
          "<path class=\"grid\" d=\"M24 0V%dM48 0V%dM72 0V%d\"/>\n",
          chart->title, id, id, CM_JOURNAL_SLOTS, HEIGHT, id, chart->title, id,
          chart->about, (int)about->size, about->data, HEIGHT, HEIGHT, HEIGHT);
    put_line(out, &sent, "to", most, 1);
    put_line(out, &received, "from", most, 0);
    put_failed(out, day);
    print(out, "</svg>\n<div class=\"key\">%.*s</div></figure>\n",
          (int)key->size, key->data);
}

/* The slots of one hour. */
#define HOUR 4

/* Sum up the hour that begins with SLOTS; return whether anything is known. */
static int sum_hour(cm_journal_slot_t *sum, const cm_journal_slot_t *slots)
{
    int i;

    *sum = (cm_journal_slot_t){.received = {.pending = -1}};
    for (i = 0; i < HOUR; i++)
        if (slots[i].known) {
            sum->known = 1;
            sum->failed += slots[i].failed;
            cm_journal_way_join(&sum->sent, &slots[i].sent);
            cm_journal_way_join(&sum->received, &slots[i].received);
        }
    return sum->known;
}

static void put_cell(cm_buffer_t *out, const char *label, const char *value,
                     const char *there)
{
    print(out, "<td data-label=\"%s\"><span>%s</span>", label, value);
    if (there)
        print(out, "<small>%s there</small>", there);
    cm_buffer_raw(out, "</td>");
}

static void put_hour(cm_buffer_t *out, const char *time,
                     const cm_journal_slot_t *sum)
{
    apr_pool_t *pool = out->pool;
    const cm_journal_way_t *to = &sum->sent, *from = &sum->received;

    print(out, "<tr><th scope=\"row\">%s</th>", time);
    put_cell(out, "Sent", mod_status_page_number(to->moved, pool), NULL);
    put_cell(out, "Received", mod_status_page_number(from->moved, pool), NULL);
    put_cell(out, "Queue", mod_status_page_number(to->pending, pool),
             from->pending > 0 ? mod_status_page_number(from->pending, pool)
                               : NULL);
    put_cell(out, "Lag", lag_text((double)to->lag, pool),
             from->pending > 0 ? lag_text((double)from->lag, pool) : NULL);
    put_cell(out, "Failed runs", mod_status_page_number(sum->failed, pool),
             NULL);
    cm_buffer_raw(out, "</tr>\n");
}

/* Put the figures of DAY by the hour, the last first. */
static void put_figures(cm_buffer_t *out, const cm_journal_day_t *day,
                        const char *peer)
{
    cm_journal_slot_t sum;
    int i;

    print(out,
          "<details><summary>Figures of %s</summary>\n<table>\n"
          "<thead><tr><th scope=\"col\">Hour from</th>"
          "<th scope=\"col\">Sent</th><th scope=\"col\">Received</th>"
          "<th scope=\"col\">Queue, at most</th>"
          "<th scope=\"col\">Lag, at most</th>"
          "<th scope=\"col\">Failed runs</th></tr></thead>\n<tbody>\n",
          peer);
    for (i = CM_JOURNAL_SLOTS - HOUR; i >= 0; i -= HOUR)
        if (sum_hour(&sum, &day->slots[i]))
            put_hour(out, time_of(day, i, out->pool), &sum);
    cm_buffer_raw(out, "</tbody></table>\n</details>\n");
}

#define CHARTS ((int)(sizeof(charts) / sizeof(*charts)))

/* Put the charts of DAY, number N of the page. */
static void put_day(cm_buffer_t *out, int n, const cm_journal_day_t *day)
{
    const char *peer = mod_status_page_safe(day->peer, out->pool);
    int i;

    print(out, "<h3>%s</h3>\n<div class=\"charts\">\n", peer);
    for (i = 0; i < CHARTS; i++)
        put_chart(out, &charts[i], n * CHARTS + i, day, peer);
    cm_buffer_raw(out, "</div>\n");
    put_figures(out, day, peer);
}

/* Return whether DAYS have two slots of a peer: fewer make no line. */
static int is_worth(const apr_array_header_t *days)
{
    int i, k, known;

    for (i = 0; days && i < days->nelts; i++)
        for (k = known = 0; k < CM_JOURNAL_SLOTS; k++) {
            known += APR_ARRAY_IDX(days, i, cm_journal_day_t).slots[k].known;
            if (known > 1)
                return 1;
        }
    return 0;
}

void mod_status_chart(cm_buffer_t *out, const apr_array_header_t *days)
{
    int i, count;

    if (!is_worth(days))
        return;
    count = days->nelts < MOST ? days->nelts : MOST;
    cm_buffer_raw(out,
                  "<section class=\"wide day\">\n<h2>The last day <small>from "
                  "24 hours ago to now; times are UTC</small></h2>\n");
    for (i = 0; i < count; i++) {
        if (i == SHOWN)
            print(out, "<details><summary>%d more</summary>\n", count - SHOWN);
        put_day(out, i, &APR_ARRAY_IDX(days, i, cm_journal_day_t));
    }
    if (count > SHOWN)
        cm_buffer_raw(out, "</details>\n");
    if (count < days->nelts)
        print(out,
              "<p class=\"soft\">Of %d more peers: <code>communicator-sync "
              "status --history --peer NAME</code></p>\n",
              days->nelts - count);
    cm_buffer_raw(out, "</section>\n");
}
