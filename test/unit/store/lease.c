#include "store/lease.h"

#include "hosts.h"

/* ---- one after the other ---- */

static void a_free_lease_is_taken_and_names_its_holder(void **state)
{
    struct scratch *s = *state;
    struct lease_state shown;
    struct host a;

    host_start(s, &a, "host a\x1b[31m", 1000, false);
    assert_true(try(s, &a));
    assert_false(lease_lost(a.lease));
    shown = on_disk(s);
    assert_string_equal(shown.host, "host?a?[31m");
    assert_string_equal(shown.what, "hf:org/name");
    assert_string_equal(shown.token, lease_token(a.lease));
    assert_int_equal(shown.pid, getpid());
    lease_release(&a.lease);
    assert_null(a.lease);
    assert_false(scratch_has(s, NAME));
    stop(&a);
}

static void a_held_lease_is_waited_for_until_it_is_released(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, false);
    host_start(s, &b, "b", 777777, false);
    assert_true(try(s, &a));
    for (int i = 0; i < 200; i++) {
        pass(&a, 1000);
        pass(&b, 1000);
        lease_keeper_beat(a.keeper);
        assert_false(try(s, &b));
        assert_string_equal(b.watch.holder.host, "a");
        assert_true(b.watch.again_ms > 0 && b.watch.again_ms <= 1000);
    }
    assert_false(lease_lost(a.lease));
    lease_release(&a.lease);
    assert_true(try(s, &b));
    stop(&a);
    stop(&b);
}

static void waiters_see_the_holder_s_progress(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, false);
    host_start(s, &b, "b", 0, false);
    assert_true(try(s, &a));
    assert_false(try(s, &b));
    assert_true(b.watch.moved);
    assert_false(try(s, &b));
    assert_false(b.watch.moved);
    pass(&a, 501);
    lease_tell(a.lease, 1, 2, 3);
    lease_keeper_beat(a.keeper);
    assert_false(try(s, &b));
    assert_true(b.watch.moved);
    assert_int_equal(b.watch.holder.done_bytes, 1);
    assert_int_equal(b.watch.holder.total_bytes, 2);
    assert_int_equal(b.watch.holder.bps, 3);
    stop(&a);
    stop(&b);
}

static void a_holder_that_died_elsewhere_is_taken_over_after_the_whole_time(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, false);
    host_start(s, &b, "b", 5, false);
    assert_true(try(s, &a));
    kill_host(&a);
    for (uint64_t waited = 0; waited < TAKEOVER; waited += 1000) {
        assert_false(try(s, &b));
        assert_int_equal(b.watch.unchanged_ms, waited);
        pass(&b, 1000);
    }
    assert_true(try(s, &b));
    assert_string_equal(on_disk(s).host, "b");
    stop(&b);
    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(mkdir(s->path, 0700), 0);
}

static void a_holder_that_provably_died_is_taken_over_at_once(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, true);
    host_start(s, &b, "b", 5, true);
    assert_true(try(s, &a));
    assert_false(try(s, &b));
    kill_host(&a);
    assert_true(try(s, &b));
    stop(&b);
}

static void nothing_is_proved_where_flock_lies_or_by_another_boot(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, true);
    host_start(s, &b, "b", 5, true);
    assert_true(try(s, &a));
    kill_host(&a);
    b.keeper->flock_works = no;
    assert_false(try(s, &b));
    b.keeper->flock_works = yes;
    b.keeper->boot_id[0] = '?';
    assert_false(try(s, &b));
    stop(&b);
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    host_start(s, &a, "a", 0, true);
    host_start(s, &b, "b", 5, true);
    memcpy(a.keeper->boot_id, "-", 2);
    memcpy(b.keeper->boot_id, "-", 2);
    assert_true(try(s, &a));
    kill_host(&a);
    assert_false(try(s, &b));
    stop(&b);
}

/* ---- pauses ---- */

