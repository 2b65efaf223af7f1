/* The column that a value is meant for, and how it is refused: the inside of
 * cm_value_datum.c and cm_value_moment.c. */
#ifndef CM_VALUE_TARGET_H
#define CM_VALUE_TARGET_H

#include <apr_strings.h>

#include "cm_catalog.h"
#include "cm_dialect.h"

typedef struct cm_target_t {
    const cm_column_t *column;
    cm_database_e database;
    apr_pool_t *pool;
} cm_target_t;

/* Return the error that the column refuses the value for REASON. */
cm_error_t *cm_target_reject(const cm_target_t *target, const char *reason);

#define CM_REJECT(target, ...)                                                 \
    return cm_target_reject((target), apr_psprintf((target)->pool, __VA_ARGS__))

/* Make VALUE, canonical, what a date, time or timestamp column takes. Fails
 * with CM_REJECTED. */
cm_error_t *cm_target_moment(cm_datum_t *datum, const cm_target_t *target,
                             cm_value_t value) CM_UNUSED_RESULT;

#endif
