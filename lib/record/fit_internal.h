/* The column that a value is meant for, and how it is refused: the inside of
 * fit.c and fit_moment.c. */
#ifndef CM_RECORD_FIT_INTERNAL_H
#define CM_RECORD_FIT_INTERNAL_H

#include <apr_strings.h>

#include "base/value.h"
#include "store/dialect.h"
#include "schema/table.h"

typedef struct cm_fit_target_t {
    const cm_column_t *column;
    const cm_dialect_t *dialect;
    apr_pool_t *pool;
} cm_fit_target_t;

/* Return the error that the column refuses the value for REASON. */
cm_error_t *cm_fit_reject(const cm_fit_target_t *target, const char *reason);

#define CM_REJECT(target, ...)                                                 \
    return cm_fit_reject((target), apr_psprintf((target)->pool, __VA_ARGS__))

/* Make VALUE, canonical, what a date, time or timestamp column takes. Fails
 * with CM_REJECTED. */
cm_error_t *cm_fit_moment(cm_datum_t *datum, const cm_fit_target_t *target,
                          cm_value_t value) CM_UNUSED_RESULT;

#endif
