/* Text that came from a peer, or stands in a database that it writes to, made
 * fit to be shown: on a terminal, in a log, in a mail, on a page.
 *
 * Control characters (C0, DEL, C1) drive a terminal. Characters that change
 * the direction of text make a name look like another one. Both are replaced;
 * all other text stays as it is. */
#ifndef CM_BASE_CLEAN_H
#define CM_BASE_CLEAN_H

#include <apr_pools.h>

/* Return TEXT as one line: control characters and line ends become spaces,
 * what changes the direction and what is no UTF-8 becomes "?". Nothing is
 * copied when there is nothing to do. NULL stays NULL. */
const char *cm_clean(const char *text, apr_pool_t *pool);

/* The same for a text of several lines: line feeds and tabs stay. */
const char *cm_clean_lines(const char *text, apr_pool_t *pool);

/* Return the JSON text JSON with such characters escaped in its strings, as
 * in \u202e: it means the same, but for bytes that are no UTF-8. */
const char *cm_clean_json(const char *json, apr_pool_t *pool);

#endif
