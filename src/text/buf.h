/*
 * A bounded text builder.
 *
 * A buf grows in an arena up to the limit that its maker gives and never beyond: what does not fit
 * is dropped and `cut` is set, so that a caller checks once, at the end. The text is always
 * NUL-terminated. Belongs to the arena's thread.
 */
#ifndef TEXT_BUF_H
#define TEXT_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

struct buf {
    struct arena *arena;
    char *ptr;
    size_t len;
    size_t cap;
    size_t limit; /* most bytes of text, without the NUL */
    bool cut;     /* something did not fit */
};

/* An empty text of at most limit bytes. */
struct buf buf_new(struct arena *a, size_t limit);

void buf_add(struct buf *b, struct str s);
void buf_addz(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* Drops the text after len, which must not be more than there is; clears cut. */
void buf_truncate(struct buf *b, size_t len);

/* The text so far; valid until the next add. */
struct str buf_str(const struct buf *b);

#endif
