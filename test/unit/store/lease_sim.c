/*
 * Thousands of random moves of several hosts on one lease: they try, renew, work, pause, die, come
 * back and give up, on clocks that show different hours but run equally fast. After each move at
 * most one believes that the lease is its own, and in the end somebody can always have it.
 */
#include "hosts.h"
#include "store/lease.h"

#define HOSTS 5
#define MOVES 4000

struct world {
    struct scratch *s;
    struct host hosts[HOSTS];
    uint64_t paused_until_ms[HOSTS];
    uint64_t now_ms;
    uint64_t random;
    unsigned taken;
    unsigned lost;
    bool provable;
};

/* xorshift64: the same moves in every run of one seed. */
static uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % below;
}

static void begin(struct world *w, size_t i)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "host%zu", i);
    host_start(w->s, &w->hosts[i], name, w->now_ms + i * 1000000, w->provable);
    w->paused_until_ms[i] = 0;
}

static void check(const struct world *w, uint64_t seed, int move)
{
    unsigned holders = 0;

    for (size_t i = 0; i < HOSTS; i++)
        holders += w->hosts[i].lease != NULL && !lease_lost(w->hosts[i].lease);
    if (holders > 1)
        fail_msg("%u hold it at once: seed %ju, move %d", holders, (uintmax_t)seed, move);
}

/* What a host does when it is its turn. */
static void act(struct world *w, size_t i)
{
    struct host *h = &w->hosts[i];

    switch (draw(w, 40)) {
    case 0:
        kill_host(h);
        begin(w, i);
        break;
    case 1: w->paused_until_ms[i] = w->now_ms + draw(w, (uint64_t)3 * TAKEOVER); break;
    case 2: lease_release(&h->lease); break;
    default:
        lease_keeper_beat(h->keeper);
        if (h->lease != NULL && lease_lost(h->lease)) {
            w->lost++;
            lease_release(&h->lease);
        }
        if (h->lease == NULL && try(w->s, h))
            w->taken++;
    }
}

static void simulate(struct scratch *s, uint64_t seed, bool provable, bool links)
{
    struct world w = {.s = s, .random = seed, .provable = provable};

    fakes.linkat = links ? 0 : EPERM;
    for (size_t i = 0; i < HOSTS; i++)
        begin(&w, i);
    for (int move = 0; move < MOVES; move++) {
        size_t i = draw(&w, HOSTS);
        uint64_t step = draw(&w, 400);

        w.now_ms += step;
        for (size_t k = 0; k < HOSTS; k++)
            pass(&w.hosts[k], step);
        if (w.now_ms >= w.paused_until_ms[i])
            act(&w, i);
        check(&w, seed, move);
    }
    assert_true(w.taken > 10);
    assert_true(w.lost > 0);
    for (size_t i = 0; i < HOSTS; i++)
        kill_host(&w.hosts[i]);
    begin(&w, 0);
    for (unsigned looks = 0; !try(s, &w.hosts[0]); looks++) {
        pass(&w.hosts[0], 1000);
        assert_true(looks < HOSTS * 4 * TAKEOVER / 1000);
    }
    stop(&w.hosts[0]);
}

static void at_most_one_holds_it_whatever_happens(void **state)
{
    for (uint64_t seed = 1; seed <= 6; seed++)
        simulate(*state, seed * 0x9e3779b97f4a7c15U, false, true);
}

static void at_most_one_holds_it_where_deaths_are_proved(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        simulate(*state, seed * 0x9e3779b97f4a7c15U, true, true);
}

static void at_most_one_holds_it_without_hard_links(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        simulate(*state, seed * 0x9e3779b97f4a7c15U, false, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(at_most_one_holds_it_whatever_happens),
        SCRATCH_TEST(at_most_one_holds_it_where_deaths_are_proved),
        SCRATCH_TEST(at_most_one_holds_it_without_hard_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
