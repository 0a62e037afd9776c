/*
 * A command written as one text, as --with and --ready-cmd take it, cut into its words: blanks part
 * them, '...' keeps all as it is, "..." all but \" and \\, a backslash the next character. Nothing
 * else of a shell is known; who wants one writes sh -c '...'.
 */
#ifndef WORKER_WORDS_H
#define WORKER_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"

#define WORDS_MOST ((size_t)1000)

/*
 * Ends with NULL; at least one word; all together take the room of the text. A quote that is not
 * closed, or no word at all: ERR_USAGE.
 */
int words_cut(char *const **out, struct arena *a, const char *text, struct err *err) MUST_CHECK;

/*
 * Of a command's words: the value of a flag, behind it or behind the = in it; of several the last,
 * as programs take it; NULL where it is not there. words end with NULL.
 */
const char *words_value(const char *const *words, const char *flag);

/* The same as a number; 0 where it is not there, or none. */
uint64_t words_number(const char *const *words, const char *flag);

/* Some word is flag, or begins with flag and `=`. */
bool words_have(const char *const *words, const char *flag);

#endif
