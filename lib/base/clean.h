/* Make text safe to show in a terminal, log, mail or page. It may come from a
 * peer, or from a database that a peer writes to.
 *
 * Control characters (C0, DEL, C1) control a terminal. Characters that change
 * the direction of text make a name look like another one. Both are replaced;
 * all other text stays as it is. */
#ifndef CM_BASE_CLEAN_H
#define CM_BASE_CLEAN_H

#include <apr_pools.h>

/* Return TEXT as one line: control characters and line ends become spaces,
 * changes of direction and invalid UTF-8 become "?". Returns TEXT itself when
 * nothing has to be replaced. NULL stays NULL. */
const char *cm_clean(const char *text, apr_pool_t *pool);

/* The same for a text of several lines: line feeds and tabs stay. */
const char *cm_clean_lines(const char *text, apr_pool_t *pool);

/* Return the JSON text JSON with such characters escaped in its strings, as in
 * \u202e. It means the same, except for invalid UTF-8. */
const char *cm_clean_json(const char *json, apr_pool_t *pool);

#endif
