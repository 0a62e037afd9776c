#include "hosts.h"
#include "store/lease.h"

/* ---- answers that are lost, and filesystems that cannot ---- */

static void a_lease_that_was_made_though_the_answer_says_no_is_ours(void **state)
{
    static const int answers[] = {EEXIST, EIO};
    struct scratch *s = *state;

    for (size_t i = 0; i < 2; i++) {
        struct host a;

        host_start(s, &a, "a", 0, false);
        fakes.linkat = answers[i];
        fakes.linkat_done = true;
        assert_true(try(s, &a));
        fakes.linkat = 0;
        pass(&a, 3000);
        lease_keeper_beat(a.keeper);
        assert_false(lease_lost(a.lease));
        stop(&a);
    }
}

static void an_answer_that_says_no_and_means_it_is_no(void **state)
{
    struct scratch *s = *state;
    struct host a;

    host_start(s, &a, "a", 0, false);
    fakes.linkat = EEXIST;
    assert_false(try(s, &a));
    fakes.linkat = EIO;
    assert_int_equal(
        lease_try(&a.lease, &a.watch, a.keeper, &(struct lease_name){s->fd, NAME, "x"}, &s->err),
        -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    fakes.linkat = ENOSPC;
    assert_int_equal(
        lease_try(&a.lease, &a.watch, a.keeper, &(struct lease_name){s->fd, NAME, "x"}, &s->err),
        -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    fakes.linkat = 0;
    stop(&a);
    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(mkdir(s->path, 0700), 0);
}

static void without_hard_links_leases_and_claims_work_the_same(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host b;
    struct host c;

    fakes.linkat = EPERM;
    host_start(s, &dead, "dead", 0, true);
    host_start(s, &b, "b", 0, true);
    host_start(s, &c, "c", 0, false);
    assert_true(try(s, &dead));
    assert_false(try(s, &b));
    kill_host(&dead);
    assert_true(try(s, &b));
    assert_false(try(s, &c));
    assert_string_equal(c.watch.holder.host, "b");
    stop(&b);
    assert_true(try(s, &c));
    stop(&c);
}

static void a_takeover_whose_answer_was_lost_is_ours(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host b;

    host_start(s, &dead, "dead", 0, true);
    host_start(s, &b, "b", 0, true);
    assert_true(try(s, &dead));
    kill_host(&dead);
    fakes.renameat = ENOENT;
    fakes.renameat_done = true;
    assert_true(try(s, &b));
    stop(&b);
}

static void a_takeover_that_the_disk_refuses_is_an_error_and_leaves_no_claim(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host b;
    const char *claim;

    host_start(s, &dead, "dead", 0, true);
    host_start(s, &b, "b", 0, true);
    assert_true(try(s, &dead));
    claim = claim_on(s, "");
    kill_host(&dead);
    fakes.renameat = EIO;
    assert_int_equal(
        lease_try(&b.lease, &b.watch, b.keeper, &(struct lease_name){s->fd, NAME, "x"}, &s->err),
        -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_false(scratch_has(s, claim));
    fakes.renameat = 0;
    assert_true(try(s, &b));
    stop(&b);
}

static void on_a_shared_filesystem_each_renewal_is_sent_to_the_server(void **state)
{
    struct scratch *s = *state;
    struct host a;
    unsigned before;

    host_start(s, &a, "a", 0, false);
    assert_true(try(s, &a));
    assert_true(fakes.syncs > 0);
    before = fakes.syncs;
    pass(&a, 3000);
    lease_keeper_beat(a.keeper);
    assert_true(fakes.syncs > before);
    fakes.fdatasync = EIO;
    for (int i = 0; i < 3; i++) {
        pass(&a, 3000);
        lease_keeper_beat(a.keeper);
    }
    assert_true(lease_lost(a.lease));
    stop(&a);
}

static bool reading_breaks(int dirfd)
{
    (void)dirfd;
    fakes.pread = EIO;
    return true;
}

static bool another_claims_and_is_gone(int dirfd)
{
    (void)dirfd;
    fakes.linkat = EEXIST;
    return true;
}

static void a_lease_that_cannot_be_read_again_is_not_taken_over(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host b;
    const char *claim;

    host_start(s, &dead, "dead", 0, true);
    host_start(s, &b, "b", 0, true);
    assert_true(try(s, &dead));
    claim = claim_on(s, "");
    kill_host(&dead);
    b.keeper->flock_works = reading_breaks;
    assert_int_equal(try_for_error(s, &b), ERR_VOLUME);
    assert_false(scratch_has(s, claim));
    fakes.pread = 0;
    b.keeper->flock_works = another_claims_and_is_gone;
    assert_false(try(s, &b));
    fakes.linkat = 0;
    b.keeper->flock_works = yes;
    assert_int_equal(mkdirat(s->fd, claim, 0700), 0);
    assert_int_equal(try_for_error(s, &b), ERR_LIMIT);
    assert_int_equal(unlinkat(s->fd, claim, AT_REMOVEDIR), 0);
    assert_true(try(s, &b));
    stop(&b);
}

static void a_lease_that_cannot_be_held_is_given_back(void **state)
{
    struct scratch *s = *state;
    struct host a;

    host_start(s, &a, "a", 0, true);
    fakes.dup = EMFILE;
    assert_int_equal(try_for_error(s, &a), ERR_VOLUME);
    assert_false(scratch_has(s, NAME));
    fakes.dup = 0;
    assert_true(try(s, &a));
    stop(&a);
}

static void a_lease_that_cannot_be_written_leaves_nothing(void **state)
{
    struct scratch *s = *state;
    struct host a;

    host_start(s, &a, "a", 0, true);
    fakes.pwrite = ENOSPC;
    assert_int_equal(try_for_error(s, &a), ERR_NO_SPACE);
    fakes.pwrite = 0;
    fakes.pwrite_short = true;
    assert_int_equal(try_for_error(s, &a), ERR_NO_SPACE);
    fakes.pwrite_short = false;
    stop(&a);
    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(mkdir(s->path, 0700), 0);
}

static void a_sweeper_that_takes_the_temporary_name_only_delays(void **state)
{
    struct scratch *s = *state;
    struct host a;

    host_start(s, &a, "a", 0, true);
    fakes.linkat = ENOENT;
    assert_false(try(s, &a));
    assert_int_equal(a.watch.phase, LEASE_WATCHING);
    fakes.linkat = 0;
    assert_true(try(s, &a));
    stop(&a);
}

static void a_watch_that_won_once_starts_anew(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, true);
    host_start(s, &b, "b", 0, true);
    assert_true(try(s, &a));
    lease_release(&a.lease);
    assert_true(try(s, &b));
    assert_false(try(s, &a));
    assert_int_equal(a.watch.phase, LEASE_WATCHING);
    stop(&a);
    stop(&b);
}

static void a_thousand_dead_claims_are_enough(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host b;

    host_start(s, &dead, "dead", 0, true);
    host_start(s, &b, "b", 0, true);
    assert_true(try(s, &dead));
    for (int i = 1; i <= 1000; i++) {
        struct lease_state gone = on_disk(s);
        char text[LEASE_TEXT];

        lease_format(text, &gone);
        scratch_write(s, claim_on(s, i < 2 ? "" : str_format(&s->arena, ".%d", i)), text,
                      sizeof(text));
    }
    kill_host(&dead);
    assert_int_equal(try_for_error(s, &b), ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, "1000 dead claims"));
    stop(&b);
}

static void damage_to_a_lease_in_its_place_costs_it(void **state)
{
    static const char garbage[2000];
    struct scratch *s = *state;
    struct host a;

    host_start(s, &a, "a", 0, true);
    assert_true(try(s, &a));
    scratch_write(s, NAME, garbage, sizeof(garbage));
    for (int i = 0; i < 2; i++) {
        pass(&a, 3000);
        lease_keeper_beat(a.keeper);
        assert_false(lease_lost(a.lease));
    }
    pass(&a, 3000);
    assert_true(lease_lost(a.lease));
    stop(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_lease_that_was_made_though_the_answer_says_no_is_ours),
        SCRATCH_TEST(an_answer_that_says_no_and_means_it_is_no),
        SCRATCH_TEST(without_hard_links_leases_and_claims_work_the_same),
        SCRATCH_TEST(a_takeover_whose_answer_was_lost_is_ours),
        SCRATCH_TEST(a_takeover_that_the_disk_refuses_is_an_error_and_leaves_no_claim),
        SCRATCH_TEST(on_a_shared_filesystem_each_renewal_is_sent_to_the_server),
        SCRATCH_TEST(a_lease_that_cannot_be_read_again_is_not_taken_over),
        SCRATCH_TEST(a_lease_that_cannot_be_held_is_given_back),
        SCRATCH_TEST(a_lease_that_cannot_be_written_leaves_nothing),
        SCRATCH_TEST(a_sweeper_that_takes_the_temporary_name_only_delays),
        SCRATCH_TEST(a_watch_that_won_once_starts_anew),
        SCRATCH_TEST(a_thousand_dead_claims_are_enough),
        SCRATCH_TEST(damage_to_a_lease_in_its_place_costs_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
