/* A directory for one test: made by scratch_setup, removed with all in it by scratch_teardown. */
#ifndef TEST_STORE_SCRATCH_H
#define TEST_STORE_SCRATCH_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"
#include "../remove_tree.h"
#include "err/err.h"
#include "mem/arena.h"

struct scratch {
    char path[64];
    int fd;
    struct arena arena;
    struct err err;
};

static inline int scratch_setup(void **state)
{
    struct scratch *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return -1;
    (void)snprintf(s->path, sizeof(s->path), "/tmp/hostler-test-XXXXXX");
    if (mkdtemp(s->path) == NULL)
        return -1;
    s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = s;
    return s->fd < 0 ? -1 : 0;
}

static inline int scratch_teardown(void **state)
{
    struct scratch *s = *state;

#ifdef SCRATCH_AFTER
    SCRATCH_AFTER;
#endif
    (void)close(s->fd);
    (void)remove_tree(s->path);
    arena_free(&s->arena);
    free(s);
    return 0;
}

/* The whole file, which must be there, and a NUL; lives in the scratch's arena. */
static inline char *scratch_read(struct scratch *s, const char *name, size_t *ret_len)
{
    int fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC);
    struct stat st = {0};
    char *text;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    text = arena_array(&s->arena, char, (size_t)st.st_size + 1);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    (void)close(fd);
    if (ret_len != NULL)
        *ret_len = (size_t)st.st_size;
    return text;
}

static inline void scratch_write(struct scratch *s, const char *name, const void *bytes, size_t len)
{
    int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(close(fd), 0);
}

static inline bool scratch_has(const struct scratch *s, const char *name)
{
    struct stat st;

    return fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

#define SCRATCH_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

#endif
