#include "transfer/request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "text/num.h"

/* Receive buffer of a connection: fewer, larger reads; 16 connections of it are 4 MiB. */
#define RECEIVE_BYTES 262144L

struct net_config net_config_defaults(const struct net_config *net)
{
    struct net_config n = *net;

    assert(n.clock != NULL);
    n.user_agent = n.user_agent != NULL ? n.user_agent : "hostler";
    n.connections = n.connections != 0 ? n.connections : 16;
    n.buffer_bytes = n.buffer_bytes != 0 ? n.buffer_bytes : (uint64_t)12 << 20;
    n.connect_ms = n.connect_ms != 0 ? n.connect_ms : 10000;
    n.first_byte_ms = n.first_byte_ms != 0 ? n.first_byte_ms : 30000;
    n.stall_ms = n.stall_ms != 0 ? n.stall_ms : 20000;
    n.stall_bps = n.stall_bps != 0 ? n.stall_bps : 1000;
    n.give_up_ms = n.give_up_ms != 0 ? n.give_up_ms : 120000;
    n.longest_wait_ms = n.longest_wait_ms != 0 ? n.longest_wait_ms : 360000;
    /* Who shall give up sooner than these gets a second try in that time. */
    n.connect_ms = n.connect_ms < n.give_up_ms / 2 ? n.connect_ms : n.give_up_ms / 2;
    n.stall_ms = n.stall_ms < n.give_up_ms / 2 ? n.stall_ms : n.give_up_ms / 2;
    return n;
}

static void on_status_line(struct request *r, struct str line)
{
    struct str version, status;
    uint64_t n = 0;
    struct err err;

    (void)str_cut(&line, ' ', &version);
    line = str_trim(line);
    (void)str_cut(&line, ' ', &status);
    if (num_parse_u64(&n, status, 999, &err) < 0)
        n = 0;
    r->answer.status = (int)n;
    r->answer.header_count = 0;
    r->whole_headers = false;
}

static void on_header_line(struct request *r, struct str line)
{
    struct str name;
    char *lower;

    if (!str_cut(&line, ':', &name))
        return;
    if (r->answer.header_count == HTTP_HEADERS_MAX) {
        r->too_many_headers = true;
        return;
    }
    lower = str_dup(&r->arena, str_trim(name));
    for (char *p = lower; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    r->headers[r->answer.header_count++] =
        (struct http_header){str_from(lower), str_copy(&r->arena, str_trim(line))};
}

static size_t header_cb(char *data, size_t size, size_t n, void *ctx)
{
    struct request *r = ctx;
    size_t len = size * n;
    struct str line = {data, len};

    r->header_bytes += len;
    if (r->header_bytes > HTTP_HEADER_BYTES_MAX)
        r->too_many_headers = true;
    if (r->too_many_headers)
        return 0;
    if (str_starts(line, STR("HTTP/"))) {
        on_status_line(r, str_trim(line));
    } else if (r->whole_headers) {
        return len; /* trailers */
    } else if (str_trim(line).len > 0) {
        on_header_line(r, line);
    } else if (r->answer.status >= 200) {
        r->whole_headers = true;
        if (!r->on_answer(r->ctx))
            return 0;
    }
    return len;
}

static size_t body_cb(char *data, size_t size, size_t n, void *ctx)
{
    struct request *r = ctx;

    return r->on_body(r->ctx, data, size * n);
}

static int sent_cb(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    struct request *r = ctx;

    (void)ip, (void)local_ip, (void)port, (void)local_port;
    r->sent_ms = clock_now_ms(r->net->clock);
    return CURL_PREREQFUNC_OK;
}

/* Tests pin the receive buffer, or the bytes that the kernel holds unread blur what they count. */
static int socket_cb(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    const char *pinned = getenv("HOSTLER_TEST_RCVBUF");
    uint64_t bytes;
    struct err err;

    (void)ctx, (void)purpose;
    if (pinned != NULL && num_parse_u64(&bytes, str_from(pinned), INT32_MAX, &err) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){(int)bytes}, sizeof(int));
    return CURL_SOCKOPT_OK;
}

