/* Which record it is: the node that made it, and its id there. */
#ifndef CM_RECORD_IDENTITY_H
#define CM_RECORD_IDENTITY_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/value.h"

/* Both are NULL in a gem's message without identity: each makes a new record.
 */
typedef struct cm_identity_t {
    const char *origin;
    const char *original_id;
} cm_identity_t;

/* Set *NAME to the text of VALUE if it fits a column for names. Fails with
 * CM_MALFORMED; WHAT is the subject of the message. */
cm_error_t *cm_identity_read_name(const char **name, const cm_value_t *value,
                                  const char *what,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* Set *IDENTITY to both values; if one is missing, to no identity. Fails with
 * CM_MALFORMED. */
cm_error_t *cm_identity_read(cm_identity_t *identity, const cm_value_t *origin,
                             const cm_value_t *original_id,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Write an original_id (NULL: null) as cm_json_write_text() does, but as a
 * number if it is an integer that all JSON readers represent exactly. */
int cm_identity_id_is_exact(const char *id);
void cm_identity_write_id(cm_buffer_t *json, const char *name, const char *id);

/* Return both parts as one string, for hashes. */
const char *cm_identity_key(cm_identity_t identity, apr_pool_t *pool);

/* Read a KEY that cm_identity_key() made. Returns 0 when it is something else.
 */
int cm_identity_of_key(cm_identity_t *identity, const char *key,
                       apr_pool_t *pool);

/* Return the original_id of the record with the local id (or key) ID in its
 * life LIFE: databases assign the id of a deleted record again. */
const char *cm_identity_with_life(const char *id, int life, apr_pool_t *pool);

/* Return ORIGINAL_ID without the life. *LIFE (may be NULL) is the rest: "" in
 * the first life, else a mark of one byte and the number. */
const char *cm_identity_without_life(const char **life, const char *original_id,
                                     apr_pool_t *pool);

/* Return the life of ORIGINAL_ID: 1, 2 ... */
int cm_identity_life(const char *original_id);

#endif
