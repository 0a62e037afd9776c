/*
 * The coordinators that the operator named (COORDINATOR_URL), and the token that they are given.
 *
 * A token is COORDINATOR_TOKEN, else the first word of COORDINATOR_TOKEN_FILE's first line that is
 * neither blank nor begins with #, so that the coordinator's own file of tokens serves too. It goes
 * into no message of ours.
 */
#ifndef WORKER_COORDINATORS_H
#define WORKER_COORDINATORS_H

#include <stdbool.h>

#include "config/config.h"
#include "err/err.h"
#include "mem/arena.h"
#include "text/url.h"
#include "worker/beats.h"

struct coordinators {
    struct url at[BEATS_COORDINATORS_MAX];
    size_t count; /* 0: register nowhere */
    const char *token;
    const char *token_file; /* NULL: there is none */
};

/* urls are those of COORDINATOR_URL. ERR_USAGE for one with a query, or that is there twice. */
int coordinators_parse(struct coordinators *out, struct arena *a, const struct config_list *urls,
                       struct err *err) MUST_CHECK;

#define COORDINATOR_TOKEN_MAX ((size_t)4096)

/* What the file has now; ERR_USAGE names it and what is wrong, never the token. */
int coordinators_read_token(const char **out, struct arena *a, const char *path,
                            struct err *err) MUST_CHECK;

/* ERR_USAGE for a token of other than visible ASCII; from names its place. */
int coordinators_check_token(const char *token, const char *from, struct err *err) MUST_CHECK;

/* The first to which a token would go in plain text over a network; NULL: none. */
const struct url *coordinators_in_plain_text(const struct coordinators *c);

/* Of one of them: its path with what is asked of it behind. ERR_LIMIT if that gets too long. */
int coordinators_url(struct url *out, struct arena *a, const struct url *base, const char *path,
                     struct err *err) MUST_CHECK;

#endif
