/*
 * The observer that tells the service manager, by the protocol of sd_notify(3): READY=1, STATUS=,
 * STOPPING=1, WATCHDOG=1 at least twice in WATCHDOG_USEC, and EXTEND_TIMEOUT_USEC while the start
 * goes on. A manager that does not listen is nothing to us.
 */
#ifndef WORKER_NOTIFY_H
#define WORKER_NOTIFY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "worker/news.h"

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
    const struct clock *clock;
    uint64_t watchdog_ms; /* tell it this often; 0: never */
    uint64_t watchdog_told_ms;
    uint64_t status_told_ms;
    bool ready_told;
};

/* By NOTIFY_SOCKET (a path, or @ and an abstract name), WATCHDOG_USEC and WATCHDOG_PID. */
void notify_open(struct notify *n, char *const *variables, const struct clock *clock);
void notify_close(struct notify *n);

/* Fits news_add(); ctx is a struct notify. */
void notify_observe(void *ctx, enum news_kind kind, const struct worker_news *now);

#endif
