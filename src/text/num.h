/*
 * The one parser of numbers, sizes and durations, for the command line, the environment, the
 * configuration file and HTTP headers; and the one way to print them for people.
 *
 * Sizes: digits, an optional decimal fraction, an optional unit k M G T (decimal) or Ki Mi Gi Ti
 * (binary), an optional B, any case of the prefix: "5M", "1.5 GiB", "250kB". Durations: digits,
 * optional fraction, unit ms s m h d; without a unit seconds. No sign, no blank before, nothing
 * after. All are ERR_USAGE on a bad text, the message says what is taken.
 */
#ifndef TEXT_NUM_H
#define TEXT_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "text/str.h"

int num_parse_u64(uint64_t *out, struct str s, uint64_t max, struct err *err) MUST_CHECK;
int num_parse_size(uint64_t *ret_bytes, struct str s, struct err *err) MUST_CHECK;
int num_parse_duration(uint64_t *ret_ms, struct str s, struct err *err) MUST_CHECK;
/* true false yes no on off 1 0, any case. */
int num_parse_bool(bool *out, struct str s, struct err *err) MUST_CHECK;
/* "0.92", ".9", "1": a part of a whole, more than nothing, in at most three figures. */
int num_parse_share(uint32_t *ret_thousandths, struct str s, struct err *err) MUST_CHECK;

#define NUM_TEXT ((size_t)32)

/* Decimal units with three figures: "1.9 GB", "274 MB", "0 B". Returns out. */
const char *num_format_size(char out[static NUM_TEXT], uint64_t bytes);
/* "9s", "3m20s", "1h05m", "2d03h". */
const char *num_format_duration(char out[static NUM_TEXT], uint64_t ms);

#endif
