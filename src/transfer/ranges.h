/*
 * The books of one file under way: which bytes nobody has been sent for, which are on disk but not
 * hashed, how far the hash is. Pure: no clock, no I/O, no lock of its own.
 *
 * A byte is in one of these: in a gap (missing); taken (someone fetches it, or holds it in memory);
 * staged (on disk, with the checksum of the record it belongs to; what an earlier run claims is
 * staged, too, unproven); hashed. Records are kept until the hash has passed them, because what is
 * read back for the hash is checked first.
 */
#ifndef TRANSFER_RANGES_H
#define TRANSFER_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/arena.h"
#include "store/journal.h"
#include "text/vec.h"

struct ranges_span {
    uint64_t start;
    uint64_t end; /* one past the last */
};

struct ranges {
    struct arena *arena;
    uint64_t size;
    uint64_t hashed;
    uint64_t missing; /* bytes in gaps */
    uint64_t staged;  /* bytes written or claimed, less what proved wrong; hashed ones count */
    VEC(struct ranges_span) gaps;      /* sorted, apart from each other */
    VEC(struct journal_range) records; /* of this run: sorted; those before first_record are done */
    size_t first_record;
    struct journal_claims claims; /* of earlier runs; those before first_claim are done */
    size_t first_claim;
};

/* The claims must stay as long as the books. Claims that leave the file or overlap are dropped. */
void ranges_init(struct ranges *r, struct arena *a, uint64_t size, struct journal_claims claims);

/* Nothing is staged, nothing hashed, all is one gap. */
void ranges_reset(struct ranges *r);

/* Takes the first missing bytes, at most want of them. False: nothing is missing. */
bool ranges_take(struct ranges *r, uint64_t want, struct ranges_span *out);

/* Takes the first missing bytes at or after from, to the end of their gap. */
bool ranges_take_from(struct ranges *r, uint64_t from, struct ranges_span *out);

/* Gives back what was taken and will not come. An empty span is fine. */
void ranges_give(struct ranges *r, struct ranges_span span);

/* Taken bytes are on disk. The hash has them, or gets them from memory, or see ranges_stage(). */
void ranges_written(struct ranges *r, uint64_t len);

/* Written bytes that left the memory before the hash had them: it will read them back. */
void ranges_stage(struct ranges *r, struct journal_range record);

/* The record that begins where the hash stands. False: it is not on disk. */
bool ranges_readable(const struct ranges *r, struct journal_range *out);

/* That record's bytes are not what was written: they are missing again. */
void ranges_reject(struct ranges *r);

/* The hash has taken len more bytes. */
void ranges_hash(struct ranges *r, uint64_t len);

#endif
