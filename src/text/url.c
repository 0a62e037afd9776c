#include "text/url.h"

#include <stdint.h>

#include <arpa/inet.h>

#include "text/buf.h"
#include "text/num.h"

/* Never reached by a base and an encoded reference, so that url_parse() sees what is too long. */
#define JOINED_MAX (5 * URL_MAX)

#define HOST_MAX ((size_t)253) /* of a name in DNS */

static bool is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Visible ASCII: what RFC 3986 lets stand in a URL, and a few more that do no harm. */
static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7f)
            return false;
    }
    return true;
}

/* The first n bytes of s, and s without them. */
static struct str take(struct str *s, size_t n)
{
    struct str head = {s->ptr, n};

    s->ptr += n;
    s->len -= n;
    return head;
}

static size_t find_any(struct str s, const char *set)
{
    size_t i = 0;

    while (i < s.len && (s.ptr[i] == '\0' || strchr(set, s.ptr[i]) == NULL))
        i++;
    return i;
}

static char *lower(struct arena *a, struct str s)
{
    char *copy = str_dup(a, s);

    for (size_t i = 0; i < s.len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    }
    return copy;
}

static bool is_ipv6(struct str s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (s.len >= sizeof(text))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_host_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_')
            return false;
    }
    return s.len > 0 && s.len <= HOST_MAX;
}

/* host, host:port, [v6] or [v6]:port. */
static const char *parse_authority(struct url *u, struct arena *a, struct str authority)
{
    struct err ignored = {0};
    uint64_t port = u->tls ? 443 : 80;
    struct str host;

    if (memchr(authority.ptr, '@', authority.len) != NULL)
        return "has a user in it, which is not sent";
    if (authority.len > 0 && authority.ptr[0] == '[') {
        size_t end = find_any(authority, "]");

        if (end == authority.len)
            return "has a broken IPv6 address";
        host = (struct str){authority.ptr + 1, end - 1};
        (void)take(&authority, end + 1);
        if (!is_ipv6(host))
            return "has a broken IPv6 address";
    } else {
        host = take(&authority, find_any(authority, ":"));
        if (!is_host_name(host))
            return "has no valid host name";
    }
    if (authority.len > 0 && authority.ptr[0] != ':')
        return "has something odd after its host";
    if (authority.len > 1) {
        (void)take(&authority, 1);
        if (num_parse_u64(&port, authority, UINT16_MAX, &ignored) < 0 || port == 0)
            return "has no valid port";
    }
    u->host = (struct str){lower(a, host), host.len};
    u->port = (uint16_t)port;
    return NULL;
}

char *url_authority(struct arena *a, const struct url *u)
{
    bool v6 = memchr(u->host.ptr, ':', u->host.len) != NULL;
    const char *open = v6 ? "[" : "";
    const char *close = v6 ? "]" : "";

    if (u->port == (u->tls ? 443 : 80))
        return str_format(a, "%s" STR_FMT "%s", open, STR_ARG(u->host), close);
    return str_format(a, "%s" STR_FMT "%s:%u", open, STR_ARG(u->host), close, (unsigned)u->port);
}

/* The URL in one spelling. */
static struct str spell(struct arena *a, const struct url *u)
{
    struct buf b = buf_new(a, URL_MAX + 1); /* a missing path becomes a slash */

    buf_addf(&b, "%s://%s", u->tls ? "https" : "http", url_authority(a, u));
    buf_add(&b, u->target);
    return buf_str(&b);
}

/* What follows the scheme's colon. */
static const char *parse_rest(struct url *u, struct arena *a, struct str rest)
{
    const char *fault;

    if (!str_starts(rest, STR("//")))
        return "has no host";
    (void)take(&rest, 2);
    fault = parse_authority(u, a, take(&rest, find_any(rest, "/?#")));
    if (fault != NULL)
        return fault;
    if (memchr(rest.ptr, '#', rest.len) != NULL)
        return "has a fragment";
    u->target = rest.len > 0 && rest.ptr[0] == '/'
                    ? str_copy(a, rest)
                    : str_from(str_format(a, "/" STR_FMT, STR_ARG(rest)));
    u->text = spell(a, u);
    return u->text.len > URL_MAX ? "is too long" : NULL;
}

/* Takes "http:" or "https:" off *s. */
static bool take_scheme(bool *ret_tls, struct str *s)
{
    size_t len = find_any(*s, ":");
    struct str scheme = {s->ptr, len};

    if (len == s->len)
        return false;
    *ret_tls = str_eq_nocase(scheme, STR("https"));
    if (!*ret_tls && !str_eq_nocase(scheme, STR("http")))
        return false;
    (void)take(s, len + 1);
    return true;
}

/* A query may be a signature: no more than the part before it is quoted. */
static int fail(struct err *err, struct str text, const char *fault)
{
    size_t len = find_any(text, "?#");

    if (memchr(text.ptr, '@', len) != NULL || !is_visible((struct str){text.ptr, len}))
        return err_set(err, ERR_LIMIT, "the URL %s", fault);
    return err_set(err, ERR_LIMIT, "the URL %.*s %s", (int)(len < 120 ? len : 120), text.ptr,
                   fault);
}

