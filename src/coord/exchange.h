/*
 * One request and its answer, as the handlers see them: no handler knows of connections.
 *
 * The server fills in what was asked, checks token, size and form by the route, and calls its
 * handler once the body is whole. The handler answers by exchange_answer() or exchange_refuse();
 * all memory is the exchange's arena, which lives until the answer is sent.
 */
#ifndef COORD_EXCHANGE_H
#define COORD_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/auth.h"
#include "coord/registry.h"
#include "err/err.h"
#include "mem/arena.h"
#include "text/buf.h"
#include "text/str.h"

#define EXCHANGE_QUERY_MAX 32

struct catalog;
struct coordinator;
struct route;

struct query_item {
    struct str key;
    struct str value;
};

struct exchange {
    struct coordinator *coordinator;
    struct arena arena;
    const char *method;
    struct str path;  /* as it came */
    struct str param; /* what stood for {} in the route, decoded */
    struct query_item query[EXCHANGE_QUERY_MAX];
    size_t query_count;
    struct str accept; /* headers; ptr NULL: absent */
    struct str last_event_id;
    const struct route *route;
    struct buf body;
    /* The answer. */
    int status; /* 0: there is none yet */
    const char *type;
    struct str text;
    const char *allow;      /* methods, with 405 */
    const char *policy;     /* Content-Security-Policy; NULL: none */
    unsigned retry_after_s; /* 0: not said */
    bool stream;            /* in place of text the changes, as they come */
};

/*
 * Takes a request target apart: path, and the query's items, percent-decoded. False for a bad
 * escape, a NUL or too many items.
 */
bool exchange_set_target(struct exchange *x, struct str target);

/* Percent-decodes into the arena; false for a bad escape or a NUL. */
bool exchange_decode(struct str *out, struct arena *a, struct str text);

/* The n-th value of a key from 0; ptr NULL: there is none. */
struct str exchange_query(const struct exchange *x, const char *key, size_t n);

void exchange_answer(struct exchange *x, int status, struct str json);

/* {"error":{"code","message","hint"}}; hint may be NULL. */
void exchange_refuse(struct exchange *x, int status, const char *code, const char *message,
                     const char *hint);
void exchange_refuse_err(struct exchange *x, const struct err *err);

#endif
