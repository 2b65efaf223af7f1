/* UTF-8: see utf8.h. */
#include "base/utf8.h"

#include <string.h>

int cm_utf8_read(long *code, const char *text, const char *text_end)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = (const unsigned char *)text_end;
    int bytes = *at < 0x80 ? 1 : *at < 0xE0 ? 2 : *at < 0xF0 ? 3 : 4, i;
    long c = *at & (bytes == 1 ? 0x7F : 0xFF >> (bytes + 1));
    static const long least[] = {0, 0, 0x80, 0x800, 0x10000};

    if ((*at >= 0x80 && *at < 0xC2) || *at > 0xF4 || end - at < bytes)
        return 0;
    for (i = 1; i < bytes; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3F);
    }
    if (c < least[bytes] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *code = c;
    return bytes;
}

/* Most text is ASCII: pass over it eight bytes at a time. */
static const char *skip_ascii(const char *at, const char *end)
{
    apr_uint64_t eight;

    for (; end - at >= 8; at += 8) {
        memcpy(&eight, at, 8);
        if (eight & APR_UINT64_C(0x8080808080808080))
            break;
    }
    return at;
}

int cm_utf8_count(const char *text, apr_size_t size)
{
    apr_size_t i;
    int count = 0;

    for (i = 0; i < size; i++)
        count += (text[i] & 0xC0) != 0x80;
    return count;
}

int cm_utf8_is_valid(const char *text, apr_size_t size)
{
    const char *at = text, *end = at + size;
    long code;
    int bytes;

    for (; (at = skip_ascii(at, end)) < end; at += bytes) {
        bytes = cm_utf8_read(&code, at, end);
        if (!bytes)
            return 0;
    }
    return 1;
}