int request_init(struct request *r, const struct net_config *net, struct err *err)
{
    *r = (struct request){.net = net, .curl = curl_api(err)};
    if (r->curl == NULL)
        return -1;
    r->easy = r->curl->easy_init();
    if (r->easy == NULL)
        return err_set(err, ERR_BUG, "libcurl gives no handle");
    /* The first block stays, so that a new exchange needs no new memory. */
    r->headers = arena_array(&r->arena, struct http_header, HTTP_HEADERS_MAX);
    (void)arena_array(&r->arena, char, 1);
    r->base = arena_mark(&r->arena);
    return 0;
}

void request_done(struct request *r)
{
    if (r->curl == NULL)
        return;
    if (r->easy != NULL)
        r->curl->easy_cleanup(r->easy);
    r->curl->slist_free_all(r->header_list);
    arena_free(&r->arena);
    *r = (struct request){0};
}

static void reset(struct request *r)
{
    r->curl->easy_reset(r->easy);
    r->curl->slist_free_all(r->header_list);
    r->header_list = NULL;
    arena_rewind(&r->arena, r->base);
    r->answer = (struct http_answer){.headers = r->headers};
    r->header_bytes = 0;
    r->whole_headers = r->too_many_headers = false;
    r->started_ms = clock_now_ms(r->net->clock);
    r->sent_ms = 0;
    r->curl_text[0] = '\0';
}

#define SET(option, value) (void)c->easy_setopt(e, CURLOPT_##option, value)

static void set_connection(struct request *r, const struct url *url)
{
    const struct curl_api *c = r->curl;
    CURL *e = r->easy;

    SET(URL, str_dup(&r->arena, url->text));
    SET(PROTOCOLS_STR, "http,https");
    SET(PATH_AS_IS, 1L);
    SET(NOSIGNAL, 1L);
    SET(QUICK_EXIT, 1L); /* a resolver that hangs must not hang us */
    SET(CONNECTTIMEOUT_MS, (long)r->net->connect_ms);
    SET(ERRORBUFFER, r->curl_text);
    SET(SOCKOPTFUNCTION, socket_cb);
    if (r->net->ca_text.ptr != NULL)
        SET(CAINFO_BLOB, (&(struct curl_blob){.data = str_dup(&r->arena, r->net->ca_text),
                                              .len = r->net->ca_text.len,
                                              .flags = CURL_BLOB_NOCOPY}));
    else if (r->net->ca_file != NULL)
        SET(CAINFO, r->net->ca_file);
    if (r->net->ca_dir != NULL)
        SET(CAPATH, r->net->ca_dir);
    if (r->net->client_cert != NULL)
        SET(SSLCERT, r->net->client_cert);
    if (r->net->client_key != NULL)
        SET(SSLKEY, r->net->client_key);
}

static void add_header(struct request *r, const char *text)
{
    struct curl_slist *longer = r->curl->slist_append(r->header_list, text);

    if (longer != NULL)
        r->header_list = longer;
}

static void set_body(struct request *r, struct str json)
{
    const struct curl_api *c = r->curl;
    CURL *e = r->easy;

    SET(POSTFIELDSIZE_LARGE, (curl_off_t)json.len);
    SET(POSTFIELDS, json.ptr);
    add_header(r, "Content-Type: application/json");
    add_header(r, "Expect:"); /* a body this small waits for no leave */
}

