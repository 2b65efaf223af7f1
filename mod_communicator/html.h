/* Pieces of HTML that the status page is made of. */
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

/* Return what goes behind a number that was not counted to its end. */
const char *mod_html_more(apr_int64_t value);

/* Return how long ago MOMENT was; 0: NEVER. */
const char *mod_html_ago(const mod_html_t *page, apr_int64_t moment,
                         const char *never);

/* Put TEXT, in which `words` are a command's. */
void mod_html_remedy(mod_html_t *page, const char *text);

/* Put a cell under LABEL: VALUE is HTML, SMALL below it is too (or NULL). */
void mod_html_cell(mod_html_t *page, const char *label, const char *value,
                   const char *small);

/* Put a table with LABELS (up to a NULL) and COUNT rows, which ROW puts; those
 * behind the first SHOWN are folded away. */
void mod_html_table(mod_html_t *page, const char *const *labels, int count,
                    int shown, void (*row)(mod_html_t *page, int row));

#endif
