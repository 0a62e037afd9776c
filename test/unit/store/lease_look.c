#include "hosts.h"
#include "sys/flock.h"

/* As a process of its own that is gone: its flock went with it. */
static void put(struct scratch *s, const struct lease_state *state)
{
    char text[LEASE_TEXT];

    lease_format(text, state);
    scratch_write(s, NAME, text, sizeof(text));
}

static void who_looks_sees_the_holder_and_changes_nothing(void **state)
{
    struct scratch *s = *state;
    struct lease_state seen;
    struct host a;
    bool gone = true;

    host_start(s, &a, "a", 1000, true);
    assert_true(try(s, &a));
    lease_tell(a.lease, 5, 9, 1);
    pass(&a, 5000);
    lease_keeper_beat(a.keeper);
    assert_true(lease_look(&seen, &gone, s->fd, NAME));
    assert_false(gone);
    assert_string_equal(seen.host, "a");
    assert_int_equal(seen.done_bytes, 5);
    assert_int_equal(seen.total_bytes, 9);
    lease_keeper_beat(a.keeper);
    assert_false(lease_lost(a.lease));
    stop(&a);
    assert_false(lease_look(&seen, &gone, s->fd, NAME));
}

static void a_holder_is_gone_only_on_this_kernel_and_with_its_flock(void **state)
{
    struct scratch *s = *state;
    struct lease_state lease = {
        .format = LEASE_FORMAT, .token = "0123456789abcdef", .host = "a", .what = "hf:org/name"};
    struct lease_state seen;
    bool gone = false;
    int fd;

    lease_boot_id(lease.boot_id);
    put(s, &lease);
    assert_true(lease_look(&seen, &gone, s->fd, NAME));
    assert_true(gone);
    fd = openat(s->fd, NAME, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_true(lease_look(&seen, &gone, s->fd, NAME));
    assert_false(gone);
    (void)close(fd);
    lease.boot_id[0] ^= 1;
    put(s, &lease);
    assert_true(lease_look(&seen, &gone, s->fd, NAME));
    assert_false(gone);
    scratch_write(s, NAME, "hostler-lease 2\n", 16); /* we do not know how that one lives */
    gone = true;
    assert_true(lease_look(&seen, &gone, s->fd, NAME));
    assert_false(gone);
}

static void what_is_no_lease_is_none(void **state)
{
    struct scratch *s = *state;
    struct lease_state seen;
    bool gone;

    scratch_write(s, NAME, "torn", 4);
    assert_false(lease_look(&seen, &gone, s->fd, NAME));
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", s->fd, NAME), 0);
    assert_false(lease_look(&seen, &gone, s->fd, NAME));
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    assert_int_equal(mkfifoat(s->fd, NAME, 0600), 0);
    assert_false(lease_look(&seen, &gone, s->fd, NAME));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(who_looks_sees_the_holder_and_changes_nothing),
        SCRATCH_TEST(a_holder_is_gone_only_on_this_kernel_and_with_its_flock),
        SCRATCH_TEST(what_is_no_lease_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
