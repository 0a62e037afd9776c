/* Carrying over what a dead holder staged into a file of our own. */
#ifndef STORE_CARRY_H
#define STORE_CARRY_H

#include <stdbool.h>

#include "err/err.h"
#include "store/journal.h"
#include "store/staging.h"

/*
 * Copies what theirs claims of the old file from into s and claims it in s->journal (s->claims is
 * what s had before and is not changed; where the two meet, s's own wins). Last ranges come first,
 * and with cut the old file is cut off behind them: so both together never need much more than one,
 * on filesystems without holes too, and a kill on the way leaves an old file that still tells what
 * it has. ERR_INTERRUPTED between two ranges when a stop is wanted.
 */
int carry_claims(struct staging *s, int from, bool cut, const struct journal_claims *theirs,
                 struct err *err) MUST_CHECK;

#endif
