/* Whether values are the same although databases store them differently. */
#ifndef CM_RECORD_ALIKE_H
#define CM_RECORD_ALIKE_H

#include "base/value.h"

#include <apr_pools.h>

/* How two columns compare, which may be of different classes: SQLite stores no
 * scale, jsonb no spaces. */
typedef enum cm_like_e {
    CM_LIKE_EXACT,
    CM_LIKE_NUMBER,  /* 1.10 and 1.1 */
    CM_LIKE_BOOLEAN, /* true, "t" and 1 */
    CM_LIKE_MOMENT,  /* a date and its midnight */
    CM_LIKE_JSON     /* spaces, order of members */
} cm_like_e;

/* Return the form of VALUE in which equal ones are the same bytes. */
cm_value_t cm_alike_form(cm_like_e like, cm_value_t value, apr_pool_t *pool);

#endif
