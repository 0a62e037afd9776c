/*
 * Requests to the registry of one session's model: where it is, which token it wants to see, and
 * its manifest. Used by ollama.c.
 */
#ifndef SOURCE_OLLAMA_API_H
#define SOURCE_OLLAMA_API_H

#include "source/ollama_refuse.h"
#include "source/ollama_token.h"
#include "source/source.h"

struct ollama_state {
    struct model_ref ref; /* set with the rest by ollama_api_place() */
    struct url registry;
    const char *base;  /* its text without a slash at the end; NULL: not known yet */
    const char *scope; /* of a token, where the registry names none */
    struct ollama_token token;
};

int ollama_api_open(struct source_session *s, struct err *err) MUST_CHECK;

/*
 * Finds the registry: OLLAMA_REGISTRY for names without a host, else by https, but by http on
 * loopback and where --insecure-http names the host. A session has one model, so once is enough.
 */
int ollama_api_place(struct source_session *s, const struct model_ref *ref,
                     struct err *err) MUST_CHECK;

/* The manifest of the tag, checked; one request, or three where a token is wanted. */
int ollama_api_manifest(struct manifest *out, struct source_session *s, struct err *err) MUST_CHECK;

/* The URL of a blob at the registry itself. */
int ollama_api_blob(struct url *out, struct source_session *s, const struct digest *digest,
                    struct err *err) MUST_CHECK;

/*
 * One request to the registry; where it wants a token, that is got and shown. Of any other refusal
 * err says what it means; asked.file NULL: of the manifest.
 */
int ollama_api_ask(struct http_answer *out, struct source_session *s, struct arena *a,
                   const struct ollama_asked *asked, const struct http_request *request,
                   struct err *err) MUST_CHECK;

/* For the messages about the token that an answer of the registry wants. */
struct ollama_token_asked ollama_api_token_asked(const struct ollama_state *state);

#endif
