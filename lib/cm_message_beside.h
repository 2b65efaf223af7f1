/* What stands beside the body of a message of ours: clocks, base, refs. Clocks
 * and refs have a short form, which the wire has, and one that says all by
 * itself, which the wire may have (docs/wire.md). The tables keep that of
 * refs, and read both; clocks have a form of their own there (cm_clocks.h). */
#ifndef CM_MESSAGE_BESIDE_H
#define CM_MESSAGE_BESIDE_H

#include "cm_message.h"

/* Return the attribute NAME of MESSAGE, or NULL. */
cm_attribute_t *cm_attribute_find(const cm_message_t *message,
                                  const char *name);

/* Give the text of VALUE when it fits a column for names. Fails with
 * CM_MALFORMED; WHAT is for its message. */
cm_error_t *cm_name_read(const char **name, const cm_value_t *value,
                         const char *what, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Give the identity of both values; without one of them it is none. Fails
 * with CM_MALFORMED. */
cm_error_t *cm_identity_read(cm_identity_t *identity, const cm_value_t *origin,
                             const cm_value_t *original_id,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read TEXT (NULL: none), clocks as they are sent, into MESSAGE, whose clock
 * and attributes are there. Fails with CM_MALFORMED. */
cm_error_t *cm_beside_read_clocks(cm_message_t *message, const char *text,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read the texts (NULL: none) into MESSAGE, whose identity, clock and
 * attributes are there. Fails with CM_MALFORMED. */
cm_error_t *cm_beside_read(cm_message_t *message, const char *base,
                           const char *refs, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append what MESSAGE has of them, in the short forms, as further members of
 * an object. */
void cm_beside_write(cm_buffer_t *buffer, const cm_message_t *message);

/* Append an original_id: as a number when it is a plain integer that every
 * reader has exactly. */
int cm_original_id_is_exact(const char *id);
void cm_original_id_write(cm_buffer_t *buffer, const char *id);

#endif
