/*
 * Journals: which ranges of a staged file have been written, each with a checksum of its bytes.
 *
 * A journal lies beside its staging file. It promises nothing: whoever resumes reads back what it
 * claims (the bytes have to be hashed anyway), keeps what matches and fetches what does not. So a
 * journal that lies, is torn, foreign, or survived a power cut that its data did not costs bytes
 * and never correctness, and nothing is synced on the way.
 *
 * On disk: a header (magic, format number, size and digest of the file, check) and records of fixed
 * size (offset, length, CRC-32C of the bytes, check of the record), all little-endian. A journal
 * with another magic, format, size or digest counts as absent; reading ends at the first record
 * that fails its check or leaves the file. The file is made at the first journal_add(), so that a
 * small file that arrives in one piece never has one.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "digest/digest.h"
#include "err/err.h"
#include "mem/arena.h"
#include "store/formats.h"
#include "text/str.h"

#define JOURNAL_RANGE_MAX ((uint32_t)1 << 20) /* longest range of one record */
#define JOURNAL_HEADER    64
#define JOURNAL_RECORD    24
#define JOURNAL_BYTES_MAX ((size_t)64 << 20)

struct journal_range {
    uint64_t offset;
    uint32_t len;
    uint32_t crc;
};

/* What a journal claims: sorted by offset, no two overlap (of two that do, the later wins). */
struct journal_claims {
    struct journal_range *at;
    size_t len;
};

/*
 * Reads claims out of the bytes of a journal file. Never fails: what cannot be used is not claimed.
 * The fuzz target.
 */
struct journal_claims journal_parse(struct arena *a, struct str bytes, uint64_t size,
                                    const struct digest *want);

/* The size of the file that its header tells; 0 if it is none of this digest. */
uint64_t journal_size(struct str bytes, const struct digest *want);

/* What a staged file shall become: a journal of another counts as absent. */
struct journal_file {
    struct digest want;
    uint64_t size;
};

struct journal; /* open for adding */

/*
 * The journal name beneath dirfd. What it claims goes to *ret_claims (arena a). dirfd must stay
 * open as long as the journal.
 */
struct journal *journal_open(struct journal_claims *ret_claims, struct arena *a, int dirfd,
                             const char *name, const struct journal_file *file,
                             struct err *err) MUST_CHECK;

/* Appends one record by one write(2). Any thread. */
int journal_add(struct journal *j, struct journal_range range, struct err *err) MUST_CHECK;

/* Starts anew: what was claimed is forgotten, on disk too (the bytes proved wrong). */
int journal_reset(struct journal *j, struct err *err) MUST_CHECK;

/* Closes; the file stays. */
void journal_close(struct journal **j);

#endif
