#include "text/utf8.h"

size_t utf8_next(uint32_t *ret_code, struct str s)
{
    /* The least code point that needs each length; less is an overlong form. */
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code;
    size_t len;
    unsigned char first;

    if (s.len == 0)
        return 0;
    first = (unsigned char)s.ptr[0];
    len = first < 0x80 ? 1 : (first >> 5) == 0x6 ? 2 : (first >> 4) == 0xe ? 3 : 4;
    if (len == 4 && (first >> 3) != 0x1e)
        return 0;
    if (len > s.len)
        return 0;
    code = len == 1 ? first : first & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if ((c & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (c & 0x3f);
    }
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    if (ret_code != NULL)
        *ret_code = code;
    return len;
}

bool utf8_is_valid(struct str s)
{
    while (s.len > 0) {
        size_t len = utf8_next(NULL, s);

        if (len == 0)
            return false;
        s.ptr += len;
        s.len -= len;
    }
    return true;
}
