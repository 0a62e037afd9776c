/*
 * A volume whose power can be cut: every change that the program makes to it is noted, and the
 * volume can be made anew as the disk may have it after a cut at any moment.
 *
 * A program that includes this defines the system calls that change files itself, so the library
 * linked into it calls these. Nothing is really synced: what a sync promises is noted, too.
 *
 * What a cut leaves of a file: each block of 4 KiB as it was at the last sync of the file or at any
 * time since, on its own, or with half of a write in it, or stale; the size, too, and the time of
 * last change. Of a directory: each name on its own as it was at the last sync of the directory or
 * at any time since; a synced directory can be reached. That is more than any one filesystem loses.
 * Inode numbers are those of the model, so that they survive a cut as they do on a disk.
 */
#ifndef TEST_POWER_H
#define TEST_POWER_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "../check.h"
#include "mem/arena.h"
#include "text/str.h"
#include "text/vec.h"

#define POWER_BLOCK ((size_t)4096)

struct power_node;

/* What a file's bytes or size went through. */
struct power_change {
    unsigned at; /* when: changes and syncs of the volume are counted */
    bool sync;
    size_t offset;
    size_t len; /* 0: nothing was written, the size changed */
    const unsigned char *data;
    size_t size; /* of the file from then on */
    struct timespec changed;
};

/* What a name of a directory led to. */
struct power_entry {
    unsigned at;
    bool sync;
    struct power_node *node; /* NULL: nothing */
};

struct power_name {
    struct power_name *next;
    const char *text;
    VEC(struct power_entry) entries;
    struct power_node *left; /* what a cut leaves at it */
};

struct power_node {
    struct power_node *next;
    ino_t number; /* that the program sees */
    ino_t real;   /* 0: not on this volume any more */
    mode_t type;
    const char *target;        /* of a link */
    struct power_node *parent; /* of a directory; NULL: the root */
    VEC(struct power_change) changes;
    struct power_name *names;
    struct power_node *copy; /* on the volume that a cut makes */
    const char *path;        /* of a copy: one of its names */
    struct power_name *home; /* of a directory: the one name that a cut leaves it */
    unsigned home_at;
};

/* One volume from its making to its cut. */
struct power {
    struct arena arena;
    int fd; /* of its root; -1: nothing is noted */
    dev_t device;
    struct power_node *root;
    struct power_node *nodes;
    unsigned made; /* when it had all that it began with */
    unsigned now;
};

static struct power power = {.fd = -1};
static pthread_mutex_t power_lock = PTHREAD_MUTEX_INITIALIZER;
static ino_t power_numbers = 1000;
static uint64_t power_random;

/* As the C library's own: takes six arguments however many were given. */
#define POWER_SIX_ARGS __attribute__((noinline, no_sanitize("address", "undefined")))

/* The C library's own syscall(2): ours, below, looks at it first. */
POWER_SIX_ARGS static long power_raw(long call, ...)
{
    static _Atomic(long (*)(long, ...)) known;
    long (*next)(long, ...) = atomic_load(&known);
    long args[6];
    va_list ap;

    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "syscall");
        atomic_store(&known, next);
    }
    va_start(ap, call);
    for (int i = 0; i < 6; i++)
        args[i] = va_arg(ap, long);
    va_end(ap);
    return next(call, args[0], args[1], args[2], args[3], args[4], args[5]);
}

/* ---- the model ---- */

static inline uint64_t power_dice(uint64_t sides)
{
    uint64_t z = power_random += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (z ^ (z >> 31)) % sides;
}

static inline struct power_node *power_find(const struct stat *st)
{
    struct power_node *node = power.nodes;

    if (power.fd < 0 || st->st_dev != power.device)
        return NULL;
    while (node != NULL && node->real != st->st_ino)
        node = node->next;
    return node;
}

static inline int power_stat(int fd, const char *name, struct stat *st, int flags)
{
    return (int)power_raw(SYS_newfstatat, fd, name, st, flags);
}

static inline struct power_node *power_at(int fd, const char *name, int flags)
{
    struct stat st;

    return power_stat(fd, name, &st, flags) < 0 ? NULL : power_find(&st);
}