static void a_holder_that_was_paused_finds_it_lost_when_it_wakes(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, false);
    host_start(s, &b, "b", 0, false);
    assert_true(try(s, &a));
    for (int i = 0; i < 20 && b.lease == NULL; i++) {
        (void)try(s, &b);
        pass(&b, 1000);
    }
    assert_non_null(b.lease);
    pass(&a, 16000);
    assert_true(lease_lost(a.lease));
    lease_keeper_beat(a.keeper);
    assert_true(lease_lost(a.lease));
    lease_release(&a.lease);
    assert_string_equal(on_disk(s).host, "b");
    assert_false(lease_lost(b.lease));
    stop(&a);
    stop(&b);
}

static void a_holder_whose_clock_stood_still_learns_of_its_successor_by_a_look(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, false);
    host_start(s, &b, "b", 0, false);
    assert_true(try(s, &a));
    assert_false(lease_lost_by_a_look(a.lease));
    for (int i = 0; i < 20 && b.lease == NULL; i++) {
        (void)try(s, &b);
        pass(&b, 1000);
    }
    assert_non_null(b.lease);
    assert_false(lease_lost(a.lease));
    assert_true(lease_lost_by_a_look(a.lease));
    assert_true(lease_lost(a.lease));
    lease_keeper_beat(a.keeper);
    assert_false(lease_lost_by_a_look(b.lease));
    lease_release(&a.lease);
    assert_string_equal(on_disk(s).host, "b");
    stop(&a);
    stop(&b);
}

static void a_holder_that_could_not_renew_for_half_the_time_stops_by_itself(void **state)
{
    struct scratch *s = *state;
    struct host a;

    host_start(s, &a, "a", 0, false);
    assert_true(try(s, &a));
    pass(&a, TAKEOVER / 2);
    assert_false(lease_lost(a.lease));
    pass(&a, 1);
    assert_true(lease_lost(a.lease));
    lease_keeper_beat(a.keeper);
    pass(&a, 1);
    lease_keeper_beat(a.keeper);
    assert_true(lease_lost(a.lease));
    assert_int_equal(on_disk(s).beat, 0);
    stop(&a);
}

static void a_waiter_that_was_paused_does_not_judge_by_its_own_absence(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, false);
    host_start(s, &b, "b", 0, false);
    assert_true(try(s, &a));
    assert_false(try(s, &b));
    pass(&b, 1000000);
    assert_false(try(s, &b));
    pass(&a, 3000);
    lease_keeper_beat(a.keeper);
    assert_false(try(s, &b));
    assert_int_equal(b.watch.unchanged_ms, 0);
    stop(&a);
    stop(&b);
}

static void a_lease_that_somebody_removed_or_replaced_is_lost(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, false);
    host_start(s, &b, "b", 0, false);
    assert_true(try(s, &a));
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    assert_true(try(s, &b));
    pass(&a, 3000);
    assert_false(lease_lost(a.lease));
    lease_keeper_beat(a.keeper);
    assert_true(lease_lost(a.lease));
    lease_release(&a.lease);
    assert_string_equal(on_disk(s).host, "b");
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    pass(&b, 3000);
    lease_keeper_beat(b.keeper);
    assert_true(lease_lost(b.lease));
    stop(&a);
    stop(&b);
}

/* ---- what stands there ---- */

static void a_torn_lease_counts_as_held_until_it_was_watched(void **state)
{
    struct scratch *s = *state;
    struct host b;
    unsigned looks = 0;

    host_start(s, &b, "b", 0, true);
    scratch_write(s, NAME, "hostler-lease 1\ntok", 19);
    for (; !try(s, &b); looks++)
        pass(&b, 1000);
    assert_int_equal(looks, TAKEOVER / 1000);
    assert_false(lease_lost(b.lease));
    stop(&b);
}

static void a_lease_of_another_format_is_held_for_ever(void **state)
{
    struct scratch *s = *state;
    struct host b;

    host_start(s, &b, "b", 0, true);
    scratch_write(s, NAME, "hostler-lease 2\nanything\n", 25);
    for (int i = 0; i < 100; i++) {
        assert_false(try(s, &b));
        pass(&b, 1000);
    }
    assert_string_equal(b.watch.holder.host, "a newer hostler");
    stop(&b);
}

