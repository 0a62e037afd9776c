#include "store/lease_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest/digest.h"
#include "store/lease_text.h"
#include "store/volume.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"

#define NAME_BYTES ((size_t)64)

void lease_file_close(struct lease_file *f)
{
    fd_close(&f->fd);
    f->fd = -1;
}

/* Up to LEASE_BYTES_MAX from the start; -1 with errno. */
static ssize_t read_start(int fd, char text[static LEASE_BYTES_MAX])
{
    size_t len = 0;

    while (len < LEASE_BYTES_MAX) {
        ssize_t n = pread(fd, text + len, LEASE_BYTES_MAX - len, (off_t)len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

/* A lease is a regular file: what else has its name was put there by somebody else. */
static int refuse_kind(int dirfd, const char *name, const char *what, struct err *err)
{
    char dir[PATH_MAX];

    (void)err_set(err, ERR_LIMIT, "%s/%s is %s, which no lease ever is",
                  file_path_of(dir, dirfd) ? dir : "the staging folder", name, what);
    return err_hint(err, "look who made it; remove it, and pull again");
}

int lease_file_read(struct lease_file *out, int dirfd, const char *name, struct err *err)
{
    LEASE_FILE_SCOPED f = {.fd = -1};
    char text[LEASE_BYTES_MAX];
    struct stat st;
    ssize_t len;

    f.fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (f.fd < 0 && errno == ENOENT) {
        *out = f;
        return 0;
    }
    if (f.fd < 0 && errno == ELOOP)
        return refuse_kind(dirfd, name, "a link", err);
    if (f.fd < 0 && errno == ENXIO)
        return refuse_kind(dirfd, name, "a socket", err);
    if (f.fd < 0 || fstat(f.fd, &st) < 0)
        return file_err(err, "cannot read the lease %s", name);
    if (!S_ISREG(st.st_mode))
        return refuse_kind(dirfd, name, S_ISDIR(st.st_mode) ? "a directory" : "no regular file",
                           err);
    len = read_start(f.fd, text);
    if (len < 0)
        return file_err(err, "cannot read the lease %s", name);
    f.crc = digest_crc32c(0, text, (size_t)len);
    f.whole = lease_parse(&f.state, (struct str){text, (size_t)len});
    *out = f;
    f.fd = -1;
    return 0;
}

int lease_file_write(int fd, const struct lease_state *state, bool local)
{
    char text[LEASE_TEXT];
    ssize_t n;

    lease_format(text, state);
    do
        n = pwrite(fd, text, sizeof(text), 0);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && (size_t)n < sizeof(text))
        errno = ENOSPC;
    if (n < 0 || (size_t)n < sizeof(text))
        return -1;
    return local ? 0 : fdatasync(fd);
}

/* A new file with flock and text, in this order: nobody reads our state and finds the lock free. */
static int create(int dirfd, const char *name, const struct lease_state *state, bool local)
{
    FD_SCOPED fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        return -1;
    (void)fchmod(fd, 0644); /* waiters of other uids read it, whatever the umask */
    (void)flock(fd, LOCK_EX | LOCK_NB);
    if (lease_file_write(fd, state, local) < 0) {
        int sys = errno;

        (void)unlinkat(dirfd, name, 0);
        errno = sys;
        return -1;
    }
    return fd_take(&fd);
}

/* As create(), and the name appears with all its text by link(2). */
static int create_linked(int dirfd, const char *name, const struct lease_state *state, bool local)
{
    char temporary[NAME_BYTES];
    int sys;
    FD_SCOPED fd = -1;

    (void)snprintf(temporary, sizeof(temporary), "%s%s", VOLUME_PROBE, state->token);
    (void)unlinkat(dirfd, temporary, 0);
    fd = create(dirfd, temporary, state, local);
    if (fd < 0)
        return -1;
    sys = linkat(dirfd, temporary, dirfd, name, 0) < 0 ? errno : 0;
    if (sys == ENOENT)
        sys = EAGAIN; /* somebody swept the temporary name away: as if he had been faster */
    (void)unlinkat(dirfd, temporary, 0);
    errno = sys;
    return sys == 0 || sys == EEXIST || sys == EIO ? fd_take(&fd) : -1;
}

static bool is_ours(int dirfd, const char *name, const struct lease_state *state)
{
    LEASE_FILE_SCOPED f = {.fd = -1};
    struct err ignored;

    return lease_file_read(&f, dirfd, name, &ignored) == 0 && f.fd >= 0 && f.whole &&
           strcmp(f.state.token, state->token) == 0;
}

int lease_file_make(int *ret_fd, int dirfd, const char *name, const struct lease_state *state,
                    bool local, struct err *err)
{
    FD_SCOPED fd = create_linked(dirfd, name, state, local);
    int sys = errno;

    if (fd < 0 && (sys == EPERM || sys == EOPNOTSUPP || sys == ENOSYS || sys == EMLINK)) {
        fd = create(dirfd, name, state, local); /* no hard links here */
        sys = fd < 0 ? errno : 0;
    }
    if (fd >= 0 && (sys == 0 || is_ours(dirfd, name, state))) {
        *ret_fd = fd_take(&fd);
        return 0;
    }
    if (sys == EEXIST || sys == EAGAIN) {
        *ret_fd = -1;
        return 0;
    }
    errno = sys;
    return file_err(err, "cannot write the lease %s", name);
}
