#include "store/copy.h"

#include "fakes.h"
#include "scratch.h"
#include "sys/stop.h"

static int opened(struct scratch *s, const char *name, const char *text)
{
    int fd;

    scratch_write(s, name, text, strlen(text));
    fd = openat(s->fd, name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void a_range_is_copied_to_the_same_place(void **state)
{
    struct scratch *s = *state;
    int from = opened(s, "from", "0123456789");
    int to = opened(s, "to", "..........");

    assert_int_equal(copy_range(to, from, 2, 3, &s->err), 0);
    assert_string_equal(scratch_read(s, "to", NULL), "..234.....");
    fakes.copy_file_range = ENOSYS;
    assert_int_equal(copy_range(to, from, 6, 4, &s->err), 0);
    assert_string_equal(scratch_read(s, "to", NULL), "..234.6789");
    close(from);
    close(to);
}

static void a_source_that_ends_early_is_an_error(void **state)
{
    struct scratch *s = *state;
    int from = opened(s, "from", "0123");
    int to = opened(s, "to", "");

    assert_int_equal(copy_range(to, from, 2, 3, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    close(from);
    close(to);
}

static void a_broken_or_full_disk_is_an_error(void **state)
{
    struct scratch *s = *state;
    int from = opened(s, "from", "0123");
    int to = opened(s, "to", "");

    fakes.copy_file_range = EIO;
    assert_int_equal(copy_range(to, from, 0, 3, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    fakes.copy_file_range = ENOSPC;
    assert_int_equal(copy_range(to, from, 0, 3, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    close(from);
    close(to);
}

static void a_stop_is_heard_between_two_pieces(void **state)
{
    struct scratch *s = *state;
    int from = opened(s, "from", "0123");
    int to = opened(s, "to", "");

    stop_request(2);
    assert_int_equal(copy_range(to, from, 0, 4, &s->err), -1);
    stop_request(0);
    assert_int_equal(s->err.code, ERR_INTERRUPTED);
    close(from);
    close(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_range_is_copied_to_the_same_place),
        SCRATCH_TEST(a_source_that_ends_early_is_an_error),
        SCRATCH_TEST(a_broken_or_full_disk_is_an_error),
        SCRATCH_TEST(a_stop_is_heard_between_two_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
