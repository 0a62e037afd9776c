/*
 * Single requests: small answers (JSON of an API, a header of a gated file), and answers that come
 * line by line for as long as the work takes; on the caller's thread, by the same rules as the
 * engine's: HTTP/1.1, identity encoding, redirects by hand, a token to its own origin only, plain
 * http to loopback and named hosts only and never after https, retries with growing waits and
 * jitter, waits that a server names obeyed, a stop honoured within a second. Answers to libcurl,
 * opened at first use (transfer/curl.h).
 */
#ifndef TRANSFER_HTTP_H
#define TRANSFER_HTTP_H

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"
#include "text/url.h"
#include "transfer/net.h"

#define HTTP_HEADERS_MAX      128
#define HTTP_HEADER_BYTES_MAX ((size_t)64 << 10)

struct http_header {
    struct str name; /* lower-cased */
    struct str value;
};

struct http_answer {
    int status;
    const struct http_header *headers;
    size_t header_count;
    struct str body;
    struct url url; /* that answered */
};

/* The value of the first header of that lower-case name; an empty str with ptr NULL if absent. */
struct str http_header_get(const struct http_answer *answer, const char *name);

struct http_request {
    struct url url;
    const char *method;        /* NULL: GET */
    const char *authorization; /* value of the header, or NULL; for url's own origin only */
    const char *accept;        /* NULL: any */
    const char
        *last_event_id; /* value of Last-Event-ID: where a stream of events goes on; NULL: none */
    const char *range;  /* "bytes=0-0", or NULL */
    size_t body_limit;  /* more is ERR_LIMIT; 0: the body is not wanted */
    int redirects;      /* how many to follow; on other hosts without authorization */
    bool same_origin_only; /* stop at (and return) a redirect that leaves the origin */
    struct str json;       /* a body to send, e.g. with POST; ptr NULL: none */
    /*
     * The operator named this very address: plain http to it is allowed whatever its host, and on
     * loopback no proxy is asked for it. Where it redirects to, the usual rules hold.
     */
    bool named_by_operator;
    bool once;              /* one try, and any status is an answer; the caller has the patience */
    uint64_t first_byte_ms; /* 0: as the net_config says */
};

/*
 * Takes a line of a streamed answer, without its end. 0: more is wanted; 1: no more; -1: err is
 * set, and ends the request as it is.
 */
typedef int http_line_fn(void *ctx, struct str line, struct err *err);

struct http_stream {
    http_line_fn *on_line;
    void *ctx;
    size_t line_limit; /* a longer line is ERR_LIMIT */
    uint64_t idle_ms;  /* no byte for so long is a stall; on_line may change it */
};

struct http_client; /* keeps connections alive between requests; one thread */

struct http_client *http_client_new(const struct net_config *net, struct err *err) MUST_CHECK;
void http_client_free(struct http_client **client);

/*
 * Ends the exchange that is under way, and all later ones, with ERR_INTERRUPTED at once. Any
 * thread; before http_client_free(), which waits for nobody.
 */
void http_client_cancel(struct http_client *client);

/*
 * Any status below 500 but 408, 425 and 429 is an answer (0); what remains after all retries is
 * ERR_NET with the host, the cause and how long was tried. A certificate that does not verify is
 * final at once and names its issuer.
 */
int http_get(struct http_answer *out, struct arena *a, struct http_client *client,
             const struct http_request *request, struct err *err) MUST_CHECK;

/*
 * Whether url may be asked at all: https always, plain http on loopback and on the hosts that were
 * named for it.
 */
bool http_is_allowed(const struct net_config *net, const struct url *url);

/* Whether the last exchange had a connection and sent its request. */
bool http_was_sent(const struct http_client *client);

/*
 * As http_get(), but an answer of 2xx is handed over line by line as it comes (an endless one too);
 * its body stays empty. Other statuses are answers as those of http_get(). It is tried again only
 * before the first line; what breaks or stalls later is ERR_NET. Redirects are not followed.
 */
int http_stream(struct http_answer *out, struct arena *a, struct http_client *client,
                const struct http_request *request, struct http_stream *stream,
                struct err *err) MUST_CHECK;

#endif
