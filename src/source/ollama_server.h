/*
 * A client of a running Ollama (OLLAMA_URL): is it there, what does it list, pull this model. What
 * it pulls lands in its own store and is verified by it alone, so this is no struct source.
 *
 * The server accepts connections before it answers, so only an answer counts as ready. The URL is
 * the operator's own word: plain http to it is allowed, whatever its host. All answers have limits,
 * and names in them are hostile. One thread.
 */
#ifndef SOURCE_OLLAMA_SERVER_H
#define SOURCE_OLLAMA_SERVER_H

#include <stdbool.h>

#include "err/err.h"
#include "mem/arena.h"
#include "model/ref.h"
#include "source/ollama_server_stream.h"
#include "transfer/net.h"

struct ollama_server;

/* No request. url may have a path; ERR_USAGE names OLLAMA_URL. */
struct ollama_server *ollama_server_open(struct arena *a, const char *url,
                                         const struct net_config *net, struct err *err) MUST_CHECK;
void ollama_server_close(struct ollama_server **server);

/* "http://localhost:11434" */
const char *ollama_server_url(const struct ollama_server *server);

/* As Ollama writes names: "llava:7b", "ns/name:tag", "hf.co/org/name:tag". */
const char *ollama_server_name(struct arena *a, const struct model_ref *ref);

enum ollama_presence {
    OLLAMA_READY,
    OLLAMA_STARTING, /* connects, and does not answer, or answers 502, 503 or 504 */
    OLLAMA_ABSENT,   /* no connection */
};

/*
 * One request for its version, which is waited for limit_ms at most. *why says what was wrong where
 * it is not ready. -1: something else answers there (ERR_USAGE), or a stop.
 */
int ollama_server_probe(enum ollama_presence *out, struct ollama_server *server, uint64_t limit_ms,
                        struct err *why, struct err *err) MUST_CHECK;

/* The version that the last probe heard; "" before. */
const char *ollama_server_version(const struct ollama_server *server);

struct ollama_listed {
    bool listed;
    const char *digest; /* of its manifest, 64 hex digits; "" if it says none; in the arena */
    uint64_t bytes;     /* of the whole model, as it says */
};

/* Does it list the model? Names are compared as Ollama does, without regard to case. */
int ollama_server_find(struct ollama_listed *out, struct arena *a, struct ollama_server *server,
                       const struct model_ref *ref, struct err *err) MUST_CHECK;

/* A listed model may lack its weights: false if the server says that it has no such model. */
int ollama_server_shows(bool *out, struct ollama_server *server, const struct model_ref *ref,
                        struct err *err) MUST_CHECK;

/* How a pull is to be done, and who looks on. */
struct ollama_pull {
    bool insecure;         /* the server may ask the registry by plain http */
    uint64_t silence_ms;   /* nothing said for so long is a stall */
    uint64_t verifying_ms; /* the same while it hashes, which it does in silence: and beyond this
                              the time that the bytes take at 10 MB a second */
    /* After each line; -1 with err ends the pull. */
    int (*heard)(void *ctx, const struct ollama_stream *s, struct err *err);
    void *ctx;
};

/*
 * Lets it pull, until it says success. What it says is in s, which is the caller's, zero but for
 * its arena. A cut, a stall or an end without success is ERR_NET. Ending the request ends the pull;
 * the next one goes on where it was.
 */
int ollama_server_pull(struct ollama_stream *s, struct ollama_server *server,
                       const struct model_ref *ref, const struct ollama_pull *how,
                       struct err *err) MUST_CHECK;

#endif
