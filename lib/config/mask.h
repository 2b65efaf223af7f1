/* Hiding passwords in what is printed or logged. */
#ifndef CM_CONFIG_MASK_H
#define CM_CONFIG_MASK_H

#include <apr_pools.h>

/* Return TEXT (the parameters of a database, a URI or a command) without its
 * passwords: "password=x" becomes "password=***", "//user:x@host" becomes
 * "//user:***@host". */
const char *cm_mask_passwords(const char *text, apr_pool_t *pool);

#endif
