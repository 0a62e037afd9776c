#include "coord/connection.h"

#include <sys/socket.h>

#include "text/num.h"

#define STREAM_BLOCK ((size_t)16 << 10)
#define HANGUP_BATCH 64
/* An answer may take so many times as long as a request. */
#define ANSWER_TIMES 2
#define BODY_LIMIT   FLEET_MESSAGE_MAX

int connections_init(struct connections *all, struct coordinator *coordinator,
                     const struct mhd_api *api, uint64_t request_ms, uint64_t rate, struct err *err)
{
    *all = (struct connections){.api = api, .coordinator = coordinator, .request_ms = request_ms};
    if (hangups_init(&all->hangups, err) < 0)
        return -1;
    rates_init(&all->rates, &all->arena, rate, 2 * rate);
    return 0;
}

void connections_done(struct connections *all)
{
    hangups_done(&all->hangups);
    arena_free(&all->arena);
}

static uint64_t now_ms(const struct connections *all)
{
    return clock_now_ms(all->coordinator->clock);
}

static void open_connection(struct connections *all, struct MHD_Connection *mhd, void **context)
{
    struct connection *c = all->unused;

    if (c != NULL)
        all->unused = c->next;
    else
        c = arena_new(&all->arena, struct connection);
    *c = (struct connection){.all = all, .mhd = mhd, .next = all->first};
    c->fd = all->api->get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    c->bucket = rates_bucket(
        &all->rates,
        all->api->get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    c->deadline_ms = now_ms(all) + all->request_ms;
    if (all->first != NULL)
        all->first->previous = c;
    all->first = c;
    all->coordinator->counts.connections++;
    *context = c;
}

static void close_connection(struct connections *all, struct connection *c)
{
    if (c->next != NULL)
        c->next->previous = c->previous;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        all->first = c->next;
    c->next = all->unused;
    all->unused = c;
    all->coordinator->counts.connections--;
}

void connection_notify(void *cls, struct MHD_Connection *mhd, void **context,
                       enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        open_connection(cls, mhd, context);
    else
        close_connection(cls, *context);
}

/* The first line of a request is there: its target as it came, which libmicrohttpd would decode. */
void *connection_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct connections *all = cls;
    struct arena a = {0};
    struct request *r = arena_new(&a, struct request);

    r->connection =
        all->api->get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->connection->request = r;
    r->x.arena = a;
    r->x.coordinator = all->coordinator;
    r->bad_target = !exchange_set_target(&r->x, str_from(uri));
    return r;
}

static struct str header(const struct request *r, const char *name)
{
    const char *value =
        r->connection->all->api->lookup_connection_value(r->connection->mhd, MHD_HEADER_KIND, name);

    if (value == NULL)
        return STR("");
    return str_copy(&r->connection->request->x.arena, str_from(value));
}

static void check_token(struct request *r)
{
    const struct auth *auth = &r->x.coordinator->auth;
    unsigned needed = r->x.route->scope;
    unsigned given = needed == AUTH_NONE ? 0 : auth_scopes(auth, header(r, "authorization"));

    if ((needed & ~given) == 0)
        return;
    if (given == 0)
        exchange_refuse(&r->x, 401, "unauthorized", "a token is needed, and this is none",
                        "Authorization: Bearer TOKEN, with one of the coordinator's --token-file");
    else
        exchange_refuse(&r->x, 403, "forbidden", "this token is not good for that",
                        needed == AUTH_WRITE ? "it needs one with the scope write"
                                             : "it needs one with the scope read");
}

/*
 * A form of another page can send no JSON to an address of this host without asking first, so the
 * type of a body is more than a formality.
 */
static void check_body(struct request *r)
{
    struct str type = header(r, "content-type");
    struct str length = header(r, "content-length");
    struct err ignored = {0};
    struct str name;
    uint64_t bytes;

    if (!r->x.route->body)
        return;
    (void)str_cut(&type, ';', &name);
    if (!str_eq_nocase(str_trim(name), STR("application/json")))
        exchange_refuse(&r->x, 415, "unsupported_media_type", "the body should be application/json",
                        NULL);
    else if (length.ptr != NULL &&
             (num_parse_u64(&bytes, length, UINT64_MAX, &ignored) < 0 || bytes > BODY_LIMIT))
        r->too_long = true;
}

static void refuse_long(struct request *r)
{
    exchange_refuse(&r->x, 413, "too_large", "the body is larger than 256 KiB", NULL);
}

/* All that can be said before the body has come. */
static void begin(struct request *r, const char *method)
{
    struct connections *all = r->connection->all;

    r->x.method = str_dup(&r->x.arena, str_from(method));
    r->x.body = buf_new(&r->x.arena, BODY_LIMIT);
    if (!rates_take(&all->rates, r->connection->bucket, now_ms(all))) {
        all->coordinator->counts.limited++;
        r->x.retry_after_s = 1;
        exchange_refuse(&r->x, 429, "too_many_requests", "this address asks too often", NULL);
        return;
    }
    if (r->bad_target) {
        exchange_refuse(&r->x, 400, "bad_request", "the address has a bad escape or too many items",
                        NULL);
        return;
    }
    route_find(&r->x);
    if (r->x.status == 0)
        check_token(r);
    if (r->x.status == 0)
        check_body(r);
    if (r->x.status == 0 && r->too_long)
        refuse_long(r);
    r->x.accept = header(r, "accept");
    r->x.last_event_id = header(r, "last-event-id");
}

