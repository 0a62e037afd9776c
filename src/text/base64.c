#include "text/base64.h"

#include <stdint.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t three = (uint32_t)(unsigned char)bytes.ptr[i] << 16;

        if (left > 1)
            three |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
        if (left > 2)
            three |= (unsigned char)bytes.ptr[i + 2];
        buf_addc(out, letters[three >> 18]);
        buf_addc(out, letters[three >> 12 & 63]);
        buf_addc(out, left > 1 ? letters[three >> 6 & 63] : '=');
        buf_addc(out, left > 2 ? letters[three & 63] : '=');
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

bool base64_read(struct str *out, struct arena *a, struct str text)
{
    size_t padding = str_ends(text, STR("==")) ? 2 : (size_t)str_ends(text, STR("="));
    size_t count = text.len - padding;
    char *bytes;
    size_t len = 0;
    uint32_t bits = 0;

    if (text.len % 4 != 0)
        return false;
    bytes = arena_array(a, char, text.len / 4 * 3 + 1);
    for (size_t i = 0; i < count; i++) {
        int value = value_of(text.ptr[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            bytes[len++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    if (padding > 0 && (bits & (padding == 1 ? 3U : 15U)) != 0)
        return false;
    *out = (struct str){bytes, len};
    return true;
}
