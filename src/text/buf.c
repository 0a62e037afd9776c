#include "text/buf.h"

#include <assert.h>
#include <stdio.h>

#define CAP_MIN ((size_t)64)

/* Makes room for `more` bytes beyond len, as far as the limit allows; returns how many there are.
 */
static size_t reserve(struct buf *b, size_t more)
{
    size_t room = b->limit - b->len;
    size_t want;
    char *grown;

    if (more > room) {
        more = room;
        b->cut = true;
    }
    want = b->len + more + 1;
    if (want <= b->cap)
        return more;
    if (want < 2 * b->cap)
        want = 2 * b->cap;
    if (want < CAP_MIN)
        want = CAP_MIN;
    grown = arena_array(b->arena, char, want);
    memcpy(grown, b->ptr, b->len + 1);
    b->ptr = grown;
    b->cap = want;
    return more;
}

struct buf buf_new(struct arena *a, size_t limit)
{
    return (struct buf){.arena = a, .ptr = arena_array(a, char, 1), .cap = 1, .limit = limit};
}

void buf_add(struct buf *b, struct str s)
{
    size_t len = reserve(b, s.len);

    if (len > 0)
        memcpy(b->ptr + b->len, s.ptr, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

void buf_addz(struct buf *b, const char *z)
{
    buf_add(b, str_from(z));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, (struct str){&c, 1});
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(b, fmt, ap);
    va_end(ap);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    size_t len;
    int want;

    va_copy(again, ap);
    want = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (want < 0) {
        b->cut = true;
        return;
    }
    len = reserve(b, (size_t)want);
    (void)vsnprintf(b->ptr + b->len, len + 1, fmt, ap);
    b->len += len;
}

void buf_truncate(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->len = len;
    b->ptr[len] = '\0';
    b->cut = false;
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}
