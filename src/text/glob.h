/*
 * Python's fnmatchcase over a whole path, as `hf download` filters with: `*` matches any run, `/`
 * too; `?` one character (one UTF-8 sequence); `[seq]`, `[!seq]` with ranges; `[` without its end
 * is itself; case counts; no escape. A pattern that ends in `/` gets a `*`; `\` stands for `/`.
 * Time is bounded by len(pattern) * len(path).
 */
#ifndef TEXT_GLOB_H
#define TEXT_GLOB_H

#include <stdbool.h>

#include "text/str.h"

bool glob_match(struct str pattern, struct str path);

#endif
