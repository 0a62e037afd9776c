#include "worker/address.h"

#include <stdint.h>
#include <string.h>

#include "err/err.h"
#include "text/num.h"
#include "text/str.h"

const char *address_reachable(const char *host)
{
    if (host == NULL || host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 ||
        strcmp(host, "::") == 0 || strcmp(host, "[::]") == 0)
        return "127.0.0.1";
    return host;
}

static struct str without(struct str s, const char *around)
{
    while (s.len > 0 && strchr(around, s.ptr[0]) != NULL)
        s = (struct str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && strchr(around, s.ptr[s.len - 1]) != NULL)
        s.len--;
    return s;
}

/* Behind "http://" or "https://"; rest keeps what follows. Any other one is left for url_parse().
 */
static const char *take_scheme(struct arena *a, struct str *rest, const char **port)
{
    const char *text = str_dup(a, *rest);
    const char *sep = strstr(text, "://");

    *port = "11434";
    if (sep == NULL)
        return "http";
    *rest = str_from(sep + 3);
    text = str_dup(a, (struct str){text, (size_t)(sep - text)});
    if (strcmp(text, "http") == 0)
        *port = "80";
    if (strcmp(text, "https") == 0)
        *port = "443";
    return text;
}

/* The last colon parts host and port, unless it is one of an IPv6 address that stands bare. */
static bool has_port(struct str all)
{
    struct str host = all;
    struct str port;

    if (!str_rcut(&host, ':', &port))
        return false;
    if (host.len > 0 && host.ptr[0] == '[')
        return host.ptr[host.len - 1] == ']';
    return memchr(host.ptr, ':', host.len) == NULL;
}

const char *address_of_ollama(struct arena *a, const char *value)
{
    struct str rest = str_trim(without(str_trim(str_from(value)), "\"'"));
    const char *port;
    const char *scheme = take_scheme(a, &rest, &port);
    struct str host;
    struct str named;
    struct err ignored;
    const char *name;
    uint64_t number;
    bool has_path = str_cut(&rest, '/', &host);

    if (has_port(host)) {
        (void)str_rcut(&host, ':', &named);
        if (num_parse_u64(&number, named, UINT16_MAX, &ignored) == 0)
            port = str_dup(a, named);
    }
    name = address_reachable(str_dup(a, without(host, "[]")));
    while (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    if (strchr(name, ':') != NULL)
        name = str_format(a, "[%s]", name);
    return str_format(a, "%s://%s:%s%s" STR_FMT, scheme, name, port,
                      has_path && rest.len > 0 ? "/" : "", STR_ARG(rest));
}
