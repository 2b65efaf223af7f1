/* Who a record is on the wire: the node that made it, and its id there. */
#ifndef CM_RECORD_IDENTITY_H
#define CM_RECORD_IDENTITY_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/value.h"

/* Who made a record, and its id there: the record's name on the wire. Both
 * NULL: a record without identity, each message makes a new one (gem). */
typedef struct cm_identity_t {
    const char *origin;
    const char *original_id;
} cm_identity_t;

/* Give the text of VALUE when it fits a column for names. Fails with
 * CM_MALFORMED; WHAT is for its message. */
cm_error_t *cm_identity_read_name(const char **name, const cm_value_t *value,
                                  const char *what,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* Give the identity of both values; without one of them it is none. Fails
 * with CM_MALFORMED. */
cm_error_t *cm_identity_read(cm_identity_t *identity, const cm_value_t *origin,
                             const cm_value_t *original_id,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append an original_id: as a number when it is a plain integer that every
 * reader has exactly. */
int cm_identity_id_is_exact(const char *id);
void cm_identity_write_id(cm_buffer_t *buffer, const char *id);

/* Return one string of both parts, as a hash key. */
const char *cm_identity_key(cm_identity_t identity, apr_pool_t *pool);

/* Read the identity of which cm_identity_key() made KEY. Returns 0 when it is
 * no such key. */
int cm_identity_of_key(cm_identity_t *identity, const char *key,
                       apr_pool_t *pool);

/* Return ID, a local id or key, as the original_id of a record in the life
 * LIFE: databases hand out the id of a deleted record again. */
const char *cm_identity_with_life(const char *id, int life, apr_pool_t *pool);

/* Return the id that stands in ORIGINAL_ID before the life. *LIFE (may be NULL)
 * is the rest: "" in the first life, else a mark of one byte and the number. */
const char *cm_identity_without_life(const char **life, const char *original_id,
                                     apr_pool_t *pool);

/* Return the number of the life in ORIGINAL_ID: 1, 2 ... */
int cm_identity_life(const char *original_id);

#endif
