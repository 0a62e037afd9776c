/*
 * The coordinator's HTTP face: libmicrohttpd on epoll, on the caller's thread.
 *
 * All of it is one thread: the registry needs no lock, and one core carries the fleet. Everything
 * is bounded: connections, all and of one address; headers (16 KiB), bodies, requests a second of
 * one address, clients of the event stream. A connection has request_ms to send its next request
 * whole, counted from when it was opened or its last answer was sent, however it trickles; and as
 * long again, twice, to take the answer.
 */
#ifndef COORD_SERVER_H
#define COORD_SERVER_H

#include "coord/coordinator.h"
#include "coord/listen.h"
#include "err/err.h"
#include "mem/arena.h"

struct server_options {
    struct listening listening; /* its descriptor is the server's from now on */
    const char *tls_cert;       /* PEM texts; NULL: plain */
    const char *tls_key;
    unsigned connections; /* most at once; of one address half as many */
    uint64_t request_ms;
    uint64_t rate; /* requests a second of one address, twice that in a burst */
    void (*note)(void *ctx, const char *text); /* libmicrohttpd's complaints */
    void *ctx;
};

struct server;

/* The coordinator lives as long as the server. NULL on failure. */
struct server *server_new(struct arena *a, struct coordinator *coordinator,
                          const struct server_options *options, struct err *err) MUST_CHECK;

/* Serves until a stop is wanted (sys/stop.h). */
void server_run(struct server *s);

/* Closes all connections, whatever they are at. */
void server_free(struct server **server);

#endif
