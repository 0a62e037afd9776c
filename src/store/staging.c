#include "store/staging.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/carry.h"
#include "store/copy.h"
#include "store/lease.h"
#include "store/staged.h"
#include "store/volume.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "text/num.h"

/* What staging_open() was asked, and how far it is. */
struct opening {
    struct arena *arena;   /* what stays: the journal and its claims */
    struct arena *scratch; /* names and journals of dead holders */
    int dirfd;
    const struct journal_file *file;
    struct staging s;
};

static int no_space(const struct opening *o, uint64_t needed, int sys, struct err *err)
{
    char path[PATH_MAX];
    char needed_text[NUM_TEXT];
    char free_text[NUM_TEXT];
    struct space space = {.limit = "filesystem"};
    struct err ignored;

    if (volume_space(&space, o->dirfd, &ignored) < 0)
        space.free_bytes = 0;
    err_set(err, ERR_NO_SPACE, "%s: needs %s, has %s free%s",
            file_path_of(path, o->dirfd) ? path : "the volume",
            num_format_size(needed_text, needed), num_format_size(free_text, space.free_bytes),
            sys == EDQUOT || strcmp(space.limit, "quota") == 0 ? " (disk quota)" : "");
    err->sys = sys;
    return -1;
}

/* What the file still needs on disk. */
static uint64_t needed(const struct opening *o)
{
    struct stat st = {0};
    uint64_t have;

    (void)fstat(o->s.fd, &st);
    have = (uint64_t)st.st_blocks * 512;
    return o->file->size > have ? o->file->size - have : 0;
}

/* Gives back what lies behind the last claim: space that was taken for what did not come. */
static void trim(const struct opening *o)
{
    const struct journal_claims *claims = &o->s.claims;
    uint64_t end = 0;

    if (o->s.claims_all)
        return;
    if (claims->len > 0)
        end = claims->at[claims->len - 1].offset + claims->at[claims->len - 1].len;
    if (ftruncate(o->s.fd, (off_t)end) < 0)
        errno = 0; /* then it stays taken */
}

/* Is it the limit of this process (ulimit -f), and not the filesystem, that forbids such a file? */
static bool is_limited(uint64_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur;
}

/*
 * Takes the space of a large file at once, so that it cannot run out on the way. What cannot fit is
 * not tried: ext4 would first take all there is, from everybody on the volume.
 */
