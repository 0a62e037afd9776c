#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "store/copy.h"
#include "store/volume.h"
#include "sys/fd.h"
#include "sys/file.h"

/* So many files are synced one by one; more by one sync of their filesystem. */
#define SYNC_SINGLY 8

#define NAME_BYTES ((size_t)1024)

static int sync_one(const struct publish_item *item, struct err *err)
{
    int sys;

    if (fdatasync(item->fd) == 0)
        return 0;
    sys = errno;
    if (sys == EIO)
        (void)unlinkat(item->from_dirfd, item->from, 0);
    errno = sys;
    return file_err(err, "%s: cannot sync", item->to);
}

/*
 * One sync for each filesystem that the items lie on. False: try them singly. That is so on file
 * servers: FUSE passes no syncfs on, and before Linux 5.8 none told of bytes that a server had
 * taken and lost, while each file's own sync always does.
 */
static bool sync_together(const struct publish_item *items, size_t count)
{
    dev_t synced = 0;

    for (size_t i = 0; i < count; i++) {
        struct stat st;

        if (fstat(items[i].fd, &st) < 0 || !volume_is_local(items[i].fd))
            return false;
        if (i > 0 && st.st_dev == synced)
            continue;
        if (syncfs(items[i].fd) < 0)
            return false; /* any file's error; singly each tells its own */
        synced = st.st_dev;
    }
    return true;
}

int publish_sync(const struct publish_item *items, size_t count, struct err *err)
{
    if (count > SYNC_SINGLY && sync_together(items, count))
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (sync_one(&items[i], err) < 0)
            return -1;
    }
    return 0;
}

