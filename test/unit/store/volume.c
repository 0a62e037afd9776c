#include "store/volume.h"

#include <sys/wait.h>

#include "fakes.h"
#include "scratch.h"
#include "text/str.h"

static const char *beneath(struct scratch *s, const char *name)
{
    char *path = arena_array(&s->arena, char, 256);

    (void)snprintf(path, 256, "%s/%s", s->path, name);
    return path;
}

static void a_missing_volume_is_made_only_on_request_and_never_at_the_root(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};
    const char *path = beneath(s, "a/b");

    assert_int_equal(volume_open(&v, &s->arena, path, false, &s->err), -1);
    assert_int_equal(s->err.code, ERR_USAGE);
    assert_non_null(strstr(s->err.hint, "--volume ~/models"));
    assert_int_equal(volume_open(&v, &s->arena, path, true, &s->err), 0);
    assert_true(v.writable);
    volume_close(&v);
    assert_int_equal(volume_open(&v, &s->arena, path, false, &s->err), 0);
    volume_close(&v);
    assert_int_equal(volume_open(&v, &s->arena, "/hostler-test-of-a-missing-root/b", true, &s->err),
                     -1);
    assert_int_equal(s->err.code, ERR_USAGE);
    assert_int_equal(access("/hostler-test-of-a-missing-root", F_OK), -1);
}

static void a_file_is_no_volume(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};

    scratch_write(s, "file", "", 0);
    assert_int_equal(volume_open(&v, &s->arena, beneath(s, "file"), true, &s->err), -1);
    assert_int_equal(s->err.code, ERR_USAGE);
    assert_non_null(strstr(s->err.msg, "not a directory"));
}

static void only_links_at_the_root_of_the_volume_lead_elsewhere(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};
    struct store store = {.fd = -1};

    assert_int_equal(volume_open(&v, &s->arena, beneath(s, "v"), true, &s->err), 0);
    assert_int_equal(mkdirat(s->fd, "disk", 0755), 0);
    assert_int_equal(mkdirat(s->fd, "disk/hub", 0755), 0);
    assert_int_equal(symlinkat("../disk", s->fd, "v/huggingface"), 0);
    assert_int_equal(
        store_open(&store, &s->arena, &v, beneath(s, "v/huggingface/hub"), false, &s->err), 0);
    store_close(&store);
    assert_int_equal(mkdirat(s->fd, "v/vllm", 0755), 0);
    assert_int_equal(symlinkat("../../disk", s->fd, "v/vllm/deep"), 0);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "v/vllm/deep"), true, &s->err),
                     -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
    assert_int_equal(symlinkat("../huggingface", s->fd, "v/vllm/inside"), 0);
    assert_int_equal(symlinkat("vllm", s->fd, "v/other"), 0);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "v/other"), true, &s->err), 0);
    store_close(&store);
    volume_close(&v);
}

static void a_missing_store_is_not_found_or_made_like_the_volume(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};
    struct store store = {.fd = -1};
    struct stat st = {0};

    assert_int_equal(volume_open(&v, &s->arena, beneath(s, "v"), true, &s->err), 0);
    assert_int_equal(fchmod(v.fd, 02775), 0);
    volume_close(&v);
    assert_int_equal(volume_open(&v, &s->arena, beneath(s, "v"), true, &s->err), 0);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "v/x/y"), false, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NOT_FOUND);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "v/x/y"), true, &s->err), 0);
    store_close(&store);
    assert_int_equal(fstatat(s->fd, "v/x/y", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 02775);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "out/y"), true, &s->err), 0);
    store_close(&store);
    volume_close(&v);
}

static struct err refusal(const char *path, const char *volume)
{
    struct err err = {0};

    errno = EACCES;
    (void)err_sys(&err, ERR_VOLUME, "%s: cannot", path);
    assert_int_equal(volume_explain(&err, path, volume), -1);
    return err;
}

static void a_refusal_names_uid_owner_mode_and_what_mends_it(void **state)
{
    struct scratch *s = *state;
    const char *models = beneath(s, "models");
    const char *hub = beneath(s, "models/huggingface/hub");
    const char *uid = str_format(&s->arena, "(uid %u; ", (unsigned)geteuid());
    struct err err;

    assert_int_equal(mkdirat(s->fd, "models", 0750), 0);
    err = refusal(models, models);
    assert_non_null(strstr(err.msg, uid));
    assert_non_null(strstr(err.msg, "; owned by "));
    assert_non_null(strstr(err.msg, ", mode 0750)"));
    assert_non_null(strstr(err.hint, "sudo chown -R "));
    assert_non_null(strstr(err.hint, str_format(&s->arena, "%s, or run as uid", models)));
    err = refusal(hub, models);
    assert_non_null(strstr(err.msg, str_format(&s->arena, "; %s is owned by ", models)));
    assert_non_null(strstr(err.hint, str_format(&s->arena, "%s, or run as uid", models)));
    err = refusal(hub, hub);
    assert_non_null(strstr(err.hint, "sudo install -d -o "));
    assert_non_null(strstr(err.hint, str_format(&s->arena, "%s, or run as uid", hub)));
    err = refusal("no/such/place", "no/such/place");
    assert_non_null(strstr(err.msg, "; . is owned by "));
    err = refusal("/no-such/place", "/no-such/place");
    assert_non_null(strstr(err.msg, "; / is owned by root:root"));
}

