#include "store/volume.h"

#include "fakes.h"
#include "scratch.h"

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

static void a_refusal_names_uid_owner_mode_and_the_chown(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(mkdirat(s->fd, "models", 0750), 0);
    errno = EACCES;
    assert_int_equal(volume_refused(&s->err, s->fd, "models/huggingface/hub",
                                    "/data/models/huggingface/hub", "cannot create directory"),
                     -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, "/data/models/huggingface/hub: cannot create directory: "
                                       "Permission denied"));
    assert_non_null(strstr(s->err.msg, "mode 0750"));
    assert_non_null(strstr(s->err.hint, "/data/models,"));
    assert_non_null(strstr(s->err.hint, "sudo chown -R "));
    errno = ENOSPC;
    assert_int_equal(volume_refused(&s->err, s->fd, "models", "/data/models", "cannot write"), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
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
        SCRATCH_TEST(a_refusal_names_uid_owner_mode_and_the_chown),
        SCRATCH_TEST(space_is_what_the_filesystem_says),
        SCRATCH_TEST(flock_that_lies_is_found_out_and_nothing_is_left),
        SCRATCH_TEST(memory_is_local_and_ephemeral_and_flock_works_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
