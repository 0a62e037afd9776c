#include "report/escape.h"

#include <stdbool.h>
#include <stdint.h>

#include "text/utf8.h"

/* Ends a line, moves a cursor, or makes what stands beside it look like something else. */
static bool is_treacherous(uint32_t c)
{
    return (c >= 0x80 && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static void put_char(struct buf *b, struct str s, uint32_t c, bool quoted)
{
    if (c == '\n')
        buf_addz(b, "\\n");
    else if (c == '\t')
        buf_addz(b, "\\t");
    else if (c == '\r')
        buf_addz(b, "\\r");
    else if (c < 0x20 || c == 0x7f)
        buf_addf(b, "\\x%02x", c);
    else if (is_treacherous(c))
        buf_addf(b, "\\u{%x}", c);
    else {
        if (quoted && (c == '"' || c == '\\'))
            buf_addc(b, '\\');
        buf_add(b, s);
    }
}

static void put_all(struct buf *b, struct str s, bool quoted)
{
    while (s.len > 0) {
        uint32_t c = 0;
        size_t len = utf8_next(&c, s);

        if (len == 0) {
            buf_addf(b, "\\x%02x", (unsigned char)s.ptr[0]);
            len = 1;
        } else {
            put_char(b, (struct str){s.ptr, len}, c, quoted);
        }
        s.ptr += len;
        s.len -= len;
    }
}

void escape_text(struct buf *b, struct str s)
{
    put_all(b, s, false);
}

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return true;
    }
    return s.len == 0;
}

void escape_value(struct buf *b, struct str s)
{
    bool quoted = needs_quotes(s);

    if (quoted)
        buf_addc(b, '"');
    put_all(b, s, quoted);
    if (quoted)
        buf_addc(b, '"');
}
