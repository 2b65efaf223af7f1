/* UTF-8 (RFC 3629): no surrogates, nothing longer than it must be. */
#ifndef CM_BASE_UTF8_H
#define CM_BASE_UTF8_H

#include <apr.h>

/* Return how many bytes the character at AT has, which ends before END; 0: it
 * is none. */
int cm_utf8_length(const char *at, const char *end);

/* Return whether TEXT, SIZE bytes, is UTF-8. */
int cm_utf8_is_valid(const char *text, apr_size_t size);

#endif
