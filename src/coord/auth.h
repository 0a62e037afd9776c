/*
 * Who may ask the coordinator what: bearer tokens from a file.
 *
 * A line of the file is a token and what it is good for: `TOKEN read`, `TOKEN write`, `TOKEN
 * read,write`; a token alone is good for both, so that the file that --make-token writes serves a
 * worker's COORDINATOR_TOKEN_FILE too. Blank lines and lines that begin with # are passed over. A
 * token is 16 to 128 of the characters of RFC 6750 (b64token). Comparing takes as long for a wrong
 * token as for a right one, whatever it begins with.
 */
#ifndef COORD_AUTH_H
#define COORD_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

#define AUTH_TOKENS_MAX ((size_t)100)
#define AUTH_TOKEN_MIN  ((size_t)16)
#define AUTH_TOKEN_MAX  ((size_t)128)

enum auth_scope {
    AUTH_NONE = 0, /* of a route: open to all */
    AUTH_READ = 1,
    AUTH_WRITE = 2,
};

struct auth_token {
    char text[AUTH_TOKEN_MAX]; /* filled up with zeros */
    unsigned scopes;
};

struct auth {
    const struct auth_token *tokens;
    size_t count;
    bool anonymous; /* everyone may do everything */
};

/* The lines of a file; name is what errors call it. ERR_USAGE names the line, never the token. */
int auth_parse(struct auth *out, struct arena *a, struct str text, const char *name,
               struct err *err) MUST_CHECK;

/* Reads the file; one that others may read is ERR_USAGE with the chmod that mends it. */
int auth_load(struct auth *out, struct arena *a, const char *path, struct err *err) MUST_CHECK;

/* Writes a new file with one new token, for its owner alone. A file that is there is ERR_USAGE. */
int auth_make(const char *path, struct err *err) MUST_CHECK;

/* The scopes that an Authorization header gives (ptr NULL: none is there), 0 for a wrong one. */
unsigned auth_scopes(const struct auth *auth, struct str authorization);

#endif
