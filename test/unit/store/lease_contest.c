#include "hosts.h"
#include "store/lease.h"

/* ---- contests ---- */

static void of_many_that_judge_at_the_same_moment_one_wins(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host hosts[8];
    unsigned winners = 0;

    host_start(s, &dead, "dead", 0, false);
    assert_true(try(s, &dead));
    kill_host(&dead);
    for (size_t i = 0; i < 8; i++)
        host_start(s, &hosts[i], "waiter", i * 1000, false);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 8; i++) {
            if (hosts[i].lease == NULL && try(s, &hosts[i]))
                winners++;
            pass(&hosts[i], 1000);
            lease_keeper_beat(hosts[i].keeper);
        }
    }
    assert_int_equal(winners, 1);
    for (size_t i = 0; i < 8; i++)
        stop(&hosts[i]);
    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(mkdir(s->path, 0700), 0);
}

static void a_claim_of_another_is_respected_and_a_dead_one_is_passed_by(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host b;
    const char *claim;

    host_start(s, &dead, "dead", 0, false);
    host_start(s, &b, "b", 0, false);
    assert_true(try(s, &dead));
    kill_host(&dead);
    claim = claim_on(s, "");
    plant_claim(s, claim);
    let_judge(s, &b);
    for (uint64_t waited = 0; waited < TAKEOVER; waited += 1000) {
        assert_false(try(s, &b));
        assert_int_equal(b.watch.phase, LEASE_OUTRUN);
        pass(&b, 1000);
    }
    assert_true(try(s, &b));
    assert_false(scratch_has(s, claim));
    stop(&b);
}

static void claims_may_die_again_and_again(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host b;
    unsigned looks = 0;

    host_start(s, &dead, "dead", 0, false);
    host_start(s, &b, "b", 0, false);
    assert_true(try(s, &dead));
    kill_host(&dead);
    plant_claim(s, claim_on(s, ""));
    plant_claim(s, claim_on(s, ".2"));
    plant_claim(s, claim_on(s, ".3"));
    for (; !try(s, &b); looks++)
        pass(&b, 1000);
    assert_int_equal(looks, 4 * TAKEOVER / 1000);
    stop(&b);
    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(mkdir(s->path, 0700), 0);
}

/* Between a contender's judgement and its claim: the proof of flock is asked for just then. */
static struct {
    struct scratch *s;
    struct host *other;
    struct host *self;
} meanwhile;

static bool another_takes_over(int dirfd)
{
    (void)dirfd;
    assert_true(try(meanwhile.s, meanwhile.other));
    return true;
}

static bool time_passes(int dirfd)
{
    (void)dirfd;
    pass(meanwhile.self, TAKEOVER / 2);
    return true;
}

static void a_claim_that_is_won_late_finds_the_new_holder_and_leaves_it_alone(void **state)
{
    struct scratch *s = *state;
    struct host dead;
    struct host b;
    struct host c;
    const char *claim;

    host_start(s, &dead, "dead", 0, true);
    host_start(s, &b, "b", 0, false);
    host_start(s, &c, "c", 0, true);
    assert_true(try(s, &dead));
    claim = claim_on(s, "");
    let_judge(s, &b);
    kill_host(&dead);
    meanwhile.s = s;
    meanwhile.other = &b;
    c.keeper->flock_works = another_takes_over;
    assert_false(try(s, &c));
    assert_non_null(b.lease);
    assert_string_equal(on_disk(s).host, "b");
    assert_false(scratch_has(s, claim));
    pass(&b, 3000);
    lease_keeper_beat(b.keeper);
    assert_false(lease_lost(b.lease));
    stop(&b);
    stop(&c);
}

static void a_claimant_that_was_paused_before_it_claimed_looks_again_first(void **state)
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
    meanwhile.self = &b;
    b.keeper->flock_works = time_passes;
    assert_false(try(s, &b));
    assert_false(scratch_has(s, claim));
    b.keeper->flock_works = yes;
    assert_true(try(s, &b));
    stop(&b);
}

static void a_holder_that_comes_back_before_the_claim_is_done_keeps_it(void **state)
{
    struct scratch *s = *state;
    struct host a;
    struct host b;

    host_start(s, &a, "a", 0, false);
    host_start(s, &b, "b", 0, false);
    assert_true(try(s, &a));
    let_judge(s, &b);
    pass(&a, 3000);
    lease_keeper_beat(a.keeper);
    assert_false(try(s, &b));
    assert_int_equal(b.watch.unchanged_ms, 0);
    assert_false(lease_lost(a.lease));
    stop(&a);
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(of_many_that_judge_at_the_same_moment_one_wins),
        SCRATCH_TEST(a_claim_of_another_is_respected_and_a_dead_one_is_passed_by),
        SCRATCH_TEST(claims_may_die_again_and_again),
        SCRATCH_TEST(a_claim_that_is_won_late_finds_the_new_holder_and_leaves_it_alone),
        SCRATCH_TEST(a_claimant_that_was_paused_before_it_claimed_looks_again_first),
        SCRATCH_TEST(a_holder_that_comes_back_before_the_claim_is_done_keeps_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
