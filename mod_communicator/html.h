/* HTML for the status page. */
#ifndef MOD_COMMUNICATOR_HTML_H
#define MOD_COMMUNICATOR_HTML_H

#include "status.h"
#include "base/buffer.h"
#include "operate/health.h"

typedef struct mod_html_t {
    cm_buffer_t *out;
    const cm_health_t *health;
    apr_pool_t *pool;
} mod_html_t;

/* Put HTML as it stands, or made from FORMAT. */
void mod_html_put(mod_html_t *page, const char *html);
void mod_html_print(mod_html_t *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Return TEXT (NULL: a dash) fit for HTML. */
const char *mod_html_safe(const mod_html_t *page, const char *text);

/* Return VALUE with narrow blanks between thousands. */
const char *mod_html_number(const mod_html_t *page, apr_int64_t value);

/* Return " or more" when counting stopped at VALUE, else "". */
const char *mod_html_more(apr_int64_t value);

/* Return how long ago MOMENT was, or NEVER if it is 0. */
const char *mod_html_ago(const mod_html_t *page, apr_int64_t moment,
                         const char *never);

/* Put TEXT, in which `words` are a command. */
void mod_html_remedy(mod_html_t *page, const char *text);

/* Put a cell under LABEL: VALUE is HTML, SMALL below it is too (or NULL). */
void mod_html_cell(mod_html_t *page, const char *label, const char *value,
                   const char *small);

/* Put a table with LABELS (up to a NULL) and COUNT rows, which ROW puts; only
 * the first SHOWN are visible until the reader clicks. */
void mod_html_table(mod_html_t *page, const char *const *labels, int count,
                    int shown, void (*row)(mod_html_t *page, int row));

#endif
