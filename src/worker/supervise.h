/*
 * The commands of a worker under supervision: signals, children, the terminal, the end.
 *
 * From supervisor_begin() on every signal is blocked and read from a descriptor. Whatever comes is
 * handed on to the group of CMD, the last command; SIGINT and SIGTERM are a wish to stop besides,
 * the second of them, or --stop-timeout, means SIGKILL. All children are reaped, also those that
 * nobody started here: as PID 1 or subreaper every orphan below comes to us.
 *
 * One thread. Everything waits in supervisor_round() alone, which also lets the news tick.
 */
#ifndef WORKER_SUPERVISE_H
#define WORKER_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"
#include "report/report.h"
#include "worker/child.h"
#include "worker/news.h"
#include "worker/prober.h"
#include "worker/terminal.h"

struct supervised {
    const char *name; /* for messages: the last part of its first word */
    char *const *argv;
    pid_t pid;       /* 0: it is not there */
    pid_t group;     /* of processes, that it led or leads */
    int wait_status; /* how it ended, once pid is 0 again */
    uint64_t started_ms;
    int stream, stream_fd; /* as child_options has them */
};

struct supervisor {
    /* the caller's */
    const struct config *config;
    const struct clock *clock;
    struct report *report;
    struct news *news;
    char *const *variables;
    struct supervised *commands; /* CMD is the last one; those of --with come before */
    size_t count;
    pid_t spared; /* a process of ours that is none of theirs; 0: none */
    /* its own */
    struct child_birth birth;
    struct terminal terminal;
    struct prober prober;
    struct net_config net;
    int prober_status; /* once prober.pid is 0 again */
    int signals;       /* -1: not begun */
    int stop;          /* the first signal that asked for the end; 0: none */
    uint64_t kill_at_ms;
    uint64_t ticked_ms;
};

int supervisor_begin(struct supervisor *s, struct err *err) MUST_CHECK;
void supervisor_done(struct supervisor *s);

/*
 * Starts it. *ret_cannot is an errno of execve(2) where it cannot be run, else 0. CMD gets the
 * foreground of the terminal.
 */
int supervisor_start(struct supervisor *s, struct supervised *command, int *ret_cannot,
                     struct err *err) MUST_CHECK;

/* Waits for something to happen, at most ms. */
void supervisor_round(struct supervisor *s, uint64_t ms);

/* The first of the commands that has ended though it was started; NULL: none. */
const struct supervised *supervisor_ended(const struct supervisor *s);

/*
 * Ends all: CMD, then what it left behind, then the servers of --with, the last one first. Each
 * gets SIGTERM, and SIGKILL after --stop-timeout.
 */
void supervisor_end(struct supervisor *s);

#endif
