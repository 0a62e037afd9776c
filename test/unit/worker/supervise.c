#include "worker/supervise.h"

#include <signal.h>

#include "../child.h"
#include "hand.h"

#define STOP_MS UINT64_C(30000)

/*
 * A supervisor with a clock of ours over one command, in a process of its own, since what it does
 * with signals is not taken back. Who is deaf has SIGTERM blocked from its birth.
 */
struct over {
    struct hand hand;
    struct news news;
    struct config config;
    struct supervised command;
    struct supervisor s;
    struct err err;
};

static bool begin(struct over *o, char *const *argv, bool deaf)
{
    static char *const no_variables[] = {NULL};
    sigset_t term;
    int cannot = -1;

    *o = (struct over){.config = {.options = {.stop_timeout_ms = STOP_MS}},
                       .command = {.name = "it", .argv = argv}};
    hand_init(&o->hand, 1000);
    news_init(&o->news, &o->hand.clock);
    o->s = (struct supervisor){.config = &o->config,
                               .clock = &o->hand.clock,
                               .news = &o->news,
                               .variables = no_variables,
                               .commands = &o->command,
                               .count = 1,
                               .signals = -1};
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    return (!deaf || sigprocmask(SIG_BLOCK, &term, NULL) == 0) &&
           supervisor_begin(&o->s, &o->err) == 0 &&
           supervisor_start(&o->s, &o->command, &cannot, &o->err) == 0 && cannot == 0 &&
           supervisor_ended(&o->s) == NULL;
}

/* Until it has ended: each round ends as soon as something comes. */
static int ended(struct over *o)
{
    while (o->command.pid > 0)
        supervisor_round(&o->s, 1000);
    return supervisor_ended(&o->s) == &o->command ? child_exit_status(o->command.wait_status) : -1;
}

static bool raise_of(int signal, struct over *o)
{
    if (kill(getpid(), signal) < 0)
        return false;
    supervisor_round(&o->s, 1000);
    return true;
}

static char *const sleeps[] = {(char[]){"/bin/sleep"}, (char[]){"1000"}, NULL};

static bool an_end(void *ctx)
{
    char *const argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char[]){"exit 3"}, NULL};
    struct over o;

    (void)ctx;
    return begin(&o, argv, false) && ended(&o) == 3 && o.s.stop == 0;
}

static bool a_wish(void *ctx)
{
    struct over o;

    return begin(&o, sleeps, false) && raise_of(*(int *)ctx, &o) && o.s.stop == *(int *)ctx &&
           ended(&o) == 128 + *(int *)ctx && o.s.kill_at_ms == 1000 + STOP_MS;
}

static bool another_signal(void *ctx)
{
    struct over o;

    return begin(&o, sleeps, false) && raise_of(*(int *)ctx, &o) &&
           ended(&o) == 128 + *(int *)ctx && o.s.stop == 0;
}

static bool ignored_signals(void *ctx)
{
    static const int ours[] = {SIGPIPE, SIGTTIN, SIGTTOU, SIGTSTP};
    struct over o;

    (void)ctx;
    if (!begin(&o, sleeps, false))
        return false;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (!raise_of(ours[i], &o) || o.s.stop != 0)
            return false;
    }
    /* The first that it gets is the one that ends it. */
    return raise_of(SIGUSR2, &o) && ended(&o) == 128 + SIGUSR2;
}

static bool late(void *ctx)
{
    struct over o;

    (void)ctx;
    if (!begin(&o, sleeps, true) || !raise_of(SIGTERM, &o))
        return false;
    o.hand.now_ms += STOP_MS - 1;
    supervisor_round(&o.s, 0);
    /* What came first ends it: SIGKILL, had it been sent too early. */
    if (kill(o.command.pid, SIGUSR1) < 0 || ended(&o) != 128 + SIGUSR1)
        return false;
    if (!begin(&o, sleeps, true) || !raise_of(SIGTERM, &o))
        return false;
    o.hand.now_ms += STOP_MS;
    return ended(&o) == 137;
}

static bool twice(void *ctx)
{
    struct over o;

    (void)ctx;
    return begin(&o, sleeps, true) && raise_of(SIGTERM, &o) && o.command.pid > 0 &&
           raise_of(SIGINT, &o) && o.s.stop == SIGTERM && ended(&o) == 137;
}

static void a_command_that_ends_is_noticed_with_its_status(void **state)
{
    (void)state;
    in_child(an_end, NULL);
}

static void a_wish_to_stop_is_kept_and_handed_on(void **state)
{
    int signals[] = {SIGTERM, SIGINT};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        in_child(a_wish, &signals[i]);
}

static void any_other_signal_is_handed_on_and_is_no_wish(void **state)
{
    int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGRTMIN};

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        in_child(another_signal, &signals[i]);
}

static void signals_that_are_about_us_are_not_handed_on(void **state)
{
    (void)state;
    in_child(ignored_signals, NULL);
}

static void who_does_not_stop_in_time_is_killed_and_not_before(void **state)
{
    (void)state;
    in_child(late, NULL);
}

static void a_second_wish_kills_and_the_first_is_the_one_that_is_kept(void **state)
{
    (void)state;
    in_child(twice, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_that_ends_is_noticed_with_its_status),
        cmocka_unit_test(a_wish_to_stop_is_kept_and_handed_on),
        cmocka_unit_test(any_other_signal_is_handed_on_and_is_no_wish),
        cmocka_unit_test(signals_that_are_about_us_are_not_handed_on),
        cmocka_unit_test(who_does_not_stop_in_time_is_killed_and_not_before),
        cmocka_unit_test(a_second_wish_kills_and_the_first_is_the_one_that_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