static inline struct power_node *power_of(int fd)
{
    return power_at(fd, "", AT_EMPTY_PATH);
}

/* A new inode; one that had this number on the real disk before is gone. */
static inline struct power_node *power_add(ino_t real, mode_t mode, ino_t number)
{
    struct power_node *node = power.nodes;

    while (node != NULL && node->real != real)
        node = node->next;
    if (node != NULL)
        node->real = 0;
    node = arena_new(&power.arena, struct power_node);
    node->next = power.nodes;
    node->number = number;
    node->real = real;
    node->type = mode & S_IFMT;
    power.nodes = node;
    return node;
}

static inline struct power_name *power_named(const struct power_node *dir, const char *text)
{
    struct power_name *name = dir->names;

    while (name != NULL && strcmp(name->text, text) != 0)
        name = name->next;
    return name;
}

static inline struct power_node *power_led_to(const struct power_name *name)
{
    return name == NULL ? NULL : name->entries.at[name->entries.len - 1].node;
}

/* One without a name is forgotten: the disk may use its number again, for anybody's file. */
static inline void power_forget_unnamed(struct power_node *gone)
{
    for (const struct power_node *dir = power.nodes; dir != NULL; dir = dir->next)
        for (const struct power_name *name = dir->names; name != NULL; name = name->next)
            if (power_led_to(name) == gone)
                return;
    gone->real = 0;
}

static inline void power_enter(struct power_node *dir, const char *text, struct power_node *node)
{
    struct power_name *name = power_named(dir, text);
    struct power_node *before = power_led_to(name);

    if (name == NULL) {
        name = arena_new(&power.arena, struct power_name);
        name->text = str_dup(&power.arena, str_from(text));
        name->next = dir->names;
        dir->names = name;
    }
    if (node != NULL && node->type == S_IFDIR)
        node->parent = dir;
    vec_push(&power.arena, &name->entries, ((struct power_entry){.at = ++power.now, .node = node}));
    if (before != NULL && before != node)
        power_forget_unnamed(before);
}

/* The directory that holds path, and path's last segment. */
static inline struct power_node *power_parent(const char **ret_name, int fd, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    char parent[PATH_MAX] = ".";

    assert_true(len < sizeof(parent));
    *ret_name = slash == NULL ? path : slash + 1;
    if (len > 0) {
        memcpy(parent, path, len);
        parent[len] = '\0';
    }
    return power_at(fd, parent, 0);
}

/* An inode that was just made at path; a number that the real disk uses again is another one. */
static inline struct power_node *power_new(int fd, const char *path, const struct stat *st)
{
    struct power_node *node = power_add(st->st_ino, st->st_mode, power_numbers++);
    char target[PATH_MAX] = "";

    if (S_ISLNK(st->st_mode) && power_raw(SYS_readlinkat, fd, path, target, sizeof(target) - 1) > 0)
        node->target = str_dup(&power.arena, str_from(target));
    return node;
}

