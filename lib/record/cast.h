/* Values between a gem and this node: what ActiveRecord casts and what it
 * cannot keep. Between nodes of ours nothing is cast (fit.h). */
#ifndef CM_RECORD_CAST_H
#define CM_RECORD_CAST_H

#include "base/value.h"
#include "schema/table.h"

/* Return what a gem would write of VALUE, from another gem, into COLUMN: of a
 * text that begins with a number that number, NULL for '' where COLUMN is not a
 * text, no more digits of a fraction than COLUMN keeps, and the bytes of a text
 * for a binary column. With LOCAL_TIMES (times=local) a zone is left out of
 * times. In POOL where it differs from VALUE. */
cm_value_t cm_cast_from_gem(const cm_column_t *column, cm_value_t value,
                            int local_times, apr_pool_t *pool);

/* Make of *VALUE, canonical for COLUMN, what a gem takes, in POOL. Return why
 * that is not possible, or NULL. */
const char *cm_cast_to_gem(const cm_column_t *column, cm_value_t *value,
                           apr_pool_t *pool);

/* Why text with U+0000 is not sent to a gem. */
#define CM_CAST_NUL "a gem cannot keep U+0000"

/* Return whether a gem that got WHOLE, canonical for COLUMN, has kept VALUE of
 * it. */
int cm_cast_is_kept(const cm_column_t *column, cm_value_t value,
                    cm_value_t whole, apr_pool_t *pool);

#endif
