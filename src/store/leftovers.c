#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/staged.h"
#include "store/staging.h"
#include "sys/fd.h"
#include "sys/file.h"

#define STORED_IN_INODE 4096

static bool is_ours(const struct staged *staged, const char *token)
{
    return token != NULL && strcmp(staged->token, token) == 0;
}

/* Surely not dead: someone holds flock on it. (A free one proves nothing on a shared volume.) */
static bool is_held(int dirfd, const struct staged *staged)
{
    bool writable;
    FD_SCOPED fd = staged_open(&writable, dirfd, staged->name);

    return fd >= 0 && !staged_lock(fd);
}

uint64_t staging_dead_bytes(int dirfd, const char *token)
{
    ARENA_SCOPED a = {0};
    struct staged_list found = staged_read(&a, dirfd, NULL);
    uint64_t sum = 0;

    for (size_t i = 0; i < found.len; i++) {
        const struct staged *staged = &found.at[i];
        struct stat st;

        if (staged->kind == STAGED_PROBE || staged->kind == STAGED_CLAIM ||
            is_ours(staged, token) || fstatat(dirfd, staged->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode) || st.st_nlink != 1 || is_held(dirfd, staged))
            continue;
        sum += (uint64_t)st.st_blocks * 512;
    }
    return sum;
}

static uint64_t sum_of_claims(struct arena *a, struct str bytes, const struct digest *want,
                              uint64_t size)
{
    struct journal_claims claims = journal_parse(a, bytes, size, want);
    uint64_t sum = 0;

    for (size_t i = 0; i < claims.len; i++)
        sum += claims.at[i].len;
    return sum;
}

static uint64_t claimed_by_journal(int dirfd, const char *name, const struct digest *want,
                                   uint64_t size)
{
    ARENA_SCOPED a = {0};
    struct err ignored;
    struct str bytes;

    if (file_read_all(&bytes, &a, dirfd, name, JOURNAL_BYTES_MAX, &ignored) < 0)
        return 0;
    return sum_of_claims(&a, bytes, want, size);
}

uint64_t staging_claimed_bytes(int dirfd, const struct digest *want, uint64_t size)
{
    ARENA_SCOPED a = {0};
    struct staged_list found = staged_read(&a, dirfd, want);
    uint64_t sum = 0;

    for (size_t i = 0; i < found.len; i++) {
        const struct staged *staged = &found.at[i];
        struct stat st;

        if (staged->kind == STAGED_JOURNAL)
            sum += claimed_by_journal(dirfd, staged->name, want, size);
        else if (size <= STAGING_SMALL_BYTES &&
                 fstatat(dirfd, staged->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                 (uint64_t)st.st_size == size)
            sum += size;
    }
    return sum < size ? sum : size;
}

/* Files of one digest stand together. */
static int by_name(const void *left, const void *right)
{
    const struct staged *a = left;
    const struct staged *b = right;

    return strcmp(a->name, b->name);
}

/* How large the file of one part will be, and what of that has come. */
static struct staging_sum sum_of_part(int dirfd, const struct staged *part)
{
    ARENA_SCOPED a = {0};
    char journal[STAGED_NAME];
    struct staging_sum sum = {0};
    struct err ignored;
    struct str bytes;
    struct stat st;

    if (part->kind != STAGED_PART || fstatat(dirfd, part->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode))
        return sum;
    sum.total_bytes = (uint64_t)st.st_size;
    staged_name(journal, &part->digest, part->token, STAGED_JOURNAL);
    if (file_read_all(&bytes, &a, dirfd, journal, JOURNAL_BYTES_MAX, &ignored) == 0 &&
        journal_size(bytes, &part->digest) > 0) {
        sum.total_bytes = journal_size(bytes, &part->digest);
        sum.claimed_bytes = sum_of_claims(&a, bytes, &part->digest, sum.total_bytes);
    } else if (sum.total_bytes <= STAGING_SMALL_BYTES) {
        sum.claimed_bytes = sum.total_bytes;
    }
    return sum;
}

struct staging_sum staging_sum(int dirfd)
{
    ARENA_SCOPED a = {0};
    struct staged_list found = staged_read(&a, dirfd, NULL);
    struct staging_sum all = {0};

    if (found.len > 0)
        qsort(found.at, found.len, sizeof(*found.at), by_name);
    for (size_t i = 0; i < found.len;) {
        const struct digest *digest = &found.at[i].digest;
        struct staging_sum one = {0};

        do {
            struct staging_sum part = sum_of_part(dirfd, &found.at[i]);

            one.claimed_bytes += part.claimed_bytes;
            one.total_bytes =
                part.total_bytes > one.total_bytes ? part.total_bytes : one.total_bytes;
            i++;
        } while (i < found.len && digest_eq(&found.at[i].digest, digest));
        all.total_bytes += one.total_bytes;
        all.claimed_bytes +=
            one.claimed_bytes < one.total_bytes ? one.claimed_bytes : one.total_bytes;
    }
    return all;
}

/*
 * A claim on another lease than ours is a dead one's: who lives finds that lease gone, and takes
 * nothing.
 */
static bool is_useless(const struct staged *staged, const char *token)
{
    return staged->kind == STAGED_PROBE ||
           (staged->kind == STAGED_CLAIM && !is_ours(staged, token));
}

/* A part that holds nothing (small ones may lie in their inode), or a journal without its part. */
static bool is_empty(int dirfd, const struct staged *staged)
{
    char part[STAGED_NAME];
    struct stat st;

    staged_name(part, &staged->digest, staged->token, STAGED_PART);
    if (fstatat(dirfd, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return true;
    return staged->kind == STAGED_PART &&
           (st.st_size == 0 || (st.st_blocks == 0 && st.st_size > STORED_IN_INODE)) &&
           !is_held(dirfd, staged);
}

void staging_sweep(int dirfd, const char *token, bool (*published)(const struct digest *d, void *),
                   void *ctx)
{
    ARENA_SCOPED a = {0};
    struct staged_list found = staged_read(&a, dirfd, NULL);

    for (size_t i = 0; i < found.len; i++) {
        const struct staged *staged = &found.at[i];

        if (is_useless(staged, token) ||
            (staged->kind != STAGED_CLAIM && !is_ours(staged, token) &&
             (published(&staged->digest, ctx) || is_empty(dirfd, staged))))
            (void)unlinkat(dirfd, staged->name, 0);
    }
    file_sweep(dirfd, ".");
}
