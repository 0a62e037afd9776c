#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../check.h"
#include "sys/fd.h"

static void replace_is_read_back_whole(void **state)
{
    char name[] = "/tmp/file-XXXXXX";
    struct err err = {0};
    ARENA_SCOPED a = {0};
    FD_SCOPED dir = -1;
    struct str got;

    (void)state;
    assert_non_null(mkdtemp(name));
    dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_mkdirs(dir, "a/b", NULL, &err), 0);
    assert_int_equal(file_mkdirs(dir, "a/b", NULL, &err), 0);
    assert_int_equal(file_replace(dir, "a/b/c", "a", STR("text"), 0640, &err), 0);
    assert_int_equal(file_read_all(&got, &a, dir, "a/b/c", 4, &err), 0);
    assert_string_equal(got.ptr, "text");
    assert_int_equal(file_read_all(&got, &a, dir, "a/b/c", 3, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(file_open(dir, "../x", O_RDONLY, 0, &err), -1);
    assert_int_equal(err.sys, EXDEV);
    assert_int_equal(unlinkat(dir, "a/b/c", 0), 0);
    assert_int_equal(unlinkat(dir, "a/b", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(dir, "a", AT_REMOVEDIR), 0);
    assert_int_equal(rmdir(name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace_is_read_back_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
