/*
 * When is a command ready to serve? One or more checks, all of which must hold: what the operator
 * names (--ready-http, --ready-tcp, --ready-cmd), which is about CMD alone, else what is known of
 * the kind of engine, by the command's own name or by the engine of the worker's type.
 *
 *     vllm      /health answers, then /v1/models lists every name of --served-model-name; without
 *               that flag the model as it is given (`serve MODEL`, --model), and where CMD does
 *               not say that either it need only answer
 *     ollama    /api/tags lists every model of Ollama that the worker has; with --preload each of
 *               them has been loaded, too
 *     others    ready when they have started
 *
 * vLLM is asked where its --host and --port say, Ollama where its OLLAMA_HOST says (address.h), or
 * OLLAMA_URL where that is empty or unset; port 8000 and this host by default.
 */
#ifndef WORKER_READY_H
#define WORKER_READY_H

#include "config/config.h"

enum ready_kind {
    READY_HTTP,
    READY_TCP,
    READY_CMD,
    READY_VLLM,
    READY_OLLAMA,
};

struct ready_check {
    enum ready_kind kind;
    const char *url;          /* HTTP: the whole; VLLM, OLLAMA: of the server */
    uint16_t port;            /* TCP */
    char *const *argv;        /* CMD */
    const char *const *names; /* VLLM, OLLAMA: that must be listed; ends NULL */
    uint64_t preload_ms;      /* OLLAMA: each is loaded, which may take so long; 0: none is */
};

struct ready_checks {
    const struct ready_check *at;
    size_t len;
};

/* What is known of a command that is to be awaited. */
struct ready_of {
    char *const *argv;
    char *const *variables; /* its environment */
    const char *engine;     /* of the worker's type; NULL: by the command's own name alone */
    bool named;             /* --ready-* are about this one */
};

/* None: it is ready when it has started. ERR_USAGE for a URL or command that is none. */
int ready_checks_of(struct ready_checks *out, struct arena *a, const struct config *config,
                    const struct catalog_choice *choice, const struct ready_of *of,
                    struct err *err) MUST_CHECK;

struct http_client;

/*
 * One try of one check, at most a few seconds, but for loading. 0: it holds. -1: not yet, and err
 * says why.
 */
int ready_try(const struct ready_check *check, struct arena *a, struct http_client *client,
              char *const *variables, struct err *err) MUST_CHECK;

#endif
