#include "worker/read_ahead.h"

#include <dirent.h>
#include <stdatomic.h>
#include <time.h>

#include "../check.h"
#include "../store/scratch.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "worker/read_claim.h"
#include "worker/resident.h"

#define MIB ((uint64_t)1 << 20)

static struct read_ahead_file make(struct scratch *s, const char *name, uint64_t bytes)
{
    struct read_ahead_file file = {.path = str_format(&s->arena, "%s/%s", s->path, name),
                                   .bytes = bytes};
    struct stat st;
    FD_SCOPED fd = file_open(s->fd, name, O_RDWR | O_CREAT, 0644, &s->err);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(fstat(fd, &st), 0);
    file.device = st.st_dev;
    file.inode = st.st_ino;
    return file;
}

static void rest(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* How many of its threads there are. Others may be none of its own: ThreadSanitizer has one. */
static unsigned threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned count = 0;

    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[sizeof("/proc/self/task//comm") + sizeof(entry->d_name)];
        char name[sizeof(READ_AHEAD_THREAD)] = "";

        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, name, sizeof(name)) == (ssize_t)sizeof(name))
            count += memcmp(name, READ_AHEAD_THREAD "\n", sizeof(name)) == 0;
    }
    (void)closedir(dir);
    return count;
}

static struct read_ahead *start(struct scratch *s, const struct read_ahead_file *files,
                                size_t count, uint64_t budget, const struct clock *clock)
{
    struct read_ahead *r = read_ahead_start(&(struct read_ahead_options){.files = files,
                                                                         .count = count,
                                                                         .budget_bytes = budget,
                                                                         .runtime_fd = s->fd,
                                                                         .clock = clock},
                                            &s->err);

    assert_non_null(r);
    return r;
}

static struct read_ahead_result finish(struct read_ahead *r)
{
    struct read_ahead_result result;

    do {
        rest();
        read_ahead_result(&result, r);
    } while (result.state == READ_AHEAD_READING);
    read_ahead_stop(&r, NULL);
    assert_null(r);
    return result;
}

static int64_t resident(const struct read_ahead_file *file)
{
    FD_SCOPED fd = open(file->path, O_RDONLY | O_CLOEXEC);

    return resident_bytes(fd, 0, file->bytes);
}

static void everything_is_resident_afterwards(void **state)
{
    struct scratch *s = *state;
    const struct read_ahead_file files[] = {make(s, "a", 9 * MIB + 1), make(s, "b", 100),
                                            make(s, "c", 0)};
    struct read_ahead_result result = finish(start(s, files, 3, UINT64_MAX, clock_real()));

    assert_int_equal(result.state, READ_AHEAD_DONE);
    assert_int_equal(result.total_bytes, 9 * MIB + 101);
    assert_int_equal(result.read_bytes + result.resident_bytes, 9 * MIB + 101);
    assert_int_equal(result.failed_files, 0);
    assert_int_equal(resident(&files[0]), 9 * MIB + 1);
    assert_int_equal(resident(&files[1]), 100);
    result = finish(start(s, files, 3, UINT64_MAX, clock_real()));
    assert_int_equal(result.resident_bytes, 9 * MIB + 101);
    assert_int_equal(result.read_bytes, 0);
}

static void nothing_is_done_at_once(void **state)
{
    struct scratch *s = *state;
    const struct read_ahead_file file = make(s, "a", 5);
    struct read_ahead_result result = finish(start(s, NULL, 0, UINT64_MAX, clock_real()));

    assert_int_equal(result.state, READ_AHEAD_DONE);
    result = finish(start(s, &file, 1, 0, clock_real()));
    assert_int_equal(result.state, READ_AHEAD_FULL);
    assert_int_equal(result.read_bytes + result.resident_bytes, 0);
}

static void the_budget_ends_it_in_the_middle_or_between_files(void **state)
{
    struct scratch *s = *state;
    const struct read_ahead_file files[] = {make(s, "a", 6 * MIB), make(s, "b", 6 * MIB)};
    struct read_ahead_result result;

    result = finish(start(s, files, 2, 7 * MIB, clock_real()));
    assert_int_equal(result.state, READ_AHEAD_FULL);
    assert_int_equal(result.read_bytes + result.resident_bytes, 7 * MIB);
    result = finish(start(s, files, 2, 6 * MIB, clock_real()));
    assert_int_equal(result.state, READ_AHEAD_FULL);
    assert_int_equal(result.read_bytes + result.resident_bytes, 6 * MIB);
    result = finish(start(s, files, 2, 12 * MIB, clock_real()));
    assert_int_equal(result.state, READ_AHEAD_DONE);
}

static void a_file_that_cannot_be_read_is_counted_once_and_left(void **state)
{
    struct scratch *s = *state;
    struct read_ahead_file files[] = {make(s, "a", 20 * MIB), make(s, "b", 20 * MIB),
                                      make(s, "c", 3 * MIB)};
    struct read_ahead_result result;

    assert_int_equal(unlinkat(s->fd, "a", 0), 0);
    assert_int_equal(truncate(files[1].path, 100), 0);
    result = finish(start(s, files, 3, UINT64_MAX, clock_real()));
    assert_int_equal(result.state, READ_AHEAD_DONE);
    assert_int_equal(result.failed_files, 2);
    assert_int_equal(resident(&files[2]), 3 * MIB);
}

