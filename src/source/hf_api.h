/*
 * Requests to the Hub's API, of one session: where its endpoint is, who we are there, and under
 * which name it knows the repository. Used by hf.c.
 */
#ifndef SOURCE_HF_API_H
#define SOURCE_HF_API_H

#include "source/hf_parse.h"
#include "source/hf_refuse.h"
#include "source/source.h"

#define HF_TOPICS_MAX ((size_t)8)

struct hf_state {
    struct url endpoint;
    const char *base;          /* its text without a slash at the end */
    const char *authorization; /* "Bearer ...", or NULL. Secret: never logged, never in an error */
    const char *token_from;    /* where it was found, for messages; NULL: there is none */
    const char *typed;         /* the repository as people wrote it, once asked, ... */
    const char *known;         /* ... and as the Hub calls it today */
    struct str topics[HF_TOPICS_MAX]; /* of X-HF-Warning, told already */
    size_t topic_count;
};

int hf_api_open(struct source_session *s, struct err *err) MUST_CHECK;

/* What the Hub calls the repository: an old name is followed once and remembered. */
const char *hf_api_repo(const struct source_session *s, const char *repo);

/* For the messages about one request. file NULL: the API. */
struct hf_asked hf_api_asked(const struct source_session *s, const struct model_ref *ref,
                             const char *revision, const struct model_file *file);

/* Revision to commit: one request. */
int hf_api_commit(const char **ret_commit, struct source_session *s, const struct model_ref *ref,
                  struct err *err) MUST_CHECK;

/* All pages of the listing of a commit. */
int hf_api_list(struct hf_listing *out, struct source_session *s, const struct model_ref *ref,
                const char *commit, struct err *err) MUST_CHECK;

/* What can be done about an answer that is wrong, unless err has a hint already. Returns -1. */
int hf_api_hint(struct err *err);

#endif
