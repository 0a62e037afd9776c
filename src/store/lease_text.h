/*
 * What a lease file says, as text of one fixed size: a renewal overwrites it in place, and a reader
 * that meets the middle of that sees a wrong check at the end.
 */
#ifndef STORE_LEASE_TEXT_H
#define STORE_LEASE_TEXT_H

#include "store/lease.h"

#define LEASE_TEXT ((size_t)1024)

/* Writes the text, LEASE_TEXT bytes without a NUL. */
void lease_format(char out[static LEASE_TEXT], const struct lease_state *state);

/* Takes what people can read of text, without blanks and control characters, at most size - 1. */
void lease_plain(char *out, size_t size, const char *text);

#endif
