#include "worker/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text/num.h"
#include "worker/environment.h"

/* How much longer a start may take, told every second while it goes on. */
#define EXTEND_USEC     "60000000"
#define STATUS_EVERY_MS 1000
#define MESSAGE_MAX     ((size_t)2048)

static bool take_address(struct notify *n, const char *name)
{
    size_t len = strlen(name);

    /* "@name" is abstract: its first byte is a NUL, and its length counts. */
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path))
        return false;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, name, len);
    if (name[0] == '@')
        n->to.sun_path[0] = '\0';
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

static uint64_t watchdog_of(char *const *variables)
{
    const char *usec = environment_value(variables, "WATCHDOG_USEC");
    const char *pid = environment_value(variables, "WATCHDOG_PID");
    struct err ignored = {0};
    uint64_t value;

    if (pid != NULL &&
        (num_parse_u64(&value, str_from(pid), INT32_MAX, &ignored) < 0 || (pid_t)value != getpid()))
        return 0;
    if (usec == NULL || num_parse_u64(&value, str_from(usec), UINT64_MAX, &ignored) < 0)
        return 0;
    return value / 2000;
}

void notify_open(struct notify *n, char *const *variables, const struct clock *clock)
{
    const char *name = environment_value(variables, "NOTIFY_SOCKET");

    *n = (struct notify){.fd = -1, .clock = clock};
    if (name == NULL || !take_address(n, name))
        return;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    n->watchdog_ms = watchdog_of(variables);
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        (void)close(n->fd);
    n->fd = -1;
}

static void say(const struct notify *n, const char *text)
{
    (void)sendto(n->fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
                 n->to_len);
}

/* One line: what would begin another one is a blank. */
static void one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n' || *text == '\r')
            *text = ' ';
    }
}

static void say_status(struct notify *n, const struct worker_news *now)
{
    char text[MESSAGE_MAX];
    char have[NUM_TEXT];
    char all[NUM_TEXT];
    int len = snprintf(text, sizeof(text), "STATUS=%s", fleet_state_name(now->state));

    if (now->total > 0)
        len += snprintf(text + len, sizeof(text) - (size_t)len, " %.200s, %s of %s", now->model,
                        num_format_size(have, now->bytes), num_format_size(all, now->total));
    if (now->reason[0] != '\0')
        (void)snprintf(text + len, sizeof(text) - (size_t)len, ": %s", now->reason);
    one_line(text);
    say(n, text);
    n->status_told_ms = clock_now_ms(n->clock);
}

static void say_move(struct notify *n, const struct worker_news *now)
{
    if (now->state == FLEET_RUNNING && !n->ready_told) {
        say(n, "READY=1");
        n->ready_told = true;
    }
    if (now->state == FLEET_DRAINING)
        say(n, "STOPPING=1");
    say_status(n, now);
}

/* The start goes on: whoever started us shall not give up while that is so. */
static bool is_starting(const struct notify *n, const struct worker_news *now)
{
    return !n->ready_told && fleet_state_invariant(now->state)->progress &&
           now->state != FLEET_DRAINING;
}

void notify_observe(void *ctx, enum news_kind kind, const struct worker_news *now)
{
    struct notify *n = ctx;
    uint64_t now_ms = clock_now_ms(n->clock);

    if (n->fd < 0)
        return;
    if (kind == NEWS_MOVED)
        say_move(n, now);
    else if (kind == NEWS_PROGRESS && now_ms - n->status_told_ms >= STATUS_EVERY_MS)
        say_status(n, now);
    if (kind != NEWS_PROGRESS && is_starting(n, now))
        say(n, "EXTEND_TIMEOUT_USEC=" EXTEND_USEC);
    if (n->watchdog_ms > 0 &&
        (n->watchdog_told_ms == 0 || now_ms - n->watchdog_told_ms >= n->watchdog_ms)) {
        say(n, "WATCHDOG=1");
        n->watchdog_told_ms = now_ms;
    }
}