/* Another worker has the claim, so nothing begins; a stop ends the waiting, and all threads go. */
static void a_stop_ends_what_waits_for_a_claim(void **state)
{
    struct scratch *s = *state;
    const struct read_ahead_file file = make(s, "a", 9 * MIB);
    FD_SCOPED other = read_claim_open(s->fd, &s->err);
    struct read_ahead_result result;
    struct read_ahead *r;

    assert_true(read_claim_take(other, file.device, file.inode));
    r = start(s, &file, 1, UINT64_MAX, clock_real());
    read_ahead_stop(&r, &result);
    assert_int_equal(result.state, READ_AHEAD_STOPPED);
    assert_int_equal(result.read_bytes + result.resident_bytes, 0);
    while (threads() > 0) /* for ever, if one stays: the test's own limit of time */
        rest();
    assert_int_equal(resident(&file), 0);
}

static void a_claim_that_is_dropped_is_taken_over(void **state)
{
    struct scratch *s = *state;
    const struct read_ahead_file file = make(s, "a", 9 * MIB);
    FD_SCOPED other = read_claim_open(s->fd, &s->err);
    struct read_ahead_result result;
    struct read_ahead *r;

    assert_true(read_claim_take(other, file.device, file.inode));
    r = start(s, &file, 1, UINT64_MAX, clock_real());
    read_claim_drop(other, file.device, file.inode);
    result = finish(r);
    assert_int_equal(result.state, READ_AHEAD_DONE);
    assert_int_equal(resident(&file), 9 * MIB);
    while (threads() > 0)
        rest();
    assert_true(read_claim_take(other, file.device, file.inode));
}

/* Ten minutes pass at each look. */
static uint64_t hurried(const struct clock *c)
{
    atomic_uint_fast64_t *now = c->ctx;

    return atomic_fetch_add(now, 600000);
}

static void who_claims_and_makes_no_headway_is_not_waited_for(void **state)
{
    struct scratch *s = *state;
    const struct read_ahead_file file = make(s, "a", 9 * MIB);
    FD_SCOPED other = read_claim_open(s->fd, &s->err);
    atomic_uint_fast64_t now = 1;
    const struct clock clock = {.now_ms = hurried, .ctx = &now};

    assert_true(read_claim_take(other, file.device, file.inode));
    assert_int_equal(finish(start(s, &file, 1, UINT64_MAX, &clock)).state, READ_AHEAD_DONE);
    assert_int_equal(resident(&file), 9 * MIB);
    while (threads() > 0)
        rest();
}

static void both_ways_to_look_see_the_same(void **state)
{
    struct scratch *s = *state;
    const struct read_ahead_file file = make(s, "a", 9 * MIB + 5);
    char page[100];
    FD_SCOPED fd = open(file.path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(resident_bytes(fd, 0, file.bytes), 0);
    assert_int_equal(resident_by_mincore(fd, 0, file.bytes), 0);
    assert_int_equal(pread(fd, page, sizeof(page), 5 * MIB), sizeof(page));
    assert_true(resident_by_mincore(fd, 0, file.bytes) > 0);
    assert_int_equal(resident_by_mincore(fd, 0, file.bytes), resident_bytes(fd, 0, file.bytes));
    assert_int_equal(resident_by_mincore(fd, 4096, 8192), 0);
    assert_int_equal(resident_bytes(fd, 0, 0), -1);
    assert_int_equal(resident_bytes(-1, 0, 4096), -1);
}

static void the_speed_is_told_once_there_is_enough_of_it(void **state)
{
    const struct read_ahead_result little = {.read_bytes = 200 * MIB, .busy_ms = 1999};
    const struct read_ahead_result enough = {.read_bytes = 256 * MIB, .busy_ms = 100};
    const struct read_ahead_result slow = {.read_bytes = 1000, .busy_ms = 2000};
    const struct read_ahead_result none = {.resident_bytes = 9000 * MIB, .busy_ms = 9000};

    (void)state;
    assert_int_equal(read_ahead_bps(&little), 0);
    assert_int_equal(read_ahead_bps(&enough), 2560 * MIB);
    assert_int_equal(read_ahead_bps(&slow), 500);
    assert_int_equal(read_ahead_bps(&none), 0);
}

static void a_volume_is_slow_where_a_copy_would_spare_half_a_minute(void **state)
{
    struct read_ahead_result result = {
        .total_bytes = 14500000000, .read_bytes = 550000000, .busy_ms = 5000};
    char line[READ_AHEAD_LINE];

    (void)state;
    assert_true(read_ahead_is_slow(line, &result));
    assert_string_equal(line, "the volume reads 110 MB/s: 14.5 GB take 2m11s; a copy on a local "
                              "disk of 1.0 GB/s would take 14s");
    result.total_bytes = 3700000000; /* 33.6 s against 3.7 */
    assert_false(read_ahead_is_slow(line, &result));
    result.total_bytes = 3800000000;
    assert_true(read_ahead_is_slow(line, &result));
    result.read_bytes = 6000000000;
    result.total_bytes = UINT64_MAX;
    assert_false(read_ahead_is_slow(line, &result));
    result.read_bytes = 1;
    assert_true(read_ahead_is_slow(line, &result) || read_ahead_bps(&result) == 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(everything_is_resident_afterwards),
        TEST(nothing_is_done_at_once),
        TEST(the_budget_ends_it_in_the_middle_or_between_files),
        TEST(a_file_that_cannot_be_read_is_counted_once_and_left),
        TEST(a_stop_ends_what_waits_for_a_claim),
        TEST(a_claim_that_is_dropped_is_taken_over),
        TEST(who_claims_and_makes_no_headway_is_not_waited_for),
        TEST(both_ways_to_look_see_the_same),
        TEST(the_speed_is_told_once_there_is_enough_of_it),
        TEST(a_volume_is_slow_where_a_copy_would_spare_half_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
