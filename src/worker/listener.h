/*
 * Hears what a child writes to one of its streams, and hands every byte on to ours.
 *
 *     listener_new(&l, options, err)      a pipe, and a thread of its own that moves the bytes
 *     ... fork: the child gets listener_fd(l) as its stream ...
 *     listener_begin(l)                   the child alone has its end of the pipe from here on
 *     listener_deaf(l)                    the child is ready: bytes are moved and no longer heard
 *     listener_end(&l)                    the child has ended: what it wrote is moved yet
 *
 * Bytes go from pipe to stream by splice(2), without a copy; while they are heard, tee(2) gives a
 * second look at them. Where the stream cannot take a splice they are read and written. Nothing is
 * lost, reordered or held back. A stream of ours that is slow slows the child down, as it would
 * have without us; one that is closed closes the pipe, so that the child gets the SIGPIPE that it
 * would have got. A grandchild that keeps the pipe after the end writes into nothing.
 */
#ifndef WORKER_LISTENER_H
#define WORKER_LISTENER_H

#include "err/err.h"
#include "text/str.h"

/* Called on the listener's thread with what was heard. */
typedef void listener_hear(void *ctx, struct str bytes);

struct listener_options {
    int stream; /* of ours, where the bytes go: 1 or 2 */
    listener_hear *hear;
    void *ctx;
};

struct listener;

/* ERR_USAGE where there is no pipe or no thread to be had: then the child has our stream itself. */
int listener_new(struct listener **out, const struct listener_options *options,
                 struct err *err) MUST_CHECK;

/* The end for the child; ours until listener_begin(). */
int listener_fd(const struct listener *l);

void listener_begin(struct listener *l);

void listener_deaf(struct listener *l);

/* Waits for nobody but our stream, a second at most. Also where it was never begun. *listener may
 * be NULL, and is afterwards. */
void listener_end(struct listener **listener);

#endif
