/*
 * Many workers at one coordinator, each with a connection of its own, to measure what that costs.
 *
 *     beaters PORT WORKERS BEATS_A_SECOND SECONDS
 *
 * Registers all of them, then beats at an even rate, each worker in its turn, whether the answers
 * come or not. Prints one JSON object: how many answers were as they should be, how many not, and
 * milliseconds from the moment at which a beat was due to its answer, so that a coordinator that
 * lags behind cannot hide it. Connections come from several addresses of loopback, since one
 * address may have only so many.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "text/num.h"

#define ADDRESSES   4
#define MESSAGE_MAX 512

struct beater {
    int fd;
    bool waiting;
    uint64_t due_ns; /* of the beat that waits for its answer */
};

struct world {
    uint16_t port;
    size_t count;
    struct beater *all;
    int epoll;
    uint64_t *took_us;
    size_t good, bad, late;
};

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_one(const struct world *w, size_t i)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr =
                                   htonl(INADDR_LOOPBACK + 1 + (uint32_t)(i % ADDRESSES))};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(w->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void post(int fd, const char *path, const char *body)
{
    char text[MESSAGE_MAX];
    int len = snprintf(text, sizeof(text),
                       "POST %s HTTP/1.1\r\nHost: c\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       path, strlen(body), body);

    if (len < 0 || (size_t)len >= sizeof(text) || write(fd, text, (size_t)len) != len)
        die("write");
}

/* Answers are small: one read has all of one. */
static bool read_answer(int fd)
{
    char text[2048];
    ssize_t got = read(fd, text, sizeof(text) - 1);

    if (got <= 0)
        die("the coordinator closed a connection");
    text[got] = '\0';
    return strncmp(text, "HTTP/1.1 200 ", 13) == 0;
}

static void join(struct world *w, size_t i)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
    char body[MESSAGE_MAX];
    struct beater *b = &w->all[i];

    b->fd = connect_one(w, i);
    (void)snprintf(body, sizeof(body),
                   "{\"id\":\"w%zu\",\"instance\":\"i\",\"host\":\"h%zu\",\"state\":\"running\"}",
                   i, i / 8);
    post(b->fd, "/v1/workers", body);
    if (!read_answer(b->fd)) {
        (void)fprintf(stderr, "worker %zu was not registered\n", i);
        exit(1);
    }
    if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, b->fd, &event) < 0)
        die("epoll_ctl");
}

static void beat(struct world *w, size_t i, uint64_t due_ns)
{
    struct beater *b = &w->all[i];
    char path[64];

    if (b->waiting) {
        w->late++;
        return;
    }
    (void)snprintf(path, sizeof(path), "/v1/workers/w%zu/beat", i);
    b->waiting = true;
    b->due_ns = due_ns;
    post(b->fd, path, "{\"instance\":\"i\"}");
}

static void hear(struct world *w, int wait_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(w->epoll, events, 256, wait_ms);

    for (int i = 0; i < n; i++) {
        struct beater *b = &w->all[events[i].data.u64];
        bool good = read_answer(b->fd);

        b->waiting = false;
        if (good)
            w->took_us[w->good++] = (now_ns() - b->due_ns) / 1000;
        else
            w->bad++;
    }
}

static void run(struct world *w, uint64_t rate, uint64_t seconds)
{
    uint64_t began = now_ns();

    for (uint64_t sent = 0; sent < rate * seconds;) {
        uint64_t due = began + sent * 1000000000U / rate;
        uint64_t now = now_ns();

        if (now >= due) {
            beat(w, sent % w->count, due);
            sent++;
            hear(w, 0);
        } else {
            hear(w, due - now > 1500000 ? 1 : 0);
        }
    }
    for (int i = 0; i < 20; i++)
        hear(w, 100);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;

    return *left < *right ? -1 : *left > *right;
}

static double quantile(const struct world *w, double q)
{
    return w->good == 0 ? 0 : (double)w->took_us[(size_t)(q * (double)(w->good - 1))] / 1000.0;
}

static uint64_t number(const char *text, uint64_t most)
{
    struct err err = {0};
    uint64_t n = 0;

    if (num_parse_u64(&n, str_from(text), most, &err) < 0 || n == 0) {
        (void)fprintf(stderr, "%s: %s\n", text, err.msg);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    struct world w = {0};
    struct rlimit limit;
    uint64_t rate;
    uint64_t seconds;

    if (argc != 5)
        return 2;
    w.port = (uint16_t)number(argv[1], UINT16_MAX);
    w.count = (size_t)number(argv[2], 1000000);
    rate = number(argv[3], 1000000);
    seconds = number(argv[4], 3600);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    w.all = calloc(w.count, sizeof(*w.all));
    w.took_us = calloc(rate * seconds + 1, sizeof(*w.took_us));
    w.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (w.all == NULL || w.took_us == NULL || w.epoll < 0)
        die("memory");
    for (size_t i = 0; i < w.count; i++)
        join(&w, i);
    (void)printf("{\"joined\": %zu}\n", w.count);
    (void)fflush(stdout);
    run(&w, rate, seconds);
    qsort(w.took_us, w.good, sizeof(*w.took_us), compare);
    (void)printf("{\"good\": %zu, \"bad\": %zu, \"late\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
                 "\"max_ms\": %.3f}\n",
                 w.good, w.bad, w.late, quantile(&w, 0.5), quantile(&w, 0.99), quantile(&w, 1));
    free(w.all);
    free(w.took_us);
    return 0;
}
