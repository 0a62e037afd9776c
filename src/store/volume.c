#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store/quota.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"
#include "text/str.h"

/* f_type of statfs(2), of which no one header names all. */
#define FS_EXT      0xef53U
#define FS_TMPFS    0x01021994U
#define FS_RAMFS    0x858458f6U
#define FS_OVERLAY  0x794c7630U
#define FS_XFS      0x58465342U
#define FS_BTRFS    0x9123683eU
#define FS_F2FS     0xf2f52010U
#define FS_ZFS      0x2fc12fc1U
#define FS_BCACHEFS 0xca451a4eU
#define FS_NILFS    0x3434U
#define FS_JFS      0x3153464aU
#define FS_REISERFS 0x52654973U

static uint32_t filesystem_of(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) < 0 ? 0 : (uint32_t)fs.f_type;
}

static const char *ephemeral_name(int fd)
{
    switch (filesystem_of(fd)) {
    case FS_TMPFS: return "tmpfs";
    case FS_RAMFS: return "ramfs";
    case FS_OVERLAY: return "overlay";
    default: return NULL;
    }
}

bool volume_is_local(int dirfd)
{
    static const uint32_t local[] = {FS_EXT,      FS_TMPFS, FS_RAMFS, FS_OVERLAY,
                                     FS_XFS,      FS_BTRFS, FS_F2FS,  FS_ZFS,
                                     FS_BCACHEFS, FS_NILFS, FS_JFS,   FS_REISERFS};
    uint32_t type = filesystem_of(dirfd);

    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        if (local[i] == type)
            return true;
    }
    return false;
}