static bool is_regular(int dirfd, const char *name)
{
    struct stat st;

    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* A file server that repeats a request it has done says that the name is gone: look for ourselves.
 */
static bool has_arrived(const struct publish_item *item)
{
    struct stat held;
    struct stat there;

    return fstat(item->fd, &held) == 0 &&
           fstatat(item->to_dirfd, item->to, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

/* rename(2) that never replaces; EEXIST as errno then. */
static int rename_new(const struct publish_item *item)
{
    if (renameat2(item->from_dirfd, item->from, item->to_dirfd, item->to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return -1;
    if (linkat(item->from_dirfd, item->from, item->to_dirfd, item->to, 0) == 0) {
        (void)unlinkat(item->from_dirfd, item->from, 0);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK && errno != ENOSYS)
        return -1;
    if (is_regular(item->to_dirfd, item->to)) {
        errno = EEXIST;
        return -1;
    }
    return renameat(item->from_dirfd, item->from, item->to_dirfd, item->to);
}

/* Without replace only what is no regular file gives way: a dangling link, say. */
static int move(const struct publish_item *item, struct err *err)
{
    if (!item->replace) {
        if (rename_new(item) == 0)
            return 0;
        if (errno == EEXIST && is_regular(item->to_dirfd, item->to)) {
            (void)unlinkat(item->from_dirfd, item->from, 0);
            return 0;
        }
    }
    if ((item->replace || errno == EEXIST) &&
        renameat(item->from_dirfd, item->from, item->to_dirfd, item->to) == 0)
        return 0;
    if (errno == ENOENT && has_arrived(item))
        return 0;
    return file_err(err, "%s: cannot publish", item->to);
}

int publish_rename(const struct publish_item *item, struct err *err)
{
    /* Filesystems without modes and files of other owners refuse it; then it stays as it is. */
    (void)fchmod(item->fd, item->mode);
    return move(item, err);
}

static int create_try(int dirfd, char name[static NAME_BYTES], struct err *err)
{
    int fd;

    (void)snprintf(name, NAME_BYTES, "%s", VOLUME_PROBE);
    file_random_hex(name + strlen(name), 16);
    fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : file_err(err, "cannot write a scratch file");
}

/* Judges one trial: a full or broken disk is no answer. */
static int judge(bool *ret_able, int result, struct err *err)
{
    if (result < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == ESTALE))
        return file_err(err, "cannot try what the filesystem can do");
    *ret_able = result == 0;
    return 0;
}

static int try_all(struct publish_abilities *out, int dirfd, const char *name, int fd,
                   struct err *err)
{
    char second[NAME_BYTES];
    FD_SCOPED copy = -1;
    int result;

    (void)snprintf(second, sizeof(second), "%s", VOLUME_PROBE);
    file_random_hex(second + strlen(second), 16);
    result = judge(&out->symlinks, symlinkat(name, dirfd, second), err);
    (void)unlinkat(dirfd, second, 0);
    if (result < 0)
        return -1;
    result = judge(&out->hard_links, linkat(dirfd, name, dirfd, second, 0), err);
    (void)unlinkat(dirfd, second, 0);
    if (result < 0)
        return -1;
    copy = create_try(dirfd, second, err);
    if (copy < 0)
        return -1;
    result = judge(&out->reflinks, ioctl(copy, FICLONE, fd), err);
    (void)unlinkat(dirfd, second, 0);
    return result;
}

int publish_probe(struct publish_abilities *out, int dirfd, struct err *err)
{
    struct publish_abilities found = {0};
    char name[NAME_BYTES];
    FD_SCOPED fd = create_try(dirfd, name, err);
    int result;

    if (fd < 0)
        return -1;
    result = write(fd, name, 1) == 1 ? try_all(&found, dirfd, name, fd, err)
                                     : file_err(err, "cannot write a scratch file");
    (void)unlinkat(dirfd, name, 0);
    if (result == 0)
        *out = found;
    return result;
}

/* The same inode under another name, by its descriptor. */
static int link_fd(int fd, int to_dirfd, const char *to)
{
    char link[64];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, link, to_dirfd, to, AT_SYMLINK_FOLLOW);
}

static int sync_copy(int fd, mode_t mode, struct err *err)
{
    (void)fchmod(fd, mode);
    return fdatasync(fd) < 0 ? file_err(err, "cannot sync") : 0;
}

/*
 * Makes the copy under the temporary name and says how in *ret_how. A new file is made first, for a
 * reflink and a copy alike; only a hard link has to do without.
 */
static int make_copy(const char **ret_how, int *ret_fd, int from_fd, int dirfd, const char *name,
                     struct err *err)
{
    FD_SCOPED fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    struct stat st;

    if (fd < 0)
        return file_err(err, "cannot create %s", name);
    *ret_how = "reflink";
    if (ioctl(fd, FICLONE, from_fd) < 0) {
        (void)unlinkat(dirfd, name, 0);
        *ret_how = "link";
        if (link_fd(from_fd, dirfd, name) == 0)
            return 0;
        fd_close(&fd);
        fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0)
            return file_err(err, "cannot create %s", name);
        *ret_how = "copy";
        if (fstat(from_fd, &st) < 0)
            return file_err(err, "cannot look at what to copy");
        if (copy_range(fd, from_fd, 0, (uint64_t)st.st_size, err) < 0)
            return -1;
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

int publish_duplicate(const char **ret_how, int from_fd, int to_dirfd, const char *to, mode_t mode,
                      struct err *err)
{
    char random[9];
    char name[NAME_BYTES];
    const char *how = "copy";
    FD_SCOPED fd = -1;
    struct publish_item item = {
        .from_dirfd = to_dirfd, .from = name, .to_dirfd = to_dirfd, .to = to, .mode = mode};
    int result;

    file_random_hex(random, 8);
    if ((size_t)snprintf(name, sizeof(name), "%s.%s.incomplete", to, random) >= sizeof(name))
        return err_set(err, ERR_LIMIT, "%s: too long a name", to);
    result = make_copy(&how, &fd, from_fd, to_dirfd, name, err);
    if (result == 0 && fd >= 0)
        result = sync_copy(fd, mode, err);
    item.fd = fd;
    if (result == 0)
        result = move(&item, err);
    if (result < 0) {
        (void)unlinkat(to_dirfd, name, 0);
        return err_wrap(err, "%s", to);
    }
    *ret_how = how;
    return 0;
}