static void what_is_no_refusal_is_left_alone(void **state)
{
    struct scratch *s = *state;
    struct err err = {.code = ERR_VOLUME, .sys = EIO, .msg = "broken"};

    assert_int_equal(volume_explain(&err, s->path, s->path), -1);
    assert_string_equal(err.msg, "broken");
    assert_string_equal(err.hint, "");
}

/* Runs as another uid, in a child: root is refused nothing. */
static int as_nobody(struct scratch *s, int (*run)(struct scratch *s))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        _exit(setgid(65534) == 0 && setuid(65534) == 0 ? run(s) : 99);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int see_refusals(struct scratch *s)
{
    struct volume v = {.fd = -1};
    struct store store = {.fd = -1};
    struct err err = {0};

    if (volume_open(&v, &s->arena, beneath(s, "v"), false, &err) < 0 || v.writable)
        return 1;
    if (store_open(&store, &s->arena, &v, beneath(s, "v/a/b"), true, &err) == 0 ||
        err.code != ERR_VOLUME || strstr(err.msg, "cannot create directory: Permission") == NULL ||
        strstr(err.msg, "owned by root:root, mode 0755") == NULL)
        return 2;
    err = (struct err){0};
    if (store_open(&store, &s->arena, &v, beneath(s, "v/closed/b"), true, &err) == 0 ||
        strstr(err.msg, "v/closed is owned by root:root, mode 0700") == NULL)
        return 3;
    err = (struct err){0};
    if (volume_open(&v, &s->arena, beneath(s, "v/closed/b"), true, &err) == 0 ||
        err.code != ERR_VOLUME || strstr(err.hint, "sudo install -d") == NULL)
        return 4;
    err = refusal(beneath(s, "v/mine"), beneath(s, "v"));
    return strstr(err.msg, "v/mine/theirs is owned by root:root, mode 0711") == NULL ? 5 : 0;
}

static void another_uid_is_told_which_directory_refused(void **state)
{
    struct scratch *s = *state;

    if (geteuid() != 0)
        SKIP_TEST("only root can give a directory to another uid");
    assert_int_equal(fchmod(s->fd, 0755), 0);
    assert_int_equal(mkdirat(s->fd, "v", 0755), 0);
    assert_int_equal(mkdirat(s->fd, "v/closed", 0700), 0);
    assert_int_equal(mkdirat(s->fd, "v/mine", 0755), 0);
    assert_int_equal(fchownat(s->fd, "v/mine", 65534, 65534, 0), 0);
    assert_int_equal(mkdirat(s->fd, "v/mine/theirs", 0711), 0);
    assert_int_equal(as_nobody(s, see_refusals), 0);
}

static void a_long_or_odd_path_of_a_volume_is_no_surprise(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};
    struct store store = {.fd = -1};
    char longest[5000];
    const char *path = beneath(s, "v//");

    assert_int_equal(volume_open(&v, &s->arena, path, true, &s->err), 0);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "v/a"), true, &s->err), 0);
    store_close(&store);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "v"), false, &s->err), 0);
    store_close(&store);
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "x/", 2);
    longest[4999] = '\0';
    assert_int_equal(store_open(&store, &s->arena, &v, longest, true, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_int_equal(mkdirat(s->fd, "v/file", 0700), 0);
    scratch_write(s, "v/file/x", "", 0);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "v/file/x/y"), true, &s->err),
                     -1);
    assert_int_equal(s->err.sys, ENOTDIR);
    volume_close(&v);
}

