/* Ids (or other texts), each once, in the order in which they were added. */
#ifndef CM_BASE_ID_SET_H
#define CM_BASE_ID_SET_H

#include <apr_hash.h>
#include <apr_tables.h>

typedef struct cm_id_set_t {
    apr_array_header_t *ids; /* const char * */
    apr_hash_t *members;     /* the same, to look them up */
} cm_id_set_t;

/* Return an empty set, with room for SIZE ids before it must grow. */
cm_id_set_t *cm_id_set_create(int size, apr_pool_t *pool);

/* Add ID, which is not copied; returns 0 when it is in the set already. */
int cm_id_set_add(cm_id_set_t *set, const char *id);

#endif
