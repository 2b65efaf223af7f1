/* Ids, each once: see id_set.h. */
#include "base/id_set.h"

cm_id_set_t *cm_id_set_create(int size, apr_pool_t *pool)
{
    cm_id_set_t *set = apr_palloc(pool, sizeof(*set));

    set->ids = apr_array_make(pool, size, sizeof(const char *));
    set->members = apr_hash_make(pool);
    return set;
}

int cm_id_set_add(cm_id_set_t *set, const char *id)
{
    if (apr_hash_get(set->members, id, APR_HASH_KEY_STRING))
        return 0;
    apr_hash_set(set->members, id, APR_HASH_KEY_STRING, id);
    APR_ARRAY_PUSH(set->ids, const char *) = id;
    return 1;
}