/* Where there is nothing to write the connection sleeps until connections_tick() wakes it. */
static ssize_t read_stream(void *cls, uint64_t position, char *out, size_t max)
{
    struct request *r = cls;
    struct connections *all = r->connection->all;
    size_t len;

    (void)position;
    if (r->gone)
        return MHD_CONTENT_READER_END_OF_STREAM;
    len = events_read(&r->events, out, max);
    if (len > 0) {
        r->connection->deadline_ms = now_ms(all) + all->request_ms;
        return (ssize_t)len;
    }
    r->connection->deadline_ms = UINT64_MAX;
    r->suspended = true;
    all->api->suspend_connection(r->connection->mhd);
    return 0;
}

static struct MHD_Response *make_response(struct request *r)
{
    const struct connections *all = r->connection->all;
    union {
        const char *text;
        void *memory;
    } body = {.text = r->x.text.ptr};

    if (!r->x.stream || strcmp(r->x.method, "HEAD") == 0)
        return all->api->create_response_from_buffer(r->x.text.len, body.memory,
                                                     MHD_RESPMEM_PERSISTENT);
    events_init(&r->events, registry_view(r->x.coordinator->registry), r->x.last_event_id);
    r->streaming = true;
    /* Nobody reads from it while it sleeps. Not watched it is noticed at the next comment. */
    (void)!hangups_watch(&r->connection->all->hangups, r->connection->fd, r->connection);
    r->x.coordinator->counts.streams++;
    return all->api->create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, r,
                                                   NULL);
}

static enum MHD_Result send_answer(struct request *r)
{
    const struct connections *all = r->connection->all;
    const struct mhd_api *api = all->api;
    struct MHD_Response *response = make_response(r);
    enum MHD_Result queued;

    if (response == NULL)
        return MHD_NO;
    (void)api->add_response_header(response, "Content-Type", r->x.type);
    (void)api->add_response_header(response, "Cache-Control", "no-store");
    (void)api->add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (r->x.policy != NULL) {
        (void)api->add_response_header(response, "Content-Security-Policy", r->x.policy);
        (void)api->add_response_header(response, "Referrer-Policy", "no-referrer");
    }
    if (r->x.allow != NULL)
        (void)api->add_response_header(response, "Allow", r->x.allow);
    if (r->x.status == 401)
        (void)api->add_response_header(response, "WWW-Authenticate", "Bearer");
    if (r->x.retry_after_s > 0)
        (void)api->add_response_header(response, "Retry-After",
                                       str_format(&r->x.arena, "%u", r->x.retry_after_s));
    r->connection->deadline_ms = now_ms(all) + ANSWER_TIMES * all->request_ms;
    queued = api->queue_response(r->connection->mhd, (unsigned)r->x.status, response);
    api->destroy_response(response);
    return queued;
}

/* The parameters are libmicrohttpd's. NOLINTNEXTLINE(readability-function-size) */
enum MHD_Result connection_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *len, void **context)
{
    struct request *r = *context;

    (void)cls;
    (void)mhd;
    (void)url;
    (void)version;
    if (!r->begun) {
        r->begun = true;
        begin(r, method);
        return r->x.status != 0 ? send_answer(r) : MHD_YES;
    }
    if (*len > 0) {
        /* What no route takes is passed over; so is what is too long, up to as much again. */
        if (r->x.route->body)
            buf_add(&r->x.body, (struct str){data, *len});
        r->too_long = r->too_long || r->x.body.cut;
        *len = 0;
        return MHD_YES;
    }
    if (r->too_long)
        refuse_long(r);
    else
        r->x.route->handle(&r->x);
    return send_answer(r);
}

static void count(const struct request *r)
{
    struct coordinator_counts *counts = &r->x.coordinator->counts;
    size_t routes;
    size_t route = 0;

    if (r->x.route == NULL) {
        counts->refused++;
        return;
    }
    route = (size_t)(r->x.route - route_all(&routes));
    counts->requests[route][r->x.status / 100]++;
}

void connection_completed(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_RequestTerminationCode how)
{
    struct connections *all = cls;
    struct request *r = *context;
    struct arena a;

    (void)mhd;
    (void)how;
    if (r == NULL)
        return;
    count(r);
    if (r->streaming) {
        r->x.coordinator->counts.streams--;
        events_done(&r->events);
    }
    r->connection->request = NULL;
    r->connection->deadline_ms = now_ms(all) + all->request_ms;
    a = r->x.arena;
    arena_free(&a);
    *context = NULL;
}

static void wake(const struct connections *all, struct request *r)
{
    r->suspended = false;
    r->connection->deadline_ms = now_ms(all) + all->request_ms;
    all->api->resume_connection(r->connection->mhd);
}

void connections_tick(struct connections *all)
{
    uint64_t now = now_ms(all);

    for (struct connection *c = all->first; c != NULL; c = c->next) {
        struct request *r = c->request;

        if (r != NULL && r->suspended && events_due(&r->events))
            wake(all, r);
        if (now < c->deadline_ms)
            continue;
        /* libmicrohttpd sees the end of the connection, and cleans up. */
        (void)shutdown(c->fd, SHUT_RDWR);
        all->coordinator->counts.timed_out++;
        c->deadline_ms = UINT64_MAX;
    }
}

/* What is taken stays true: libmicrohttpd, which closes connections, does not run meanwhile. */
void connections_hung_up(struct connections *all)
{
    void *gone[HANGUP_BATCH];
    size_t count;

    while ((count = hangups_take(&all->hangups, gone, HANGUP_BATCH)) > 0) {
        for (size_t i = 0; i < count; i++) {
            struct request *r = ((struct connection *)gone[i])->request;

            if (r == NULL || !r->streaming)
                continue;
            r->gone = true;
            if (r->suspended)
                wake(all, r);
        }
    }
}

void connections_wake(struct connections *all)
{
    for (struct connection *c = all->first; c != NULL; c = c->next) {
        if (c->request != NULL && c->request->suspended)
            wake(all, c->request);
    }
}
