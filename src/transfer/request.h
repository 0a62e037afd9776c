/*
 * One HTTP exchange on one curl handle: how every request of ours looks, its answer's headers
 * within their limits, and what happened when it fails, in words and as a case of the retry policy.
 *
 * Every request is HTTP/1.1, asks for the identity encoding, follows no redirect by itself, and
 * carries an Authorization only if the caller gives one. Used by single requests (http.h) and by
 * the engine; belongs to one thread.
 */
#ifndef TRANSFER_REQUEST_H
#define TRANSFER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "mem/arena.h"
#include "transfer/curl.h"
#include "transfer/http.h"
#include "transfer/net.h"
#include "transfer/retry.h"

struct request {
    const struct net_config *net;
    const struct curl_api *curl;
    CURL *easy;
    struct curl_slist *header_list;
    struct arena arena;          /* of the exchange under way */
    struct arena_mark base;      /* what stays of it between exchanges */
    struct http_header *headers; /* room for HTTP_HEADERS_MAX */
    struct http_answer answer;   /* status and headers; the body is the callback's */
    size_t header_room;
    size_t header_bytes;
    bool whole_headers; /* the final answer's headers are complete */
    bool too_many_headers;
    uint64_t started_ms;
    uint64_t sent_ms; /* connected and about to send; 0 before */
    char curl_text[CURL_ERROR_SIZE];
    void *ctx;
    /* The headers are complete. Returns false to end the exchange. */
    bool (*on_answer)(void *ctx);
    /* As CURLOPT_WRITEFUNCTION: len taken, CURL_WRITEFUNC_PAUSE, or less to end the exchange. */
    size_t (*on_body)(void *ctx, const char *data, size_t len);
};

struct request_ask {
    const struct url *url;
    const char *method;                  /* NULL: GET */
    const char *authorization;           /* NULL: none */
    const char *accept;                  /* NULL: any */
    const char *last_event_id;           /* NULL: none */
    const char *range;                   /* "0-99", as in the header after "bytes="; NULL: none */
    const struct curl_slist *connect_to; /* NULL: as the name resolves */
    struct str json;                     /* a body; lives as long as the exchange; ptr NULL: none */
    bool direct;                         /* without a proxy, whatever the environment names */
};

/* Makes the handle. ctx and the callbacks are set by the caller afterwards. */
int request_init(struct request *r, const struct net_config *net, struct err *err) MUST_CHECK;
void request_done(struct request *r);

/* Makes the handle ready to be added to a multi. What an earlier exchange left is freed. */
int request_prepare(struct request *r, const struct request_ask *ask, struct err *err) MUST_CHECK;

/*
 * Makes it a probe that connects, shakes hands without verifying, and sends nothing: to name the
 * issuer of a certificate that was refused.
 */
void request_prepare_probe(struct request *r, const struct url *url);
/* The issuer that a probe saw; empty if it saw none. */
struct str request_issuer(struct request *r, struct arena *a);

/*
 * Whether url may be asked at all: https always; http on loopback and named hosts, and never when
 * https led there. ERR_NET says how to allow it.
 */
int request_allowed(const struct net_config *net, const struct url *url, bool from_tls,
                    struct err *err) MUST_CHECK;

/* Says in words what ended an exchange that curl calls failed, and which case of the policy it is.
 */
enum retry_what request_failure(const struct request *r, CURLcode code, const char **ret_words,
                                struct arena *a);

/* The variable that names the proxy for url ("HTTPS_PROXY"), NULL if none does. */
const char *request_proxy_variable(const struct url *url);

/* Fills the defaults of zero fields. */
struct net_config net_config_defaults(const struct net_config *net);

#endif
