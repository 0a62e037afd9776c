/* coordinator: the registry of workers, as a server. */

#include "cmd/cmd.h"
#include "cmd/fleet_picture.h"
#include "coord/gateway.h"
#include "coord/server.h"
#include "sys/file.h"
#include "sys/secret.h"
#include "sys/stop.h"

#define PEM_BYTES_MAX ((size_t)1 << 20)
#define STREAMS_MAX   256
/* Of all records: what 20,000 of them take, and much more than they need. */
#define RECORD_BYTES_MAX   ((size_t)256 << 20)
#define PASSWORD_BYTES_MAX ((size_t)4096)

static void note_registry(void *ctx, bool warning, const char *text)
{
    report_note(ctx, warning ? REPORT_WARN : REPORT_INFO, "registry", NULL, "%s", text);
}

static void note_server(void *ctx, const char *text)
{
    struct str line = str_trim(str_from(text));

    report_note(ctx, REPORT_DEBUG, "http", NULL, STR_FMT, STR_ARG(line));
}

static int make_token(struct cmd_context *ctx, struct err *err)
{
    const char *path = ctx->config->options.make_token;

    if (auth_make(path, err) < 0)
        return -1;
    report_note(ctx->report, REPORT_INFO, "token", NULL,
                "a token for reading and writing is in %s: start the coordinator with --token-file "
                "%s, its workers with COORDINATOR_TOKEN_FILE=%s",
                path, path, path);
    return 0;
}

/* Who can reach an open coordinator can make workers up, and see where all are. */
static int set_auth(struct auth *out, struct cmd_context *ctx, const struct listening *listening,
                    struct err *err)
{
    const struct config_options *o = &ctx->config->options;

    if (o->token_file != NULL && o->allow_anonymous)
        return err_set(err, ERR_USAGE, "--token-file and --allow-anonymous exclude each other");
    if (o->token_file != NULL)
        return auth_load(out, ctx->arena, o->token_file, err);
    *out = (struct auth){.anonymous = true};
    if (listening->loopback || o->allow_anonymous)
        return 0;
    (void)err_set(err, ERR_USAGE, "--listen %s: others reach that, and no token is asked for",
                  o->listen);
    return err_hint(err, "hostler coordinator --make-token FILE, then --token-file FILE; or "
                         "--allow-anonymous if that network is yours alone");
}

static int set_tls(struct server_options *out, struct cmd_context *ctx, struct err *err)
{
    const struct config_options *o = &ctx->config->options;
    struct str cert;
    struct str key;

    if ((o->tls_cert == NULL) != (o->tls_key == NULL))
        return err_set(err, ERR_USAGE, "--tls-cert and --tls-key belong together");
    if (o->tls_cert == NULL)
        return 0;
    secret_held();
    if (file_read_named(&cert, ctx->arena, o->tls_cert, PEM_BYTES_MAX, err) < 0 ||
        file_read_named(&key, ctx->arena, o->tls_key, PEM_BYTES_MAX, err) < 0) {
        err->code = ERR_USAGE;
        return err_wrap(err, "--tls-cert, --tls-key");
    }
    out->tls_cert = cert.ptr;
    out->tls_key = key.ptr;
    return 0;
}

static int read_password(const char **out, struct cmd_context *ctx, struct err *err)
{
    const struct config_options *o = &ctx->config->options;
    struct str text;
    struct str line;

    if ((o->etcd_user == NULL) != (o->etcd_password_file == NULL))
        return err_set(err, ERR_USAGE, "--etcd-user and --etcd-password-file belong together");
    if (o->etcd_user == NULL)
        return 0;
    secret_held();
    if (file_read_named(&text, ctx->arena, o->etcd_password_file, PASSWORD_BYTES_MAX, err) < 0) {
        err->code = ERR_USAGE;
        return err_wrap(err, "--etcd-password-file");
    }
    (void)str_cut(&text, '\n', &line);
    *out = str_dup(ctx->arena, str_trim(line));
    return 0;
}

/* net is what the options point to, and is filled in here. */
static int set_etcd(struct etcd_options *out, struct net_config *net, struct cmd_context *ctx,
                    struct err *err)
{
    const struct config_options *o = &ctx->config->options;

