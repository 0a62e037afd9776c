/*
 * A hub on loopback for one model, in this process: its revision, its listing, and its files whole
 * or by ranges; and a registry of Ollama's, for tags that are made of the same files. A thread for
 * each connection.
 */
#ifndef TEST_HUB_SERVER_H
#define TEST_HUB_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "../check.h"
#include "digest/digest.h"
#include "mem/arena.h"
#include "text/buf.h"
#include "text/num.h"
#include "text/str.h"

#define HUB_COMMIT "0123456789abcdef0123456789abcdef01234567"
#define HUB_REPO   "org/tiny"

struct hub_file {
    const char *path;
    const char *bytes;
    size_t size;
    bool large; /* has a sha256, else git's blob id */
    const char *hex;
};

struct hub_tag {
    const char *name;
    const char *manifest;
};

struct hub_server {
    struct arena arena;
    const struct hub_file *files;
    size_t count;
    const char *listing;
    const struct hub_tag *tags;
    size_t tag_count;
    int fd;
    unsigned port;
    pthread_t thread;
    _Atomic unsigned answers;
};

struct hub_client {
    struct hub_server *server;
    int fd;
};

static inline bool hub_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool hub_send_text(int fd, const char *text)
{
    char head[256];
    int len =
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 text == NULL ? "404 Not Found" : "200 OK", text == NULL ? 0 : strlen(text));

    return hub_send(fd, head, (size_t)len) && (text == NULL || hub_send(fd, text, strlen(text)));
}

/* "Range: bytes=FIRST-LAST" or "bytes=FIRST-" of a request; without one, the whole file. */
static inline bool hub_range(size_t *ret_first, size_t *ret_last, size_t size, const char *request)
{
    const char *at = strstr(request, "Range: bytes=");
    struct str line, first;
    struct err ignored;

    *ret_first = 0;
    *ret_last = size - 1;
    if (at == NULL)
        return false;
    line = str_from(at + strlen("Range: bytes="));
    line.len = strcspn(line.ptr, "\r");
    if (!str_cut(&line, '-', &first) || num_parse_u64(ret_first, first, size - 1, &ignored) < 0)
        abort();
    if (line.len > 0 && num_parse_u64(ret_last, line, UINT64_MAX, &ignored) < 0)
        abort();
    if (*ret_last >= size)
        *ret_last = size - 1;
    return true;
}

static inline bool hub_send_file(int fd, const struct hub_file *file, const char *request)
{
    size_t first, last;
    bool part = hub_range(&first, &last, file->size, request);
    char head[256];
    int len;

    len = snprintf(head, sizeof(head),
                   "HTTP/1.1 %s\r\nContent-Range: bytes %zu-%zu/%zu\r\nContent-Length: %zu\r\n"
                   "X-Repo-Commit: " HUB_COMMIT "\r\n\r\n",
                   part ? "206 Partial Content" : "200 OK", first, last, file->size,
                   last - first + 1);
    return hub_send(fd, head, (size_t)len) && hub_send(fd, file->bytes + first, last - first + 1);
}

static inline bool hub_asks(const char *request, const char *start)
{
    return strncmp(request, start, strlen(start)) == 0;
}

static inline bool hub_answer_registry(const struct hub_client *client, const char *request)
{
    static const char blob[] = "GET /v2/" HUB_REPO "/blobs/sha256:";
    static const char manifest[] = "GET /v2/" HUB_REPO "/manifests/";
    const struct hub_server *s = client->server;

    for (size_t i = 0; i < s->count && hub_asks(request, blob); i++)
        if (hub_asks(request + strlen(blob), s->files[i].hex))
            return hub_send_file(client->fd, &s->files[i], request);
    for (size_t i = 0; i < s->tag_count && hub_asks(request, manifest); i++) {
        const char *tag = request + strlen(manifest);
        size_t len = strlen(s->tags[i].name);

        if (hub_asks(tag, s->tags[i].name) && tag[len] == ' ')
            return hub_send_text(client->fd, s->tags[i].manifest);
    }
    return hub_send_text(client->fd, NULL);
}

