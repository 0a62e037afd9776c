#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "place.h"

static void open_gives_a_descriptor_that_no_child_inherits(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    FD_SCOPED fd = file_open(p->dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0640, &err);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(mode_of(p->dir, "new"), 0640);
    assert_int_equal(file_open(p->dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0640, &err), -1);
    assert_int_equal(err.sys, EEXIST);
}

static void open_takes_a_mode_that_means_nothing(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    FD_SCOPED fd = file_open(p->dir, ".", O_RDONLY | O_DIRECTORY, 0644, &err);

    assert_true(fd >= 0);
}

static void open_only_to_look_needs_no_right_to_read_and_stays_beneath(void **state)
{
    struct place *p = *state;
    struct err err = {0};
    FD_SCOPED fd = -1;

    put(p->dir, "closed", "");
    assert_int_equal(fchmodat(p->dir, "closed", 0, 0), 0);
    assert_int_equal(symlinkat("../outside", p->dir, "out"), 0);
    fd = file_open(p->dir, "closed", O_PATH, 0644, &err);
    assert_true(fd >= 0);
    assert_int_equal(file_open(p->dir, "out", O_PATH, 0, &err), -1);
    assert_int_equal(err.sys, EXDEV);
}

static void a_missing_file_is_told_by_name_and_errno(void **state)
{
    struct place *p = *state;
    struct err err = {0};

    assert_int_equal(file_open(p->dir, "a/missing", O_RDONLY, 0, &err), -1);
    assert_int_equal(err.code, ERR_VOLUME);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.msg, "a/missing: No such file or directory");
}

static const char *const ways_out[] = {"../outside/secret", "up/secret", "absolute", "/etc/passwd",
                                       "sub/../../outside/secret"};

static void plant_links(int dir)
{
    assert_int_equal(mkdirat(dir, "sub", 0755), 0);
    assert_int_equal(symlinkat("../outside", dir, "up"), 0);
    assert_int_equal(symlinkat("/etc/passwd", dir, "absolute"), 0);
    put(dir, "sub/file", "inside");
    assert_int_equal(symlinkat("sub/file", dir, "link"), 0);
}

static void nothing_leads_out_of_the_directory(void **state)
{
    struct place *p = *state;

    plant_links(p->dir);
    for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++) {
        struct err err = {0};

        assert_int_equal(file_open(p->dir, ways_out[i], O_RDONLY, 0, &err), -1);
        assert_int_equal(err.sys, EXDEV);
        assert_non_null(strstr(err.msg, "leads out of its directory"));
    }
    expect_text(p->dir, "link", "inside");
    expect_text(p->dir, "sub/../link", "inside");
}

static bool walk_is_as_strict(int dir)
{
    struct err err = {0};
    int fd;

    for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++) {
        if (file_open(dir, ways_out[i], O_RDONLY, 0, &err) >= 0)
            return false;
    }
    /* A link is not followed, even inside: the walk cannot know where it leads. */
    if (file_open(dir, "link", O_RDONLY, 0, &err) >= 0 || err.sys != ELOOP)
        return false;
    if (file_open(dir, "up/x", O_WRONLY | O_CREAT, 0644, &err) >= 0)
        return false;
    if (file_open(dir, "", O_RDONLY, 0, &err) >= 0 || err.sys != ENOENT)
        return false;
    if (file_open(dir, "missing/x", O_RDONLY, 0, &err) >= 0 || err.sys != ENOENT)
        return false;
    fd = file_open(dir, ".//sub/./file", O_RDONLY, 0, &err);
    if (fd < 0 || close(fd) < 0)
        return false;
    fd = file_open_dir(dir, "./", &err);
    return fd >= 0 && close(fd) == 0;
}

static bool long_names_are_refused(int dir)
{
    char path[400];
    struct err err = {0};

    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    if (file_open(dir, path, O_RDONLY, 0, &err) >= 0 || err.sys != ENAMETOOLONG)
        return false;
    path[0] = '.';
    path[1] = '/';
    return file_open(dir, path, O_RDONLY, 0, &err) < 0 && err.sys == ENAMETOOLONG;
}