static int preallocate(const struct opening *o, struct err *err)
{
    uint64_t missing = needed(o);
    struct space space;
    struct err ignored;
    int result;

    if (o->file->size <= STAGING_SMALL_BYTES)
        return 0;
    if (volume_space(&space, o->dirfd, &ignored) == 0 && missing > space.free_bytes)
        return no_space(o, missing, ENOSPC, err);
    do
        result = fallocate(o->s.fd, 0, 0, (off_t)o->file->size);
    while (result < 0 && errno == EINTR);
    if (result < 0 && (errno == ENOSPC || errno == EDQUOT)) {
        int sys = errno;

        trim(o);
        return no_space(o, missing, sys, err);
    }
    /* Not posix_fallocate(3): where this is not supported it writes zeros, every one of them. */
    if (result < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        result = ftruncate(o->s.fd, (off_t)o->file->size);
    if (result < 0 && errno == EFBIG && !is_limited(o->file->size)) {
        err_set(err, ERR_VOLUME, "%s: this filesystem holds no file of %ju bytes", o->s.part,
                (uintmax_t)o->file->size);
        return err_hint(err, "use a volume with another filesystem (ext4, xfs, btrfs, NFS)");
    }
    return result < 0 ? file_err(err, "%s: cannot preallocate", o->s.part) : 0;
}

static int create(struct opening *o, struct err *err)
{
    if (o->s.fd >= 0)
        return 0;
    /* Under our own token nothing but our own can stand there. */
    (void)unlinkat(o->dirfd, o->s.part, 0);
    o->s.fd = file_open(o->dirfd, o->s.part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666, err);
    if (o->s.fd < 0)
        return err_wrap(err, "cannot stage");
    (void)staged_hold(o->s.fd);
    return 0;
}

/*
 * Gives a dead holder's file, open as fd, the names part and journal. The journal gets its second
 * name first and loses the old one last (with all that is left of him), so that a kill on the way
 * leaves a part with its journal. False if the file is not there any more: he lives after all, and
 * has published it.
 */
static bool rename_staged(const struct opening *o, const struct staged *old, int fd,
                          const char *part, const char *journal)
{
    char old_journal[STAGED_NAME];
    struct stat held;
    struct stat named;

    staged_name(old_journal, &o->file->want, old->token, STAGED_JOURNAL);
    (void)unlinkat(o->dirfd, journal, 0);
    if (linkat(o->dirfd, old_journal, o->dirfd, journal, 0) < 0 && errno != ENOENT)
        (void)renameat(o->dirfd, old_journal, o->dirfd, journal);
    return renameat(o->dirfd, old->name, o->dirfd, part) == 0 && fstat(fd, &held) == 0 &&
           fstatat(o->dirfd, part, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* The dead holder's file becomes ours under our name. */
static bool adopt(struct opening *o, const struct staged *old, int *fd)
{
    if (!rename_staged(o, old, *fd, o->s.part, o->s.journal_name))
        return false;
    o->s.fd = fd_take(fd);
    return true;
}

/*
 * A file that is carried over loses bytes on the way, and its holder, if he was only paused, may be
 * about to publish it by its name. So it gets names that he does not know: of a token that nobody
 * has, under which the next run finds it should we be killed. False: nothing may be cut off it.
 */
static bool seize(const struct opening *o, struct staged *old, int fd)
{
    struct staged seized = *old;
    char journal[STAGED_NAME];

    file_random_hex(seized.token, LEASE_TOKEN);
    staged_name(seized.name, &o->file->want, seized.token, STAGED_PART);
    staged_name(journal, &o->file->want, seized.token, STAGED_JOURNAL);
    if (!rename_staged(o, old, fd, seized.name, journal))
        return false;
    staged_name(journal, &o->file->want, old->token, STAGED_JOURNAL);
    (void)unlinkat(o->dirfd, journal, 0);
    *old = seized;
    return true;
}

/* What was seized and has been carried over. */
static void remove_seized(const struct opening *o, const struct staged *seized)
{
    char journal[STAGED_NAME];

    staged_name(journal, &o->file->want, seized->token, STAGED_JOURNAL);
    (void)unlinkat(o->dirfd, seized->name, 0);
    (void)unlinkat(o->dirfd, journal, 0);
}

/* Of a file that a kill caught between its two names (published by link) nothing may be written. */
static bool may_adopt(const struct opening *o, int fd, const struct stat *st)
{
    return o->s.fd < 0 && st->st_nlink == 1 && (uint64_t)st->st_size <= o->file->size &&
           volume_is_local(o->dirfd) && staged_lock(fd) && volume_flock_works(o->dirfd);
}

static struct journal_claims claims_of(struct opening *o, const struct staged *old)
{
    char name[STAGED_NAME];
    struct err ignored;
    struct str bytes;

    staged_name(name, &o->file->want, old->token, STAGED_JOURNAL);
    if (file_read_all(&bytes, o->scratch, o->dirfd, name, JOURNAL_BYTES_MAX, &ignored) < 0)
        return (struct journal_claims){0};
    return journal_parse(o->scratch, bytes, o->file->size, &o->file->want);
}

/* A whole small file without a journal: its bytes are carried over unproven, to be hashed. */
static int carry_small(struct opening *o, int from, struct err *err)
{
    if (create(o, err) < 0 || copy_range(o->s.fd, from, 0, o->file->size, err) < 0)
        return -1;
    o->s.claims_all = true;
    return 0;
}

static int open_journal(struct opening *o, struct err *err)
{
    journal_close(&o->s.journal);
    o->s.journal = journal_open(&o->s.claims, o->arena, o->dirfd, o->s.journal_name, o->file, err);
    return o->s.journal == NULL ? -1 : 0;
}

/* Copies what theirs claims of the old file, open as fd, into our own. */
static int carry(struct opening *o, struct staged *old, int fd, bool cut,
                 const struct journal_claims *theirs, struct err *err)
{
    int result = create(o, err);

    cut = cut && seize(o, old, fd);
    if (result == 0)
        result = carry_claims(&o->s, fd, cut, theirs, err);
    if (result < 0 && err->code == ERR_NO_SPACE)
        result = no_space(o, needed(o), err->sys, err);
    if (result == 0 && cut)
        remove_seized(o, old);
    return result == 0 ? open_journal(o, err) : result;
}

/* Takes what is of use in one dead staging file, then removes it. */
static int take(struct opening *o, struct staged *old, struct err *err)
{
    bool writable;
    FD_SCOPED fd = staged_open(&writable, o->dirfd, old->name);
    struct journal_claims theirs = {0};
    struct stat st;
    bool small;

    if (fd < 0 || fstat(fd, &st) < 0)
        return 0;
    theirs = claims_of(o, old);
    small = theirs.len == 0 && o->file->size <= STAGING_SMALL_BYTES &&
            (uint64_t)st.st_size == o->file->size;
    if ((theirs.len > 0 || small) && writable && may_adopt(o, fd, &st) && adopt(o, old, &fd)) {
        o->s.claims_all = small;
        return open_journal(o, err);
    }
    if (theirs.len > 0)
        return carry(o, old, fd, writable && st.st_nlink == 1, &theirs, err);
    return small && o->s.fd < 0 ? carry_small(o, fd, err) : 0;
}

/* All dead files of this digest, the one that is adopted first: its claims are the newest. */
static int take_all(struct opening *o, const char *token, struct err *err)
{
    struct staged_list found = staged_read(o->scratch, o->dirfd, &o->file->want);

    for (size_t i = 0; i < found.len; i++) {
        struct staged old = found.at[i];

        if (old.kind != STAGED_PART || strcmp(old.token, token) == 0)
            continue;
        if (take(o, &old, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < found.len; i++) {
        if (strcmp(found.at[i].token, token) != 0)
            (void)unlinkat(o->dirfd, found.at[i].name, 0);
    }
    return 0;
}

/* Ours already: an earlier try of this very process. */
static int reopen(struct opening *o, struct err *err)
{
    bool writable;
    FD_SCOPED fd = staged_open(&writable, o->dirfd, o->s.part);
    struct stat st;

    if (open_journal(o, err) < 0)
        return -1;
    if (fd < 0 || !writable || fstat(fd, &st) < 0 || st.st_nlink != 1)
        return 0;
    o->s.claims_all = o->s.claims.len == 0 && o->file->size <= STAGING_SMALL_BYTES &&
                      (uint64_t)st.st_size == o->file->size;
    o->s.fd = fd_take(&fd);
    (void)staged_hold(o->s.fd);
    return 0;
}

static int open_all(struct opening *o, const char *token, struct err *err)
{
    if (reopen(o, err) < 0 || take_all(o, token, err) < 0 || create(o, err) < 0)
        return -1;
    return preallocate(o, err);
}

/* What is of use stays for the next run; space that was taken for the rest is given back. */
static void give_up(struct opening *o)
{
    if (o->s.fd >= 0)
        trim(o);
    if (o->s.fd >= 0 && o->s.claims.len == 0 && !o->s.claims_all)
        (void)unlinkat(o->dirfd, o->s.part, 0);
    staging_close(&o->s);
}

int staging_open(struct staging *out, struct arena *a, int dirfd, const char *token,
                 const struct journal_file *file, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct opening o = {.arena = a,
                        .scratch = &scratch,
                        .dirfd = dirfd,
                        .file = file,
                        .s = {.fd = -1, .dirfd = dirfd}};

    assert(file->want.kind != DIGEST_NONE);
    staged_name(o.s.part, &file->want, token, STAGED_PART);
    staged_name(o.s.journal_name, &file->want, token, STAGED_JOURNAL);
    if (open_all(&o, token, err) < 0) {
        give_up(&o);
        return -1;
    }
    *out = o.s;
    return 0;
}

void staging_close(struct staging *s)
{
    journal_close(&s->journal);
    fd_close(&s->fd);
    s->fd = -1;
}

void staging_discard(struct staging *s)
{
    staging_close(s);
    (void)unlinkat(s->dirfd, s->part, 0);
    (void)unlinkat(s->dirfd, s->journal_name, 0);
}

void staging_published(struct staging *s)
{
    staging_close(s);
    (void)unlinkat(s->dirfd, s->journal_name, 0);
}
