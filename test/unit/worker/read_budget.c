#include "worker/read_budget.h"

#include "../check.h"
#include "../store/scratch.h"
#include "sys/fd.h"
#include "sys/file.h"

#define GIB ((uint64_t)1 << 30)
#define MIB ((uint64_t)1 << 20)

/* A recorded tree: pairs of a path and its text; ends NULL. Gives a descriptor of it. */
static int plant(void **state, const char *const *tree)
{
    struct scratch *s = *state;
    const char *folder = str_format(&s->arena, "tree%p", (const void *)tree);

    for (; *tree != NULL; tree += 2) {
        struct str parent = str_from(str_format(&s->arena, "%s/%s", folder, tree[0]));
        const char *path = parent.ptr;
        struct str name;

        assert_true(str_rcut(&parent, '/', &name));
        assert_int_equal(file_mkdirs(s->fd, str_dup(&s->arena, parent), NULL, &s->err), 0);
        FD_SCOPED fd = file_open(s->fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &s->err);
        assert_int_equal(file_write_all(fd, str_from(tree[1]), path, &s->err), 0);
    }
    return file_open_dir(s->fd, folder, &s->err);
}

static uint64_t budget_of(void **state, const char *const *tree, uint64_t most)
{
    FD_SCOPED root = plant(state, tree);

    return read_budget_find(root, most).bytes;
}

static uint64_t all_of(void **state, const char *const *tree)
{
    FD_SCOPED root = plant(state, tree);

    return read_budget_all(root);
}

#define MEMINFO_32G \
    "MemTotal:       33554432 kB\nMemFree:          1000 kB\nMemAvailable:   25165824 kB\n"
#define V2_MOUNT_LINE \
    "29 23 0:26 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n"

static const char v2_mount[] = "22 27 0:21 / /proc rw - proc proc rw\n" V2_MOUNT_LINE;
static const char v2_mount_and_rubbish[] = V2_MOUNT_LINE "x\n - - -\n";
static const char v2_stat[] = "anon 1\nfile 9\ninactive_file 6442450944\nactive_file 2147483648\n"
                              "file_dirty 1073741824\nfile_writeback 1073741824\n";
/* As a container of version 1 sees it: a mount of its own part. */
static const char v1_mounts[] =
    "31 30 0:5 /docker/ab /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
    "32 30 0:6 /docker/ab /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory\n";

static void the_host_keeps_an_eighth(void **state)
{
    const char *const tree[] = {"proc/meminfo", MEMINFO_32G, NULL};

    assert_int_equal(budget_of(state, tree, UINT64_MAX), 20 * GIB);
    assert_int_equal(budget_of(state, tree, 3 * GIB), 3 * GIB);
    assert_int_equal(budget_of(state, tree, 0), 0);
}

static void all_memory_is_that_of_the_host_or_the_cgroup_s_limit(void **state)
{
    const char *const host[] = {"proc/meminfo", MEMINFO_32G, NULL};
    const char *const none[] = {"proc/other", "", NULL};
    const char *const bounded[] = {"proc/meminfo",
                                   MEMINFO_32G,
                                   "proc/self/mountinfo",
                                   v2_mount,
                                   "proc/self/cgroup",
                                   "0::/job\n",
                                   "sys/fs/cgroup/job/memory.max",
                                   "12884901888\n",
                                   NULL};

    assert_int_equal(all_of(state, host), 32 * GIB);
    assert_int_equal(all_of(state, none), 0);
    assert_int_equal(all_of(state, bounded), 12 * GIB);
}

static void without_meminfo_nothing_is_read(void **state)
{
    const char *const none[] = {"proc/other", "", NULL};
    const char *const broken[] = {"proc/meminfo", "MemTotal: -1 kB\nMemAvailable: many kB\n", NULL};
    const char *const huge[] = {"proc/meminfo",
                                "MemTotal: 18446744073709551615 kB\n"
                                "MemAvailable: 18446744073709551615 kB\n",
                                NULL};

    assert_int_equal(budget_of(state, none, UINT64_MAX), 0);
    assert_int_equal(budget_of(state, broken, UINT64_MAX), 0);
    assert_int_equal(budget_of(state, huge, UINT64_MAX), 0);
}

