/* A key as one text: that of its column, or of several columns a JSON array of
 * their texts, ["17","3"]. It is the record's local id everywhere. */
#ifndef CM_RECORD_TUPLE_H
#define CM_RECORD_TUPLE_H

#include <apr_pools.h>

/* Read KEY into its COUNT PARTS. Returns 0 when it is not such a key. */
int cm_tuple_read(const char **parts, int count, const char *key,
                  apr_pool_t *pool);

/* Return WORD, a key as a person writes it, as a key: 17,3 or ["17", "3"] for
 * two columns. What is neither stays as it is. */
const char *cm_tuple_of_word(const char *word, int count, apr_pool_t *pool);

/* Return COUNT PARTS as a key. */
const char *cm_tuple_write(const char *const *parts, int count,
                           apr_pool_t *pool);

#endif
