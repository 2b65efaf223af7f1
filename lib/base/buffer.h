/* Text that grows, for what is written piece by piece: mostly JSON. */
#ifndef CM_BASE_BUFFER_H
#define CM_BASE_BUFFER_H

#include <string.h>

#include <apr_pools.h>

/* There is no NUL at the end unless one is appended. */
typedef struct cm_buffer_t {
    char *data;
    apr_size_t size, room;
    apr_pool_t *pool;
} cm_buffer_t;

/* Return an empty buffer with ROOM bytes to begin with. */
cm_buffer_t *cm_buffer_create(apr_size_t room, apr_pool_t *pool);

/* Make room for SIZE bytes more. */
void cm_buffer_grow(cm_buffer_t *buffer, apr_size_t size);

/* Append SIZE bytes of DATA. JSON is written by so many calls of this that the
 * compiler has to see it. */
static inline void cm_buffer_append(cm_buffer_t *buffer, const char *data,
                                    apr_size_t size)
{
    if (buffer->room - buffer->size < size)
        cm_buffer_grow(buffer, size);
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

/* Append TEXT as it is. */
static inline void cm_buffer_raw(cm_buffer_t *buffer, const char *text)
{
    cm_buffer_append(buffer, text, strlen(text));
}

/* Append DATA as a quoted JSON string, or NUMBER. */
void cm_buffer_string(cm_buffer_t *buffer, const char *data, apr_size_t size);
void cm_buffer_number(cm_buffer_t *buffer, apr_int64_t number);

#endif