int request_prepare(struct request *r, const struct request_ask *ask, struct err *err)
{
    const struct curl_api *c = r->curl;
    CURL *e = r->easy;

    reset(r);
    set_connection(r, ask->url);
    r->answer.url = *ask->url;
    r->answer.url.text = str_copy(&r->arena, ask->url->text);
    r->answer.url.host = str_copy(&r->arena, ask->url->host);
    r->answer.url.target = str_copy(&r->arena, ask->url->target);
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(FOLLOWLOCATION, 0L);
    SET(HTTP_CONTENT_DECODING, 0L);
    SET(SUPPRESS_CONNECT_HEADERS, 1L);
    SET(BUFFERSIZE, RECEIVE_BYTES);
    SET(USERAGENT, r->net->user_agent);
    SET(HEADERFUNCTION, header_cb);
    SET(HEADERDATA, r);
    SET(WRITEFUNCTION, body_cb);
    SET(WRITEDATA, r);
    SET(PREREQFUNCTION, sent_cb);
    SET(PREREQDATA, r);
    SET(PRIVATE, r->ctx);
    if (ask->method != NULL && strcmp(ask->method, "HEAD") == 0)
        SET(NOBODY, 1L);
    else if (ask->method != NULL)
        SET(CUSTOMREQUEST, ask->method);
    if (ask->connect_to != NULL)
        SET(CONNECT_TO, ask->connect_to);
    if (ask->direct)
        SET(NOPROXY, "*");
    if (ask->json.ptr != NULL)
        set_body(r, ask->json);
    add_header(r, "Accept-Encoding: identity");
    if (ask->accept != NULL)
        add_header(r, str_format(&r->arena, "Accept: %s", ask->accept));
    if (ask->last_event_id != NULL)
        add_header(r, str_format(&r->arena, "Last-Event-ID: %s", ask->last_event_id));
    if (ask->range != NULL)
        add_header(r, str_format(&r->arena, "Range: bytes=%s", ask->range));
    if (ask->authorization != NULL)
        add_header(r, str_format(&r->arena, "Authorization: %s", ask->authorization));
    if (c->easy_setopt(e, CURLOPT_HTTPHEADER, r->header_list) != CURLE_OK)
        return err_set(err, ERR_BUG, "libcurl refuses a request");
    return 0;
}

void request_prepare_probe(struct request *r, const struct url *url)
{
    const struct curl_api *c = r->curl;
    CURL *e = r->easy;
    ARENA_SCOPED scratch = {0};
    struct url copy = *url;

    copy.text = str_copy(&scratch, url->text); /* reset() may free the original */
    reset(r);
    set_connection(r, &copy);
    SET(PRIVATE, r->ctx);
    SET(CONNECT_ONLY, 1L);
    SET(SSL_VERIFYPEER, 0L);
    SET(SSL_VERIFYHOST, 0L);
    SET(CERTINFO, 1L);
}

struct str request_issuer(struct request *r, struct arena *a)
{
    struct curl_certinfo *info = NULL;

    if (r->curl->easy_getinfo(r->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL ||
        info->num_of_certs < 1)
        return (struct str){0};
    for (const struct curl_slist *line = info->certinfo[0]; line != NULL; line = line->next)
        if (strncmp(line->data, "Issuer:", 7) == 0)
            return str_copy(a, str_trim(str_from(line->data + 7)));
    return (struct str){0};
}

#undef SET

static bool named_insecure(const struct net_config *net, const struct url *url)
{
    ARENA_SCOPED a = {0};
    struct str with_port = str_from(str_format(&a, STR_FMT ":%u", STR_ARG(url->host), url->port));

    for (const char *const *h = net->insecure_http; h != NULL && *h != NULL; h++)
        if (str_eq_nocase(str_from(*h), url->host) || str_eq_nocase(str_from(*h), with_port))
            return true;
    return false;
}

int request_allowed(const struct net_config *net, const struct url *url, bool from_tls,
                    struct err *err)
{
    ARENA_SCOPED a = {0};
    const char *host = url_authority(&a, url);

    if (url->tls)
        return 0;
    if (from_tls) {
        (void)err_set(err, ERR_NET, "an https address leads to plain http on %s", host);
        return err_hint(err, "https never falls back to http: the origin must be mended");
    }
    if (url_is_loopback(url) || named_insecure(net, url))
        return 0;
    (void)err_set(err, ERR_NET, "%s would be asked by plain http", host);
    return err_hint(err, "use https, or allow this host with --insecure-http %s", host);
}

const char *request_proxy_variable(const struct url *url)
{
    static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const tls[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};

    for (const char *const *name = url->tls ? tls : plain; *name != NULL; name++) {
        const char *value = getenv(*name);

        if (value != NULL && value[0] != '\0')
            return *name;
    }
    return NULL;
}
