#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/file.h"

/*
 * Header: magic 8, format 4, digest kind 4, size 8, digest 32, zero 4, check 4.
 * Record: offset 8, length 4, CRC of the bytes 4, its place in the file 4, check 4. A record's
 * check is seeded with the header's and covers its place, so one that comes from elsewhere
 * (recycled blocks, another journal) does not pass.
 */
#define MAGIC        "HSTLJRNL"
#define HEADER_CHECK ((size_t)60)
#define RECORD_CHECK ((size_t)20)

struct journal {
    pthread_mutex_t lock;
    int dirfd;
    const char *name;
    int fd;         /* -1: not there yet */
    uint64_t count; /* records in the file */
    uint64_t size;
    struct digest want;
};

/* A claim and its place in the journal, to know which of two came later. */
struct placed {
    struct journal_range range;
    uint32_t place;
};

static void put_le(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static uint32_t put_header(uint8_t out[JOURNAL_HEADER], uint64_t size, const struct digest *want)
{
    uint32_t check;

    memset(out, 0, JOURNAL_HEADER);
    memcpy(out, MAGIC, 8);
    put_le(out + 8, JOURNAL_FORMAT, 4);
    put_le(out + 12, (uint64_t)want->kind, 4);
    put_le(out + 16, size, 8);
    memcpy(out + 24, want->bytes, DIGEST_BYTES);
    check = digest_crc32c(0, out, HEADER_CHECK);
    put_le(out + HEADER_CHECK, check, 4);
    return check;
}

static void put_record(uint8_t out[JOURNAL_RECORD], uint32_t seed, uint32_t place,
                       const struct journal_range *range)
{
    put_le(out, range->offset, 8);
    put_le(out + 8, range->len, 4);
    put_le(out + 12, range->crc, 4);
    put_le(out + 16, place, 4);
    put_le(out + RECORD_CHECK, digest_crc32c(seed, out, RECORD_CHECK), 4);
}

static bool get_record(struct journal_range *out, const uint8_t *in, uint32_t seed, uint32_t place,
                       uint64_t size)
{
    if (get_le(in + RECORD_CHECK, 4) != digest_crc32c(seed, in, RECORD_CHECK) ||
        get_le(in + 16, 4) != place)
        return false;
    out->offset = get_le(in, 8);
    out->len = (uint32_t)get_le(in + 8, 4);
    out->crc = (uint32_t)get_le(in + 12, 4);
    return out->len > 0 && out->len <= JOURNAL_RANGE_MAX && out->offset < size &&
           out->len <= size - out->offset;
}

uint64_t journal_size(struct str bytes, const struct digest *want)
{
    uint8_t header[JOURNAL_HEADER];
    uint64_t size;

    if (bytes.len < JOURNAL_HEADER)
        return 0;
    size = get_le((const uint8_t *)bytes.ptr + 16, 8);
    (void)put_header(header, size, want);
    return memcmp(bytes.ptr, header, JOURNAL_HEADER) == 0 ? size : 0;
}

/* How many good records follow a good header; 0 also without one. */
static size_t count_records(struct str bytes, uint64_t size, const struct digest *want)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    uint8_t header[JOURNAL_HEADER];
    uint32_t seed = put_header(header, size, want);
    struct journal_range range;
    size_t count = 0;

    if (bytes.len < JOURNAL_HEADER || memcmp(at, header, JOURNAL_HEADER) != 0)
        return 0;
    for (size_t left = bytes.len - JOURNAL_HEADER; left >= JOURNAL_RECORD; left -= JOURNAL_RECORD) {
        const uint8_t *record = at + JOURNAL_HEADER + count * JOURNAL_RECORD;

        if (!get_record(&range, record, seed, (uint32_t)count, size))
            break;
        count++;
    }
    return count;
}

static int by_offset(const void *left, const void *right)
{
    const struct placed *a = left;
    const struct placed *b = right;

    if (a->range.offset != b->range.offset)
        return a->range.offset < b->range.offset ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/*
 * One sweep by offset: what is kept never overlaps, so a range can only meet the last one kept. The
 * one that was written later overwrote the other's bytes, so that other's checksum is void.
 */
static size_t keep_latest(struct journal_range *out, const struct placed *sorted, size_t count)
{
    size_t kept = 0;
    uint32_t kept_place = 0;

    for (size_t i = 0; i < count; i++) {
        const struct journal_range *range = &sorted[i].range;

        if (kept > 0 && out[kept - 1].offset + out[kept - 1].len > range->offset) {
            if (sorted[i].place < kept_place)
                continue;
            kept--;
        }
        out[kept++] = *range;
        kept_place = sorted[i].place;
    }
    return kept;
}

struct journal_claims journal_parse(struct arena *a, struct str bytes, uint64_t size,
                                    const struct digest *want)
{
    struct journal_claims claims = {0};
    size_t count = count_records(bytes, size, want);
    struct arena_mark scratch;
    struct placed *sorted;

    if (count == 0)
        return claims;
    claims.at = arena_array(a, struct journal_range, count);
    scratch = arena_mark(a);
    sorted = arena_array(a, struct placed, count);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *record = (const uint8_t *)bytes.ptr + JOURNAL_HEADER + i * JOURNAL_RECORD;

        sorted[i].range.offset = get_le(record, 8);
        sorted[i].range.len = (uint32_t)get_le(record + 8, 4);
        sorted[i].range.crc = (uint32_t)get_le(record + 12, 4);
        sorted[i].place = (uint32_t)i;
    }
    qsort(sorted, count, sizeof(*sorted), by_offset);
    claims.len = keep_latest(claims.at, sorted, count);
    arena_rewind(a, scratch);
    return claims;
}

