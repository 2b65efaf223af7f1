/* What counts as the same value, where databases store it in other ways. */
#ifndef CM_RECORD_ALIKE_H
#define CM_RECORD_ALIKE_H

#include "base/value.h"

#include <apr_pools.h>

/* What counts as the same value in two columns that need not be of one
 * class: SQLite keeps no scale, jsonb no spaces. */
typedef enum cm_like_e {
    CM_LIKE_EXACT,
    CM_LIKE_NUMBER,  /* 1.10 and 1.1 */
    CM_LIKE_BOOLEAN, /* true, "t" and 1 */
    CM_LIKE_MOMENT,  /* a day and its midnight */
    CM_LIKE_JSON     /* spaces, order of members */
} cm_like_e;

/* Return the form of VALUE in which equal ones are the same bytes. */
cm_value_t cm_alike_form(cm_like_e like, cm_value_t value, apr_pool_t *pool);

#endif
