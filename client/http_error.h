/* What libcurl says of a failure, for a person. */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#include <curl/curl.h>

#include "http.h"

/* Return the error for RC with WORDS of libcurl's (may be ""). OVERFLOW: the
 * reply became too large. */
cm_error_t *cm_http_explain(CURLcode rc, const char *words, int overflow,
                            const cm_http_config_t *config, apr_pool_t *pool);

#endif
