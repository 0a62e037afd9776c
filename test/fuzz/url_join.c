/* The first line is a base URL, the rest a Location. What comes out obeys the limits and stays. */
#include <stdlib.h>

#include "text/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, const struct url *u)
{
    struct err err = {0};
    struct url again;

    if (u->text.len > URL_MAX || u->port == 0 || u->host.len == 0 || u->target.ptr[0] != '/')
        abort();
    for (size_t i = 0; i < u->text.len; i++) {
        if (u->text.ptr[i] <= 0x20 || u->text.ptr[i] >= 0x7f || u->text.ptr[i] == '#')
            abort();
    }
    if (url_parse(&again, a, u->text, &err) < 0 || !str_eq(again.text, u->text) ||
        !url_same_origin(&again, u) || !str_starts(u->text, url_public(u)))
        abort();
    (void)url_is_loopback(u);
    if (!str_eq(str_from(url_encode(a, u->host, "-._:")), u->host))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str location = {(const char *)data, size};
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct str line;
    struct url base;
    struct url joined;

    (void)str_cut(&location, '\n', &line);
    if (url_parse(&base, &a, line, &err) < 0)
        return 0;
    check(&a, &base);
    if (url_join(&joined, &a, &base, location, &err) == 0)
        check(&a, &joined);
    return 0;
}
