/*
 * Sources: the protocols that models come by. A source knows a protocol and nothing of disks.
 *
 * A source is one file that defines one struct source, and one line in source.c. It turns a
 * reference into a manifest, and gives for each file the origin its bytes come from.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include "err/err.h"
#include "mem/arena.h"
#include "model/manifest.h"
#include "source/hf_token.h"
#include "transfer/transfer.h"

struct source_config {
    const struct net_config *net;
    const char *hf_endpoint;      /* "https://huggingface.co", may have a path */
    struct hf_token_env hf_token; /* where to look for it */
    const char *ollama_registry;
};

/* One reference at its origin: connections and what was learnt of it. One thread. */
struct source_session {
    const struct source *source;
    const struct source_config *config;
    struct arena *arena; /* what it allocates lives here */
    struct http_client *client;
    void *state; /* the driver's */
};

struct source {
    const char *name; /* the scheme: "hf" */
    /* Makes the driver's state in the session's arena, without a request. NULL: there is none. */
    int (*open)(struct source_session *s, struct err *err);
    /* Revision to commit, and the whole listing of that commit. */
    int (*manifest)(struct manifest *out, struct source_session *s, const struct model_ref *ref,
                    struct err *err);
    /* The commit alone, one request: has the branch moved? */
    int (*commit)(const char **ret_commit, struct source_session *s, const struct model_ref *ref,
                  struct err *err);
    /* Where the bytes of one file come from; allocated in the session's arena. */
    int (*origin)(const struct transfer_origin **out, struct source_session *s,
                  const struct manifest *m, const struct model_file *file, struct err *err);
    /* May we have what is wanted of it? One header of one file, for --dry-run. */
    int (*access)(struct source_session *s, const struct manifest *m, struct err *err);
    /* What a session needs now and then while its origins are in use. NULL: nothing. */
    void (*tend)(struct source_session *s);
};

/* ERR_USAGE that lists the sources there are. */
int source_open(struct source_session *out, struct arena *a, const char *name,
                const struct source_config *config, struct err *err) MUST_CHECK;
void source_close(struct source_session *s);

/*
 * To be called by the session's thread about twice a second while the engine fetches from its
 * origins: gets new tokens in place of those that have had their day. May take as long as a
 * request.
 */
void source_tend(struct source_session *s);

#endif
