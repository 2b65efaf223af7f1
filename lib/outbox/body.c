/* A batch as it is sent: see body.h. */
#include "outbox/body.h"

void cm_body_write(cm_buffer_t *buffer, const cm_batch_t *batch, int gem)
{
    int i;

    for (i = 0; i < batch->messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(batch->messages, i, cm_message_t *);

        if (gem || !message->text) {
            cm_message_write(buffer, message, gem);
            continue;
        }
        cm_buffer_append(buffer, i ? "," : "[", 1);
        cm_buffer_append(buffer, message->text, message->text_size);
    }
    cm_buffer_raw(buffer, i ? "]" : "[]");
}
