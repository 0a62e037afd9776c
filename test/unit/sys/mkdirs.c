#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>

#include "place.h"

static void mkdirs_makes_what_is_missing(void **state)
{
    struct place *p = *state;
    struct err err = {0};

    assert_int_equal(file_mkdirs(p->dir, "a/b/c", NULL, &err), 0);
    assert_int_equal(file_mkdirs(p->dir, "a/b/c", NULL, &err), 0);
    assert_int_equal(file_mkdirs(p->dir, "a//d/", NULL, &err), 0);
    assert_int_equal(file_mkdirs(p->dir, ".", NULL, &err), 0);
    assert_int_equal(mode_of(p->dir, "a/b/c"), 0755);
    assert_int_equal(mode_of(p->dir, "a/d"), 0755);
}

static void mkdirs_fails_where_something_is_in_the_way(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    char path[5000];

    put(p->dir, "file", "");
    assert_int_equal(file_mkdirs(p->dir, "file/a", NULL, &err), -1);
    assert_int_equal(err.sys, ENOTDIR);
    assert_int_equal(symlinkat("nowhere", p->dir, "dangling"), 0);
    assert_int_equal(file_mkdirs(p->dir, "dangling/a", NULL, &err), -1);
    assert_int_equal(err.sys, ENOENT);
    assert_int_equal(symlinkat("../outside", p->dir, "up"), 0);
    assert_int_equal(file_mkdirs(p->dir, "up/a", NULL, &err), -1);
    assert_int_equal(err.sys, EXDEV);
    assert_int_equal(file_mkdirs(p->dir, "../outside/a", NULL, &err), -1);
    memset(path, 'a', sizeof(path));
    for (size_t i = 9; i < sizeof(path); i += 10)
        path[i] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(file_mkdirs(p->dir, path, NULL, &err), -1);
    assert_int_equal(err.sys, ENAMETOOLONG);
    path[300] = '\0';
    memset(path, 'a', 300);
    assert_int_equal(file_mkdirs(p->dir, path, NULL, &err), -1);
    assert_int_equal(err.sys, ENAMETOOLONG);
}

static void new_directories_take_after_the_volume(void **state)
{
    static const struct {
        mode_t umask;
        mode_t like;
        mode_t want;
    } cases[] = {
        {022, 0755, 0755},  {022, 02775, 02775}, {022, 0777, 0777},
        {022, 01777, 0777}, {077, 0777, 0700},   {027, 0777, 0770},
        {002, 0755, 0775},  {0, 0700, 0777},     {077, 02775, 02700},
    };
    struct place *p = *state;
    struct err err = {0};
    struct stat like;

    assert_int_equal(fstat(p->dir, &like), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[32];

        (void)snprintf(path, sizeof(path), "d%zu/e", i);
        like.st_mode = S_IFDIR | cases[i].like;
        (void)umask(cases[i].umask);
        assert_int_equal(file_mkdirs(p->dir, path, &like, &err), 0);
        (void)umask(022);
        assert_int_equal(mode_of(p->dir, path), cases[i].want);
        path[2] = '\0';
        assert_int_equal(mode_of(p->dir, path), cases[i].want);
    }
}

/* Nothing can be mended later: fchmod does nothing here. */
static bool shared_from_its_first_moment(void *ctx)
{
    int dir = *(const int *)ctx;
    struct err err = {0};
    struct stat like;

    if (mkdirat(dir, "root", 0700) < 0 || fchmodat(dir, "root", 02775, 0) < 0 ||
        fstatat(dir, "root", &like, 0) < 0 || !deny(SYS_fchmod, EPERM))
        return false;
    (void)umask(022);
    return file_mkdirs(dir, "root/a/b", &like, &err) == 0 && mode_of(dir, "root/a") == 02775 &&
           mode_of(dir, "root/a/b") == 02775 && umask(0) == 022;
}

static void a_directory_is_shared_from_its_first_moment(void **state)
{
    struct place *p = *state;

    in_child(shared_from_its_first_moment, &p->dir);
}

static bool refused_group_stays_without_rights(void *ctx)
{
    int dir = *(const int *)ctx;
    struct err err = {0};
    struct stat like;
    struct stat st;

    if (!deny(SYS_fchown, EPERM) || fstat(dir, &like) < 0)
        return false;
    like.st_gid += 1;
    like.st_mode = S_IFDIR | 02777;
    return file_mkdirs(dir, "a", &like, &err) == 0 && fstatat(dir, "a", &st, 0) == 0 &&
           st.st_gid != like.st_gid && (st.st_mode & 07777) == 0757;
}

static void a_group_that_cannot_be_given_gets_no_rights(void **state)
{
    struct place *p = *state;

    in_child(refused_group_stays_without_rights, &p->dir);
}

static bool refused_modes_do_no_harm(void *ctx)
{
    int dir = *(const int *)ctx;
    struct err err = {0};
    struct stat like;

    if (!deny(SYS_fchmod, EPERM) || fstat(dir, &like) < 0)
        return false;
    like.st_mode = S_IFDIR | 02777;
    return file_mkdirs(dir, "a", &like, &err) == 0 &&
           file_replace(dir, "a/file", "a", STR("x"), 0666, &err) == 0;
}

static void a_filesystem_without_modes_serves(void **state)
{
    struct place *p = *state;

    in_child(refused_modes_do_no_harm, &p->dir);
    expect_text(p->dir, "a/file", "x");
}

static bool a_foreign_group_is_taken_or_left(void *ctx)
{
    int dir = *(const int *)ctx;
    struct err err = {0};
    struct stat like;
    struct stat st;
    bool taken;

    if (fstat(dir, &like) < 0)
        return false;
    like.st_gid += 1;
    like.st_mode = S_IFDIR | 02775;
    if (file_mkdirs(dir, "a", &like, &err) < 0 || fstatat(dir, "a", &st, 0) < 0)
        return false;
    taken = st.st_gid == like.st_gid;
    return taken == (geteuid() == 0) && (st.st_mode & 07777) == (taken ? 02775 : 0755);
}

static void new_directories_take_the_group_where_they_may(void **state)
{
    struct place *p = *state;

    in_child(a_foreign_group_is_taken_or_left, &p->dir);
}

/* glibc's fstat() is one or the other. */

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(mkdirs_makes_what_is_missing),
        TEST(mkdirs_fails_where_something_is_in_the_way),
        TEST(new_directories_take_after_the_volume),
        TEST(a_directory_is_shared_from_its_first_moment),
        TEST(a_group_that_cannot_be_given_gets_no_rights),
        TEST(a_filesystem_without_modes_serves),
        TEST(new_directories_take_the_group_where_they_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
