/*
 * A filesystem that shows a folder as a network filesystem or a poor one would: NFS with its late
 * attributes, a FUSE mount without links or locks, a server that tells of a full disk at close.
 *
 *     oddfs FOLDER MOUNTPOINT [OPTION...]      in the foreground, until it is unmounted
 *
 *     late=S         for so many seconds a change by another mount may not be seen: names, their
 *                    absence, sizes and times, as NFS keeps them (acregmax); opening always asks
 *     no-symlink  no-link  no-fallocate        not possible here
 *     fold           a name that differs only in case is the same name; kept as first written
 *     locks=none     flock succeeds and excludes nobody
 *     locks=missing  it fails with ENOSYS
 *     full=BYTES     so much fits into all files of this mount; what does not is taken all the
 * same, and ENOSPC is told at fsync and close
 *
 * RENAME_NOREPLACE is refused, as NFS does. Owners, modes and inode numbers are the folder's.
 */
#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sys/flock.h"
#include "text/num.h"
#include "text/str.h"

enum locks { LOCKS_WORK, LOCKS_NONE, LOCKS_MISSING };

struct odd {
    int root;
    double late_s;
    bool no_symlink;
    bool no_link;
    bool no_fallocate;
    bool fold;
    enum locks locks;
    int64_t full_bytes; /* 0: never */
    _Atomic int64_t taken_bytes;
};

/* An open file; fuse keeps its address. */
struct odd_file {
    int fd;
    atomic_int late_errno; /* to be told at fsync or close */
};

static struct odd *odd(void)
{
    return fuse_get_context()->private_data;
}

static struct odd_file *file_of(const struct fuse_file_info *info)
{
    return (struct odd_file *)(uintptr_t)info->fh; /* NOLINT(performance-no-int-to-ptr) */
}

/* Spells the name at the end of path, which is len long, as it stands on disk, if it does. */
static void spell_last(char *path, size_t len)
{
    char *slash = memrchr(path, '/', len);
    char *name = slash == NULL ? path : slash + 1;
    const struct dirent *entry;
    DIR *dir;
    int fd;

    if (slash != NULL)
        *slash = '\0';
    fd = openat(odd()->root, slash == NULL ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (slash != NULL)
        *slash = '/';
    dir = fd < 0 ? NULL : fdopendir(fd);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcasecmp(entry->d_name, name) == 0) {
            memcpy(name, entry->d_name, strlen(name));
            break;
        }
    }
    if (dir != NULL)
        (void)closedir(dir);
}

/* The path as it stands on disk. Two of a thread are kept, as many as one call has. */
static const char *spelled(const char *path)
{
    static _Thread_local char kept[2][PATH_MAX];
    static _Thread_local unsigned turn;
    char *out = kept[turn++ % 2];
    size_t len = strlen(path);

    if (len >= PATH_MAX)
        return path;
    out[0] = '\0';
    for (size_t i = 0; i <= len; i++) {
        if (path[i] == '/' || path[i] == '\0')
            spell_last(out, i);
        out[i] = path[i];
        out[i + 1 < PATH_MAX ? i + 1 : i] = '\0';
    }
    return out;
}

/* Beneath the folder. */
static const char *rest(const char *path)
{
    if (path[1] == '\0')
        return ".";
    return odd()->fold ? spelled(path + 1) : path + 1;
}

static int answer(long result)
{
    return result < 0 ? -errno : (int)result;
}

static int odd_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
    if (info != NULL)
        return answer(fstat(file_of(info)->fd, st));
    return answer(fstatat(odd()->root, rest(path), st, AT_SYMLINK_NOFOLLOW));
}

static int odd_readlink(const char *path, char *text, size_t size)
{
    ssize_t len = readlinkat(odd()->root, rest(path), text, size - 1);

    if (len < 0)
        return -errno;
    text[len] = '\0';
    return 0;
}

