#include "sys/fd.h"

#include <fcntl.h>
#include <stdbool.h>

#include "../check.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int open_and_leave(void)
{
    FD_SCOPED fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(is_open(fd));
    return fd;
}

static int open_and_take(void)
{
    FD_SCOPED fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int taken = fd_take(&fd);

    assert_int_equal(fd, -1);
    return taken;
}

static void a_descriptor_closes_with_its_scope(void **state)
{
    (void)state;
    assert_false(is_open(open_and_leave()));
}

static void a_descriptor_that_was_taken_stays_open(void **state)
{
    int fd = open_and_take();

    (void)state;
    assert_true(is_open(fd));
    fd_close(&fd);
    assert_false(is_open(fd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_closes_with_its_scope),
        cmocka_unit_test(a_descriptor_that_was_taken_stays_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