/* 16 GiB less what is used, with its clean cache given back, less an eighth. */
static void the_limit_of_a_cgroup_counts_and_its_clean_cache_is_free(void **state)
{
    const char *const tree[] = {"proc/meminfo",
                                MEMINFO_32G,
                                "proc/self/cgroup",
                                "0::/\n",
                                "proc/self/mountinfo",
                                v2_mount,
                                "sys/fs/cgroup/memory.max",
                                "17179869184\n",
                                "sys/fs/cgroup/memory.high",
                                "max\n",
                                "sys/fs/cgroup/memory.current",
                                "12884901888\n",
                                "sys/fs/cgroup/memory.stat",
                                v2_stat,
                                NULL};

    assert_int_equal(budget_of(state, tree, UINT64_MAX), (16 - (12 - 6) - 2) * GIB);
}

static void the_narrowest_cgroup_on_the_way_up_decides(void **state)
{
    const char *const tree[] = {"proc/meminfo",
                                MEMINFO_32G,
                                "proc/self/cgroup",
                                "0::/pod/worker\n",
                                "proc/self/mountinfo",
                                v2_mount,
                                "sys/fs/cgroup/pod/worker/memory.max",
                                "max\n",
                                "sys/fs/cgroup/pod/worker/memory.current",
                                "1\n",
                                "sys/fs/cgroup/pod/memory.max",
                                "17179869184\n",
                                "sys/fs/cgroup/pod/memory.high",
                                "8589934592\n",
                                "sys/fs/cgroup/pod/memory.current",
                                "1073741824\n",
                                NULL};

    assert_int_equal(budget_of(state, tree, UINT64_MAX), (8 - 1 - 1) * GIB);
}

/* The host's path, of which the container has a mount. */
static void version_1_is_understood(void **state)
{
    const char *const tree[] = {"proc/meminfo",
                                MEMINFO_32G,
                                "proc/self/cgroup",
                                "4:cpu:/docker/ab\n5:memory:/docker/ab\n",
                                "proc/self/mountinfo",
                                v1_mounts,
                                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                                "4294967296\n",
                                "sys/fs/cgroup/memory/memory.usage_in_bytes",
                                "2147483648\n",
                                "sys/fs/cgroup/memory/memory.stat",
                                "inactive_file 7\ntotal_inactive_file 1073741824\n",
                                NULL};

    assert_int_equal(budget_of(state, tree, UINT64_MAX), 2 * GIB + 512 * MIB);
}

static void hostile_numbers_bound_nothing_or_all(void **state)
{
    const char *const rubbish[] = {"proc/meminfo",
                                   MEMINFO_32G,
                                   "proc/self/cgroup",
                                   "0::/\n",
                                   "proc/self/mountinfo",
                                   v2_mount,
                                   "sys/fs/cgroup/memory.max",
                                   "99999999999999999999999\n",
                                   "sys/fs/cgroup/memory.current",
                                   "-5\n",
                                   NULL};
    const char *const over[] = {"proc/meminfo",
                                MEMINFO_32G,
                                "proc/self/cgroup",
                                "0::/\n",
                                "proc/self/mountinfo",
                                v2_mount,
                                "sys/fs/cgroup/memory.max",
                                "1000000\n",
                                "sys/fs/cgroup/memory.current",
                                "18446744073709551615\n",
                                "sys/fs/cgroup/memory.stat",
                                "inactive_file 5\nactive_file x\n",
                                NULL};
    const char *const astray[] = {"proc/meminfo",
                                  MEMINFO_32G,
                                  "proc/self/cgroup",
                                  "0::/../../../etc\n\n:::\n",
                                  "proc/self/mountinfo",
                                  v2_mount_and_rubbish,
                                  NULL};

    assert_int_equal(budget_of(state, rubbish, UINT64_MAX), 20 * GIB);
    assert_int_equal(budget_of(state, over, UINT64_MAX), 0);
    assert_int_equal(budget_of(state, astray, UINT64_MAX), 20 * GIB);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_host_keeps_an_eighth),
        TEST(all_memory_is_that_of_the_host_or_the_cgroup_s_limit),
        TEST(without_meminfo_nothing_is_read),
        TEST(the_limit_of_a_cgroup_counts_and_its_clean_cache_is_free),
        TEST(the_narrowest_cgroup_on_the_way_up_decides),
        TEST(version_1_is_understood),
        TEST(hostile_numbers_bound_nothing_or_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
