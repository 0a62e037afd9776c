/*
 * A child process that is as if nobody stood between it and who started us: it gets the signal
 * mask and dispositions that we were given, our stdin, stdout and stderr themselves, and no
 * descriptor of ours (all of ours close at exec; what we inherited it inherits). Two things differ:
 * a process group of its own, and it is killed when we die.
 *
 * Called on the thread that lives as long as the process: the kernel ties PR_SET_PDEATHSIG to it.
 */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "err/err.h"

/* What was there before we changed it. */
struct child_birth {
    sigset_t mask;
    struct sigaction sigchld;
};

struct child_options {
    char *const *argv;
    char *const *envp;
    const struct child_birth *birth;
    bool foreground; /* of the terminal on stdin */
    bool quiet;      /* no stdin, no output */
    int stream;      /* 1 or 2: this stream becomes stream_fd; 0: all are ours */
    int stream_fd;
};

/* Starts it. What cannot be run is *ret_cannot, an errno of execve(2), and 0 is returned. */
int child_start(pid_t *ret_pid, int *ret_cannot, const struct child_options *o,
                struct err *err) MUST_CHECK;

/*
 * For a fork that goes on in our own code: dies with us, and ends by the signals that end programs.
 * parent is who forked it.
 */
void child_settle(pid_t parent);

/*
 * For such a fork: gives up every other descriptor that was inherited but the first three. A pipe
 * whose end it kept would not break when its reader goes, and its writer would wait for ever.
 * Returns fd under its new number.
 */
int child_alone_with(int fd);

/* As shells have it: 127 for what is not there, 126 for what cannot be executed. */
int child_exit_of_errno(int cannot);

/* As shells have it, from a wait(2) status: the exit status, or 128 + N of a signal. */
int child_exit_status(int wait_status);

#define CHILD_ENDED ((size_t)64)
/* "ended with status 3", "was killed by SIGKILL". Returns out. */
const char *child_ended(char out[static CHILD_ENDED], int wait_status);

#endif