int url_parse(struct url *out, struct arena *a, struct str text, struct err *err)
{
    struct url u = {0};
    struct str rest = text;
    const char *fault;

    if (text.len == 0)
        return err_set(err, ERR_LIMIT, "the URL is empty");
    if (text.len > URL_MAX)
        return err_set(err, ERR_LIMIT, "the URL has %zu bytes, more than %zu", text.len, URL_MAX);
    if (!is_visible(text))
        return fail(err, text, "has a blank, a control character or one beyond ASCII");
    if (!take_scheme(&u.tls, &rest))
        return fail(err, text, "is neither http:// nor https://");
    fault = parse_rest(&u, a, rest);
    if (fault != NULL)
        return fail(err, text, fault);
    *out = u;
    return 0;
}

/* RFC 3986, 5.2.4, on a path that begins with a slash; b gets the result. */
static void add_without_dots(struct buf *b, struct str path)
{
    size_t start = b->len;

    while (path.len > 0) {
        /* From a slash to before the next. */
        struct str rest = {path.ptr + 1, path.len - 1};
        struct str segment = take(&path, 1 + find_any(rest, "/"));
        bool is_up = str_eqz(segment, "/..");

        if (is_up) {
            struct str kept = {b->ptr + start, b->len - start};
            struct str last;

            if (str_rcut(&kept, '/', &last))
                buf_truncate(b, start + kept.len);
        }
        if (!is_up && !str_eqz(segment, "/."))
            buf_add(b, segment);
        else if (path.len == 0)
            buf_addc(b, '/');
    }
}

static bool has_scheme(struct str s)
{
    size_t len = find_any(s, ":/?#");

    if (len == s.len || s.ptr[len] != ':' || len == 0 || !is_alpha(s.ptr[0]))
        return false;
    for (size_t i = 1; i < len; i++) {
        char c = s.ptr[i];

        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
            return false;
    }
    return true;
}

/* The target that a reference without scheme and host leads to from base. */
static void add_target(struct buf *b, struct str base, struct str reference)
{
    size_t base_path = find_any(base, "?");
    size_t path_len = find_any(reference, "?");
    struct str path = take(&reference, path_len);
    struct str directory = {base.ptr, base_path};
    struct buf merged = buf_new(b->arena, JOINED_MAX);
    struct str last;

    if (path.len == 0) {
        buf_add(b, (struct str){base.ptr, reference.len > 0 ? base_path : base.len});
    } else if (path.ptr[0] == '/') {
        add_without_dots(b, path);
    } else {
        (void)str_rcut(&directory, '/', &last); /* a target always begins with a slash */
        buf_add(&merged, directory);
        buf_addc(&merged, '/');
        buf_add(&merged, path);
        add_without_dots(b, buf_str(&merged));
    }
    buf_add(b, reference);
}

/*
 * Servers put raw blanks and UTF-8 into Location, which no URL may hold; like every browser we take
 * them as if they had been encoded. Control characters are left, to be refused.
 */
static struct str encode_raw(struct arena *a, struct str s)
{
    struct buf b = buf_new(a, JOINED_MAX);

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c == ' ' || c >= 0x80)
            buf_addf(&b, "%%%02X", (unsigned)c);
        else
            buf_addc(&b, (char)c);
    }
    return buf_str(&b);
}

int url_join(struct url *out, struct arena *a, const struct url *base, struct str location,
             struct err *err)
{
    struct buf b = buf_new(a, JOINED_MAX);
    struct str reference;

    location = str_trim(location);
    if (location.len > URL_MAX)
        return err_set(err, ERR_LIMIT, "the redirect has %zu bytes, more than %zu", location.len,
                       URL_MAX);
    reference = encode_raw(a, location);
    reference.len = find_any(reference, "#");
    if (has_scheme(reference)) {
        buf_add(&b, reference);
    } else if (str_starts(reference, STR("//"))) {
        buf_addz(&b, base->tls ? "https:" : "http:");
        buf_add(&b, reference);
    } else {
        buf_add(&b, base->text);
        buf_truncate(&b, base->text.len - base->target.len);
        add_target(&b, base->target, reference);
    }
    return url_parse(out, a, buf_str(&b), err);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return a->tls == b->tls && a->port == b->port && str_eq(a->host, b->host);
}

bool url_is_loopback(const struct url *u)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;

    if (str_eqz(u->host, "localhost"))
        return true;
    if (u->host.len >= sizeof(text))
        return false;
    memcpy(text, u->host.ptr, u->host.len);
    text[u->host.len] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

char *url_encode(struct arena *a, struct str s, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_array(a, char, 3 * s.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (is_alpha(c) || is_digit(c) || (c != '\0' && strchr("-_.~", c) != NULL) ||
            (c != '\0' && strchr(keep, c) != NULL)) {
            out[len++] = c;
            continue;
        }
        out[len++] = '%';
        out[len++] = digits[(unsigned char)c >> 4];
        out[len++] = digits[(unsigned char)c & 0xf];
    }
    return out;
}

struct str url_public(const struct url *u)
{
    return (struct str){u->text.ptr, find_any(u->text, "?")};
}
