#include "store/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/quota.h>
#include <sys/types.h>
#include <unistd.h>

#include "../check.h"
#include "err/err.h"
#include "mem/arena.h"
#include "store/volume.h"

/* This program's user, and what the kernel says of quotas: quotactl_fd(2) has no function. */
static uid_t user;
static struct {
    bool on;
    uint64_t limit_kib;
    uint64_t used_bytes;
} quotas[2];

uid_t geteuid(void)
{
    return user;
}

long syscall(long number, ...)
{
    unsigned command;
    unsigned type;
    struct dqblk *out;
    va_list ap;

    (void)number;
    va_start(ap, number);
    (void)va_arg(ap, unsigned);
    command = va_arg(ap, unsigned);
    (void)va_arg(ap, unsigned);
    out = va_arg(ap, struct dqblk *);
    va_end(ap);
    type = command & 0xffU;
    if (command >> 8 != Q_GETQUOTA || type > 1 || !quotas[type].on) {
        errno = ESRCH;
        return -1;
    }
    out->dqb_bhardlimit = quotas[type].limit_kib;
    out->dqb_curspace = quotas[type].used_bytes;
    return 0;
}

static int reset(void **state)
{
    (void)state;
    user = 1000;
    for (size_t i = 0; i < 2; i++) {
        quotas[i].on = false;
        quotas[i].limit_kib = 0;
        quotas[i].used_bytes = 0;
    }
    return 0;
}

static void without_quotas_there_is_no_limit(void **state)
{
    (void)state;
    assert_true(quota_left(0) == UINT64_MAX);
    quotas[0].on = true;
    assert_true(quota_left(0) == UINT64_MAX);
    quotas[0].limit_kib = UINT64_MAX;
    assert_true(quota_left(0) == UINT64_MAX);
}

static void the_smaller_of_the_user_s_and_the_group_s_counts(void **state)
{
    (void)state;
    quotas[0].on = true;
    quotas[0].limit_kib = 10;
    quotas[0].used_bytes = 240;
    assert_int_equal(quota_left(0), 10000);
    quotas[1].on = true;
    quotas[1].limit_kib = 5;
    assert_int_equal(quota_left(0), 5120);
    quotas[1].used_bytes = 6000;
    assert_int_equal(quota_left(0), 0);
}

static void root_passes_over_quotas(void **state)
{
    (void)state;
    quotas[0].on = true;
    quotas[0].limit_kib = 10;
    user = 0;
    assert_true(quota_left(0) == UINT64_MAX);
}

static void the_space_of_a_volume_is_at_most_its_quota(void **state)
{
    struct space space;
    struct err err;
    int fd = AT_FDCWD;

    (void)state;
    quotas[0].on = true;
    quotas[0].limit_kib = 1;
    fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(volume_space(&space, fd, &err), 0);
    assert_int_equal(space.free_bytes, 1024);
    assert_string_equal(space.limit, "quota");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_quotas_there_is_no_limit, reset),
        cmocka_unit_test_setup(the_smaller_of_the_user_s_and_the_group_s_counts, reset),
        cmocka_unit_test_setup(root_passes_over_quotas, reset),
        cmocka_unit_test_setup(the_space_of_a_volume_is_at_most_its_quota, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
