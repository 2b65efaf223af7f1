/* UTF-8 (RFC 3629): without surrogates and overlong forms. */
#ifndef CM_BASE_UTF8_H
#define CM_BASE_UTF8_H

#include <apr.h>

/* Read the character at AT into *CODE. Return how many bytes it has; 0 if there
 * is no complete, valid character before END. */
int cm_utf8_read(long *code, const char *at, const char *end);

/* Return how many characters TEXT, valid UTF-8 of SIZE bytes, has. */
int cm_utf8_count(const char *text, apr_size_t size);

/* Return whether TEXT, SIZE bytes, is UTF-8. */
int cm_utf8_is_valid(const char *text, apr_size_t size);

#endif
