/* The members beside the body of a message of ours: clocks, base, refs. Clocks
 * and refs have a short form, used on the wire, and a long one, which the wire
 * may use, too (docs/wire.md). The tables contain the long form of refs, and
 * both are read; clocks have another form there (clocks.h). */
#ifndef CM_RECORD_MESSAGE_BESIDE_H
#define CM_RECORD_MESSAGE_BESIDE_H

#include "record/message.h"

/* Read TEXT (NULL: none), clocks as they are sent, into MESSAGE, whose clock
 * and attributes are there. Fails with CM_MALFORMED. */
cm_error_t *cm_message_beside_read_clocks(cm_message_t *message,
                                          const char *text,
                                          apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read the texts (NULL: none) into MESSAGE, whose identity, clock and
 * attributes are there. Fails with CM_MALFORMED. */
cm_error_t *cm_message_beside_read(cm_message_t *message, const char *base,
                                   const char *refs,
                                   apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append what MESSAGE has of them, in the short forms, as further members of
 * an object. */
void cm_message_beside_write(cm_buffer_t *buffer, const cm_message_t *message);

#endif