/* Longer than PATH_MAX, where no kernel looks at the whole. */
static bool long_paths_are_refused(int dir)
{
    char path[5001] = "";
    struct err err = {0};

    for (size_t i = 0; i < 5000; i += 2)
        memcpy(path + i, "a/", 2);
    path[4999] = 'x';
    return file_mkdirs(dir, path, NULL, &err) < 0 && err.sys == ENAMETOOLONG &&
           file_replace(dir, path, "sub", STR("x"), 0644, &err) < 0 && err.sys == ENAMETOOLONG;
}

static bool without_openat2(void *ctx)
{
    int dir = *(const int *)ctx;
    return deny(SYS_openat2, ENOSYS) && walk_is_as_strict(dir) && long_names_are_refused(dir) &&
           long_paths_are_refused(dir);
}

static bool with_a_filter_on_openat2(void *ctx)
{
    int dir = *(const int *)ctx;
    return deny(SYS_openat2, EPERM) && walk_is_as_strict(dir);
}

static void without_openat2_the_path_is_walked(void **state)
{
    struct place *p = *state;

    plant_links(p->dir);
    in_child(without_openat2, &p->dir);
    in_child(with_a_filter_on_openat2, &p->dir);
    assert_true(long_names_are_refused(p->dir));
}

static bool races_end(void *ctx)
{
    int dir = *(const int *)ctx;
    struct err err = {0};

    return deny(SYS_openat2, EAGAIN) && file_open(dir, "x", O_RDONLY, 0, &err) < 0 &&
           err.sys == EAGAIN;
}

static void an_open_that_always_races_gives_up(void **state)
{
    struct place *p = *state;

    in_child(races_end, &p->dir);
}

static bool no_stat(void *ctx)
{
    int dir = *(const int *)ctx;
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct stat like;
    struct str got;

    if (fstat(dir, &like) < 0 || !deny(SYS_newfstatat, EIO) || !deny(SYS_fstat, EIO))
        return false;
    return file_mkdirs(dir, "a", &like, &err) == 0 &&
           file_read_all(&got, &a, dir, "file", 10, &err) < 0 && err.sys == EIO;
}

static bool no_mkdir(void *ctx)
{
    struct err err = {0};

    return deny(SYS_mkdirat, EROFS) && file_mkdirs(*(const int *)ctx, "b", NULL, &err) < 0 &&
           err.sys == EROFS && strcmp(err.msg, "mkdir b: Read-only file system") == 0;
}

static bool no_create(void *ctx)
{
    struct err err = {0};

    return deny(SYS_openat, EACCES) &&
           file_replace(*(const int *)ctx, "file", ".", STR("new"), 0644, &err) < 0 &&
           err.sys == EACCES;
}

/* Where NFS tells of a full disk. */
static bool no_close(void *ctx)
{
    struct err err = {0};

    return deny(SYS_close, EDQUOT) &&
           file_replace(*(const int *)ctx, "file", ".", STR("new"), 0644, &err) < 0 &&
           err.code == ERR_NO_SPACE && strstr(err.msg, "close") != NULL;
}

static void a_volume_that_fails_is_told(void **state)
{
    struct place *p = *state;

    put(p->dir, "file", "old");
    in_child(no_stat, &p->dir);
    in_child(no_mkdir, &p->dir);
    in_child(no_create, &p->dir);
    in_child(no_close, &p->dir);
    expect_text(p->dir, "file", "old");
}

#define PERIOD 251 /* no divisor of any size of buffer */

static int pipe_to_drain;
static size_t drained;
static bool in_order = true;

static void drain(int number)
{
    unsigned char text[4096];
    ssize_t got = read(pipe_to_drain, text, sizeof(text));

    (void)number;
    for (ssize_t i = 0; i < got; i++)
        in_order = in_order && text[i] == drained++ % PERIOD;
}

