/*
 * The terminal on stdin, as a shell hands it on: the child that has the foreground is who reads it
 * and whom ^C reaches. When the child is stopped (^Z) we stop too, so that the shell that started
 * us gets its terminal back; when we are continued, so is the child. Nobody could continue us where
 * no shell controls our job (PID 1 of a container): there the child goes on at once, as it would
 * have without us.
 */
#ifndef WORKER_TERMINAL_H
#define WORKER_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

struct terminal {
    bool there;      /* stdin is a terminal of our session */
    bool foreground; /* we had it when we began */
    pid_t ours;      /* our own process group */
};

struct terminal terminal_begin(void);

/* Our child, the leader of its group, gets the foreground if we have it. */
void terminal_give(const struct terminal *t, pid_t child);

/* We take it back, if the child has it. */
void terminal_take(const struct terminal *t, pid_t child);

/*
 * The child was stopped by this signal. Comes back when we are continued; SIGCONT must be blocked.
 * Without a terminal somebody wanted it to stand still, and it does.
 */
void terminal_stopped(const struct terminal *t, pid_t child, int by);

/* We were continued: the child goes on, in the foreground if we are. */
void terminal_continued(const struct terminal *t, pid_t child);

#endif
