/*
 * What the system must let us have before there is any use in starting.
 *
 * A limit that is too small shows itself wherever the next descriptor happens to be opened, and is
 * told there as if that file were at fault; so it is looked at first, and named.
 */
#ifndef SYS_LIMITS_H
#define SYS_LIMITS_H

#include "err/err.h"

/* Open files that a pull of any model needs: it was seen to have 52 at most, without -j. */
#define LIMITS_FILES 64U

/* ERR_USAGE where the limit of open files is smaller than that: how large it is, and should be. */
int limits_check(struct err *err) MUST_CHECK;

#endif
