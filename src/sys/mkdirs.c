#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/file.h"

/* The permissions of a directory that is made after like; ours: it has like's group. */
static mode_t mode_after(const struct stat *like, mode_t mask, bool ours)
{
    mode_t mode = 0777 & ~mask;

    /* The group's bits mean that group: for another they would open the directory to strangers. */
    if (ours) {
        mode |= like->st_mode & S_ISGID;
        if ((mask & S_IRGRP) == 0)
            mode |= like->st_mode & S_IWGRP;
    }
    if ((mask & S_IROTH) == 0)
        mode |= like->st_mode & S_IWOTH;
    return mode;
}

/*
 * Gives a directory that we just made the look of like. What a filesystem or the kernel refuses
 * (FAT keeps no modes, a group we are not in) stays as it was made: the directory serves us anyway.
 */
static void take_after(int fd, const struct stat *like, mode_t mask)
{
    struct stat st;
    mode_t mode;

    if (fstat(fd, &st) < 0)
        return;
    mode = mode_after(like, mask,
                      st.st_gid == like->st_gid || fchown(fd, (uid_t)-1, like->st_gid) == 0);
    if ((st.st_mode & 07777) != mode)
        (void)fchmod(fd, mode);
}

/* As mkdirat(2) with no umask: in a process of its own, for all threads of one share theirs. */
static int mkdirat_unmasked(int parent, const char *name, mode_t mode)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        (void)umask(0);
        _exit(mkdirat(parent, name, mode) < 0 ? errno : 0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            child = -1;
    }
    /* No process was to be had, or somebody else reaped it: whether the name is there tells. */
    if (child < 0 || !WIFEXITED(status))
        return mkdirat(parent, name, mode);
    errno = WEXITSTATUS(status);
    return errno == 0 ? 0 : -1;
}

/*
 * Makes a directory that has the permissions of like from its first moment: others, who may write
 * there by them, come at any time, and a kill between two steps would shut them out for good. Only
 * where the group has to be changed afterwards (no setgid bit on the parent) there is such a
 * moment.
 */
static int mkdirat_after(int parent, const char *name, const struct stat *like, mode_t mask)
{
    struct stat st;
    gid_t group = getegid();
    mode_t mode;

    if (fstat(parent, &st) == 0 && (st.st_mode & S_ISGID) != 0)
        group = st.st_gid;
    mode = mode_after(like, mask, group == like->st_gid) & 0777;
    return (mode & mask) == 0 ? mkdirat(parent, name, mode) : mkdirat_unmasked(parent, name, mode);
}

/* One directory; 0 if it is there now. The errno of mkdirat on failure. */
static int make_dir(int parent, const char *name, const struct stat *like)
{
    FD_SCOPED fd = -1;
    mode_t mask = like == NULL ? 0 : file_umask();
    int made = like == NULL ? mkdirat(parent, name, 0777) : mkdirat_after(parent, name, like, mask);

    if (made < 0)
        return errno == EEXIST ? 0 : -1;
    if (like == NULL)
        return 0;
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        take_after(fd, like, mask);
    return 0;
}

int file_mkdirs(int dirfd, const char *path, const struct stat *like, struct err *err)
{
    FD_SCOPED at = file_open_dir(dirfd, path, err);
    char prefix[PATH_MAX];
    size_t len = strlen(path);

    if (at >= 0 || err->sys != ENOENT)
        return at >= 0 ? 0 : -1;
    if (len >= sizeof(prefix)) {
        errno = ENAMETOOLONG;
        return file_err(err, "%s", path);
    }
    for (size_t end = 0; end < len;) {
        const char *name;
        FD_SCOPED parent = -1;

        end += strspn(path + end, "/");
        end += strcspn(path + end, "/");
        memcpy(prefix, path, end);
        prefix[end] = '\0';
        parent = file_open_parent(&name, dirfd, prefix, err);
        if (parent < 0)
            return -1;
        if (name[0] != '\0' && make_dir(parent, name, like) < 0)
            return file_err(err, "mkdir %s", prefix);
    }
    at = file_open_dir(dirfd, path, err);
    return at < 0 ? -1 : 0;
}
