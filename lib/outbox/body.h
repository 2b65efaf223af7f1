/* The body of a request or reply that carries a batch. */
#ifndef CM_OUTBOX_BODY_H
#define CM_OUTBOX_BODY_H

#include "outbox/read.h"

/* Write the messages of BATCH as a JSON list into BUFFER, which begins empty;
 * with GEM only what a gem knows. */
void cm_body_write(cm_buffer_t *buffer, const cm_batch_t *batch, int gem);

#endif
