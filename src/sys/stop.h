/*
 * The wish to stop. SIGINT and SIGTERM set it; long work looks at it between steps and polls its
 * descriptor where it waits. One per process, installed by main; tests trigger it themselves.
 */
#ifndef SYS_STOP_H
#define SYS_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "err/err.h"

/* Installs the handlers (sigaction) and ignores SIGPIPE and SIGXFSZ: a pipe that nobody reads
 * and a limit of file sizes are errors of write(2), which name their place. Call once, before any
 * thread. */
int stop_install(struct err *err) MUST_CHECK;

/*
 * Puts back what the process did with those signals before stop_install(): for a child that shall
 * be as if we had not been. Async-signal-safe; nothing before stop_install().
 */
void stop_undo(void);

/* The signal that asked to stop, 0 if none did. Async-signal-safe, any thread. */
int stop_signal(void);
static inline bool stop_wanted(void)
{
    return stop_signal() != 0;
}

/* Readable once a stop is wanted, for poll(2); -1 before stop_install(). Never read it. */
int stop_fd(void);

/* As if the signal had come; 0 takes the wish back (tests). */
void stop_request(int signal);

/* Sleeps at most ms; returns at once, true, when a stop is wanted. */
bool stop_wait_ms(uint64_t ms);

/* Fills err with ERR_INTERRUPTED. Returns -1. */
int stop_err(struct err *err);

#endif
