#include "store/lease.h"

#include "fakes.h"
#include "scratch.h"
#include "store/lease_file.h"
#include "store/lease_keeper.h"
#include "store/lease_text.h"

#define NAME     "lease"
#define TAKEOVER 15000

/* ---- a world of several hosts on one directory, with hands of the clock that we turn ---- */

static bool yes(int dirfd)
{
    (void)dirfd;
    return true;
}

static bool no(int dirfd)
{
    (void)dirfd;
    return false;
}

static uint64_t read_hands(const struct clock *c)
{
    return *(const uint64_t *)c->ctx;
}

/* Each has its own clock: they start at different hours and may be turned apart. */
struct host {
    uint64_t now_ms;
    struct clock clock;
    struct lease_keeper *keeper;
    struct lease_watch watch;
    struct lease *lease;
};

static void host_start(struct scratch *s, struct host *h, const char *name, uint64_t now_ms,
                       bool provable)
{
    struct lease_keeper_options options = {
        .clock = &h->clock,
        .host = name,
        .takeover_ms = TAKEOVER,
        .manual = true,
        .is_local = provable ? yes : no,
        .flock_works = yes,
    };

    *h = (struct host){.now_ms = now_ms};
    h->clock = (struct clock){.now_ms = read_hands, .unix_ms = read_hands, .ctx = &h->now_ms};
    h->keeper = lease_keeper_new(&options, &s->err);
    assert_non_null(h->keeper);
}

static bool try(struct scratch *s, struct host *h)
{
    assert_int_equal(lease_try(&h->lease, &h->watch, h->keeper,
                               &(struct lease_name){s->fd, NAME, "hf:org/name"}, &s->err),
                     0);
    return h->lease != NULL;
}

static void pass(struct host *h, uint64_t ms)
{
    h->now_ms += ms;
}

static void stop(struct host *h)
{
    lease_release(&h->lease);
    lease_keeper_free(&h->keeper);
}

/* As kill -9: the descriptors go, the file stays. */
static void kill_host(struct host *h)
{
    for (struct lease *lease = h->keeper->held; lease != NULL; lease = lease->next) {
        (void)close(lease->fd);
        lease->fd = -1;
        lease->name[0] = '?';
    }
    stop(h);
}

static struct lease_state on_disk(struct scratch *s)
{
    LEASE_FILE_SCOPED f = {.fd = -1};

    assert_int_equal(lease_file_read(&f, s->fd, NAME, &s->err), 0);
    assert_true(f.fd >= 0);
    assert_true(f.whole);
    return f.state;
}

static enum err_code try_for_error(struct scratch *s, struct host *h)
{
    struct lease_name name = {s->fd, NAME, "x"};

    s->err = (struct err){0};
    assert_int_equal(lease_try(&h->lease, &h->watch, h->keeper, &name, &s->err), -1);
    assert_null(h->lease);
    return s->err.code;
}

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

/* Brings h to the point where it judges the lease dead at its next look. */
static void let_judge(struct scratch *s, struct host *h)
{
    for (uint64_t waited = 0; waited < TAKEOVER; waited += 1000) {
        assert_false(try(s, h));
        pass(h, 1000);
    }
}

static const char *claim_on(struct scratch *s, const char *suffix)
{
    return str_format(&s->arena, "%s.claim.%s%s", NAME, on_disk(s).token, suffix);
}

static void plant_claim(struct scratch *s, const char *name)
{
    struct lease_state state = {.token = "0123456789abcdef", .host = "x", .boot_id = "-"};
    char text[LEASE_TEXT];

    memcpy(state.what, "-", 2);
    lease_format(text, &state);
    scratch_write(s, name, text, sizeof(text));
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
    assert_int_equal(try_for_error(s, &b), ERR_VOLUME);
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
    assert_int_equal(try_for_error(s, &b), ERR_VOLUME);
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    assert_int_equal(mkdirat(s->fd, NAME, 0700), 0);
    assert_int_equal(
        lease_try(&b.lease, &b.watch, b.keeper, &(struct lease_name){s->fd, NAME, "x"}, &s->err),
        -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
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
        SCRATCH_TEST(a_holder_that_could_not_renew_for_half_the_time_stops_by_itself),
        SCRATCH_TEST(a_waiter_that_was_paused_does_not_judge_by_its_own_absence),
        SCRATCH_TEST(a_lease_that_somebody_removed_or_replaced_is_lost),
        SCRATCH_TEST(of_many_that_judge_at_the_same_moment_one_wins),
        SCRATCH_TEST(a_claim_of_another_is_respected_and_a_dead_one_is_passed_by),
        SCRATCH_TEST(claims_may_die_again_and_again),
        SCRATCH_TEST(a_claim_that_is_won_late_finds_the_new_holder_and_leaves_it_alone),
        SCRATCH_TEST(a_claimant_that_was_paused_before_it_claimed_looks_again_first),
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
        SCRATCH_TEST(a_process_without_threads_left_is_told_so),
        SCRATCH_TEST(a_holder_that_comes_back_before_the_claim_is_done_keeps_it),
        SCRATCH_TEST(a_torn_lease_counts_as_held_until_it_was_watched),
        SCRATCH_TEST(a_lease_of_another_format_is_held_for_ever),
        SCRATCH_TEST(a_name_that_is_no_file_is_an_error),
        SCRATCH_TEST(a_directory_that_cannot_be_written_is_an_error),
        cmocka_unit_test(only_the_moves_of_the_table_are_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
