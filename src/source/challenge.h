/*
 * WWW-Authenticate: what a registry wants to see before it answers (RFC 7235, and the token
 * protocol of Docker's distribution). Pure: an answer's headers in, plain values out.
 */
#ifndef SOURCE_CHALLENGE_H
#define SOURCE_CHALLENGE_H

#include "mem/arena.h"
#include "transfer/http.h"

enum challenge_scheme {
    CHALLENGE_NONE,   /* no such header */
    CHALLENGE_BEARER, /* a token, which realm gives */
    CHALLENGE_BASIC,  /* user and password */
    CHALLENGE_OTHER,
};

struct challenge {
    enum challenge_scheme scheme;
    struct str realm; /* of Bearer; empty where nothing is said */
    struct str service;
    struct str scope; /* words with blanks between */
};

/* Of several challenges the first Bearer counts, then Basic. What is said lives in the arena. */
struct challenge challenge_read(struct arena *a, const struct http_answer *answer);

#endif
