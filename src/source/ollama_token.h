/*
 * Tokens of registries: who is answered 401 with a Bearer challenge asks its realm for a token, as
 * nobody in particular, and shows that to the registry from then on (doc/ollama.md).
 *
 * The realm may be another host than the registry's. No credential of ours ever goes there, for we
 * have none; what it gives goes to the registry alone. A token lives for minutes, a pull for hours:
 * so the engine's thread notes that one was refused, and the session's own thread gets the next.
 */
#ifndef SOURCE_OLLAMA_TOKEN_H
#define SOURCE_OLLAMA_TOKEN_H

#include <pthread.h>
#include <stdbool.h>

#include "err/err.h"
#include "mem/arena.h"
#include "transfer/http.h"

#define OLLAMA_TOKEN_URL_MAX ((size_t)4096)
#define OLLAMA_TOKEN_MAX     ((size_t)16384)

/* Shared by the session's thread and the engine's; what is not marked is under the lock. */
struct ollama_token {
    pthread_mutex_t lock;
    const char *authorization; /* "Bearer ...", NULL: none yet. Secret: never logged */
    unsigned serial;           /* of the authorization; 0: none yet */
    bool accepted;             /* it opened something */
    unsigned barren;           /* tokens in a row that opened nothing before they were refused */
    bool wanted;               /* it was refused: another is to be got from url */
    char url[OLLAMA_TOKEN_URL_MAX + 1];
    struct err err; /* none could be got; code ERR_NONE: all is well */
};

void ollama_token_init(struct ollama_token *t);

/* The one that is good now and its number; NULL and 0: none. Any thread. */
const char *ollama_token_now(struct ollama_token *t, unsigned *ret_serial);

/* What is asked of whom, for the messages. */
struct ollama_token_asked {
    const char *ref;        /* "ollama:llava:7b" */
    const char *scope;      /* where the challenge names none: "repository:library/llava:pull" */
    const struct url *base; /* the registry */
};

/*
 * Where the answer, a 401 of the registry, says that a token is to be had. ERR_AUTH where it wants
 * something else than a token, ERR_LIMIT for a realm that must not be asked: by plain http, unless
 * it is on the registry's own host and that is asked so too.
 */
int ollama_token_url(struct url *out, struct arena *a, const struct ollama_token_asked *asked,
                     const struct http_answer *answer, struct err *err) MUST_CHECK;

/* The token of a realm's answer as "Bearer ...". ERR_NET. */
int ollama_token_parse(const char **ret_authorization, struct arena *a, struct str body,
                       struct err *err) MUST_CHECK;

/* Asks the realm and makes what it gives the token that is good now. The session's thread. */
int ollama_token_get(struct ollama_token *t, struct arena *a, struct http_client *client,
                     const char *ref, const struct url *realm, struct err *err) MUST_CHECK;

/* The token with that serial has opened something. Any thread. */
void ollama_token_accepted(struct ollama_token *t, unsigned serial);

/*
 * The engine's thread: the token with that serial was refused by this answer, another is wanted.
 * Returns 1 if one is being got or there already, 0 if tokens are of no use, -1 with err where none
 * can be had.
 */
int ollama_token_want(struct ollama_token *t, unsigned serial,
                      const struct ollama_token_asked *asked, const struct http_answer *answer,
                      struct err *err) MUST_CHECK;

/* The session's thread, now and then: gets the token that is wanted. */
void ollama_token_tend(struct ollama_token *t, struct arena *a, struct http_client *client,
                       const char *ref);

#endif
