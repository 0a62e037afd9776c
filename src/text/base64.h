/* Base64 (RFC 4648, section 4): with padding, without line breaks. */
#ifndef TEXT_BASE64_H
#define TEXT_BASE64_H

#include <stdbool.h>

#include "mem/arena.h"
#include "text/buf.h"
#include "text/str.h"

/* The letters of bytes onto the end of out. */
void base64_put(struct buf *out, struct str bytes);

/*
 * The bytes that text stands for, followed by a NUL that does not count. False for whatever
 * base64_put() would not have written: other letters, no padding, bits that belong to no byte.
 */
bool base64_read(struct str *out, struct arena *a, struct str text);

#endif