/* Without SA_RESTART a signal ends the write that waits, and the next one goes on. */
static bool interrupted_writes_go_on(void *ctx)
{
    static char text[200 * 1024];
    struct itimerval every = {{0, 500}, {0, 500}};
    struct err err = {0};
    int fds[2];

    (void)ctx;
    if (pipe(fds) < 0)
        return false;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(unsigned char)(i % PERIOD);
    pipe_to_drain = fds[0];
    (void)sigaction(SIGALRM, &(struct sigaction){.sa_handler = drain}, NULL);
    (void)setitimer(ITIMER_REAL, &every, NULL);
    if (file_write_all(fds[1], (struct str){text, sizeof(text)}, "pipe", &err) < 0)
        return false;
    (void)setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    return in_order && drained > 0;
}

static void a_signal_does_not_end_a_write(void **state)
{
    (void)state;
    in_child(interrupted_writes_go_on, NULL);
}

static void read_all_takes_files_up_to_the_limit(void **state)
{
    struct place *p = *state;
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct str got = STR("kept");

    put(p->dir, "five", "12345");
    put(p->dir, "empty", "");
    assert_int_equal(file_read_all(&got, &a, p->dir, "five", 4, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_true(str_eqz(got, "kept"));
    assert_int_equal(file_read_all(&got, &a, p->dir, "five", 5, &err), 0);
    assert_int_equal(got.len, 5);
    assert_string_equal(got.ptr, "12345");
    assert_int_equal(file_read_all(&got, &a, p->dir, "empty", 0, &err), 0);
    assert_int_equal(got.len, 0);
    assert_string_equal(got.ptr, "");
}

static void read_all_needs_no_size_beforehand(void **state)
{
    FD_SCOPED proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct str got;

    (void)state;
    assert_true(proc >= 0);
    assert_int_equal(file_read_all(&got, &a, proc, "smaps", 1 << 24, &err), 0);
    assert_true(got.len > 8192);
    assert_int_equal(strlen(got.ptr), got.len);
    assert_int_equal(file_read_all(&got, &a, proc, "smaps", 5000, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(file_read_all(&got, &a, proc, "mem", 5000, &err), -1);
    assert_int_equal(err.sys, EIO);
}

static void read_all_refuses_what_is_no_file_and_does_not_wait(void **state)
{
    struct place *p = *state;
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct str got;

    assert_int_equal(mkfifoat(p->dir, "fifo", 0644), 0);
    assert_int_equal(file_read_all(&got, &a, p->dir, "fifo", 10, &err), -1);
    assert_string_equal(err.msg, "fifo is not a regular file");
    assert_int_equal(file_read_all(&got, &a, p->dir, ".", 10, &err), -1);
    assert_int_equal(file_read_all(&got, &a, p->dir, "missing", 10, &err), -1);
    assert_int_equal(err.sys, ENOENT);
}

static void a_full_disk_has_its_own_code(void **state)
{
    FD_SCOPED full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct err err = {0};

    (void)state;
    assert_true(full >= 0);
    assert_int_equal(file_write_all(full, STR("x"), "models/blob", &err), -1);
    assert_int_equal(err.code, ERR_NO_SPACE);
    assert_string_equal(err.msg, "write models/blob: No space left on device");
    assert_int_equal(file_write_all(full, STR(""), "nothing", &err), 0);
}

/* The limit lets the first part through: the rest must be tried, and fail. */
static bool short_writes_are_seen(void *ctx)
{
    int dir = *(const int *)ctx;
    struct rlimit limit;
    struct err err = {0};
    char text[100];
    FD_SCOPED fd = file_open(dir, "short", O_WRONLY | O_CREAT, 0644, &err);
    bool seen;

    memset(text, 'x', sizeof(text));
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    (void)sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    (void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){60, limit.rlim_max});
    seen = file_write_all(fd, (struct str){text, sizeof(text)}, "short", &err) == -1 &&
           err.sys == EFBIG && err.code == ERR_VOLUME;
    seen =
        seen && file_replace(dir, "old", "tmp", (struct str){text, sizeof(text)}, 0644, &err) < 0;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    return seen;
}

static void a_write_that_fails_leaves_the_old_file_and_no_other(void **state)
{
    struct place *p = *state;
    struct stat st;

    put(p->dir, "old", "old");
    assert_int_equal(mkdirat(p->dir, "tmp", 0755), 0);
    in_child(short_writes_are_seen, &p->dir);
    assert_int_equal(fstatat(p->dir, "short", &st, 0), 0);
    assert_int_equal(st.st_size, 60);
    expect_text(p->dir, "old", "old");
    assert_true(is_empty(p->dir, "tmp"));
}

static void replace_sets_text_and_mode_whatever_the_umask(void **state)
{
    struct place *p = *state;
    struct err err = {0};

    assert_int_equal(file_mkdirs(p->dir, "a/tmp", NULL, &err), 0);
    (void)umask(077);
    assert_int_equal(file_replace(p->dir, "a/file", "a/tmp", STR("one"), 0664, &err), 0);
    (void)umask(022);
    assert_int_equal(mode_of(p->dir, "a/file"), 0664);
    expect_text(p->dir, "a/file", "one");
    assert_int_equal(file_replace(p->dir, "a/file", "a/tmp", STR("two"), 0600, &err), 0);
    assert_int_equal(mode_of(p->dir, "a/file"), 0600);
    expect_text(p->dir, "a/file", "two");
    assert_true(is_empty(p->dir, "a/tmp"));
}

static void replace_cleans_up_when_it_cannot(void **state)
{
    struct place *p = *state;
    struct err err = {0};

    assert_int_equal(file_mkdirs(p->dir, "tmp", NULL, &err), 0);
    assert_int_equal(file_mkdirs(p->dir, "is/a/directory", NULL, &err), 0);
    assert_int_equal(file_replace(p->dir, "is/a", "tmp", STR("x"), 0644, &err), -1);
    assert_int_equal(err.sys, EISDIR);
    assert_int_equal(file_replace(p->dir, "missing/x", "tmp", STR("x"), 0644, &err), -1);
    assert_int_equal(err.sys, ENOENT);
    assert_int_equal(file_replace(p->dir, "x", "missing", STR("x"), 0644, &err), -1);
    assert_int_equal(err.sys, ENOENT);
    assert_true(is_empty(p->dir, "tmp"));
}

static bool fsync_fails(void *ctx)
{
    int dir = *(const int *)ctx;
    struct err err = {0};

    return deny(SYS_fsync, EIO) && file_replace(dir, "x", "tmp", STR("x"), 0644, &err) < 0 &&
           err.sys == EIO && file_sync_dir(dir, "x", &err) < 0 && err.sys == EIO;
}

static bool fsync_is_not_offered(void *ctx)
{
    int dir = *(const int *)ctx;
    struct err err = {0};

    return deny(SYS_fsync, EINVAL) && file_replace(dir, "y", "tmp", STR("y"), 0644, &err) == 0 &&
           file_sync_dir(dir, "y", &err) == 0;
}

static void what_could_not_be_synced_is_not_published(void **state)
{
    struct place *p = *state;

    assert_int_equal(mkdirat(p->dir, "tmp", 0755), 0);
    in_child(fsync_fails, &p->dir);
    assert_int_equal(faccessat(p->dir, "x", F_OK, 0), -1);
    assert_true(is_empty(p->dir, "tmp"));
    in_child(fsync_is_not_offered, &p->dir);
    expect_text(p->dir, "y", "y");
}

static bool killed_while_it_replaces(void *ctx)
{
    struct err err = {0};

    /* As a kill would: neither the rename nor the cleaning up happens. */
    return deny(SYS_renameat, EIO) && deny(SYS_renameat2, EIO) && deny(SYS_unlinkat, EIO) &&
           file_replace(*(const int *)ctx, "x", "tmp", STR("x"), 0644, &err) < 0;
}

static void sweep_takes_what_a_kill_left_and_nothing_else(void **state)
{
    struct place *p = *state;

    assert_int_equal(mkdirat(p->dir, "tmp", 0755), 0);
    put(p->dir, "tmp/journal", "kept");
    in_child(killed_while_it_replaces, &p->dir);
    file_sweep(p->dir, "tmp");
    expect_text(p->dir, "tmp/journal", "kept");
    assert_int_equal(unlinkat(p->dir, "tmp/journal", 0), 0);
    assert_true(is_empty(p->dir, "tmp"));
    file_sweep(p->dir, "missing");
}

static void sync_dir_finds_the_directory_of_a_path(void **state)
{
    struct place *p = *state;
    struct err err = {0};

    assert_int_equal(mkdirat(p->dir, "sub", 0755), 0);
    assert_int_equal(file_sync_dir(p->dir, "name", &err), 0);
    assert_int_equal(file_sync_dir(p->dir, "sub/name", &err), 0);
    assert_int_equal(file_sync_dir(p->dir, "missing/name", &err), -1);
    assert_int_equal(err.sys, ENOENT);
}

static void each_cause_has_its_way_out(void **state)
{
    static const struct {
        int sys;
        enum err_code code;
        const char *hint;
    } cases[] = {
        {ENOSPC, ERR_NO_SPACE, "free space"}, {EDQUOT, ERR_NO_SPACE, "free space"},
        {EROFS, ERR_VOLUME, "writable"},      {EACCES, ERR_VOLUME, "uid"},
        {EPERM, ERR_VOLUME, "uid"},           {EIO, ERR_VOLUME, "disk, mount"},
        {ESTALE, ERR_VOLUME, "disk, mount"},  {EMFILE, ERR_VOLUME, "ulimit -n"},
        {EFBIG, ERR_VOLUME, "ulimit -f"},     {EISDIR, ERR_VOLUME, "remove it"},
        {ENOTDIR, ERR_VOLUME, "remove it"},   {ELOOP, ERR_VOLUME, "remove it"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};

        errno = cases[i].sys;
        assert_int_equal(file_err(&err, "open %s", "x"), -1);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.sys, cases[i].sys);
        assert_non_null(strstr(err_hint_of(&err), cases[i].hint));
        assert_ptr_equal(strstr(err.msg, "open x: "), err.msg);
    }
}

static bool umask_without_proc(void *ctx)
{
    struct rlimit limit = take_descriptors();
    mode_t mask;

    (void)ctx;
    (void)umask(0135);
    mask = file_umask();
    give_descriptors(limit);
    return mask == 0135 && umask(0) == 0135;
}

static void the_umask_is_read_and_left_alone(void **state)
{
    static const mode_t masks[] = {0, 022, 077, 0777};
    struct place *p = *state;

    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        (void)umask(masks[i]);
        assert_int_equal(file_umask(), masks[i]);
        assert_int_equal(umask(022), masks[i]);
    }
    in_child(umask_without_proc, &p->dir);
}

static void random_names_are_hex_of_the_asked_length(void **state)
{
    char one[101];
    char two[101];

    (void)state;
    for (size_t n = 0; n <= 100; n++) {
        file_random_hex(one, n);
        assert_int_equal(strspn(one, "0123456789abcdef"), n);
        assert_int_equal(strlen(one), n);
    }
    file_random_hex(two, 100);
    assert_string_not_equal(one, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open_gives_a_descriptor_that_no_child_inherits),
        TEST(open_takes_a_mode_that_means_nothing),
        TEST(open_only_to_look_needs_no_right_to_read_and_stays_beneath),
        TEST(a_missing_file_is_told_by_name_and_errno),
        TEST(nothing_leads_out_of_the_directory),
        TEST(without_openat2_the_path_is_walked),
        TEST(an_open_that_always_races_gives_up),
        TEST(a_volume_that_fails_is_told),
        TEST(a_signal_does_not_end_a_write),
        TEST(read_all_takes_files_up_to_the_limit),
        TEST(read_all_needs_no_size_beforehand),
        TEST(read_all_refuses_what_is_no_file_and_does_not_wait),
        TEST(a_full_disk_has_its_own_code),
        TEST(a_write_that_fails_leaves_the_old_file_and_no_other),
        TEST(replace_sets_text_and_mode_whatever_the_umask),
        TEST(replace_cleans_up_when_it_cannot),
        TEST(what_could_not_be_synced_is_not_published),
        TEST(sweep_takes_what_a_kill_left_and_nothing_else),
        TEST(sync_dir_finds_the_directory_of_a_path),
        TEST(each_cause_has_its_way_out),
        TEST(the_umask_is_read_and_left_alone),
        TEST(random_names_are_hex_of_the_asked_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
