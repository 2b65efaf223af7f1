/* Lists of messages, packed: see packed.h. */
#include "record/packed.h"

#include "base/gzip.h"
#include "base/value.h"

const cm_buffer_t *cm_packed_wire(const cm_buffer_t *text, apr_pool_t *pool)
{
    const cm_buffer_t *packed = cm_gzip_pack(text->data, text->size, pool);

    return packed ? packed : text;
}

const cm_buffer_t *cm_packed_copy(const cm_buffer_t *packed, apr_pool_t *pool)
{
    cm_buffer_t *copy;

    if (!packed)
        return NULL;
    copy = cm_buffer_create(packed->size, pool);
    cm_buffer_append(copy, packed->data, packed->size);
    return copy;
}

cm_error_t *cm_packed_text(cm_buffer_t **text, const char *digits,
                           apr_size_t size, apr_pool_t *pool)
{
    const char *bytes = cm_value_from_hex(digits, size, pool);

    size /= 2;
    if (size > 0 && *bytes != '[')
        return cm_gzip_unpack(text, bytes, size, APR_INT32_MAX, pool);
    *text = cm_buffer_create(size + 1, pool);
    cm_buffer_append(*text, bytes, size);
    return NULL;
}
