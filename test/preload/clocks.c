/*
 * Clocks of another machine. To be preloaded; the tests set the environment it reads:
 *
 *     CLOCKS_SHIFT_S  so many seconds the time of day is ahead (or behind, with a minus)
 *     CLOCKS_STOP     1: the monotonic clock stands still while the process is stopped, as it does
 *                     in a virtual machine that is paused whole; who wakes notices nothing
 *
 * A process counts as stopped when it has not asked for the time for GAP_NS: an engine at work asks
 * several times a second.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define GAP_NS    (SECOND_NS * 7 / 10)

static _Atomic int64_t last_ns;
static _Atomic int64_t lost_ns; /* that we were stopped, all together */

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] == '1';
}

static int64_t shift_s(void)
{
    const char *text = getenv("CLOCKS_SHIFT_S");
    bool behind = text != NULL && *text == '-';
    int64_t n = 0;

    for (text += behind ? 1 : 0; text != NULL && *text >= '0' && *text <= '9'; text++)
        n = n * 10 + (*text - '0');
    return behind ? -n : n;
}

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * SECOND_NS + t->tv_nsec;
}

static struct timespec of_ns(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
}

/* Only the first to ask after a gap finds it; the others find the time that he left. */
static int64_t without_stops(int64_t now_ns)
{
    int64_t before = atomic_exchange(&last_ns, now_ns);

    if (before != 0 && now_ns - before > GAP_NS)
        atomic_fetch_add(&lost_ns, now_ns - before);
    return now_ns - atomic_load(&lost_ns);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    long result = syscall(SYS_clock_gettime, id, t);

    if (result != 0)
        return (int)result;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        t->tv_sec += shift_s();
    else if ((id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) && is_set("CLOCKS_STOP"))
        *t = of_ns(without_stops(ns_of(t)));
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* The kernel waits by its own clock, which did not stop. */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock,
                           const struct timespec *restrict until)
{
    int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec at = of_ns(ns_of(until) + atomic_load(&lost_ns));

    *(void **)&next = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    return next(cond, lock, &at);
}
