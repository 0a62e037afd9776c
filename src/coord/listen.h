/* The address that the coordinator listens on: HOST:PORT, [IPv6]:PORT, or :PORT for all. */
#ifndef COORD_LISTEN_H
#define COORD_LISTEN_H

#include <stdbool.h>

#include "err/err.h"
#include "mem/arena.h"

struct listening {
    int fd;
    bool loopback;    /* nobody else can reach it */
    const char *name; /* "127.0.0.1:8700", with the real port where 0 was asked for */
};

/* Not accepting yet is the caller's choice of when; the socket is bound and listens. */
int listen_on(struct listening *out, struct arena *a, const char *address,
              struct err *err) MUST_CHECK;

#endif