/* What is made belongs to who made it, as far as we may give it to him. */
static int give(const char *path, int result)
{
    const struct fuse_context *context = fuse_get_context();
    struct stat st;

    if (result < 0)
        return -errno;
    if (fstatat(odd()->root, rest(path), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (st.st_uid != context->uid &&
        fchownat(odd()->root, rest(path), context->uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

static int odd_mkdir(const char *path, mode_t mode)
{
    return give(path, mkdirat(odd()->root, rest(path), mode));
}

static int odd_unlink(const char *path)
{
    return answer(unlinkat(odd()->root, rest(path), 0));
}

static int odd_rmdir(const char *path)
{
    return answer(unlinkat(odd()->root, rest(path), AT_REMOVEDIR));
}

static int odd_symlink(const char *target, const char *path)
{
    return odd()->no_symlink ? -EPERM : give(path, symlinkat(target, odd()->root, rest(path)));
}

static int odd_link(const char *from, const char *to)
{
    return odd()->no_link ? -EPERM
                          : answer(linkat(odd()->root, rest(from), odd()->root, rest(to), 0));
}

static int odd_rename(const char *from, const char *to, unsigned flags)
{
    return flags != 0 ? -EINVAL : answer(renameat(odd()->root, rest(from), odd()->root, rest(to)));
}

static int odd_chmod(const char *path, mode_t mode, struct fuse_file_info *info)
{
    return info != NULL ? answer(fchmod(file_of(info)->fd, mode))
                        : answer(fchmodat(odd()->root, rest(path), mode, 0));
}

static int odd_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *info)
{
    (void)info;
    return answer(fchownat(odd()->root, rest(path), uid, gid, AT_SYMLINK_NOFOLLOW));
}

static int odd_utimens(const char *path, const struct timespec times[2],
                       struct fuse_file_info *info)
{
    (void)info;
    return answer(utimensat(odd()->root, rest(path), times, AT_SYMLINK_NOFOLLOW));
}

static int keep_open(struct fuse_file_info *info, int fd)
{
    struct odd_file *file;

    if (fd < 0)
        return -errno;
    file = calloc(1, sizeof(*file));
    if (file == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    file->fd = fd;
    info->fh = (uintptr_t)file;
    return 0;
}

static int odd_open(const char *path, struct fuse_file_info *info)
{
    return keep_open(info, openat(odd()->root, rest(path),
                                  (info->flags & ~(O_CREAT | O_EXCL | O_DIRECT)) | O_CLOEXEC));
}

static int odd_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
    int result = keep_open(info, openat(odd()->root, rest(path),
                                        (info->flags & ~O_DIRECT) | O_CREAT | O_CLOEXEC, mode));

    return result < 0 ? result : give(path, 0);
}

static int odd_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
    int fd;
    int result;

    if (info != NULL)
        return answer(ftruncate(file_of(info)->fd, size));
    fd = openat(odd()->root, rest(path), O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    result = answer(ftruncate(fd, size));
    (void)close(fd);
    return result;
}

static int odd_read(const char *path, char *data, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    (void)path;
    return answer(pread(file_of(info)->fd, data, size, offset));
}

/* A full server says so later: the bytes are gone, and the write has succeeded. */
static int odd_write(const char *path, const char *data, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
    struct odd *o = odd();

    (void)path;
    if (o->full_bytes > 0 &&
        atomic_fetch_add(&o->taken_bytes, (int64_t)size) + (int64_t)size > o->full_bytes) {
        atomic_store(&file_of(info)->late_errno, ENOSPC);
        return (int)size;
    }
    return answer(pwrite(file_of(info)->fd, data, size, offset));
}

/* Told once, as NFS does. */
static int late_error(const struct fuse_file_info *info)
{
    return -atomic_exchange(&file_of(info)->late_errno, 0);
}

static int odd_flush(const char *path, struct fuse_file_info *info)
{
    (void)path;
    return late_error(info);
}

static int odd_fsync(const char *path, int only_data, struct fuse_file_info *info)
{
    int late = late_error(info);

    (void)path;
    if (late != 0)
        return late;
    return answer(only_data != 0 ? fdatasync(file_of(info)->fd) : fsync(file_of(info)->fd));
}

static int odd_release(const char *path, struct fuse_file_info *info)
{
    struct odd_file *file = file_of(info);

    (void)path;
    (void)close(file->fd);
    free(file);
    return 0;
}

static int odd_fallocate(const char *path, int mode, off_t offset, off_t len,
                         struct fuse_file_info *info)
{
    (void)path;
    return odd()->no_fallocate ? -EOPNOTSUPP
                               : answer(fallocate(file_of(info)->fd, mode, offset, len));
}

/* A waiting lock would hold a thread of ours: asked for again and again instead. */
static int odd_flock(const char *path, struct fuse_file_info *info, int operation)
{
    (void)path;
    if (odd()->locks != LOCKS_WORK)
        return odd()->locks == LOCKS_MISSING ? -ENOSYS : 0;
    return answer(flock(file_of(info)->fd, operation | LOCK_NB));
}

static int odd_statfs(const char *path, struct statvfs *fs)
{
    (void)path;
    return answer(fstatvfs(odd()->root, fs));
}

static int odd_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t offset,
                       struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
    int fd = openat(odd()->root, rest(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    (void)info;
    (void)flags;
    if (dir == NULL)
        return -errno;
    if (offset != 0)
        seekdir(dir, offset);
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;

        /*
         * With its attributes, and where to go on, or libfuse keeps them to itself: so a listing
         * brings names up to date, as it does on NFS.
         */
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            fill(out, entry->d_name, &st, telldir(dir), FUSE_FILL_DIR_PLUS) != 0)
            break;
    }
    (void)closedir(dir);
    return 0;
}

static int odd_fsyncdir(const char *path, int only_data, struct fuse_file_info *info)
{
    (void)path;
    (void)only_data;
    (void)info;
    return 0;
}

static void *odd_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    struct odd *o = odd();

    (void)connection;
    config->use_ino = 1;
    config->hard_remove = 1;
    config->attr_timeout = o->late_s;
    config->entry_timeout = o->late_s;
    config->negative_timeout = o->late_s;
    return o;
}

static const struct fuse_operations operations = {
    .init = odd_init,
    .getattr = odd_getattr,
    .readlink = odd_readlink,
    .mkdir = odd_mkdir,
    .unlink = odd_unlink,
    .rmdir = odd_rmdir,
    .symlink = odd_symlink,
    .link = odd_link,
    .rename = odd_rename,
    .chmod = odd_chmod,
    .chown = odd_chown,
    .utimens = odd_utimens,
    .open = odd_open,
    .create = odd_create,
    .truncate = odd_truncate,
    .read = odd_read,
    .write = odd_write,
    .flush = odd_flush,
    .fsync = odd_fsync,
    .release = odd_release,
    .fallocate = odd_fallocate,
    .flock = odd_flock,
    .statfs = odd_statfs,
    .readdir = odd_readdir,
    .fsyncdir = odd_fsyncdir,
};

static bool take_option(struct odd *o, const char *text)
{
    struct str value = str_from(text);
    struct str name;
    uint64_t number = 0;
    struct err ignored = {0};
    bool numbered =
        str_cut(&value, '=', &name) && num_parse_u64(&number, value, INT32_MAX, &ignored) == 0;

    if (numbered && str_eqz(name, "late"))
        o->late_s = (double)number;
    else if (numbered && str_eqz(name, "full"))
        o->full_bytes = (int64_t)number;
    else if (strcmp(text, "locks=none") == 0)
        o->locks = LOCKS_NONE;
    else if (strcmp(text, "locks=missing") == 0)
        o->locks = LOCKS_MISSING;
    else if (strcmp(text, "no-symlink") == 0)
        o->no_symlink = true;
    else if (strcmp(text, "no-link") == 0)
        o->no_link = true;
    else if (strcmp(text, "no-fallocate") == 0)
        o->no_fallocate = true;
    else if (strcmp(text, "fold") == 0)
        o->fold = true;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct odd o = {.root = -1};
    char own_mode[] = "default_permissions,allow_other,fsname=oddfs";
    char foreground[] = "-f";
    char with[] = "-o";
    char *arguments[] = {argv[0], argc > 2 ? argv[2] : NULL, foreground, with, own_mode};

    o.root = argc > 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (o.root < 0) {
        (void)fprintf(stderr, "usage: oddfs FOLDER MOUNTPOINT [OPTION...]\n");
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        if (!take_option(&o, argv[i])) {
            (void)fprintf(stderr, "oddfs: no option %s\n", argv[i]);
            return 2;
        }
    }
    (void)umask(0); /* the caller's has been seen to by the kernel */
    return fuse_main(5, arguments, &operations, &o);
}
