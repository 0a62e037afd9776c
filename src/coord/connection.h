/*
 * The connections of the server: which there are, by when each must be done with what it is at, and
 * the request that it brings. Between libmicrohttpd, which calls, and the exchange, which knows
 * nothing of it.
 */
#ifndef COORD_CONNECTION_H
#define COORD_CONNECTION_H

#include "coord/coordinator.h"
#include "coord/events.h"
#include "coord/hangup.h"
#include "coord/mhd.h"
#include "coord/rates.h"

struct connections;

struct connection {
    struct connections *all;
    struct connection *previous, *next;
    struct MHD_Connection *mhd;
    int fd;
    uint64_t deadline_ms;
    struct rate_bucket *bucket;
    struct request *request; /* being served; NULL between two */
};

/* In an arena of its own, which is the exchange's. */
struct request {
    struct exchange x;
    struct connection *connection;
    bool bad_target;
    bool begun;
    bool too_long;
    bool streaming;
    bool suspended;
    bool gone; /* its client has hung up */
    struct events events;
};

struct connections {
    const struct mhd_api *api;
    struct coordinator *coordinator;
    struct rates rates;
    struct hangups hangups; /* of the clients of streams */
    uint64_t request_ms;
    struct connection *first;
    struct connection *unused;
    struct arena arena;
};

int connections_init(struct connections *all, struct coordinator *coordinator,
                     const struct mhd_api *api, uint64_t request_ms, uint64_t rate,
                     struct err *err) MUST_CHECK;
void connections_done(struct connections *all);

/* Wakes the streams that have something to write, and ends the connections that are too slow. */
void connections_tick(struct connections *all);
/* Ends the streams whose clients have hung up: when hangups.fd is readable. */
void connections_hung_up(struct connections *all);
/* Wakes all streams, which must be before the daemon stops. */
void connections_wake(struct connections *all);

/* For libmicrohttpd; cls is a struct connections. */
void connection_notify(void *cls, struct MHD_Connection *mhd, void **context,
                       enum MHD_ConnectionNotificationCode what);
void *connection_target(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result connection_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *len, void **context);
void connection_completed(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_RequestTerminationCode how);

#endif