static void a_name_that_is_no_file_is_an_error(void **state)
{
    struct scratch *s = *state;
    struct host b;

    host_start(s, &b, "b", 0, true);
    assert_int_equal(symlinkat("/etc/passwd", s->fd, NAME), 0);
    assert_int_equal(try_for_error(s, &b), ERR_LIMIT);
    assert_non_null(strstr(s->err.msg, "/" NAME " is a link, which no lease ever is"));
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    assert_int_equal(mkdirat(s->fd, NAME, 0700), 0);
    assert_int_equal(try_for_error(s, &b), ERR_LIMIT);
    assert_non_null(strstr(s->err.msg, "/" NAME " is a directory, which no lease ever is"));
    assert_int_equal(unlinkat(s->fd, NAME, AT_REMOVEDIR), 0);
    assert_int_equal(mkfifoat(s->fd, NAME, 0600), 0);
    assert_int_equal(try_for_error(s, &b), ERR_LIMIT);
    assert_non_null(strstr(s->err.msg, "/" NAME " is no regular file, which no lease ever is"));
    stop(&b);
}

static void a_directory_that_cannot_be_written_is_an_error(void **state)
{
    struct scratch *s = *state;
    struct host b;
    int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    host_start(s, &b, "b", 0, true);
    assert_int_equal(
        lease_try(&b.lease, &b.watch, b.keeper, &(struct lease_name){proc, NAME, "x"}, &s->err),
        -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, NAME));
    close(proc);
    stop(&b);
}

/* No keeper of this program has a thread. */
int pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    (void)out;
    (void)attr;
    (void)run;
    (void)arg;
    return EAGAIN;
}

static void a_process_without_threads_left_is_told_so(void **state)
{
    struct scratch *s = *state;
    struct lease_keeper_options options = {
        .clock = clock_real(), .host = "a", .takeover_ms = TAKEOVER};

    assert_null(lease_keeper_new(&options, &s->err));
    assert_int_equal(s->err.code, ERR_LIMIT);
    assert_non_null(strstr(s->err.hint, "ulimit -u"));
}

/* ---- moves ---- */

static void only_the_moves_of_the_table_are_allowed(void **state)
{
    (void)state;
    for (enum lease_phase from = 0; from < LEASE_PHASES; from++) {
        assert_false(lease_may_move(from, LEASE_LOOKING));
        assert_false(lease_may_move(from, LEASE_PHASES));
        assert_false(lease_may_move(LEASE_RELEASED, from));
        assert_int_equal(lease_may_move(LEASE_LOST, from), from == LEASE_RELEASED);
    }
    assert_true(lease_may_move(LEASE_CLAIMING, LEASE_HELD));
    assert_false(lease_may_move(LEASE_LOST, LEASE_HELD));
    assert_false(lease_may_move(LEASE_CLAIMING, LEASE_CLAIMING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_free_lease_is_taken_and_names_its_holder),
        SCRATCH_TEST(a_held_lease_is_waited_for_until_it_is_released),
        SCRATCH_TEST(waiters_see_the_holder_s_progress),
        SCRATCH_TEST(a_holder_that_died_elsewhere_is_taken_over_after_the_whole_time),
        SCRATCH_TEST(a_holder_that_provably_died_is_taken_over_at_once),
        SCRATCH_TEST(nothing_is_proved_where_flock_lies_or_by_another_boot),
        SCRATCH_TEST(a_holder_that_was_paused_finds_it_lost_when_it_wakes),
        SCRATCH_TEST(a_holder_whose_clock_stood_still_learns_of_its_successor_by_a_look),
        SCRATCH_TEST(a_holder_that_could_not_renew_for_half_the_time_stops_by_itself),
        SCRATCH_TEST(a_waiter_that_was_paused_does_not_judge_by_its_own_absence),
        SCRATCH_TEST(a_lease_that_somebody_removed_or_replaced_is_lost),
        SCRATCH_TEST(a_process_without_threads_left_is_told_so),
        SCRATCH_TEST(a_torn_lease_counts_as_held_until_it_was_watched),
        SCRATCH_TEST(a_lease_of_another_format_is_held_for_ever),
        SCRATCH_TEST(a_name_that_is_no_file_is_an_error),
        SCRATCH_TEST(a_directory_that_cannot_be_written_is_an_error),
        cmocka_unit_test(only_the_moves_of_the_table_are_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
