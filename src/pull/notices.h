/*
 * Notices of the network threads ("waiting 12 s, as the server asked") on their way to the report,
 * which only the pull's own thread may use: a small bounded queue. When it is full the newest are
 * dropped and counted. What that thread itself has to say goes straight to the report: it is
 * waiting in a request just then, and would not look into the queue before the wait is over.
 */
#ifndef PULL_NOTICES_H
#define PULL_NOTICES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define NOTICES_MAX  16
#define NOTICE_BYTES 320

/* Shows a notice; called on the thread that made the queue. */
typedef void notices_show(void *ctx, const char *text);

struct notices {
    pthread_t owner;
    notices_show *show;
    void *show_ctx;
    pthread_mutex_t mutex;
    size_t count;
    size_t dropped;
    char text[NOTICES_MAX][NOTICE_BYTES];
};

void notices_init(struct notices *n, notices_show *show, void *show_ctx);
void notices_done(struct notices *n);

/* Fits net_config.notice; ctx is a struct notices. Any thread. */
void notices_put(void *ctx, const char *text);

/* Takes the oldest out; false if there is none. */
bool notices_take(struct notices *n, char out[static NOTICE_BYTES]);

#endif