/* The text of an open journal; empty if it is no file of ours. */
static int read_journal(struct str *out, struct arena *a, int fd, const char *name, struct err *err)
{
    struct stat st;
    char *text;
    size_t len = 0;

    *out = (struct str){"", 0};
    if (fstat(fd, &st) < 0)
        return file_err(err, "%s: cannot read the journal", name);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > JOURNAL_BYTES_MAX)
        return 0;
    text = arena_array(a, char, (size_t)st.st_size + 1);
    while (len < (size_t)st.st_size) {
        ssize_t n = pread(fd, text + len, (size_t)st.st_size - len, (off_t)len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_err(err, "%s: cannot read the journal", name);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *out = (struct str){text, len};
    return 0;
}

/*
 * Takes over what a file at our name claims. What follows the last good record is cut off, or new
 * records would make old ones behind them readable again; if that fails they are false claims only.
 */
static int take_over(struct journal *j, struct journal_claims *ret_claims, struct arena *a, int fd,
                     struct err *err)
{
    ARENA_SCOPED scratch = {0};
    FD_SCOPED mine = fd;
    struct str bytes;

    if (read_journal(&bytes, &scratch, fd, j->name, err) < 0)
        return -1;
    j->count = count_records(bytes, j->size, &j->want);
    if (j->count == 0)
        return 0;
    *ret_claims = journal_parse(a, bytes, j->size, &j->want);
    if (bytes.len > JOURNAL_HEADER + j->count * JOURNAL_RECORD &&
        ftruncate(fd, (off_t)(JOURNAL_HEADER + j->count * JOURNAL_RECORD)) < 0)
        errno = 0;
    j->fd = fd_take(&mine);
    return 0;
}

struct journal *journal_open(struct journal_claims *ret_claims, struct arena *a, int dirfd,
                             const char *name, const struct journal_file *file, struct err *err)
{
    struct journal *j = arena_new(a, struct journal);
    struct journal_claims claims = {0};
    struct err seen = {0};
    int fd;

    pthread_mutex_init(&j->lock, NULL);
    j->dirfd = dirfd;
    j->name = str_dup(a, str_from(name));
    j->fd = -1;
    j->size = file->size;
    j->want = file->want;
    /* Without O_NONBLOCK a named pipe that someone put there would stop us. */
    fd = file_open(dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0, &seen);
    if (fd < 0 && (seen.sys == EIO || seen.sys == ESTALE || seen.sys == EMFILE)) {
        *err = seen;
        return NULL;
    }
    if (fd >= 0 && take_over(j, &claims, a, fd, err) < 0)
        return NULL;
    *ret_claims = claims;
    return j;
}

static int write_at(const struct journal *j, const uint8_t *bytes, size_t len, uint64_t offset,
                    struct err *err)
{
    ssize_t n;

    do
        n = pwrite(j->fd, bytes, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && (size_t)n == len)
        return 0;
    if (n >= 0)
        errno = ENOSPC; /* what a short write to a file means; the next one tells */
    return file_err(err, "%s: cannot write the journal", j->name);
}

/* Makes the file, with its header and its first record. */
static int begin(struct journal *j, const struct journal_range *range, struct err *err)
{
    uint8_t bytes[JOURNAL_HEADER + JOURNAL_RECORD];
    uint32_t seed = put_header(bytes, j->size, &j->want);

    if (unlinkat(j->dirfd, j->name, 0) < 0 && errno != ENOENT)
        return file_err(err, "%s: cannot replace the journal", j->name);
    j->fd = file_open(j->dirfd, j->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666, err);
    if (j->fd < 0)
        return -1;
    put_record(bytes + JOURNAL_HEADER, seed, 0, range);
    return write_at(j, bytes, sizeof(bytes), 0, err);
}

static int append(struct journal *j, const struct journal_range *range, struct err *err)
{
    uint8_t header[JOURNAL_HEADER];
    uint8_t record[JOURNAL_RECORD];
    uint64_t end = JOURNAL_HEADER + j->count * JOURNAL_RECORD;

    if (end + JOURNAL_RECORD > JOURNAL_BYTES_MAX)
        return 0; /* nobody would read it */
    if (j->fd < 0)
        return begin(j, range, err);
    put_record(record, put_header(header, j->size, &j->want), (uint32_t)j->count, range);
    return write_at(j, record, sizeof(record), end, err);
}

int journal_add(struct journal *j, struct journal_range range, struct err *err)
{
    int result;

    pthread_mutex_lock(&j->lock);
    result = append(j, &range, err);
    if (result == 0)
        j->count++; /* also of those beyond the limit, which are not written */
    else if (j->count == 0 && j->fd >= 0) {
        close(j->fd); /* a file without a whole header is made anew by the next add */
        j->fd = -1;
    }
    pthread_mutex_unlock(&j->lock);
    return result;
}

int journal_reset(struct journal *j, struct err *err)
{
    int result = 0;

    pthread_mutex_lock(&j->lock);
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
    j->count = 0;
    if (unlinkat(j->dirfd, j->name, 0) < 0 && errno != ENOENT)
        result = file_err(err, "%s: cannot remove the journal", j->name);
    pthread_mutex_unlock(&j->lock);
    return result;
}

void journal_close(struct journal **j)
{
    if (*j == NULL)
        return;
    if ((*j)->fd >= 0)
        close((*j)->fd);
    pthread_mutex_destroy(&(*j)->lock);
    *j = NULL;
}
