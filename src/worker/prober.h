/*
 * A process that asks whether a command is ready, again and again, and ends when it is.
 *
 * Its own process, not a thread: a request may hang, and the supervisor must reap and hand on
 * signals meanwhile; and libcurl with its TLS library, which it loads, would stay in memory beside
 * the engine for as long as that runs. What it learns comes through a pipe, the last reason counts.
 */
#ifndef WORKER_PROBER_H
#define WORKER_PROBER_H

#include <sys/types.h>

#include "transfer/net.h"
#include "worker/ready.h"

#define PROBER_REASON ((size_t)400)

struct prober {
    pid_t pid; /* 0: none */
    int fd;    /* its words; -1: none */
    char reason[PROBER_REASON];
};

/* variables are those of the command, for --ready-cmd. */
int prober_start(struct prober *p, const struct ready_checks *checks, const struct net_config *net,
                 char *const *variables, struct err *err) MUST_CHECK;

/* Reads what it has said so far; p->reason is the last. */
void prober_listen(struct prober *p);

/* Kills it. It is reaped with all others. */
void prober_stop(struct prober *p);

#endif
