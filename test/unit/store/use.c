#include "store/use.h"

#include <stdatomic.h>

#include "hosts.h"

static const char *const models[] = {"hf:org/name@0123456789abcdef0123456789abcdef01234567",
                                     "ollama:llava:7b"};

static struct volume volume_of(const struct scratch *s)
{
    return (struct volume){.path = s->path, .fd = s->fd, .writable = true};
}

static struct use *begin_by(struct scratch *s, const struct volume *v, const char *host,
                            const struct clock *clock)
{
    const struct use_options options = {.volume = v,
                                        .clock = clock,
                                        .host = host,
                                        .takeover_ms = TAKEOVER,
                                        .what = models,
                                        .count = 2};
    struct use *use = NULL;

    if (use_begin(&use, &s->arena, &options, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    return use;
}

static struct use *begin(struct scratch *s, const struct volume *v, const char *host)
{
    return begin_by(s, v, host, clock_real());
}

static int remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    return type == FTW_F ? remove(path) : 0;
}

static void what_is_marked_is_listed_until_it_ends(void **state)
{
    struct scratch *s = *state;
    struct volume v = volume_of(s);
    struct use *one;
    struct use *two;
    use_marks marks;

    assert_int_equal(use_list(&s->arena, &v).len, 0);
    one = begin(s, &v, "gpu-1");
    two = begin(s, &v, "gpu-2");
    marks = use_list(&s->arena, &v);
    assert_int_equal(marks.len, 4);
    for (size_t i = 0; i < marks.len; i++)
        assert_true(use_means(&marks.at[i], models[0]) || use_means(&marks.at[i], models[1]));
    use_end(&two);
    assert_null(two);
    marks = use_list(&s->arena, &v);
    assert_int_equal(marks.len, 2);
    assert_string_equal(marks.at[0].host, "gpu-1");
    use_end(&one);
    assert_int_equal(use_list(&s->arena, &v).len, 0);
    use_end(&one);
}

static void the_gpus_it_holds_are_marked_beside_and_anew_when_they_change(void **state)
{
    struct scratch *s = *state;
    struct volume v = volume_of(s);
    struct use_gpu gpus[] = {
        {.uuid = "GPU-5c3f2a1b-0000-1111-2222-333344445555",
         .mib = 16675,
         .worker = "01234567",
         .type = "vllm"},
        {.uuid = "MIG-5c3f2a1b-0000-1111-2222-333344445555",
         .mib = 99999999,
         .worker = "01234567",
         .type = "a-type:whose-name-is-as-long-as-a-mark-can-hold-it."},
    };
    struct use *use = begin(s, &v, "gpu-1");
    size_t seen = 0;
    use_marks marks;

    use_gpus(use, gpus, 2);
    marks = use_list(&s->arena, &v);
    assert_int_equal(marks.len, 4);
    for (size_t i = 0; i < marks.len; i++) {
        struct use_gpu gpu;

        if (!use_gpu_of(&gpu, &marks.at[i]))
            continue;
        seen++;
        for (size_t k = 0; k < 2; k++) {
            if (strcmp(gpu.uuid, gpus[k].uuid) != 0)
                continue;
            assert_int_equal(gpu.mib, gpus[k].mib);
            assert_string_equal(gpu.worker, gpus[k].worker);
            assert_string_equal(gpu.type, gpus[k].type);
        }
    }
    assert_int_equal(seen, 2);
    use_gpus(use, gpus, 1);
    assert_int_equal(use_list(&s->arena, &v).len, 3);
    use_gpus(use, NULL, 0);
    assert_int_equal(use_list(&s->arena, &v).len, 2);
    use_end(&use);
}

static void a_mark_of_a_gpu_that_is_broken_is_none(void **state)
{
    static const char *const broken[] = {
        "gpu",
        "gpu:",
        "gpu:GPU-1",
        "gpu:GPU-1:12",
        "gpu:GPU-1:12:ab",
        "gpu::1:a:b",
        "gpu:a:-1:b:c",
        "gpu:a:1::c",
        "gpu:a:1:b:",
        "gpu:a:99999999999:b:c",
        "gpu:a:1:a-worker-of-too-many-letters:c",
        "hf:org/name:1:b:c",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct lease_state mark = {.format = 1};
        struct use_gpu gpu;

        (void)snprintf(mark.what, sizeof(mark.what), "%s", broken[i]);
        if (use_gpu_of(&gpu, &mark))
            fail_msg("%s", broken[i]);
    }
}

/* As a process that was killed leaves it: nobody holds its flock. */
static void leave_one(struct scratch *s, const char *name, const char *boot_id)
{
    struct lease_state dead = {
        .format = LEASE_FORMAT, .token = "0123456789abcdef", .host = "a", .what = "hf:org/name"};
    char text[LEASE_TEXT];

    lease_boot_id(dead.boot_id);
    if (boot_id != NULL)
        (void)snprintf(dead.boot_id, sizeof(dead.boot_id), "%s", boot_id);
    lease_format(text, &dead);
    scratch_write(s, name, text, sizeof(text));
}

static void what_the_dead_left_is_not_listed_and_goes_with_the_next_who_marks(void **state)
{
    struct scratch *s = *state;
    struct volume v = volume_of(s);
    struct use *use;

    use = begin(s, &v, "gpu-1");
    use_end(&use);
    leave_one(s, ".hostler/uses/use-0000000000000001", NULL);
    leave_one(s, ".hostler/uses/use-0000000000000002", "another-boot");
    assert_int_equal(use_list(&s->arena, &v).len, 1); /* of the other nobody here can tell */
    assert_int_equal(faccessat(s->fd, ".hostler/uses/use-0000000000000001", F_OK, 0), 0);
    use = begin(s, &v, "gpu-1");
    assert_int_equal(faccessat(s->fd, ".hostler/uses/use-0000000000000001", F_OK, 0), -1);
    assert_int_equal(faccessat(s->fd, ".hostler/uses/use-0000000000000002", F_OK, 0), 0);
    use_end(&use);
}

static uint64_t read_atomic(const struct clock *c)
{
    return atomic_load((const atomic_uint_fast64_t *)c->ctx);
}

/* As after a pause that was so long that others had to think us dead, and cleaned up. */
static void who_was_paused_marks_again(void **state)
{
    struct scratch *s = *state;
    struct volume v = volume_of(s);
    atomic_uint_fast64_t now = 1000;
    const struct clock clock = {.now_ms = read_atomic, .unix_ms = read_atomic, .ctx = &now};
    struct use *use = begin_by(s, &v, "gpu-1", &clock);
    use_marks before = use_list(&s->arena, &v);
    use_marks after;

    assert_int_equal(before.len, 2);
    use_look(use);
    assert_string_equal(use_list(&s->arena, &v).at[0].token, before.at[0].token);
    assert_int_equal(nftw(str_format(&s->arena, "%s/.hostler/uses", s->path), remove_file, 16,
                          FTW_DEPTH | FTW_PHYS),
                     0);
    assert_int_equal(use_list(&s->arena, &v).len, 0);
    atomic_fetch_add(&now, TAKEOVER);
    use_look(use);
    after = use_list(&s->arena, &v);
    assert_int_equal(after.len, 2);
    for (size_t i = 0; i < 4; i++)
        assert_string_not_equal(after.at[i % 2].token, before.at[i / 2].token);
    use_end(&use);
    assert_int_equal(use_list(&s->arena, &v).len, 0);
}

static void names_that_are_no_marks_and_what_is_planted_are_passed_over(void **state)
{
    struct scratch *s = *state;
    struct volume v = volume_of(s);
    struct use *use = begin(s, &v, "gpu-1");

    scratch_write(s, ".hostler/uses/use-torn", "hostler-lease", 13);
    scratch_write(s, ".hostler/uses/another", "x", 1);
    assert_int_equal(symlinkat("/etc/passwd", s->fd, ".hostler/uses/use-link"), 0);
    assert_int_equal(mkdirat(s->fd, ".hostler/uses/use-folder", 0755), 0);
    assert_int_equal(use_list(&s->arena, &v).len, 2);
    use_end(&use);
}

static void a_name_that_was_cut_means_all_that_begin_so(void **state)
{
    struct lease_state mark = {0};
    char name[200];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    memset(mark.what, 'x', sizeof(mark.what) - 1);
    assert_true(use_means(&mark, name));
    name[5] = 'y';
    assert_false(use_means(&mark, name));
    mark.what[4] = '\0';
    assert_false(use_means(&mark, name));
    assert_true(use_means(&mark, "xxxx"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_marked_is_listed_until_it_ends),
        TEST(the_gpus_it_holds_are_marked_beside_and_anew_when_they_change),
        TEST(a_mark_of_a_gpu_that_is_broken_is_none),
        TEST(what_the_dead_left_is_not_listed_and_goes_with_the_next_who_marks),
        TEST(who_was_paused_marks_again),
        TEST(names_that_are_no_marks_and_what_is_planted_are_passed_over),
        TEST(a_name_that_was_cut_means_all_that_begin_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
