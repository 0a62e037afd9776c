#include "worker/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/file.h"
#include "text/num.h"

#define STAT_MAX ((size_t)1024)
#define BOOT_MAX ((size_t)64)
/* Of the numbers behind the name in /proc/PID/stat the start is the twentieth. */
#define START_FIELD 20

uint64_t status_start_of(uint64_t pid)
{
    char path[64];
    char text[STAT_MAX];
    struct err ignored;
    struct str rest = {text, 0};
    struct str word;
    uint64_t start = 0;
    ssize_t got;

    (void)snprintf(path, sizeof(path), "/proc/%ju/stat", (uintmax_t)pid);
    FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (got <= 0)
        return 0;
    rest.len = (size_t)got;
    if (!str_rcut(&rest, ')', &word) || word.len < 3 || word.ptr[1] == 'Z' || word.ptr[1] == 'X')
        return 0;
    rest = (struct str){word.ptr + 1, word.len - 1};
    for (int i = 0; i < START_FIELD; i++)
        (void)str_cut(&rest, ' ', &word);
    return num_parse_u64(&start, word, UINT64_MAX, &ignored) == 0 ? start : 0;
}

static const char *boot_id(struct arena *a)
{
    char text[BOOT_MAX];
    FD_SCOPED fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text));

    return got <= 0 ? "" : str_dup(a, str_trim((struct str){text, (size_t)got}));
}

static uint64_t pid_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

int status_keep(struct status_keeper *k, struct arena *a, const struct config *config,
                const struct clock *clock, struct err *err)
{
    static const char *const none[] = {NULL};

    *k = (struct status_keeper){.runtime = {.fd = -1}, .clock = clock};
    if (runtime_status_name(&k->name, a, config, err) < 0 ||
        runtime_open(&k->runtime, a, config, true, err) < 0)
        return -1;
    k->status = (struct status){
        .type = "",
        .id = config->worker_id != NULL ? config->worker_id : config->host,
        .host = config->host,
        .boot = boot_id(a),
        .pid = (uint64_t)getpid(),
        .pid_namespace = pid_namespace(),
        .start_ticks = status_start_of((uint64_t)getpid()),
        .models = none,
    };
    return 0;
}

void status_keep_done(struct status_keeper *k)
{
    runtime_close(&k->runtime);
}

void status_observe(void *ctx, enum news_kind kind, const struct worker_news *now)
{
    struct status_keeper *k = ctx;
    ARENA_SCOPED scratch = {0};
    struct status s = k->status;
    uint64_t now_ms = clock_now_ms(k->clock);

    if (k->runtime.fd < 0 || (kind != NEWS_MOVED && now_ms - k->written_ms < STATUS_EVERY_MS))
        return;
    s.state = now->state;
    s.reason = now->reason;
    s.command_pid = (uint64_t)now->pid;
    s.restarts = now->restarts;
    s.since_unix_ms = now->since_unix_ms;
    s.beat_ms = now_ms;
    s.model = now->model;
    s.bytes = now->bytes;
    s.total = now->total;
    s.bps = now->bps;
    k->written_ms = now_ms;
    k->broken =
        file_replace(k->runtime.fd, k->name, ".", status_format(&scratch, &s), 0644, &k->why) < 0;
}

static void judge(struct status_seen *seen, struct arena *a, const struct clock *clock)
{
    const struct status *s = &seen->status;
    uint64_t now_ms = clock_now_ms(clock);

    if (strcmp(s->boot, boot_id(a)) != 0) {
        seen->life = STATUS_GONE;
        return;
    }
    seen->age_ms = now_ms > s->beat_ms ? now_ms - s->beat_ms : 0;
    if (s->start_ticks > 0 && s->pid_namespace > 0 && s->pid_namespace == pid_namespace())
        seen->life = status_start_of(s->pid) == s->start_ticks ? STATUS_ALIVE : STATUS_GONE;
    else
        seen->life = seen->age_ms > STATUS_STALE_MS ? STATUS_STALE : STATUS_ALIVE;
}

int status_read(struct status_seen *out, struct arena *a, const struct config *config,
                const struct clock *clock, struct err *err)
{
    struct runtime runtime = {.fd = -1};
    struct status_seen seen = {0};
    const char *name;
    struct str text;
    int r = -1;

    if (runtime_status_name(&name, a, config, err) < 0 ||
        runtime_open(&runtime, a, config, false, err) < 0)
        return -1;
    if (file_read_all(&text, a, runtime.fd, name, STATUS_BYTES_MAX, err) < 0) {
        if (err->sys == ENOENT)
            (void)err_set(err, ERR_NOT_FOUND, "%s has no %s: no worker has run here", runtime.path,
                          name);
    } else if (!status_parse(&seen.status, a, text)) {
        (void)err_set(err, ERR_LIMIT, "%s/%s is no status of a worker", runtime.path, name);
    } else {
        judge(&seen, a, clock);
        *out = seen;
        r = 0;
    }
    runtime_close(&runtime);
    return r;
}

bool status_is_live(const struct status_seen *seen)
{
    return seen->life == STATUS_ALIVE && fleet_state_invariant(seen->status.state)->progress;
}

bool status_is_ready(const struct status_seen *seen)
{
    return seen->life == STATUS_ALIVE && fleet_state_invariant(seen->status.state)->ready;
}
