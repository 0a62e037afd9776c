/*
 * Paths that came from the network and shall become names in a store.
 *
 * Good is: relative, valid UTF-8, not empty, at most RELPATH_MAX bytes, no segment that is empty,
 * `.`, `..` or longer than 255 bytes, no NUL, no control character, no backslash, no drive letter
 * ("C:" as the first segment's start). Everything else is ERR_LIMIT; the message quotes the path
 * with its odd bytes escaped. Source of the rule: huggingface_hub refuses the same.
 */
#ifndef TEXT_RELPATH_H
#define TEXT_RELPATH_H

#include "err/err.h"
#include "text/str.h"

#define RELPATH_MAX ((size_t)1024)

int relpath_check(struct str path, struct err *err) MUST_CHECK;

#endif
