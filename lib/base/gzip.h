/* gzip, as bodies of requests and replies are packed (RFC 1952). */
#ifndef CM_BASE_GZIP_H
#define CM_BASE_GZIP_H

#include "base/buffer.h"
#include "base/error.h"

/* What is smaller fits a packet or two as it is. */
#define CM_GZIP_LEAST 2048

/* Return SIZE bytes of DATA packed, or NULL when it is not worth it: they are
 * few, or hardly become less. */
cm_buffer_t *cm_gzip_pack(const char *data, apr_size_t size, apr_pool_t *pool);

/* Unpack SIZE bytes of DATA. Takes no more memory than they say they need,
 * which is checked before anything else. Fails with CM_TOO_LARGE when that is
 * more than LIMIT bytes, and with CM_MALFORMED when they are cut, damaged, not
 * as long as they say, or followed by something. */
cm_error_t *cm_gzip_unpack(cm_buffer_t **unpacked, const char *data,
                           apr_size_t size, apr_size_t limit,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
