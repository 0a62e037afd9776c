#include "worker/status.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "../store/scratch.h"
#include "hand.h"
#include "text/buf.h"

/* A keeper in a folder of its own, and who reads there. */
struct pair {
    struct hand hand;
    struct config config;
    struct status_keeper keeper;
    struct status_seen seen;
};

static void begin(struct pair *p, struct scratch *s)
{
    *p = (struct pair){.config = {.runtime_dir = s->path, .host = "here"}};
    hand_init(&p->hand, 100000);
    assert_int_equal(status_keep(&p->keeper, &s->arena, &p->config, &p->hand.clock, &s->err), 0);
}

static void move(struct pair *p, enum fleet_state to)
{
    const struct worker_news now = {.state = to, .reason = "why"};

    status_observe(&p->keeper, NEWS_MOVED, &now);
}

static const struct status_seen *look(struct pair *p, struct scratch *s)
{
    if (status_read(&p->seen, &s->arena, &p->config, &p->hand.clock, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    return &p->seen;
}

/* As another writer would have left it. */
static void plant(struct scratch *s, const struct status *was)
{
    struct str text = status_format(&s->arena, was);

    scratch_write(s, "worker.status", text.ptr, text.len);
}

static void what_is_observed_is_what_is_read(void **state)
{
    struct scratch *s = *state;
    struct worker_news now = {.state = FLEET_DOWNLOADING,
                              .model = "hf:org/name",
                              .bytes = 1,
                              .total = 2,
                              .bps = 3,
                              .pid = 4,
                              .restarts = 5,
                              .since_unix_ms = 6};
    struct pair p;

    begin(&p, s);
    status_observe(&p.keeper, NEWS_MOVED, &now);
    p.hand.now_ms += 700;
    (void)look(&p, s);
    assert_int_equal(p.seen.status.state, FLEET_DOWNLOADING);
    assert_string_equal(p.seen.status.host, "here");
    assert_string_equal(p.seen.status.model, "hf:org/name");
    assert_int_equal(p.seen.status.total, 2);
    assert_int_equal(p.seen.status.command_pid, 4);
    assert_int_equal(p.seen.status.restarts, 5);
    assert_int_equal(p.seen.status.pid, getpid());
    assert_int_equal(p.seen.age_ms, 700);
    assert_int_equal(p.seen.life, STATUS_ALIVE);
    status_keep_done(&p.keeper);
}

static void it_is_written_with_each_move_and_else_every_two_seconds(void **state)
{
    struct scratch *s = *state;
    struct worker_news now = {.state = FLEET_RUNNING};
    struct pair p;

    begin(&p, s);
    move(&p, FLEET_RUNNING);
    p.hand.now_ms += STATUS_EVERY_MS - 1;
    status_observe(&p.keeper, NEWS_TICK, &now);
    assert_int_equal(look(&p, s)->age_ms, STATUS_EVERY_MS - 1);
    p.hand.now_ms += 1;
    status_observe(&p.keeper, NEWS_TICK, &now);
    assert_int_equal(look(&p, s)->age_ms, 0);
    p.hand.now_ms += 1;
    move(&p, FLEET_DRAINING);
    assert_int_equal(look(&p, s)->age_ms, 0);
    assert_int_equal(p.seen.status.state, FLEET_DRAINING);
    status_keep_done(&p.keeper);
}

static void a_probe_is_told_what_the_table_of_states_says(void **state)
{
    struct scratch *s = *state;
    struct pair p;

    begin(&p, s);
    for (enum fleet_state i = 0; i < FLEET_STATES; i++) {
        move(&p, i);
        (void)look(&p, s);
        assert_int_equal(status_is_live(&p.seen), i != FLEET_STOPPED && i != FLEET_FAILED);
        assert_int_equal(status_is_ready(&p.seen), i == FLEET_RUNNING);
    }
    status_keep_done(&p.keeper);
}

static void who_is_gone_is_neither_live_nor_ready(void **state)
{
    struct scratch *s = *state;
    struct pair p;
    struct status was;
    pid_t child;

    begin(&p, s);
    move(&p, FLEET_RUNNING);
    was = look(&p, s)->status;
    /* Another process has got the number meanwhile. */
    was.start_ticks++;
    plant(s, &was);
    assert_int_equal(look(&p, s)->life, STATUS_GONE);
    assert_false(status_is_live(&p.seen) || status_is_ready(&p.seen));
    /* A zombie is not there any more. */
    child = fork();
    if (child == 0)
        for (;;)
            (void)pause();
    was.pid = (uint64_t)child;
    was.start_ticks = status_start_of(was.pid);
    plant(s, &was);
    assert_int_equal(look(&p, s)->life, STATUS_ALIVE);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    assert_int_equal(look(&p, s)->life, STATUS_GONE);
    assert_int_equal(waitpid(child, NULL, 0), child);
    /* Since the host was started anew nobody of then lives. */
    move(&p, FLEET_RUNNING);
    was = look(&p, s)->status;
    was.boot = "another";
    plant(s, &was);
    assert_int_equal(look(&p, s)->life, STATUS_GONE);
    assert_int_equal(p.seen.age_ms, 0);
    status_keep_done(&p.keeper);
}

static void in_another_namespace_the_age_is_what_counts(void **state)
{
    struct scratch *s = *state;
    struct pair p;
    struct status was;

    begin(&p, s);
    move(&p, FLEET_RUNNING);
    was = look(&p, s)->status;
    was.pid_namespace++;
    was.start_ticks++;
    plant(s, &was);
    p.hand.now_ms += STATUS_STALE_MS;
    assert_int_equal(look(&p, s)->life, STATUS_ALIVE);
    p.hand.now_ms += 1;
    assert_int_equal(look(&p, s)->life, STATUS_STALE);
    assert_false(status_is_live(&p.seen) || status_is_ready(&p.seen));
    status_keep_done(&p.keeper);
}

static void none_and_a_broken_one_are_told_apart(void **state)
{
    struct scratch *s = *state;
    struct pair p;

    begin(&p, s);
    assert_int_equal(status_read(&p.seen, &s->arena, &p.config, &p.hand.clock, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(s->err.msg, "no worker has run here"));
    move(&p, FLEET_RUNNING);
    scratch_write(s, "worker.status", "hostler-status 1\n", 17);
    assert_int_equal(status_read(&p.seen, &s->arena, &p.config, &p.hand.clock, &s->err), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
    assert_non_null(strstr(s->err.msg, "/worker.status is no status of a worker"));
    status_keep_done(&p.keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(what_is_observed_is_what_is_read),
        SCRATCH_TEST(it_is_written_with_each_move_and_else_every_two_seconds),
        SCRATCH_TEST(a_probe_is_told_what_the_table_of_states_says),
        SCRATCH_TEST(who_is_gone_is_neither_live_nor_ready),
        SCRATCH_TEST(in_another_namespace_the_age_is_what_counts),
        SCRATCH_TEST(none_and_a_broken_one_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