bool volume_flock_works(int dirfd)
{
    char name[64] = VOLUME_PROBE;
    size_t len = strlen(name);
    FD_SCOPED first = -1;
    FD_SCOPED second = -1;
    bool works;

    file_random_hex(name + len, 16);
    first = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (first < 0)
        return false;
    second = openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    works = second >= 0 && flock(first, LOCK_EX | LOCK_NB) == 0 &&
            flock(second, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    (void)unlinkat(dirfd, name, 0);
    return works;
}

/* From errno. */
static int refused(struct err *err, const char *path, const char *what, const char *volume_path)
{
    (void)file_err(err, "%s: %s", path, what);
    return volume_explain(err, path, volume_path);
}

/* Opens the nearest directory upwards that is there; *ret_rest is what is missing beneath it. */
static int open_nearest(const char **ret_rest, const char *path, char held[static PATH_MAX])
{
    size_t len = strlen(path);
    int fd;

    if (len >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(held, path, len + 1);
    for (;;) {
        size_t kept = strlen(held);

        fd = open(held, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT || strcmp(held, ".") == 0 || strcmp(held, "/") == 0) {
            *ret_rest = path + (strcmp(held, ".") == 0 ? 0 : kept);
            *ret_rest += strspn(*ret_rest, "/");
            return fd;
        }
        file_to_parent(held);
    }
}

static bool is_filesystem_root(int fd)
{
    struct stat root;
    struct stat st;

    return stat("/", &root) == 0 && fstat(fd, &st) == 0 && root.st_dev == st.st_dev &&
           root.st_ino == st.st_ino;
}

/* Makes path and what is missing above it, but nothing at `/`: that is a volume not mounted. */
static int make_dirs(const char *path, const struct stat *like, const char *volume_path,
                     struct err *err)
{
    char held[PATH_MAX];
    const char *rest;
    FD_SCOPED at = open_nearest(&rest, path, held);
    struct err ignored = {0};

    if (at < 0)
        return refused(err, path, "cannot open directory", volume_path);
    if (rest[0] == '\0')
        return 0;
    if (is_filesystem_root(at)) {
        err_set(err, ERR_USAGE, "%s: no such directory, and nothing is made at /", path);
        return err_hint(err, "mount the volume there, or name another directory: "
                             "--volume ~/models");
    }
    if (file_mkdirs(at, rest, like, &ignored) == 0)
        return 0;
    if (ignored.sys == 0) {
        *err = ignored;
        return err_wrap(err, "%s", path);
    }
    errno = ignored.sys;
    return refused(err, path, "cannot create directory", volume_path);
}

/* Opens a directory of the operator's own naming: its links are followed wherever they lead. */
static int open_named(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 ? fd : refused(err, path, "cannot open directory", path);
}

int volume_open(struct volume *out, struct arena *a, const char *path, bool make, struct err *err)
{
    struct volume v = {.path = str_dup(a, str_from(path))};
    FD_SCOPED fd = -1;
    struct statvfs fs;

    if (access(path, F_OK) < 0 && errno == ENOENT && !make) {
        err_set(err, ERR_USAGE, "%s: no such directory", path);
        return err_hint(err, "mount the volume there, or name another directory: "
                             "--volume ~/models");
    }
    if (!make || make_dirs(path, NULL, path, err) == 0)
        fd = open_named(path, err);
    if (fd < 0 && err->sys == ENOTDIR) {
        err_set(err, ERR_USAGE, "%s is not a directory", path);
        return err_hint(err, "name a directory: --volume ~/models");
    }
    if (fd < 0)
        return -1;
    if (fstat(fd, &v.root) < 0 || fstatvfs(fd, &fs) < 0)
        return file_err(err, "%s: cannot look at the volume", path);
    if ((fs.f_flag & ST_RDONLY) != 0)
        v.refusal = EROFS;
    else if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        v.refusal = errno;
    v.writable = v.refusal == 0;
    v.ephemeral = ephemeral_name(fd);
    v.fd = fd_take(&fd);
    *out = v;
    return 0;
}

void volume_close(struct volume *v)
{
    fd_close(&v->fd);
    v->fd = -1;
}

bool volume_is_there(const struct volume *v)
{
    struct stat ours;
    struct stat named;

    return fstat(v->fd, &ours) == 0 && stat(v->path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

/* The part of path beneath the volume's own; NULL if it lies outside. */
static const char *beneath(const struct volume *v, const char *path)
{
    size_t len = strlen(v->path);

    while (len > 1 && v->path[len - 1] == '/')
        len--;
    if (strncmp(path, v->path, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return NULL;
    path += len;
    path += strspn(path, "/");
    return path[0] == '\0' ? "." : path;
}

/*
 * Opens rest beneath the volume. A link at the volume's root is the operator's (a store on another
 * disk) and may lead anywhere; from there on nothing may leave.
 */
static int open_beneath(const struct volume *v, const char *rest, struct err *err)
{
    size_t head = strcspn(rest, "/");
    char first[NAME_MAX + 1];
    FD_SCOPED at = -1;
    int fd = file_open_dir(v->fd, rest, err);

    if (fd >= 0 || (err->sys != EXDEV && err->sys != ELOOP && err->sys != ENOTDIR) ||
        head > NAME_MAX)
        return fd;
    memcpy(first, rest, head);
    first[head] = '\0';
    at = openat(v->fd, first, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return -1;
    rest += head;
    rest += strspn(rest, "/");
    return rest[0] == '\0' ? fd_take(&at) : file_open_dir(at, rest, err);
}

static int open_store(const struct volume *v, const char *path, struct err *err)
{
    const char *rest = beneath(v, path);
    int fd =
        rest == NULL ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : open_beneath(v, rest, err);

    if (fd < 0 && rest == NULL)
        err->sys = errno;
    return fd;
}

int store_open(struct store *out, struct arena *a, const struct volume *v, const char *path,
               bool make, struct err *err)
{
    struct err seen = {0};
    int fd = open_store(v, path, &seen);

    /* Where the volume was unmounted, directories would be made on the disk beneath it. */
    if (fd < 0 && seen.sys == ENOENT && make && (beneath(v, path) == NULL || volume_is_there(v))) {
        if (make_dirs(path, &v->root, v->path, err) < 0)
            return -1;
        fd = open_store(v, path, &seen);
    }
    if (fd < 0 && seen.sys == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s: no such directory", path);
    if (fd < 0 && seen.sys == EXDEV) {
        err_set(err, ERR_LIMIT, "%s leads out of the volume %s", path, v->path);
        return err_hint(err, "only links at the volume's root may lead elsewhere");
    }
    if (fd < 0) {
        errno = seen.sys;
        return refused(err, path, "cannot open directory", v->path);
    }
    *out = (struct store){.path = str_dup(a, str_from(path)), .fd = fd, .volume = v};
    return 0;
}

void store_close(struct store *s)
{
    fd_close(&s->fd);
    s->fd = -1;
}

int volume_space(struct space *out, int dirfd, struct err *err)
{
    struct statvfs fs;
    uint64_t left = quota_left(dirfd);

    if (fstatvfs(dirfd, &fs) < 0)
        return file_err(err, "cannot ask the filesystem for its free space");
    *out = (struct space){
        .free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize,
        .total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize,
        .limit = "filesystem",
    };
    if (left < out->free_bytes) {
        out->free_bytes = left;
        out->limit = "quota";
    }
    return 0;
}
