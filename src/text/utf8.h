/* UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing beyond U+10FFFF. */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/str.h"

/*
 * The length of the character at the start of s and its code point; 0 if s is empty or does not
 * start with a whole valid character. ret_code may be NULL.
 */
size_t utf8_next(uint32_t *ret_code, struct str s);

bool utf8_is_valid(struct str s);

#endif