static inline bool hub_answer(const struct hub_client *client, const char *request)
{
    struct hub_server *s = client->server;
    const char *resolve = "GET /" HUB_REPO "/resolve/" HUB_COMMIT "/";

    s->answers++;
    if (hub_asks(request, "GET /v2/"))
        return hub_answer_registry(client, request);
    if (hub_asks(request, "GET /api/models/" HUB_REPO "/revision/"))
        return hub_send_text(client->fd, "{\"sha\":\"" HUB_COMMIT "\",\"disabled\":false}");
    if (hub_asks(request, "GET /api/models/" HUB_REPO "/tree/"))
        return hub_send_text(client->fd, s->listing);
    for (size_t i = 0; i < s->count && hub_asks(request, resolve); i++) {
        const char *path = request + strlen(resolve);
        size_t len = strlen(s->files[i].path);

        if (strncmp(path, s->files[i].path, len) == 0 && path[len] == ' ')
            return hub_send_file(client->fd, &s->files[i], request);
    }
    return hub_send_text(client->fd, NULL);
}

static inline void *hub_serve(void *ctx)
{
    struct hub_client *client = ctx;
    char request[8192];
    size_t len = 0;
    ssize_t n;

    while ((n = recv(client->fd, request + len, sizeof(request) - 1 - len, 0)) > 0) {
        len += (size_t)n;
        request[len] = '\0';
        if (strstr(request, "\r\n\r\n") == NULL)
            continue;
        if (!hub_answer(client, request))
            break;
        len = 0; /* clients here do not send the next request before they have the answer */
    }
    (void)close(client->fd);
    free(client);
    return NULL;
}

static inline void *hub_accept(void *ctx)
{
    struct hub_server *s = ctx;
    int fd;

    while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct hub_client *client = malloc(sizeof(*client));
        const int on = 1;
        pthread_t thread;

        if (client == NULL)
            abort();
        *client = (struct hub_client){s, fd};
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (pthread_create(&thread, NULL, hub_serve, client) != 0)
            abort();
        (void)pthread_detach(thread);
    }
    return NULL;
}

static inline const char *hub_digest(struct arena *a, enum digest_kind kind, const char *bytes,
                                     size_t size)
{
    struct err err;
    DIGEST_STREAM_SCOPED *stream = digest_start(kind, size, &err);
    struct digest d;

    assert_non_null(stream);
    assert_int_equal(digest_update(stream, bytes, size, &err), 0);
    assert_int_equal(digest_finish(&d, stream, &err), 0);
    return digest_format(&d, arena_array(a, char, DIGEST_HEX + 1));
}

static inline const char *hub_listing(struct arena *a, struct hub_file *files, size_t count)
{
    struct buf b = buf_new(a, 65536);

    buf_addz(&b, "[");
    for (size_t i = 0; i < count; i++) {
        struct hub_file *f = &files[i];
        const char *oid = hub_digest(a, DIGEST_GIT_SHA1, f->bytes, f->size);

        f->hex = f->large ? hub_digest(a, DIGEST_SHA256, f->bytes, f->size) : oid;
        buf_addf(&b, "%s{\"type\":\"file\",\"path\":\"%s\",\"size\":%zu,\"oid\":\"%s\"",
                 i == 0 ? "" : ",", f->path, f->size, oid);
        if (f->large)
            buf_addf(&b, ",\"lfs\":{\"oid\":\"%s\",\"size\":%zu,\"pointerSize\":1}", f->hex,
                     f->size);
        buf_addz(&b, "}");
    }
    buf_addz(&b, "]");
    return buf_str(&b).ptr;
}

/* Fills in the digests. Ends with the program. */
static inline void hub_start(struct hub_server *s, struct hub_file *files, size_t count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    s->files = files;
    s->count = count;
    s->listing = hub_listing(&s->arena, files, count);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (const struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, hub_accept, s), 0);
}

#endif
