#include "worker/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "../store/scratch.h"
#include "hand.h"

#define EXTEND "EXTEND_TIMEOUT_USEC=60000000"

/* A service manager that listens, and who tells it. */
struct manager {
    int fd;
    struct hand hand;
    struct notify notify;
    char *variables[4];
};

static void listen_at(struct manager *m, const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);

    memcpy(at.sun_path, name, len);
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(m->fd >= 0);
    assert_int_equal(bind(m->fd, (const struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
}

/* By a path in the scratch folder, with two more variables or NULL. */
static void open_pair(struct manager *m, struct scratch *s, const char *usec, const char *pid)
{
    const char *path = str_format(&s->arena, "%s/notify", s->path);

    *m = (struct manager){.fd = -1};
    hand_init(&m->hand, 10000);
    listen_at(m, path);
    m->variables[0] = str_format(&s->arena, "NOTIFY_SOCKET=%s", path);
    if (usec != NULL)
        m->variables[1] = str_format(&s->arena, "WATCHDOG_USEC=%s", usec);
    if (pid != NULL)
        m->variables[2] = str_format(&s->arena, "WATCHDOG_PID=%s", pid);
    notify_open(&m->notify, m->variables, &m->hand.clock);
    assert_true(m->notify.fd >= 0);
}

static void close_pair(struct manager *m)
{
    notify_close(&m->notify);
    assert_int_equal(m->notify.fd, -1);
    (void)close(m->fd);
}

/* All that has come, each message with a bar behind it; what was sent is there at once. */
static const char *heard(struct manager *m)
{
    static char all[4096];
    size_t len = 0;
    ssize_t got;

    while ((got = recv(m->fd, all + len, sizeof(all) - len - 1, 0)) > 0) {
        len += (size_t)got;
        all[len++] = '|';
    }
    assert_int_equal(errno, EAGAIN);
    all[len] = '\0';
    return all;
}

static void tell(struct manager *m, enum news_kind kind, enum fleet_state state)
{
    struct worker_news now = {.state = state};

    notify_observe(&m->notify, kind, &now);
}

static void a_path_and_an_abstract_name_are_addresses_and_nothing_else_is(void **state)
{
    struct scratch *s = *state;
    char name[64];
    char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    const char *none[] = {"", "/", "@", "relative", "vsock:2:1234", longest};
    struct manager m = {.fd = -1};

    hand_init(&m.hand, 1);
    (void)snprintf(name, sizeof(name), "@hostler-test-%d", (int)getpid());
    listen_at(&m, name);
    m.variables[0] = str_format(&s->arena, "NOTIFY_SOCKET=%s", name);
    notify_open(&m.notify, m.variables, &m.hand.clock);
    tell(&m, NEWS_MOVED, FLEET_RUNNING);
    assert_string_equal(heard(&m), "READY=1|STATUS=running|");
    close_pair(&m);

    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        m.variables[0] = str_format(&s->arena, "NOTIFY_SOCKET=%s", none[i]);
        notify_open(&m.notify, m.variables, &m.hand.clock);
        assert_int_equal(m.notify.fd, -1);
    }
    m.variables[0] = NULL;
    notify_open(&m.notify, m.variables, &m.hand.clock);
    assert_int_equal(m.notify.fd, -1);
    tell(&m, NEWS_MOVED, FLEET_RUNNING);
}

static void a_start_is_extended_with_each_tick_until_it_is_ready(void **state)
{
    struct manager m;

    open_pair(&m, *state, NULL, NULL);
    tell(&m, NEWS_MOVED, FLEET_DOWNLOADING);
    assert_string_equal(heard(&m), "STATUS=downloading|" EXTEND "|");
    tell(&m, NEWS_TICK, FLEET_DOWNLOADING);
    assert_string_equal(heard(&m), EXTEND "|");
    tell(&m, NEWS_MOVED, FLEET_RUNNING);
    assert_string_equal(heard(&m), "READY=1|STATUS=running|");
    tell(&m, NEWS_TICK, FLEET_RUNNING);
    assert_string_equal(heard(&m), "");
    /* Ready is told once; a second start is no start of the service. */
    tell(&m, NEWS_MOVED, FLEET_LAUNCHING);
    tell(&m, NEWS_MOVED, FLEET_RUNNING);
    assert_string_equal(heard(&m), "STATUS=launching|STATUS=running|");
    close_pair(&m);
}

static void an_end_is_told_and_not_extended(void **state)
{
    struct manager m;

    open_pair(&m, *state, NULL, NULL);
    tell(&m, NEWS_MOVED, FLEET_DRAINING);
    tell(&m, NEWS_TICK, FLEET_DRAINING);
    assert_string_equal(heard(&m), "STOPPING=1|STATUS=draining|");
    tell(&m, NEWS_MOVED, FLEET_FAILED);
    tell(&m, NEWS_TICK, FLEET_FAILED);
    assert_string_equal(heard(&m), "STATUS=failed|");
    close_pair(&m);
}

static void progress_is_told_once_a_second(void **state)
{
    struct worker_news now = {
        .state = FLEET_DOWNLOADING, .model = "hf:org/name", .bytes = 1000000, .total = 2000000};
    struct manager m;

    open_pair(&m, *state, NULL, NULL);
    notify_observe(&m.notify, NEWS_PROGRESS, &now);
    assert_string_equal(heard(&m), "STATUS=downloading hf:org/name, 1.0 MB of 2.0 MB|");
    m.hand.now_ms += 999;
    notify_observe(&m.notify, NEWS_PROGRESS, &now);
    assert_string_equal(heard(&m), "");
    m.hand.now_ms += 1;
    notify_observe(&m.notify, NEWS_PROGRESS, &now);
    assert_string_equal(heard(&m), "STATUS=downloading hf:org/name, 1.0 MB of 2.0 MB|");
    close_pair(&m);
}

static void a_reason_cannot_begin_a_message_of_its_own(void **state)
{
    struct worker_news now = {.state = FLEET_FAILED, .reason = "a\nREADY=1\r\nb"};
    struct manager m;

    open_pair(&m, *state, NULL, NULL);
    notify_observe(&m.notify, NEWS_MOVED, &now);
    assert_string_equal(heard(&m), "STATUS=failed: a READY=1  b|");
    close_pair(&m);
}

static void the_watchdog_is_fed_twice_in_its_time(void **state)
{
    struct manager m;

    open_pair(&m, *state, "3000000", NULL);
    tell(&m, NEWS_TICK, FLEET_FAILED);
    assert_string_equal(heard(&m), "WATCHDOG=1|");
    m.hand.now_ms += 1499;
    tell(&m, NEWS_TICK, FLEET_FAILED);
    assert_string_equal(heard(&m), "");
    m.hand.now_ms += 1;
    tell(&m, NEWS_TICK, FLEET_FAILED);
    assert_string_equal(heard(&m), "WATCHDOG=1|");
    close_pair(&m);
}

static void the_watchdog_of_another_process_is_not_ours(void **state)
{
    struct scratch *s = *state;
    const struct {
        const char *usec;
        const char *pid;
        uint64_t every_ms;
    } rows[] = {
        {"2000000", NULL, 1000},
        {"2000000", str_format(&s->arena, "%d", (int)getpid()), 1000},
        {"2000000", "1", 0},
        {"2000000", "x", 0},
        {"2000000", "", 0},
        {"-1", NULL, 0},
        {"18446744073709551616", NULL, 0},
        {NULL, NULL, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct manager m;

        open_pair(&m, s, rows[i].usec, rows[i].pid);
        assert_int_equal(m.notify.watchdog_ms, rows[i].every_ms);
        close_pair(&m);
        (void)unlinkat(s->fd, "notify", 0);
    }
}

/* What it does not take is dropped: with a socket that blocks this would never end. */
static void a_manager_that_does_not_listen_holds_nobody_up(void **state)
{
    char one[64];
    struct manager m;
    int kept = 0;

    open_pair(&m, *state, NULL, NULL);
    for (int i = 0; i < 10000; i++)
        tell(&m, NEWS_MOVED, FLEET_FAILED);
    while (recv(m.fd, one, sizeof(one), 0) > 0)
        kept++;
    assert_in_range(kept, 1, 9999);
    (void)close(m.fd);
    tell(&m, NEWS_MOVED, FLEET_FAILED);
    notify_close(&m.notify);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_path_and_an_abstract_name_are_addresses_and_nothing_else_is),
        SCRATCH_TEST(a_start_is_extended_with_each_tick_until_it_is_ready),
        SCRATCH_TEST(an_end_is_told_and_not_extended),
        SCRATCH_TEST(progress_is_told_once_a_second),
        SCRATCH_TEST(a_reason_cannot_begin_a_message_of_its_own),
        SCRATCH_TEST(the_watchdog_is_fed_twice_in_its_time),
        SCRATCH_TEST(the_watchdog_of_another_process_is_not_ours),
        SCRATCH_TEST(a_manager_that_does_not_listen_holds_nobody_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
