/* The certificates that a peer shows: what to do about them. */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include "config/settings.h"

/* Return what to do when TLS with PEER fails for the reason in WORDS, as
 * libcurl gives it. */
const char *sync_certificate_hint(const char *words,
                                  const cm_peer_settings_t *peer,
                                  apr_pool_t *pool);

/* Return the moment (microseconds since 1970) from which one of the
 * certificates that CURL, a handle of libcurl, has seen is no longer valid; 0:
 * it has seen none, or was not told to look (CURLOPT_CERTINFO). */
apr_int64_t sync_certificate_expires(void *curl);

#endif
