/* Takes any text for a request's method, target and Authorization: what was decoded is no longer
 * than what came and without NUL, a route fits its path, and no token that is not known gives a
 * scope. */
#include <stdlib.h>
#include <string.h>

#include "coord/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool claim)
{
    if (!claim)
        abort();
}

static void check_item(struct str item, size_t size)
{
    need(item.len <= size);
    need(item.len == 0 || memchr(item.ptr, '\0', item.len) == NULL);
}

static void check_target(struct exchange *x, struct str target)
{
    if (!exchange_set_target(x, target))
        return;
    check_item(x->path, target.len);
    need(x->query_count <= EXCHANGE_QUERY_MAX);
    for (size_t i = 0; i < x->query_count; i++) {
        check_item(x->query[i].key, target.len);
        check_item(x->query[i].value, target.len);
    }
    x->status = 0;
    route_find(x);
    need(x->route != NULL || x->status >= 400);
    if (x->status == 0)
        check_item(x->param, target.len);
}

static void check_token(struct str authorization)
{
    static const char known[] = "a-token-that-is-known";
    static const char header[] = "Bearer a-token-that-is-known";
    struct auth_token token = {.scopes = AUTH_READ};
    struct auth auth = {.tokens = &token, .count = 1};

    memcpy(token.text, known, sizeof(known) - 1);
    if (auth_scopes(&auth, authorization) == 0)
        return;
    /* Blanks around the value of a field are no part of it (RFC 9110, 5.5). */
    authorization = str_trim(authorization);
    need(str_ends(authorization, str_from(known)) && authorization.len >= sizeof(header) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "BREW"};
    struct str text = {(const char *)data, size};
    struct str target;
    struct exchange x = {.method = methods[size % 4]};

    /* A target in HTTP has no NUL; the library that reads it ends it there. */
    target = (struct str){text.ptr, strnlen(text.ptr == NULL ? "" : text.ptr, size)};
    check_target(&x, target);
    check_token(text);
    arena_free(&x.arena);
    return 0;
}