static void a_full_disk_under_a_new_directory_is_no_space(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};

    fakes.mkdirat = ENOSPC;
    assert_int_equal(volume_open(&v, &s->arena, beneath(s, "a/b"), true, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    assert_non_null(strstr(s->err.msg, "a/b"));
}

static void space_is_what_the_filesystem_says(void **state)
{
    struct scratch *s = *state;
    struct space space = {0};

    assert_int_equal(volume_space(&space, s->fd, &s->err), 0);
    assert_true(space.total_bytes > space.free_bytes);
    assert_true(space.free_bytes > 0);
    assert_non_null(space.limit);
}

static void flock_that_lies_is_found_out_and_nothing_is_left(void **state)
{
    struct scratch *s = *state;

    assert_true(volume_flock_works(s->fd));
    fakes.flock_lies = true;
    assert_false(volume_flock_works(s->fd));
    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(mkdir(s->path, 0700), 0);
}

static void each_kind_of_filesystem_is_known_for_what_it_is(void **state)
{
    static const struct {
        long type;
        const char *ephemeral;
        bool local;
    } kinds[] = {
        {0xef53, NULL, true},
        {0x58465342, NULL, true},
        {0x9123683e, NULL, true},
        {0x01021994, "tmpfs", true},
        {0x858458f6, "ramfs", true},
        {0x794c7630, "overlay", true},
        {0x6969, NULL, false} /* nfs */,
        {0x65735546, NULL, false} /* fuse */,
        {0x01021997, NULL, false} /* 9p */,
        {0xfe534d42, NULL, false} /* smb2 */,
    };
    struct scratch *s = *state;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct volume v = {.fd = -1};

        fakes.filesystem = kinds[i].type;
        assert_int_equal(volume_open(&v, &s->arena, s->path, false, &s->err), 0);
        if (kinds[i].ephemeral == NULL)
            assert_null(v.ephemeral);
        else
            assert_string_equal(v.ephemeral, kinds[i].ephemeral);
        assert_int_equal(volume_is_local(v.fd), kinds[i].local);
        volume_close(&v);
    }
    assert_false(volume_is_local(-1));
}

static void a_read_only_mount_cannot_be_written(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};

    fakes.mount = ST_RDONLY;
    assert_int_equal(volume_open(&v, &s->arena, s->path, false, &s->err), 0);
    assert_false(v.writable);
    assert_int_equal(v.refusal, EROFS);
    volume_close(&v);
}

static void a_filesystem_that_does_not_answer_is_an_error(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};
    struct space space;

    fakes.statvfs = EIO;
    assert_int_equal(volume_open(&v, &s->arena, s->path, false, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_int_equal(volume_space(&space, s->fd, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
}

static void a_store_at_the_root_of_the_file_tree_is_not_made(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};
    struct store store = {.fd = -1};

    assert_int_equal(volume_open(&v, &s->arena, s->path, false, &s->err), 0);
    assert_int_equal(
        store_open(&store, &s->arena, &v, "/hostler-test-of-a-missing-root", true, &s->err), -1);
    assert_int_equal(s->err.code, ERR_USAGE);
    assert_int_equal(symlinkat("/nowhere-at-all", s->fd, "dangling"), 0);
    assert_int_equal(store_open(&store, &s->arena, &v, beneath(s, "dangling/a"), false, &s->err),
                     -1);
    volume_close(&v);
}

static void memory_is_local_and_ephemeral_and_flock_works_there(void **state)
{
    struct scratch *s = *state;
    struct volume v = {.fd = -1};

    assert_int_equal(volume_open(&v, &s->arena, "/dev/shm", false, &s->err), 0);
    assert_string_equal(v.ephemeral, "tmpfs");
    assert_true(volume_is_local(v.fd));
    assert_true(volume_flock_works(v.fd));
    volume_close(&v);
    v.fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_false(volume_is_local(v.fd));
    assert_false(volume_flock_works(v.fd));
    volume_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_missing_volume_is_made_only_on_request_and_never_at_the_root),
        SCRATCH_TEST(a_file_is_no_volume),
        SCRATCH_TEST(only_links_at_the_root_of_the_volume_lead_elsewhere),
        SCRATCH_TEST(a_missing_store_is_not_found_or_made_like_the_volume),
        SCRATCH_TEST(a_refusal_names_uid_owner_mode_and_what_mends_it),
        SCRATCH_TEST(what_is_no_refusal_is_left_alone),
        SCRATCH_TEST(another_uid_is_told_which_directory_refused),
        SCRATCH_TEST(a_long_or_odd_path_of_a_volume_is_no_surprise),
        SCRATCH_TEST(a_full_disk_under_a_new_directory_is_no_space),
        SCRATCH_TEST(space_is_what_the_filesystem_says),
        SCRATCH_TEST(flock_that_lies_is_found_out_and_nothing_is_left),
        SCRATCH_TEST(each_kind_of_filesystem_is_known_for_what_it_is),
        SCRATCH_TEST(a_read_only_mount_cannot_be_written),
        SCRATCH_TEST(a_filesystem_that_does_not_answer_is_an_error),
        SCRATCH_TEST(a_store_at_the_root_of_the_file_tree_is_not_made),
        SCRATCH_TEST(memory_is_local_and_ephemeral_and_flock_works_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
