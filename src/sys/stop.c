#include "sys/stop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sys/clock.h"

/*
 * A signal arrives at the process, not at a function, so this is the one state of the program that
 * is global by nature.
 */
static atomic_int wanted;
static atomic_int event_fd = -1;

static const int signals[] = {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* Written once, by stop_install(). */
static struct sigaction before[SIGNALS];
static bool installed;

/* Async-signal-safe: atomics and write(2) only. The first signal is the one that is reported. */
static void on_signal(int signal)
{
    int saved = errno;
    int none = 0;
    uint64_t one = 1;
    ssize_t written;

    (void)atomic_compare_exchange_strong(&wanted, &none, signal);
    if (atomic_load(&event_fd) >= 0) {
        written = write(atomic_load(&event_fd), &one, sizeof(one));
        (void)written; /* a full counter is readable too */
    }
    errno = saved;
}

int stop_install(struct err *err)
{
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    int fd;

    assert(atomic_load(&event_fd) < 0);
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return err_sys(err, ERR_BUG, "eventfd");
    atomic_store(&event_fd, fd);
    for (size_t i = 0; i < SIGNALS; i++) {
        bool stops = signals[i] == SIGINT || signals[i] == SIGTERM;

        if (sigaction(signals[i], stops ? &stop : &ignore, &before[i]) < 0)
            return err_sys(err, ERR_BUG, "sigaction");
    }
    installed = true;
    return 0;
}

void stop_undo(void)
{
    for (size_t i = 0; installed && i < SIGNALS; i++)
        (void)sigaction(signals[i], &before[i], NULL);
}

int stop_signal(void)
{
    return atomic_load(&wanted);
}

int stop_fd(void)
{
    return atomic_load(&event_fd);
}

void stop_request(int signal)
{
    uint64_t drained;
    ssize_t got;

    if (signal != 0) {
        on_signal(signal);
        return;
    }
    atomic_store(&wanted, 0);
    if (stop_fd() >= 0) {
        got = read(stop_fd(), &drained, sizeof(drained));
        (void)got; /* EAGAIN: no wish was pending */
    }
}

bool stop_wait_ms(uint64_t ms)
{
    const struct clock *clock = clock_real();
    uint64_t end;
    uint64_t now = clock_now_ms(clock);

    if (__builtin_add_overflow(now, ms, &end))
        end = UINT64_MAX;
    while (!stop_wanted() && now < end) {
        struct pollfd p = {.fd = stop_fd(), .events = POLLIN};
        uint64_t left = end - now;

        /* A negative descriptor is skipped by poll(2): before stop_install() this only sleeps. */
        (void)poll(&p, 1, left < INT32_MAX ? (int)left : INT32_MAX);
        now = clock_now_ms(clock);
    }
    return stop_wanted();
}

int stop_err(struct err *err)
{
    int signal = stop_signal();

    if (signal == SIGINT || signal == SIGTERM)
        return err_set(err, ERR_INTERRUPTED, "stopped by %s",
                       signal == SIGINT ? "SIGINT" : "SIGTERM");
    return err_set(err, ERR_INTERRUPTED, "stopped");
}
