/* gzip (RFC 1952), for bodies of requests and replies. */
#ifndef CM_BASE_GZIP_H
#define CM_BASE_GZIP_H

#include "base/buffer.h"
#include "base/error.h"

/* Smaller bodies fit into one or two packets as they are. */
#define CM_GZIP_LEAST 2048

/* Return SIZE bytes of DATA packed, or NULL when that is not worth it: when
 * they are few, or hardly become fewer. */
cm_buffer_t *cm_gzip_pack(const char *data, apr_size_t size, apr_pool_t *pool);

/* Unpack SIZE bytes of DATA, with a NUL at the end. They say how large they
 * become; no more memory is used. Fails with CM_TOO_LARGE when that is more
 * than LIMIT bytes, and with CM_MALFORMED when they are cut, damaged, of
 * another size than they say, or followed by something. */
cm_error_t *cm_gzip_unpack(cm_buffer_t **unpacked, const char *data,
                           apr_size_t size, apr_size_t limit,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return whether CODINGS, the value of Accept-Encoding (may be NULL), names
 * gzip: for a reply (RFC 9110), or in a reply for requests (RFC 7694). */
int cm_gzip_is_accepted(const char *codings, apr_pool_t *pool);

#endif
