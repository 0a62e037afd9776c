/*
 * What the Hub's refusals mean: one table of causes, each with its own code, message and way out.
 * Pure. Decided by X-Error-Code first, then by the exact words, then by the status; mirrors send
 * fewer of these.
 */
#ifndef SOURCE_HF_REFUSE_H
#define SOURCE_HF_REFUSE_H

#include "err/err.h"
#include "model/manifest.h"
#include "transfer/http.h"

/* What was asked, for the messages. */
struct hf_asked {
    const struct url *endpoint;
    const char *base;              /* the endpoint's text, without a slash at the end */
    const char *ref;               /* "hf:org/name@v1" */
    const char *repo;              /* "org/name" */
    const char *revision;          /* branch, tag or commit */
    const char *token_from;        /* "HF_TOKEN", a path; NULL: there is no token */
    const struct model_file *file; /* whose bytes were asked; NULL: the API */
};

/* Sets err for an answer of status 400 and above. Returns -1. */
int hf_refuse(const struct hf_asked *asked, const struct http_answer *answer,
              struct err *err) MUST_CHECK;

/*
 * Holds what the headers of an answer to /resolve/ claim against the listing: another commit is
 * ERR_NET, another size or digest ERR_DIGEST. Headers that are absent claim nothing.
 */
int hf_check_claims(const struct hf_asked *asked, const struct http_answer *answer,
                    struct err *err) MUST_CHECK;

#endif
