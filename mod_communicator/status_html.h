/* Pieces of HTML that the status page is made of. */
#ifndef STATUS_HTML_H
#define STATUS_HTML_H

#include "status.h"

typedef struct cm_html_t {
    cm_buffer_t *out;
    const cm_health_t *health;
    apr_pool_t *pool;
} cm_html_t;

/* Put HTML as it stands, or made from FORMAT. */
void cm_html_put(cm_html_t *page, const char *html);
void cm_html_print(cm_html_t *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Return TEXT (NULL: a dash) fit for HTML. */
const char *cm_html_safe(const cm_html_t *page, const char *text);

/* Return VALUE with narrow blanks between thousands. */
const char *cm_html_number(const cm_html_t *page, apr_int64_t value);

/* Return what goes behind a number that was not counted to its end. */
const char *cm_html_more(apr_int64_t value);

/* Return how long ago MOMENT was; 0: NEVER. */
const char *cm_html_ago(const cm_html_t *page, apr_int64_t moment,
                        const char *never);

/* Put TEXT, in which `words` are a command's. */
void cm_html_remedy(cm_html_t *page, const char *text);

/* Put a cell under LABEL: VALUE is HTML, SMALL below it is too (or NULL). */
void cm_html_cell(cm_html_t *page, const char *label, const char *value,
                  const char *small);

/* Put a table with LABELS (up to a NULL) and COUNT rows, which ROW puts; those
 * behind the first SHOWN are folded away. */
void cm_html_table(cm_html_t *page, const char *const *labels, int count,
                   int shown, void (*row)(cm_html_t *page, int row));

#endif