/* Notes that path leads to what is there now: moved there, or new. Nothing there: to nothing. */
static inline void power_name_is(int fd, const char *path, bool moved)
{
    const char *text;
    struct power_node *dir = power_parent(&text, fd, path);
    struct power_node *node;
    struct stat st;

    if (dir == NULL)
        return;
    if (power_stat(fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        power_enter(dir, text, NULL);
        return;
    }
    node = power_find(&st);
    if (!moved && node != NULL && power_led_to(power_named(dir, text)) == node)
        return; /* opened, not made */
    power_enter(dir, text, moved ? node : power_new(fd, path, &st));
}

static inline void power_change(int fd, struct power_node *node, size_t offset, const void *data,
                                size_t len)
{
    struct power_change change = {.at = ++power.now, .offset = offset, .len = len};
    struct stat st;
    char *copy;

    (void)power_stat(fd, "", &st, AT_EMPTY_PATH);
    change.size = (size_t)st.st_size;
    change.changed = st.st_mtim;
    if (len > 0) {
        copy = arena_array(&power.arena, char, len);
        memcpy(copy, data, len);
        change.data = (const unsigned char *)copy;
    }
    vec_push(&power.arena, &node->changes, change);
}

static inline void power_sync_name(struct power_name *name)
{
    struct power_entry last = name->entries.at[name->entries.len - 1];

    last.at = ++power.now;
    last.sync = true;
    vec_push(&power.arena, &name->entries, last);
}

/* A synced directory: its names, and the way to it. */
static inline void power_sync(struct power_node *node)
{
    if (node->type == S_IFREG && node->changes.len > 0) {
        struct power_change last = node->changes.at[node->changes.len - 1];

        last.at = ++power.now;
        last.sync = true;
        last.len = 0;
        vec_push(&power.arena, &node->changes, last);
    }
    for (struct power_name *name = node->names; name != NULL; name = name->next)
        power_sync_name(name);
    for (; node->parent != NULL; node = node->parent)
        for (struct power_name *name = node->parent->names; name != NULL; name = name->next)
            if (name->entries.at[name->entries.len - 1].node == node)
                power_sync_name(name);
}

/* From now on what happens to the directory path, which is empty, is noted. */
static inline void power_begin(const char *path)
{
    struct stat st;

    power = (struct power){.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    assert_true(power.fd >= 0);
    assert_int_equal(power_stat(power.fd, "", &st, AT_EMPTY_PATH), 0);
    power.device = st.st_dev;
    power.root = power_add(st.st_ino, st.st_mode, power_numbers++);
}

/* The history so far, to be cut from; nothing more is noted. */
static inline struct power power_end(void)
{
    struct power ended = power;

    (void)close(power.fd);
    power = (struct power){.fd = -1};
    return ended;
}

static inline void power_free(struct power *p)
{
    struct arena a = p->arena;

    arena_free(&a);
}

/* ---- the system calls ---- */

#define POWER_CALL(type, call, noted)            \
    do {                                         \
        type result;                             \
        int saved;                               \
        (void)pthread_mutex_lock(&power_lock);   \
        result = (type)(call);                   \
        saved = errno;                           \
        if (result >= 0 && power.fd >= 0) {      \
            noted;                               \
        }                                        \
        (void)pthread_mutex_unlock(&power_lock); \
        errno = saved;                           \
        return result;                           \
    } while (0)

static inline void power_wrote_one(int fd, const void *data, off_t offset, ssize_t len)
{
    struct power_node *node = power_of(fd);

    if (node != NULL && len > 0)
        power_change(fd, node, (size_t)offset, data, (size_t)len);
}

static inline void power_wrote(int fd, const struct iovec *iov, int count, off_t offset,
                               ssize_t len)
{
    for (int i = 0; i < count && len > 0; i++) {
        ssize_t n = (size_t)len < iov[i].iov_len ? len : (ssize_t)iov[i].iov_len;

        power_wrote_one(fd, iov[i].iov_base, offset, n);
        offset += n;
        len -= n;
    }
}

static inline void power_resized(int fd)
{
    struct power_node *node = power_of(fd);

    if (node != NULL)
        power_change(fd, node, 0, NULL, 0);
}

static inline int power_synced(int fd)
{
    (void)pthread_mutex_lock(&power_lock);
    if (power.fd >= 0 && power_of(fd) != NULL)
        power_sync(power_of(fd));
    (void)pthread_mutex_unlock(&power_lock);
    return 0;
}

ssize_t write(int fd, const void *data, size_t len)
{
    struct stat st;

    /* Pipes and the like may block, or be written by the handler of a signal. */
    if (power_stat(fd, "", &st, AT_EMPTY_PATH) < 0 || !S_ISREG(st.st_mode))
        return power_raw(SYS_write, fd, data, len);
    POWER_CALL(
        ssize_t, power_raw(SYS_write, fd, data, len),
        power_wrote_one(fd, data, (off_t)power_raw(SYS_lseek, fd, 0L, SEEK_CUR) - result, result));
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    POWER_CALL(ssize_t, power_raw(SYS_pwrite64, fd, data, len, offset),
               power_wrote_one(fd, data, offset, result));
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    POWER_CALL(ssize_t, power_raw(SYS_pwritev2, fd, iov, count, offset, 0L, flags),
               power_wrote(fd, iov, count, offset, result));
}

int ftruncate(int fd, off_t len)
{
    POWER_CALL(int, power_raw(SYS_ftruncate, fd, len), power_resized(fd));
}

/* The time of last change is what records of verified files go by. */
int futimens(int fd, const struct timespec times[2])
{
    POWER_CALL(int, power_raw(SYS_utimensat, fd, NULL, times, 0), power_resized(fd));
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    POWER_CALL(int, power_raw(SYS_fallocate, fd, mode, offset, len), power_resized(fd));
}

int fsync(int fd)
{
    return power_synced(fd);
}

int fdatasync(int fd)
{
    return power_synced(fd);
}

int syncfs(int fd)
{
    (void)fd;
    (void)pthread_mutex_lock(&power_lock);
    for (struct power_node *node = power.fd < 0 ? NULL : power.nodes; node != NULL;
         node = node->next)
        power_sync(node);
    (void)pthread_mutex_unlock(&power_lock);
    return 0;
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    POWER_CALL(int, power_raw(SYS_renameat2, from_fd, from, to_fd, to, flags),
               (power_name_is(to_fd, to, true), power_name_is(from_fd, from, true)));
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return renameat2(from_fd, from, to_fd, to, 0);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    POWER_CALL(int, power_raw(SYS_linkat, from_fd, from, to_fd, to, flags),
               power_name_is(to_fd, to, true));
}

int symlinkat(const char *target, int fd, const char *name)
{
    POWER_CALL(int, power_raw(SYS_symlinkat, target, fd, name), power_name_is(fd, name, false));
}

int mkdirat(int fd, const char *name, mode_t mode)
{
    POWER_CALL(int, power_raw(SYS_mkdirat, fd, name, mode), power_name_is(fd, name, false));
}

int unlinkat(int fd, const char *name, int flags)
{
    POWER_CALL(int, power_raw(SYS_unlinkat, fd, name, flags), power_name_is(fd, name, false));
}

int openat(int fd, const char *name, int flags, ...)
{
    mode_t mode;
    va_list ap;

    va_start(ap, flags);
    mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    POWER_CALL(int, power_raw(SYS_openat, fd, name, flags, mode),
               if ((flags & O_CREAT) != 0) power_name_is(fd, name, false));
}

/* openat2(2) has no function of its own. All but its first argument are pointers or as wide. */
POWER_SIX_ARGS long syscall(long call, ...)
{
    void *args[6];
    va_list ap;

    va_start(ap, call);
    for (int i = 0; i < 6; i++)
        args[i] = va_arg(ap, void *);
    va_end(ap);
    POWER_CALL(
        long, power_raw(call, args[0], args[1], args[2], args[3], args[4], args[5]),
        if (call == SYS_openat2 && (((const struct open_how *)args[2])->flags & O_CREAT) != 0)
            power_name_is((int)(intptr_t)args[0], args[1], false));
}

/* Copies are made by writing, and no blocks are shared. */
ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags)
{
    (void)from, (void)from_at, (void)to, (void)to_at, (void)len, (void)flags;
    errno = EOPNOTSUPP;
    return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
    (void)fd, (void)request;
    errno = EOPNOTSUPP;
    return -1;
}

/* With the model's inode number. */
static inline int power_shown(int result, struct stat *st)
{
    struct power_node *node;

    if (result < 0)
        return result;
    (void)pthread_mutex_lock(&power_lock);
    node = power_find(st);
    if (node != NULL)
        st->st_ino = node->number;
    (void)pthread_mutex_unlock(&power_lock);
    return result;
}

int fstat(int fd, struct stat *st)
{
    return power_shown(power_stat(fd, "", st, AT_EMPTY_PATH), st);
}

int stat(const char *name, struct stat *st)
{
    return power_shown(power_stat(AT_FDCWD, name, st, 0), st);
}

int fstatat(int fd, const char *name, struct stat *st, int flags)
{
    return power_shown(power_stat(fd, name, st, flags), st);
}

#endif
