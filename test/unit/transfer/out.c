#include "transfer/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../check.h"

#define SIZE ((size_t)300000)
#define BIG  ((uint64_t)1 << 30)

static int no_flags;    /* errno for a call with flags, 0: they work */
static size_t at_most;  /* bytes of one call, 0: all */
static int interrupted; /* so many calls fail by EINTR first */
static int flagged;     /* calls with flags so far */

/* In place of libc's. */
ssize_t pwritev2(int fd, const struct iovec *iovec, int count, off_t offset, int flags)
{
    struct iovec some = iovec[0];

    if (flags != 0)
        flagged++;
    if (interrupted > 0) {
        interrupted--;
        errno = EINTR;
        return -1;
    }
    if (flags != 0 && no_flags != 0) {
        errno = no_flags;
        return -1;
    }
    if (at_most > 0 && some.iov_len > at_most)
        some.iov_len = at_most;
    if (at_most > 0)
        return pwrite(fd, some.iov_base, some.iov_len, offset);
    return (ssize_t)syscall(SYS_pwritev2, fd, iovec, count, offset, (off_t)0, 0);
}

struct fixture {
    int fd;
    char *data;
};

static int set_up(void **state)
{
    static struct fixture f;
    char path[] = "/tmp/out-XXXXXX";

    f.fd = mkostemp(path, O_CLOEXEC);
    assert_true(f.fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ftruncate(f.fd, SIZE), 0);
    f.data = aligned_alloc(4096, (SIZE + 4095) / 4096 * 4096);
    assert_non_null(f.data);
    for (size_t i = 0; i < SIZE; i++)
        f.data[i] = (char)(i * 31 + i / 4096);
    no_flags = interrupted = flagged = 0;
    at_most = 0;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)close(f->fd);
    free(f->data);
    return 0;
}

static int put(struct out *o, struct fixture *f, size_t from, size_t cut, size_t to)
{
    struct iovec iov[] = {{f->data + from, cut - from}, {f->data + cut, to - cut}};

    return out_write(o, iov, 2, (off_t)from, false);
}

static void expect_all(struct fixture *f)
{
    static char back[SIZE];

    assert_int_equal(pread(f->fd, back, SIZE, 0), SIZE);
    assert_memory_equal(back, f->data, SIZE);
}

/* Pages, then pieces of pages, in an order of their own. */
static void put_all(struct out *o, struct fixture *f)
{
    assert_int_equal(put(o, f, 65536, 131072, 262144), 0);
    assert_int_equal(put(o, f, 262144, 266240, SIZE), 0);
    assert_int_equal(put(o, f, 1000, 4096, 65536), 0);
    assert_int_equal(put(o, f, 0, 10, 1000), 0);
}

static void a_large_file_goes_past_the_page_cache(void **state)
{
    struct fixture *f = *state;
    struct out o;

    out_init(&o, f->fd, BIG);
    put_all(&o, f);
    assert_int_equal(flagged, 4);
    assert_int_equal(o.way, OUT_UNCACHED);
    expect_all(f);
    out_done(&o);
}

static void what_will_be_read_back_stays_in_it(void **state)
{
    struct fixture *f = *state;
    struct iovec iov = {f->data, SIZE};
    struct out o;

    out_init(&o, f->fd, BIG);
    assert_int_equal(out_write(&o, &iov, 1, 0, true), 0);
    assert_int_equal(flagged, 0);
    expect_all(f);
    out_done(&o);
}

static void a_small_file_stays_in_it(void **state)
{
    struct fixture *f = *state;
    struct out o;

    out_init(&o, f->fd, SIZE);
    put_all(&o, f);
    assert_int_equal(flagged, 0);
    expect_all(f);
    out_done(&o);
}

static void where_the_kernel_is_older_another_way_is_found(void **state)
{
    static const int refusals[] = {EOPNOTSUPP, EINVAL, ENOSYS};
    struct fixture *f = *state;
    struct out o;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ftruncate(f->fd, 0), 0);
        assert_int_equal(ftruncate(f->fd, SIZE), 0);
        no_flags = refusals[i];
        flagged = 0;
        out_init(&o, f->fd, BIG);
        put_all(&o, f);
        assert_int_equal(flagged, 1); /* asked once */
        assert_int_not_equal(o.way, OUT_UNCACHED);
        assert_true((o.way == OUT_DIRECT) == (o.direct_fd >= 0));
        expect_all(f);
        out_done(&o);
        assert_int_equal(o.direct_fd, -1);
    }
}

static void short_and_interrupted_writes_go_on(void **state)
{
    struct fixture *f = *state;
    struct out o;

    at_most = 7777;
    interrupted = 3;
    out_init(&o, f->fd, BIG);
    put_all(&o, f);
    assert_int_equal(interrupted, 0);
    expect_all(f);
    out_done(&o);
}

static void any_other_failure_is_the_callers(void **state)
{
    struct fixture *f = *state;
    struct out o;

    no_flags = ENOSPC;
    out_init(&o, f->fd, BIG);
    assert_int_equal(put(&o, f, 0, 10, 1000), -1);
    assert_int_equal(errno, ENOSPC);
    out_done(&o);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_large_file_goes_past_the_page_cache),
        TEST(what_will_be_read_back_stays_in_it),
        TEST(a_small_file_stays_in_it),
        TEST(where_the_kernel_is_older_another_way_is_found),
        TEST(short_and_interrupted_writes_go_on),
        TEST(any_other_failure_is_the_callers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
