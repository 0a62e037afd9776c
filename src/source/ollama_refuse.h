/*
 * What the refusals of Ollama's registries mean, each with its own code, message and way out. Pure.
 * Decided by the status, then by the code that Docker's distribution puts into the body.
 */
#ifndef SOURCE_OLLAMA_REFUSE_H
#define SOURCE_OLLAMA_REFUSE_H

#include "err/err.h"
#include "model/manifest.h"
#include "transfer/http.h"

/* What was asked, for the messages. */
struct ollama_asked {
    const struct model_ref *ref;
    const struct model_file *file; /* whose bytes were asked; NULL: the manifest */
};

/* Sets err for an answer of status 400 and above. Returns -1. */
int ollama_refuse(const struct ollama_asked *asked, const struct http_answer *answer,
                  struct err *err) MUST_CHECK;

/* Where people see which tags there are, and how else the name could be meant. Returns -1. */
int ollama_refuse_hint(const struct model_ref *ref, struct err *err);

#endif
