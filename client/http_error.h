/* Why HTTP failed, for a person. */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#include <curl/curl.h>

#include "http.h"

/* Return the error for RC, with libcurl's WORDS (may be ""). OVERFLOW: the
 * reply was too large. PROXY: that of the connection. */
cm_error_t *sync_http_error_explain(CURLcode rc, const char *words,
                                    int overflow,
                                    const sync_http_config_t *config,
                                    const sync_proxy_t *proxy,
                                    apr_pool_t *pool);

#endif
