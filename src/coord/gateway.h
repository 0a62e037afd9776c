/*
 * Questions to etcd: its v3 API as JSON over HTTP (the gRPC gateway, etcd 3.4 and later).
 *
 * One gateway belongs to one thread, and has a connection of its own. The URLs are members of one
 * cluster: a member that does not answer, or cannot, is left for the next one. With a user it asks
 * for a token first, and again when that is no longer taken.
 *
 * What failed is ERR_WAIT: no member answers, or none is able to; ERR_AUTH: refused for who we are;
 * ERR_NOT_FOUND: what was named is not there, such as a lease; ERR_INTERRUPTED: cancelled.
 */
#ifndef COORD_GATEWAY_H
#define COORD_GATEWAY_H

#include "err/err.h"
#include "json/json.h"
#include "mem/arena.h"
#include "text/str.h"
#include "transfer/http.h"

#define GATEWAY_URLS_MAX 16

/* What the operator says of etcd. */
struct etcd_options {
    const struct net_config *net;
    const char *user; /* NULL: no authentication */
    const char *password;
    const char *owner; /* what this coordinator is called in what it writes */
};

struct gateway_config {
    struct url urls[GATEWAY_URLS_MAX];
    size_t url_count;
    struct net_config net;
    const char *user;
    const char *password;
    uint64_t patience_ms; /* for one answer, and for all members together not much longer */
};

struct gateway;

/* urls are separated by commas. ERR_USAGE. */
int gateway_configure(struct gateway_config *out, struct arena *a, const char *urls,
                      const struct etcd_options *options, struct err *err) MUST_CHECK;

/* config must live as long. NULL on failure. */
struct gateway *gateway_new(struct arena *a, const struct gateway_config *config,
                            struct err *err) MUST_CHECK;
void gateway_free(struct gateway **gateway);

/* Any thread: what is asked now, and whatever is asked later, is ERR_INTERRUPTED. */
void gateway_cancel(struct gateway *g);

/* POST of body to a path such as "/v3/kv/txn"; the answer is the caller's to free. */
int gateway_ask(struct json **ret_doc, struct gateway *g, const char *path, struct str body,
                struct err *err) MUST_CHECK;

/* The answer line by line, until it ends, breaks or stalls. */
int gateway_listen(struct gateway *g, const char *path, struct str body, struct http_stream *stream,
                   struct err *err) MUST_CHECK;

#endif
