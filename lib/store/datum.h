/* Values on their way into and out of the database: text, bytes or NULL. */
#ifndef CM_STORE_DATUM_H
#define CM_STORE_DATUM_H

#include <apr_pools.h>

/* A value on its way into or out of the database. DATA is NUL-terminated
 * one byte behind SIZE. SQL NULL: data == NULL. */
typedef struct cm_datum_t {
    const char *data;
    apr_size_t size;
    int binary; /* in: store as bytes (bytea, BLOB), not as text */
} cm_datum_t;

/* Return a text datum of the NUL-terminated TEXT (NULL: SQL NULL), or of
 * NUMBER printed in POOL. */
cm_datum_t cm_datum_text(const char *text);
cm_datum_t cm_datum_number(apr_int64_t number, apr_pool_t *pool);

/* Return MICROSECONDS since 1970 as timestamp columns hold it, in UTC. */
cm_datum_t cm_datum_moment(apr_int64_t microseconds, apr_pool_t *pool);

#endif
