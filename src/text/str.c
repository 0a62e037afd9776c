#include "text/str.h"

#include <stdarg.h>
#include <stdio.h>

#define FORMAT_MAX ((size_t)64 * 1024)

static int fold(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (fold(a.ptr[i]) != fold(b.ptr[i]))
            return false;
    }
    return true;
}

bool str_starts(struct str s, struct str head)
{
    return s.len >= head.len && str_eq((struct str){s.ptr, head.len}, head);
}

bool str_ends(struct str s, struct str tail)
{
    if (tail.len == 0)
        return true; /* also of the empty string, whose pointer may be NULL */
    return s.len >= tail.len && str_eq((struct str){s.ptr + (s.len - tail.len), tail.len}, tail);
}

bool str_is_hex(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))
            return false;
    }
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

    if (order != 0)
        return order;
    return a.len == b.len ? 0 : (a.len < b.len ? -1 : 1);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_cut(struct str *s, char sep, struct str *head)
{
    const char *at = s->len == 0 ? NULL : memchr(s->ptr, sep, s->len);
    size_t before;

    if (at == NULL) {
        *head = *s;
        *s = (struct str){s->len == 0 ? s->ptr : s->ptr + s->len, 0};
        return false;
    }
    before = (size_t)(at - s->ptr);
    *head = (struct str){s->ptr, before};
    *s = (struct str){at + 1, s->len - before - 1};
    return true;
}

bool str_rcut(struct str *s, char sep, struct str *tail)
{
    const char *at = s->len == 0 ? NULL : memrchr(s->ptr, sep, s->len);
    size_t before;

    if (at == NULL)
        return false;
    before = (size_t)(at - s->ptr);
    *tail = (struct str){at + 1, s->len - before - 1};
    s->len = before;
    return true;
}

char *str_dup(struct arena *a, struct str s)
{
    char *copy = arena_array(a, char, s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

struct str str_copy(struct arena *a, struct str s)
{
    return (struct str){str_dup(a, s), s.len};
}

char *str_format(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    size_t len;
    char *text;
    int want;

    va_start(ap, fmt);
    want = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    len = want < 0 ? 0 : (size_t)want;
    if (len > FORMAT_MAX)
        len = FORMAT_MAX;
    text = arena_array(a, char, len + 1);
    va_start(ap, fmt);
    (void)vsnprintf(text, len + 1, fmt, ap);
    va_end(ap);
    return text;
}

char *str_printable(struct arena *a, struct str s, size_t limit)
{
    size_t len = s.len < limit ? s.len : limit;
    char *out = arena_array(a, char, 4 * len + sizeof("..."));
    char *end = out;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
            *end++ = s.ptr[i];
            continue;
        }
        *end++ = '\\';
        *end++ = 'x';
        *end++ = "0123456789abcdef"[c >> 4];
        *end++ = "0123456789abcdef"[c & 15];
    }
    if (len < s.len)
        memcpy(end, "...", sizeof("..."));
    return out;
}

uint64_t str_hash(struct str s)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}
