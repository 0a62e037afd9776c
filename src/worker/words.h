/*
 * A command written as one text, as --with and --ready-cmd take it, cut into its words: blanks part
 * them, '...' keeps all as it is, "..." all but \" and \\, a backslash the next character. Nothing
 * else of a shell is known; who wants one writes sh -c '...'.
 */
#ifndef WORKER_WORDS_H
#define WORKER_WORDS_H

#include "err/err.h"
#include "mem/arena.h"

#define WORDS_MOST ((size_t)1000)

/*
 * Ends with NULL; at least one word; all together take the room of the text. A quote that is not
 * closed, or no word at all: ERR_USAGE.
 */
int words_cut(char *const **out, struct arena *a, const char *text, struct err *err) MUST_CHECK;

#endif
