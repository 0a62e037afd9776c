/*
 * The Content-Range header of a 206 or 416 (RFC 9110, section 14.4): "bytes 0-99/1234",
 * "bytes 0-99/" and a star for a total that is not known, "bytes" star "/1234" with a 416.
 */
#ifndef TRANSFER_CONTENT_RANGE_H
#define TRANSFER_CONTENT_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "text/str.h"

struct content_range {
    bool has_range; /* first and end are set */
    bool has_total;
    uint64_t first;
    uint64_t end; /* one past the last byte; more than first, at most total */
    uint64_t total;
};

/* False, out untouched, for anything that is not a well-formed and possible byte range. */
bool content_range_parse(struct content_range *out, struct str text);

#endif
