/*
 * The inside of http.h's client: what http.c (a question and its hops) and http_again.c (another
 * try of it, or the last word) share.
 */
#ifndef TRANSFER_HTTP_CLIENT_H
#define TRANSFER_HTTP_CLIENT_H

#include <stdatomic.h>

#include "text/buf.h"
#include "transfer/http.h"
#include "transfer/lines.h"
#include "transfer/request.h"
#include "transfer/retry.h"

struct http_client {
    struct net_config net;
    const struct curl_api *curl;
    CURLM *multi;
    struct request request;
    struct arena arena;
    uint32_t random; /* of retry_random() */
    atomic_bool cancelled;
    /* of the exchange under way */
    struct buf body;
    size_t body_limit;
    uint64_t first_byte_ms;
    struct http_stream *stream; /* NULL: the body is kept */
    struct lines lines;
    int verdict; /* of on_line; what it set is in line_err */
    struct err line_err;
    size_t drained;
    uint64_t received; /* in the present stall window */
    uint64_t window_ms;
    bool too_long;
    CURLcode result;
    bool finished;
};

/* One question with all its hops and tries. */
struct asking {
    const struct http_request *request;
    struct url url;
    bool left; /* the origin, so that the authorization stays behind */
    int hops;
    unsigned attempt;
    unsigned same;
    uint64_t began_ms;
    uint64_t named_ms; /* waits that servers named, not counted against our patience */
    enum retry_what what;
    int status;
    const char *words; /* the last cause */
};

/* Runs the prepared exchange. -1 only for a stop; *ret_slow is set if it was ended for slowness. */
int http_run(struct http_client *c, const char **ret_slow, enum retry_what *ret_what,
             struct err *err) MUST_CHECK;

/* Plans the next try and waits for it. 0: it may begin; -1: there is none. */
int http_again(struct http_client *c, struct asking *q, enum retry_what what, int status,
               struct err *err) MUST_CHECK;

#endif
