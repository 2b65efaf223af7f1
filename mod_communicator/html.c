/* HTML for the status page: see html.h. */
#include "html.h"

#include <string.h>

#include <apr_strings.h>

#include "base/buffer.h"
#include "base/clean.h"
#include "operate/health.h"

#define FMT "%" APR_INT64_T_FMT

void mod_html_put(mod_html_t *page, const char *html)
{
    cm_buffer_raw(page->out, html);
}

void mod_html_print(mod_html_t *page, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    mod_html_put(page, apr_pvsprintf(page->pool, format, args));
    va_end(args);
}

const char *mod_html_safe(const mod_html_t *page, const char *text)
{
    return text ? ap_escape_html(page->pool, cm_clean(text, page->pool))
                : "&ndash;";
}

const char *mod_html_number(const mod_html_t *page, apr_int64_t value)
{
    const char *digits =
        apr_psprintf(page->pool, FMT, value < 0 ? -value : value);
    apr_size_t size = strlen(digits), first = (size - 1) % 3 + 1;
    const char *text = apr_pstrmemdup(page->pool, digits, first);

    for (digits += first; *digits; digits += 3)
        text = apr_psprintf(page->pool, "%s&#8239;%.3s", text, digits);
    return value < 0 ? apr_pstrcat(page->pool, "&minus;", text, NULL) : text;
}

const char *mod_html_more(apr_int64_t value)
{
    return value >= CM_HEALTH_RECENT ? " or more" : "";
}

const char *mod_html_ago(const mod_html_t *page, apr_int64_t moment,
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

void mod_html_remedy(mod_html_t *page, const char *text)
{
    char *rest = apr_pstrdup(page->pool, text), *part;
    int code = 0;

    for (part = rest; part; part = rest, code = !code) {
        rest = strchr(part, '`');
        if (rest)
            *rest++ = 0;
        mod_html_print(page, code ? "<code>%s</code>" : "%s",
                       mod_html_safe(page, part));
    }
}

void mod_html_cell(mod_html_t *page, const char *label, const char *value,
                   const char *small)
{
    mod_html_print(page, "<td data-label=\"%s\"><span>%s</span>", label, value);
    if (small)
        mod_html_print(page, "<small>%s</small>", small);
    mod_html_put(page, "</td>");
}

static void begin_table(mod_html_t *page, const char *const *labels)
{
    mod_html_put(page, "<table>\n<thead><tr>");
    for (; *labels; labels++)
        mod_html_print(page, "<th scope=\"col\">%s</th>", *labels);
    mod_html_put(page, "</tr></thead>\n<tbody>\n");
}

void mod_html_table(mod_html_t *page, const char *const *labels, int count,
                    int shown, void (*row)(mod_html_t *page, int row))
{
    int i;

    begin_table(page, labels);
    for (i = 0; i < count; i++) {
        if (i == shown) {
            mod_html_print(page,
                           "</tbody></table>\n<details><summary>%d more"
                           "</summary>\n",
                           count - shown);
            begin_table(page, labels);
        }
        row(page, i);
    }
    mod_html_put(page, "</tbody></table>\n");
    if (count > shown)
        mod_html_put(page, "</details>\n");
}
