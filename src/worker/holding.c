#include "worker/holding.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gpu/inventory.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "text/num.h"
#include "worker/child.h"

#define FRESH_MS UINT64_C(5000)
#define SAID_MAX (FLEET_GPUS_BYTES + FLEET_HOLDS_MAX * (FLEET_UUID_MAX + 48))

static bool is_asked(const struct holding *h)
{
    return h->of.gate != NULL && h->of.gate->look != NULL;
}

/* "[]" where nobody looked: then there is nothing to compare with. */
static bool has_gpus(struct str gpus)
{
    return gpus.len > 2;
}

void holding_begin(struct holding *h, struct arena *a, const struct holding_of *of, struct str gpus,
                   uint64_t age_ms)
{
    struct err ignored;
    struct str again;

    *h = (struct holding){.of = *of, .fd = -1, .before = gpus};
    file_random_hex(h->worker, USE_WORKER - 1);
    if (is_asked(h) && has_gpus(gpus) && age_ms > FRESH_MS &&
        of->gate->look(&again, a, of->config, &ignored) == 0)
        h->before = again;
}

/* ---- the process that asks ---- */

static uint64_t planned_mib(const struct planned *planned, const char *uuid)
{
    uint64_t mib = 0;

    for (size_t i = 0; planned != NULL && i < planned->count; i++) {
        struct str rest = str_from(planned->at[i].gpus);
        bool more = rest.len > 0;

        while (more) {
            struct str one;

            more = str_cut(&rest, ',', &one);
            mib += str_eqz(one, uuid) ? planned->at[i].taken_mib : 0;
        }
    }
    return mib;
}

static int read_gpus(struct gpu_inventory *out, struct arena *a, struct str gpus)
{
    struct buf text = buf_new(a, INVENTORY_MAX);
    struct err ignored;

    buf_addz(&text, "{\"gpus\":");
    buf_add(&text, gpus);
    buf_addc(&text, '}');
    return inventory_read(out, a, buf_str(&text), "the GPUs", &ignored);
}

static uint64_t used_before(const struct gpu_inventory *before, const char *uuid)
{
    for (size_t i = 0; i < before->count; i++) {
        if (strcmp(before->gpus[i].uuid, uuid) == 0)
            return before->gpus[i].used_mib;
    }
    return UINT64_MAX;
}

/* A line for each GPU that is held, then the GPUs as they are now. */
static void compare(struct buf *out, struct arena *a, const struct holding *h, struct str now)
{
    struct gpu_inventory before, after;

    if (read_gpus(&before, a, h->before) < 0 || read_gpus(&after, a, now) < 0)
        return;
    for (size_t i = 0; i < after.count; i++) {
        const struct gpu *gpu = &after.gpus[i];
        uint64_t planned = planned_mib(h->of.planned, gpu->uuid);
        uint64_t used = used_before(&before, gpu->uuid);
        uint64_t grown = gpu->used_mib > used ? gpu->used_mib - used : 0;

        if (gpu->state != GPU_OK ||
            (h->of.planned != NULL ? planned == 0 : grown < HOLDING_LEAST_MIB))
            continue;
        buf_addf(out, "%" PRIu64 " %" PRIu64 " %s\n", grown, planned, gpu->uuid);
    }
    if (now.len <= FLEET_GPUS_BYTES)
        buf_add(out, now);
}

static _Noreturn void ask(const struct holding *h, int fd)
{
    ARENA_SCOPED a = {0};
    struct buf out = buf_new(&a, SAID_MAX);
    struct err ignored;
    struct str now;

    if (h->of.gate->look(&now, &a, h->of.config, &ignored) == 0)
        compare(&out, &a, h, now);
    _exit(out.cut || file_write_all(fd, buf_str(&out), "what is held", &ignored) < 0);
}

static void stop_asking(struct holding *h)
{
    if (h->fd < 0)
        return;
    (void)kill(h->pid, SIGKILL);
    fd_close(&h->fd);
    arena_free(&h->arena);
}

static void start_asking(struct holding *h)
{
    pid_t parent = getpid();
    int ends[2];
    pid_t pid;

    stop_asking(h);
    if (!is_asked(h) || !has_gpus(h->before) || pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid = fork();
    if (pid == 0) {
        child_settle(parent);
        ask(h, child_alone_with(ends[1]));
    }
    (void)close(ends[1]);
    if (pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        (void)close(ends[0]);
        return; /* who holds what stays unknown, and is told to nobody */
    }
    h->fd = ends[0];
    h->pid = pid;
    h->said = buf_new(&h->arena, SAID_MAX);
}

/* ---- what it told ---- */

static bool take_hold(struct fleet_hold *out, struct arena *a, struct str line)
{
    struct str mib, planned;
    struct err ignored;

    if (!str_cut(&line, ' ', &mib) || !str_cut(&line, ' ', &planned) || line.len == 0 ||
        !fleet_text_ok(line, FLEET_UUID_MAX))
        return false;
    out->uuid = str_dup(a, line);
    return num_parse_u64(&out->mib, mib, UINT32_MAX, &ignored) == 0 &&
           num_parse_u64(&out->planned_mib, planned, UINT32_MAX, &ignored) == 0;
}

static void tell(struct holding *h, const struct fleet_hold *holds, size_t count)
{
    struct use_gpu marks[FLEET_HOLDS_MAX];

    for (size_t i = 0; i < count; i++) {
        marks[i] = (struct use_gpu){
            .mib = holds[i].mib > holds[i].planned_mib ? holds[i].mib : holds[i].planned_mib};
        (void)snprintf(marks[i].uuid, sizeof(marks[i].uuid), "%s", holds[i].uuid);
        (void)snprintf(marks[i].worker, sizeof(marks[i].worker), "%s", h->worker);
        (void)snprintf(marks[i].type, sizeof(marks[i].type), "%s", h->of.type);
    }
    in_use_gpus(h->of.in_use, marks, count);
    registrar_holds(h->of.registrar, holds, count);
}

static void take_all(struct holding *h)
{
    struct fleet_hold holds[FLEET_HOLDS_MAX];
    struct str rest = buf_str(&h->said);
    struct str line;
    size_t count = 0;

    while (count < FLEET_HOLDS_MAX && memchr(rest.ptr, '\n', rest.len) != NULL) {
        (void)str_cut(&rest, '\n', &line);
        if (take_hold(&holds[count], &h->arena, line))
            count++;
    }
    if (has_gpus(rest))
        registrar_gpus(h->of.registrar, rest);
    tell(h, holds, count);
}

static void hear(struct holding *h)
{
    char text[4096];
    ssize_t got = 0;

    while (h->fd >= 0 && (got = read(h->fd, text, sizeof(text))) > 0)
        buf_add(&h->said, (struct str){text, (size_t)got});
    if (h->fd < 0 || (got < 0 && errno == EAGAIN))
        return;
    fd_close(&h->fd);
    if (got == 0 && h->said.len > 0 && !h->said.cut)
        take_all(h);
    arena_free(&h->arena);
}

void holding_observe(void *ctx, enum news_kind kind, const struct worker_news *now)
{
    struct holding *h = ctx;

    if (kind == NEWS_MOVED && now->state == FLEET_RUNNING) {
        start_asking(h);
    } else if (kind == NEWS_MOVED && now->before == FLEET_RUNNING) {
        stop_asking(h);
        tell(h, NULL, 0);
    } else {
        hear(h);
    }
}

void holding_end(struct holding *h)
{
    if (h->of.config != NULL)
        stop_asking(h);
}
