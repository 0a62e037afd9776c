/*
 * A descriptor that lines go to, until it fails: the work never ends because nobody listens.
 *
 * A line is one write(2) where the receiver takes it whole, so that the lines of several processes
 * in one file or pipe do not mix. Who does not read for SINK_PATIENCE_MS loses what is left of it.
 */
#ifndef REPORT_SINK_H
#define REPORT_SINK_H

#include <stdbool.h>

#include "text/str.h"

#define SINK_PATIENCE_MS 1000

struct sink {
    int fd;     /* -1: none */
    bool owned; /* closed by sink_close() */
    bool broken;
    int lost; /* errno of the first write that failed; EAGAIN: who reads did not; 0: none */
    bool terminal;
};

struct sink sink_of(int fd);

/*
 * Appends to a file, made if it is missing; a pipe is not waited for. fd -1 and errno if that
 * fails.
 */
struct sink sink_open(const char *path);

void sink_write(struct sink *s, struct str text);
void sink_close(struct sink *s);

#endif
