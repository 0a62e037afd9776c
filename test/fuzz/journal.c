#include "store/journal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_SIZE ((uint64_t)1 << 32)
#define CLAIM     ((size_t)16) /* bytes of the input for one record */

static const struct digest want = {DIGEST_SHA256, {1}};

static void put(char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(value >> (8 * i));
}

/* A journal whose checks are all right, with the ranges that the input asks for. */
static struct str journal_of(struct arena *a, const uint8_t *data, size_t size)
{
    size_t count = size / CLAIM;
    size_t len = JOURNAL_HEADER + count * JOURNAL_RECORD;
    char *text = arena_array(a, char, len);
    uint32_t seed;

    memcpy(text, "HSTLJRNL", 8);
    put(text + 8, JOURNAL_FORMAT, 4);
    put(text + 12, (uint64_t)want.kind, 4);
    put(text + 16, FILE_SIZE, 8);
    memcpy(text + 24, want.bytes, DIGEST_BYTES);
    seed = digest_crc32c(0, text, 60);
    put(text + 60, seed, 4);
    for (size_t i = 0; i < count; i++) {
        char *record = text + JOURNAL_HEADER + i * JOURNAL_RECORD;

        memcpy(record, data + i * CLAIM, CLAIM);
        /* Most offsets within the file, most lengths within the limit. */
        record[5] = (char)(record[5] & 0x80);
        record[6] = record[7] = 0;
        record[10] = (char)(record[10] & 0x1f);
        record[11] = 0;
        put(record + 16, i, 4);
        put(record + 20, digest_crc32c(seed, record, 20), 4);
    }
    return (struct str){text, len};
}

static void check(struct journal_claims claims)
{
    for (size_t i = 0; i < claims.len; i++) {
        const struct journal_range *range = &claims.at[i];

        if (range->len == 0 || range->len > JOURNAL_RANGE_MAX || range->offset > FILE_SIZE ||
            range->len > FILE_SIZE - range->offset)
            abort();
        if (i > 0 && range[-1].offset + range[-1].len > range->offset)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};

    check(journal_parse(&a, (struct str){(const char *)data, size}, FILE_SIZE, &want));
    check(journal_parse(&a, journal_of(&a, data, size), FILE_SIZE, &want));
    return 0;
}
