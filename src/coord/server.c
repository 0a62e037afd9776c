#include "coord/server.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include "coord/connection.h"
#include "sys/stop.h"

#define TICK_MS 250
/*
 * Each connection holds as much for as long as it is open. Measured: with 16 KiB ten thousand
 * workers that keep theirs take 180 MB, with this 55.
 */
#define HEADERS_MAX    ((size_t)3584)
#define POOL_INCREMENT ((size_t)1 << 10)
/* Descriptors for all else: the database, the log, what libraries open. */
#define SPARE_FDS 64

struct server {
    const struct mhd_api *api;
    struct coordinator *coordinator;
    struct server_options options;
    struct connections connections;
    struct MHD_Daemon *daemon;
};

PRINTF_LIKE(2, 0)
static void log_complaint(void *cls, const char *format, va_list ap)
{
    const struct server *s = cls;
    char text[256];

    (void)vsnprintf(text, sizeof(text), format, ap);
    s->options.note(s->options.ctx, text);
}

/* Paths and queries are decoded by exchange_set_target(), which knows where a segment ends. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

/* As many connections as the limit of descriptors lets be. */
static unsigned bound_connections(unsigned wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur > SPARE_FDS && limit.rlim_cur - SPARE_FDS < wanted)
        return (unsigned)(limit.rlim_cur - SPARE_FDS);
    return wanted;
}

static int start(struct server *s, struct err *err)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    unsigned most = bound_connections(s->options.connections);
    union {
        const char *text;
        void *value;
    } cert = {.text = s->options.tls_cert}, key = {.text = s->options.tls_key};
    struct MHD_OptionItem tls[] = {
        {s->options.tls_cert != NULL ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, cert.value},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, key.value},
        {MHD_OPTION_END, 0, NULL},
    };

    if (s->options.tls_cert != NULL)
        flags |= MHD_USE_TLS;
    s->daemon = s->api->start_daemon(
        flags, 0, NULL, NULL, connection_request, &s->connections, MHD_OPTION_EXTERNAL_LOGGER,
        log_complaint, s, MHD_OPTION_LISTEN_SOCKET, s->options.listening.fd,
        MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (most + 1) / 2,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADERS_MAX, MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
        POOL_INCREMENT, MHD_OPTION_NOTIFY_CONNECTION, connection_notify, &s->connections,
        MHD_OPTION_URI_LOG_CALLBACK, connection_target, &s->connections,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        connection_completed, &s->connections, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (s->daemon != NULL)
        return 0;
    (void)err_set(err, ERR_USAGE, "the HTTP server does not start on %s",
                  s->options.listening.name);
    return err_hint(err, s->options.tls_cert != NULL
                             ? "do --tls-cert and --tls-key hold PEM, and belong together?"
                             : "see the log above");
}

struct server *server_new(struct arena *a, struct coordinator *coordinator,
                          const struct server_options *options, struct err *err)
{
    struct server *s = arena_new(a, struct server);

    s->coordinator = coordinator;
    s->options = *options;
    s->api = mhd_api(err);
    if (s->api == NULL)
        return NULL;
    if (connections_init(&s->connections, coordinator, s->api, options->request_ms, options->rate,
                         err) < 0)
        return NULL;
    if (start(s, err) == 0)
        return s;
    connections_done(&s->connections);
    return NULL;
}

static int wait_ms(const struct server *s, uint64_t tick_ms)
{
    uint64_t now = clock_now_ms(s->coordinator->clock);
    uint64_t left = tick_ms > now ? tick_ms - now : 0;
    unsigned long long timeout;

    if (s->api->get_timeout(s->daemon, &timeout) == MHD_YES && timeout < left)
        left = timeout;
    return (int)left;
}

void server_run(struct server *s)
{
    struct pollfd ready[] = {
        {.fd = s->api->get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
         .events = POLLIN},
        {.fd = stop_fd(), .events = POLLIN},
        {.fd = s->connections.hangups.fd, .events = POLLIN},
    };
    uint64_t tick_ms = 0;

    while (!stop_wanted()) {
        (void)poll(ready, 3, wait_ms(s, tick_ms));
        if (ready[2].revents != 0)
            connections_hung_up(&s->connections);
        (void)s->api->run(s->daemon);
        if (clock_now_ms(s->coordinator->clock) < tick_ms)
            continue;
        registry_tick(s->coordinator->registry);
        connections_tick(&s->connections);
        tick_ms = clock_now_ms(s->coordinator->clock) + TICK_MS;
    }
}

void server_free(struct server **server)
{
    struct server *s = *server;

    if (s == NULL)
        return;
    connections_wake(&s->connections);
    s->api->stop_daemon(s->daemon);
    connections_done(&s->connections);
    *server = NULL;
}
