/* The status page: see status_html.h. */
#include "status_html.h"

#include <string.h>

#include <apr_strings.h>

#include "cm_clean.h"

#define FMT "%" APR_INT64_T_FMT

void cm_html_put(cm_html_t *page, const char *html)
{
    cm_buffer_raw(page->out, html);
}

void cm_html_print(cm_html_t *page, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    cm_html_put(page, apr_pvsprintf(page->pool, format, args));
    va_end(args);
}

const char *cm_html_safe(const cm_html_t *page, const char *text)
{
    return text ? ap_escape_html(page->pool, cm_clean(text, page->pool))
                : "&ndash;";
}

const char *cm_html_number(const cm_html_t *page, apr_int64_t value)
{
    const char *digits =
        apr_psprintf(page->pool, FMT, value < 0 ? -value : value);
    apr_size_t size = strlen(digits), first = (size - 1) % 3 + 1;
    const char *text = apr_pstrmemdup(page->pool, digits, first);

    for (digits += first; *digits; digits += 3)
        text = apr_psprintf(page->pool, "%s&#8239;%.3s", text, digits);
    return value < 0 ? apr_pstrcat(page->pool, "&minus;", text, NULL) : text;
}

const char *cm_html_more(apr_int64_t value)
{
    return value >= CM_HEALTH_RECENT ? " or more" : "";
}

const char *cm_html_ago(const cm_html_t *page, apr_int64_t moment,
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

void cm_html_remedy(cm_html_t *page, const char *text)
{
    char *rest = apr_pstrdup(page->pool, text), *part;
    int code = 0;

    for (part = rest; part; part = rest, code = !code) {
        rest = strchr(part, '`');
        if (rest)
            *rest++ = 0;
        cm_html_print(page, code ? "<code>%s</code>" : "%s",
                      cm_html_safe(page, part));
    }
}

void cm_html_cell(cm_html_t *page, const char *label, const char *value,
                  const char *small)
{
    cm_html_print(page, "<td data-label=\"%s\"><span>%s</span>", label, value);
    if (small)
        cm_html_print(page, "<small>%s</small>", small);
    cm_html_put(page, "</td>");
}

static void begin_table(cm_html_t *page, const char *const *labels)
{
    cm_html_put(page, "<table>\n<thead><tr>");
    for (; *labels; labels++)
        cm_html_print(page, "<th scope=\"col\">%s</th>", *labels);
    cm_html_put(page, "</tr></thead>\n<tbody>\n");
}

void cm_html_table(cm_html_t *page, const char *const *labels, int count,
                   int shown, void (*row)(cm_html_t *page, int row))
{
    int i;

    begin_table(page, labels);
    for (i = 0; i < count; i++) {
        if (i == shown) {
            cm_html_print(page,
                          "</tbody></table>\n<details><summary>%d more"
                          "</summary>\n",
                          count - shown);
            begin_table(page, labels);
        }
        row(page, i);
    }
    cm_html_put(page, "</tbody></table>\n");
    if (count > shown)
        cm_html_put(page, "</details>\n");
}
