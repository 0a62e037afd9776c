#include "layout/hf_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"
#include "sys/stop.h"

#define POLL_MS     50
#define LOCK_MODE   0664 /* so that another user of the same group can wait for it */
#define MARKER_ROOM ((size_t)128)

enum attempt { ATTEMPT_TAKEN, ATTEMPT_HELD, ATTEMPT_HOPELESS };

static int open_lock(bool *ret_made, const struct layout_place *p, const char *path)
{
    struct err ignored = {0};
    int fd =
        file_open(p->store.fd, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, LOCK_MODE, &ignored);

    *ret_made = fd >= 0;
    if (fd >= 0)
        (void)fchmod(fd, LOCK_MODE);
    else if (ignored.sys == EEXIST)
        fd = file_open(p->store.fd, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0, &ignored);
    if (fd < 0 && ignored.sys == EACCES)
        fd = file_open(p->store.fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &ignored);
    return fd;
}

/*
 * Some versions of filelock unlink the file as they release it: a lock on an inode that the name no
 * longer leads to guards nothing.
 */
static bool still_named(const struct layout_place *p, const char *path, int fd)
{
    struct stat held;
    struct stat named;

    return fstat(fd, &held) == 0 && held.st_nlink > 0 &&
           fstatat(p->store.fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* The mark of a process that locks by existence: its number and its host, each on a line. */
static bool is_soft(int fd)
{
    char text[MARKER_ROOM];
    ssize_t len = pread(fd, text, sizeof(text), 0);
    size_t digits = 0;

    while (len > 0 && digits < (size_t)len && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    return len > 0 && digits > 0 && digits < (size_t)len && text[digits] == '\n';
}

/* Where flock is not supported, huggingface_hub locks by the existence of the same name. */
static enum attempt try_exists(struct hf_lock *lock, const struct layout_place *p, const char *path)
{
    struct err ignored = {0};
    char host[65] = "";
    FD_SCOPED fd =
        file_open(p->store.fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, LOCK_MODE, &ignored);

    if (fd < 0)
        return ignored.sys == EEXIST ? ATTEMPT_HELD : ATTEMPT_HOPELESS;
    (void)gethostname(host, sizeof(host) - 1);
    (void)dprintf(fd, "%ld\n%s\n", (long)getpid(), host);
    lock->exists = path;
    return ATTEMPT_TAKEN;
}

static enum attempt try_once(struct hf_lock *lock, const struct layout_place *p, const char *path)
{
    bool made;
    FD_SCOPED fd = open_lock(&made, p, path);

    if (fd < 0)
        return ATTEMPT_HOPELESS;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != ENOSYS && errno != EOPNOTSUPP)
            return errno == EWOULDBLOCK || errno == EACCES ? ATTEMPT_HELD : ATTEMPT_HOPELESS;
        if (made)
            (void)unlinkat(p->store.fd, path, 0);
        return try_exists(lock, p, path);
    }
    if (is_soft(fd) || !still_named(p, path, fd))
        return ATTEMPT_HELD;
    lock->fd = fd_take(&fd);
    return ATTEMPT_TAKEN;
}

struct hf_lock hf_lock_take(const struct layout_place *p, const char *etag)
{
    struct hf_place *s = hf_state(p);
    const struct clock *clock = hf_clock(p);
    const char *dir = str_format(p->arena, ".locks/%s", s->name);
    const char *path = str_format(p->arena, "%s/%s.lock", dir, etag);
    struct hf_lock lock = {.fd = -1};
    uint64_t begun_ms = clock_now_ms(clock);
    uint64_t before_ms = s->lock_waited_ms;
    struct err ignored = {0};

    if (!s->locks_there && file_mkdirs(p->store.fd, dir, &p->config->volume->root, &ignored) < 0)
        return lock;
    s->locks_there = true;
    for (;;) {
        enum attempt attempt = try_once(&lock, p, path);

        s->lock_waited_ms = before_ms + (clock_now_ms(clock) - begun_ms);
        if (attempt != ATTEMPT_HELD)
            return lock;
        if (s->lock_waited_ms >= HF_LOCK_WAIT_MS || stop_wanted())
            break;
        (void)stop_wait_ms(POLL_MS);
    }
    if (!s->lock_passed && !stop_wanted())
        layout_notice(p->config,
                      "the lock %s/%s of another program was not given back in %d s; going on "
                      "without it (remove it if nothing downloads there)",
                      p->store.path, path, (int)(HF_LOCK_WAIT_MS / 1000));
    s->lock_passed = true;
    return lock;
}

void hf_lock_give(const struct layout_place *p, struct hf_lock *lock)
{
    if (lock->exists != NULL)
        (void)unlinkat(p->store.fd, lock->exists, 0);
    fd_close(&lock->fd);
    *lock = (struct hf_lock){.fd = -1};
}
