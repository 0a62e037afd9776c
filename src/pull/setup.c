#include "pull/setup.h"

#include <string.h>
#include <unistd.h>

#include "source/ollama_server.h"

#define GIVE_UP_MS      120000
#define LONGEST_WAIT_MS 360000

/* The network's rules, with the defaults that waiting for others needs to know too. */
static void set_net(struct pull *pull)
{
    pull->net = pull->config->net;
    pull->net.clock = pull->clock;
    pull->net.notice = notices_put;
    pull->net.notice_ctx = &pull->notices;
    if (pull->net.give_up_ms == 0)
        pull->net.give_up_ms = GIVE_UP_MS;
    if (pull->net.longest_wait_ms == 0)
        pull->net.longest_wait_ms = LONGEST_WAIT_MS;
    pull->source = pull->config->source;
    pull->source.net = &pull->net;
}

static void show_notice(void *ctx, const char *text)
{
    struct pull *pull = ctx;

    report_note(pull->report, REPORT_INFO, "network", NULL, "%s", text);
}

static void show_store(void *ctx, const char *text)
{
    struct pull *pull = ctx;

    report_note(pull->report, REPORT_WARN, "store", NULL, "%s", text);
}

static void tell_volume(const struct pull *pull)
{
    const struct volume *v = &pull->volume;

    if (v->ephemeral != NULL)
        report_note(pull->report, REPORT_WARN, "ephemeral", NULL,
                    "%s is on %s: nothing on it will survive this container; mount a volume there",
                    v->path, v->ephemeral);
    if (!v->writable)
        report_note(
            pull->report, REPORT_WARN, "read_only", NULL,
            "%s cannot be written: what is complete there can be used, nothing can be added",
            v->path);
}

/* A dry run makes nothing: it looks at the nearest directory that the volume would be made in. */
static const char *nearest_there(struct arena *a, const char *path)
{
    struct str at = str_from(path);
    struct str last;

    while (access(str_dup(a, at), F_OK) < 0 && at.len > 0 && memchr(at.ptr, '/', at.len) != NULL)
        (void)str_rcut(&at, '/', &last);
    if (at.len == 0)
        return "/";
    return access(str_dup(a, at), F_OK) == 0 ? str_dup(a, at) : ".";
}

static int open_volume(struct pull *pull, struct err *err)
{
    const struct config *config = pull->config;
    const char *path = config->volume_path;

    if (config->options.dry_run && config->volume_named)
        return volume_open(&pull->volume, pull->arena, nearest_there(pull->arena, path), false,
                           err);
    return volume_open(&pull->volume, pull->arena, path, config->volume_named, err);
}

int pull_setup(struct pull *pull, struct arena *a, const struct config *config,
               struct report *report, struct err *err)
{
    *pull = (struct pull){.arena = a, .config = config, .report = report, .clock = clock_real()};
    if (open_volume(pull, err) < 0)
        return -1;
    notices_init(&pull->notices, show_notice, pull);
    set_net(pull);
    pull->change = config->layout;
    pull->change.volume = &pull->volume;
    pull->change.read_only = false;
    pull->change.clock = pull->clock;
    pull->change.notice = show_store;
    pull->change.notice_ctx = pull;
    pull->look = pull->change;
    pull->look.read_only = true;
    tell_volume(pull);
    return 0;
}

void pull_teardown(struct pull *pull)
{
    ollama_server_close(&pull->ollama);
    transfer_free(&pull->transfer);
    lease_keeper_free(&pull->keeper);
    volume_close(&pull->volume);
    notices_done(&pull->notices);
}
