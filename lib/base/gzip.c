/* gzip: see gzip.h. */
#include "base/gzip.h"

#include <limits.h>
#include <string.h>

#include <apr_strings.h>
#include <zlib.h>

/* The fastest: level 3 takes a quarter more time for a fifteenth less. */
#define LEVEL 1

/* For zlib: a window of 32 KB, with gzip's header and trailer. */
#define GZIP   (15 + 16)
#define MEMORY 8

/* Header and trailer, and the least that is between them. */
#define HEAD_SIZE  10
#define TAIL_SIZE  8
#define LEAST_SIZE (HEAD_SIZE + 2 + TAIL_SIZE)

/* No packed byte becomes more than so many. */
#define RATIO_MOST 1032

cm_buffer_t *cm_gzip_pack(const char *data, apr_size_t size, apr_pool_t *pool)
{
    apr_size_t room = size - size / 4;
    z_stream stream = {0};
    cm_buffer_t *packed;
    int rc;

    if (size < CM_GZIP_LEAST || size > UINT_MAX)
        return NULL;
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, GZIP, MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    packed = cm_buffer_create(room, pool);
    stream.next_in = (Bytef *)data;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)packed->data;
    stream.avail_out = (uInt)room;
    rc = deflate(&stream, Z_FINISH);
    packed->size = room - stream.avail_out;
    deflateEnd(&stream);
    return rc == Z_STREAM_END ? packed : NULL;
}

/* The last four bytes are the unpacked size, modulo 4 GB. */
static apr_size_t claimed_size(const char *data, apr_size_t size)
{
    const unsigned char *end = (const unsigned char *)data + size;

    return end[-4] | end[-3] << 8 | end[-2] << 16 | (apr_size_t)end[-1] << 24;
}

/* Return whether DATA begins like gzip and can be as large as it says: in data
 * that is cut or not gzip, the size is random. */
static int is_likely(const char *data, apr_size_t size)
{
    return size >= LEAST_SIZE && !memcmp(data, "\x1f\x8b\x08", 3) &&
           claimed_size(data, size) / RATIO_MOST <= size;
}

static cm_error_t *unpack(cm_buffer_t *unpacked, const char *data,
                          apr_size_t size, apr_pool_t *pool)
{
    z_stream stream = {0};
    int rc = inflateInit2(&stream, GZIP);

    if (rc != Z_OK)
        return CM_FAIL(pool, CM_INTERNAL, "zlib cannot be used: %d", rc);
    stream.next_in = (Bytef *)data;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)unpacked->data;
    stream.avail_out = (uInt)unpacked->size;
    rc = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    if (rc == Z_STREAM_END && !stream.avail_in && !stream.avail_out)
        return NULL;
    return CM_FAIL(pool, CM_MALFORMED, "the packed data is cut or damaged");
}

cm_error_t *cm_gzip_unpack(cm_buffer_t **unpacked, const char *data,
                           apr_size_t size, apr_size_t limit, apr_pool_t *pool)
{
    apr_size_t room;

    if (size > UINT_MAX || !is_likely(data, size))
        return CM_FAIL(pool, CM_MALFORMED, "the data is not packed by gzip");
    room = claimed_size(data, size);
    if (room > limit)
        return CM_FAIL(pool, CM_TOO_LARGE,
                       "the packed data is larger than allowed");
    *unpacked = cm_buffer_create(room + 1, pool);
    (*unpacked)->size = room;
    (*unpacked)->data[room] = '\0';
    return unpack(*unpacked, data, size, pool);
}

int cm_gzip_is_accepted(const char *codings, apr_pool_t *pool)
{
    char *rest = apr_pstrdup(pool, codings ? codings : ""), *coding;

    do
        coding = apr_strtok(rest, ", \t", &rest);
    while (coding && strcasecmp(coding, "gzip"));
    return coding != NULL;
}
