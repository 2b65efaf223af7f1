/* Lists of messages as they are kept in a column "wire": the JSON of the wire
 * (docs/wire.md), packed by gzip where that makes it smaller. */
#ifndef CM_RECORD_PACKED_H
#define CM_RECORD_PACKED_H

#include "base/buffer.h"
#include "base/error.h"

/* Return what the column holds of TEXT, a JSON list: itself, or packed. */
const cm_buffer_t *cm_packed_wire(const cm_buffer_t *text, apr_pool_t *pool);

/* Return a copy of PACKED (may be NULL) in POOL. */
const cm_buffer_t *cm_packed_copy(const cm_buffer_t *packed, apr_pool_t *pool);

/* Give the JSON list that the SIZE hexadecimal DIGITS of the column stand for.
 * Fails with CM_MALFORMED when they are damaged. */
cm_error_t *cm_packed_text(cm_buffer_t **text, const char *digits,
                           apr_size_t size, apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
