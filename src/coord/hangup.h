/*
 * Which of many clients have hung up: for connections that sleep, whom nobody reads from.
 *
 * Each is watched once, by one system call, and reported once at most; as long as nobody hangs up
 * nothing is asked of the system, however many there are. A client that only ends its own side
 * (shutdown of a socket) looks the same as one that is gone, and is reported too. A descriptor that
 * is closed is no longer watched. One thread.
 */
#ifndef COORD_HANGUP_H
#define COORD_HANGUP_H

#include <stddef.h>

#include "err/err.h"

struct hangups {
    int fd; /* readable when there is something to take: for poll(2) */
};

int hangups_init(struct hangups *h, struct err *err) MUST_CHECK;
void hangups_done(struct hangups *h);

/* who is what hangups_take() gives for that connection. -1: it is not watched (errno says why). */
int hangups_watch(struct hangups *h, int fd, void *who) MUST_CHECK;

/* Those that have hung up, at most max of them; how many. Never waits. */
size_t hangups_take(struct hangups *h, void **who, size_t max);

#endif
