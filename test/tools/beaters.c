/*
 * Many workers at one coordinator, each with a connection of its own, to measure what that costs.
 *
 *     beaters PORT WORKERS BEATS_A_SECOND SECONDS [etcd]
 *
 * With "etcd" there is an etcd at that port, and its JSON gateway is asked: each worker has a lease
 * granted, and a beat keeps it alive
 * (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/).
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
#define ANSWER_MAX  1024

struct beater {
    int fd;
    bool waiting;
    uint64_t due_ns; /* of the beat that waits for its answer */
    uint64_t lease;  /* at an etcd */
    size_t len;      /* of what has come of an answer */
    char text[ANSWER_MAX];
};

struct world {
    uint16_t port;
    bool etcd;
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

static bool is_whole(const char *text)
{
    const char *head_end = strstr(text, "\r\n\r\n");
    const char *length = strstr(text, "Content-Length: ");
    size_t body;

    if (head_end == NULL)
        return false;
    head_end += 4;
    if (length == NULL || length > head_end) /* in chunks, of which the last one is empty */
        return strstr(head_end, "\r\n0\r\n\r\n") != NULL;
    length += strlen("Content-Length: ");
    for (body = 0; *length >= '0' && *length <= '9'; length++)
        body = body * 10 + (size_t)(*length - '0');
    return strlen(head_end) >= body;
}

/* Takes what has come. True: the answer is whole, and stays in its text. */
static bool read_answer(struct beater *b)
{
    ssize_t got = read(b->fd, b->text + b->len, sizeof(b->text) - 1 - b->len);

    if (got <= 0)
        die("a connection was closed, or an answer is too long");
    b->len += (size_t)got;
    b->text[b->len] = '\0';
    if (!is_whole(b->text))
        return false;
    b->len = 0;
    return true;
}

/* Of a lease that it does not know, etcd says the same without a time to live. */
static bool is_good(const struct world *w, const struct beater *b)
{
    return strncmp(b->text, "HTTP/1.1 200 ", 13) == 0 &&
           (!w->etcd || strstr(b->text, "\"TTL\":") != NULL);
}

static void register_at_coordinator(const struct beater *b, size_t i)
{
    char body[MESSAGE_MAX];

    (void)snprintf(body, sizeof(body),
                   "{\"id\":\"w%zu\",\"instance\":\"i\",\"host\":\"h%zu\",\"state\":\"running\"}",
                   i, i / 8);
    post(b->fd, "/v1/workers", body);
}

static void keep_lease(struct beater *b)
{
    const char *id = strstr(b->text, "\"ID\":\"");

    if (id == NULL)
        die("etcd granted no lease");
    for (id += strlen("\"ID\":\""); *id >= '0' && *id <= '9'; id++)
        b->lease = b->lease * 10 + (uint64_t)(*id - '0');
}

static void join(struct world *w, size_t i)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
    struct beater *b = &w->all[i];

    b->fd = connect_one(w, i);
    if (w->etcd)
        post(b->fd, "/v3/lease/grant", "{\"TTL\":\"15\"}"); /* the coordinator's time to live */
    else
        register_at_coordinator(b, i);
    while (!read_answer(b)) {
    }
    if (!is_good(w, b)) {
        (void)fprintf(stderr, "worker %zu was not registered: %s\n", i, b->text);
        exit(1);
    }
    if (w->etcd)
        keep_lease(b);
    if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, b->fd, &event) < 0)
        die("epoll_ctl");
}

static void beat(struct world *w, size_t i, uint64_t due_ns)
{
    struct beater *b = &w->all[i];
    char text[64];

    if (b->waiting) {
        w->late++;
        return;
    }
    b->waiting = true;
    b->due_ns = due_ns;
    if (w->etcd) {
        (void)snprintf(text, sizeof(text), "{\"ID\":\"%" PRIu64 "\"}", b->lease);
        post(b->fd, "/v3/lease/keepalive", text);
    } else {
        (void)snprintf(text, sizeof(text), "/v1/workers/w%zu/beat", i);
        post(b->fd, text, "{\"instance\":\"i\"}");
    }
}

static void hear(struct world *w, int wait_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(w->epoll, events, 256, wait_ms);

    for (int i = 0; i < n; i++) {
        struct beater *b = &w->all[events[i].data.u64];

        if (!read_answer(b))
            continue;
        b->waiting = false;
        if (is_good(w, b))
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

    if (argc != 5 && (argc != 6 || strcmp(argv[5], "etcd") != 0))
        return 2;
    w.etcd = argc == 6;
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
