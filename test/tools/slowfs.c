/*
 * A filesystem that shows a folder, read only, as a slow volume would: so many bytes a second for
 * all readers together, and each request waits for its answer. The kernel's page cache is on, as
 * for a network filesystem, and files keep what is cached between opens.
 *
 *     slowfs FOLDER MOUNTPOINT [OPTION...]      in the foreground, until it is unmounted
 *
 *     rate=BYTES       a second, of all requests together
 *     latency=US       from a request to the first of its bytes; requests wait side by side
 *     log=FILE         a line for each request, as it comes: name, offset, bytes
 *
 * A request's bytes go over the one line after those of the requests before it: what two ask for
 * at once takes as long as one after the other, only the waits are side by side.
 */
#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "text/num.h"
#include "text/str.h"

#define SECOND_NS UINT64_C(1000000000)

struct slow {
    int root;
    int log; /* -1: none */
    uint64_t rate;
    uint64_t latency_ns;
    pthread_mutex_t lock;
    uint64_t line_free_ns; /* when the line has sent what it was given so far */
};

static struct slow *slow(void)
{
    return fuse_get_context()->private_data;
}

/* Beneath the folder. */
static const char *rest(const char *path)
{
    return path[1] == '\0' ? "." : path + 1;
}

static int answer(long result)
{
    return result < 0 ? -errno : (int)result;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void wait_until(uint64_t ns)
{
    const struct timespec at = {.tv_sec = (time_t)(ns / SECOND_NS),
                                .tv_nsec = (long)(ns % SECOND_NS)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

/* Takes as long as a volume would to send so many bytes. */
static void send_slowly(struct slow *s, uint64_t bytes)
{
    uint64_t first = now_ns() + s->latency_ns;
    uint64_t end;

    (void)pthread_mutex_lock(&s->lock);
    end = s->line_free_ns > first ? s->line_free_ns : first;
    if (s->rate > 0)
        end += bytes * SECOND_NS / s->rate;
    s->line_free_ns = end;
    (void)pthread_mutex_unlock(&s->lock);
    wait_until(end);
}

static void note(const struct slow *s, const char *path, size_t size, off_t offset)
{
    char line[512];
    int len = snprintf(line, sizeof(line), "%s %lld %zu\n", rest(path), (long long)offset, size);

    if (s->log >= 0 && len > 0 && (size_t)len < sizeof(line) &&
        write(s->log, line, (size_t)len) != len)
        (void)fprintf(stderr, "slowfs: the log cannot be written\n");
}

static int slow_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
    (void)info;
    return answer(fstatat(slow()->root, rest(path), st, AT_SYMLINK_NOFOLLOW));
}

static int slow_readlink(const char *path, char *text, size_t size)
{
    ssize_t len = readlinkat(slow()->root, rest(path), text, size - 1);

    if (len < 0)
        return -errno;
    text[len] = '\0';
    return 0;
}

static int slow_open(const char *path, struct fuse_file_info *info)
{
    int fd = openat(slow()->root, rest(path), O_RDONLY | O_CLOEXEC);

    if ((info->flags & O_ACCMODE) != O_RDONLY)
        errno = EROFS;
    if (fd < 0 || (info->flags & O_ACCMODE) != O_RDONLY)
        return -errno;
    info->fh = (uint64_t)fd;
    info->keep_cache = 1;
    return 0;
}

static int slow_read(const char *path, char *data, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
    ssize_t got = pread((int)info->fh, data, size, offset);

    note(slow(), path, size, offset);
    send_slowly(slow(), got > 0 ? (uint64_t)got : 0);
    return answer(got);
}

static int slow_release(const char *path, struct fuse_file_info *info)
{
    (void)path;
    (void)close((int)info->fh);
    return 0;
}

static int slow_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t offset,
                        struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
    int fd = openat(slow()->root, rest(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    (void)offset;
    (void)info;
    (void)flags;
    if (dir == NULL)
        return -errno;
    while ((entry = readdir(dir)) != NULL)
        (void)fill(out, entry->d_name, NULL, 0, 0);
    (void)closedir(dir);
    return 0;
}

static void *slow_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    config->use_ino = 1;
    config->attr_timeout = 60;
    config->entry_timeout = 60;
    return slow();
}

static const struct fuse_operations operations = {
    .init = slow_init,
    .getattr = slow_getattr,
    .readlink = slow_readlink,
    .open = slow_open,
    .read = slow_read,
    .release = slow_release,
    .readdir = slow_readdir,
};

static bool take_option(struct slow *s, const char *text)
{
    struct str value = str_from(text);
    struct str name;
    uint64_t number;
    struct err ignored = {0};

    if (!str_cut(&value, '=', &name))
        return false;
    if (str_eqz(name, "log")) {
        s->log = open(value.ptr, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        return s->log >= 0;
    }
    if (num_parse_u64(&number, value, INT32_MAX, &ignored) < 0)
        return false;
    if (str_eqz(name, "rate"))
        s->rate = number;
    else if (str_eqz(name, "latency"))
        s->latency_ns = number * 1000;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct slow s = {.root = -1, .log = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    char own_mode[] = "ro,default_permissions,allow_other,fsname=slowfs";
    char foreground[] = "-f";
    char with[] = "-o";
    char *arguments[] = {argv[0], argc > 2 ? argv[2] : NULL, foreground, with, own_mode};

    s.root = argc > 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (s.root < 0) {
        (void)fprintf(stderr, "usage: slowfs FOLDER MOUNTPOINT [OPTION...]\n");
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        if (!take_option(&s, argv[i])) {
            (void)fprintf(stderr, "slowfs: no option %s\n", argv[i]);
            return 2;
        }
    }
    return fuse_main(5, arguments, &operations, &s);
}