    if ((o->etcd_cert == NULL) != (o->etcd_key == NULL))
        return err_set(err, ERR_USAGE, "--etcd-cert and --etcd-key belong together");
    *net = ctx->config->net;
    net->clock = clock_real();
    net->client_cert = o->etcd_cert;
    net->client_key = o->etcd_key;
    *out = (struct etcd_options){.net = net, .user = o->etcd_user, .owner = ctx->config->host};
    return read_password(&out->password, ctx, err);
}

static int open_registry(struct coordinator *c, struct cmd_context *ctx, struct err *err)
{
    const struct config_options *o = &ctx->config->options;
    struct etcd_options *etcd = arena_new(ctx->arena, struct etcd_options);
    struct net_config *net = arena_new(ctx->arena, struct net_config);
    struct registry_options options = {
        .clock = c->clock,
        .data_dir = o->data_dir,
        .driver = o->registry,
        .ttl_ms = o->ttl_ms,
        .keep_ms = o->keep_lost_ms,
        .limits = {.workers = (size_t)o->max_workers, .bytes = RECORD_BYTES_MAX},
        .etcd = etcd,
        .note = note_registry,
        .ctx = ctx->report,
    };

    if (o->ttl_ms < 500)
        return err_set(err, ERR_USAGE, "--ttl: less than 500ms");
    if (set_etcd(etcd, net, ctx, err) < 0)
        return -1;
    c->registry = registry_open(ctx->arena, &options, err);
    return c->registry == NULL ? -1 : 0;
}

static int serve(struct coordinator *c, struct cmd_context *ctx, struct server_options *options,
                 struct err *err)
{
    struct server *server = server_new(ctx->arena, c, options, err);

    if (server == NULL)
        return -1;
    report_note(
        ctx->report, REPORT_INFO, "listening", NULL, "Listening on %s://%s, %zu workers known%s",
        options->tls_cert != NULL ? "https" : "http", options->listening.name,
        view_count(registry_view(c->registry)), c->auth.anonymous ? ", no token is asked for" : "");
    server_run(server);
    server_free(&server);
    report_note(ctx->report, REPORT_INFO, "stopped", NULL, "Stopped by signal %d", stop_signal());
    return 0;
}

static int run(struct cmd_context *ctx, struct err *err)
{
    const struct config_options *o = &ctx->config->options;
    struct catalog catalog = ctx->config->catalog;
    struct coordinator c = {.clock = clock_real(),
                            .catalog = &catalog,
                            .streams_max = STREAMS_MAX,
                            .picture = fleet_picture,
                            .picture_ctx = &catalog};
    struct server_options options = {.connections = (unsigned)o->max_connections,
                                     .request_ms = o->request_timeout_ms,
                                     .rate = o->rate,
                                     .note = note_server,
                                     .ctx = ctx->report};
    int result;

    if (ctx->args.len > 0)
        return err_set(err, ERR_USAGE, "coordinator takes no argument: \"%.40s\"", ctx->args.at[0]);
    if (o->make_token != NULL)
        return make_token(ctx, err);
    c.started_ms = clock_now_ms(c.clock);
    if (listen_on(&options.listening, ctx->arena, o->listen, err) < 0 ||
        set_auth(&c.auth, ctx, &options.listening, err) < 0 || set_tls(&options, ctx, err) < 0 ||
        open_registry(&c, ctx, err) < 0)
        return -1;
    result = serve(&c, ctx, &options, err);
    registry_close(&c.registry);
    return result;
}

const struct cmd cmd_coordinator = {
    .name = "coordinator",
    .args = "",
    .summary = "the registry of workers: who is where, doing what",
    .details =
        "Workers that have COORDINATOR_URL register here and beat; hostler workers and\n"
        "GET /v1/workers show them, GET /metrics counts them, GET /v1/models/NAME/endpoints tells\n"
        "a gateway who serves a model. doc/coordinator.md and doc/openapi.yaml tell all of it.\n\n"
        "Beyond loopback it asks for a token: --make-token FILE writes one.\n",
    .no_data = true,
    .run = run,
};
