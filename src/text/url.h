/*
 * URLs: taking one apart within limits, percent-encoding, and joining a redirect's Location.
 *
 * Only http and https are known. No user info, no fragment, visible ASCII only. At most URL_MAX
 * bytes. The host is lower-cased; the port is always set. What is returned lives in the arena. All
 * that is wrong is ERR_LIMIT; a query is never quoted in a message.
 */
#ifndef TEXT_URL_H
#define TEXT_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

#define URL_MAX ((size_t)16384)

struct url {
    bool tls;
    struct str host; /* without the brackets of an IPv6 address */
    uint16_t port;
    struct str target; /* path and query, at least "/" */
    struct str text;   /* the whole, NUL-terminated; the port only if it is not the scheme's own */
};

int url_parse(struct url *out, struct arena *a, struct str text, struct err *err) MUST_CHECK;

/*
 * RFC 3986 reference resolution of a Location header against the URL that answered it. A fragment
 * is dropped; blanks and bytes beyond ASCII are percent-encoded, as clients do.
 */
int url_join(struct url *out, struct arena *a, const struct url *base, struct str location,
             struct err *err) MUST_CHECK;

/* Same scheme, host and port: who may see a token that was given for a. */
bool url_same_origin(const struct url *a, const struct url *b);

/* localhost, 127.0.0.0/8 or ::1. */
bool url_is_loopback(const struct url *u);

/* "cdn.example:8443", the port only where it is not the scheme's own. */
char *url_authority(struct arena *a, const struct url *u);

/* Percent-encodes all but A-Z a-z 0-9 - _ . ~ and the bytes in keep (e.g. "/"). */
char *url_encode(struct arena *a, struct str s, const char *keep);

/* The text without its query: what may be printed of a URL that can hold a signature. */
struct str url_public(const struct url *u);

#endif
