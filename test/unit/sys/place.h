#ifndef TEST_UNIT_SYS_PLACE_H
#define TEST_UNIT_SYS_PLACE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"
#include "../child.h"
#include "../remove_tree.h"
#include "sys/fd.h"
#include "sys/file.h"

/* Each test has a directory "in" of its own, open as dir, and beside it "outside" with a file. */
struct place {
    char path[32];
    int dir;
};

static inline int setup(void **state)
{
    static struct place p;
    FD_SCOPED top = -1;
    FD_SCOPED file = -1;

    (void)umask(022);
    (void)strncpy(p.path, "/tmp/test-file-XXXXXX", sizeof(p.path));
    assert_non_null(mkdtemp(p.path));
    top = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(top, "in", 0755), 0);
    assert_int_equal(mkdirat(top, "outside", 0755), 0);
    file = openat(top, "outside/secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(file >= 0);
    p.dir = openat(top, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p.dir >= 0);
    *state = &p;
    return 0;
}

static inline int teardown(void **state)
{
    struct place *p = *state;

    (void)close(p->dir);
    return remove_tree(p->path);
}

static inline void put(int dir, const char *path, const char *text)
{
    FD_SCOPED fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline void expect_text(int dir, const char *path, const char *text)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct str got;

    if (file_read_all(&got, &a, dir, path, 100, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(got.ptr, text);
}

static inline mode_t mode_of(int dir, const char *path)
{
    struct stat st;

    assert_int_equal(fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static inline bool is_empty(int dir, const char *path)
{
    return unlinkat(dir, path, AT_REMOVEDIR) == 0 && mkdirat(dir, path, 0755) == 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
