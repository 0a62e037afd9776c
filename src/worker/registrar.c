#include "worker/registrar.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "text/utf8.h"
#include "worker/child.h"
#include "worker/identity.h"
#include "worker/model_path.h"
#include "worker/registration.h"

/* More than a record takes: what is told is either in the pipe whole or not at all. */
#define PIPE_BYTES (1 << 20)

/* What a record may say: an error's text is made of what others wrote. */
static const char *fit(struct arena *a, const char *text, size_t most)
{
    struct buf out = buf_new(a, most + 1);
    struct str rest = str_from(text);

    while (rest.len > 0) {
        struct str one = rest;
        uint32_t code;
        size_t len = utf8_next(&code, rest);

        one.len = len > 0 ? len : 1;
        rest.ptr += one.len;
        rest.len -= one.len;
        if (!fleet_text_ok(one, one.len))
            one = STR("?");
        if (out.len + one.len > most)
            break;
        buf_add(&out, one);
    }
    return buf_str(&out).ptr;
}

static void send_record(struct registrar *r)
{
    ARENA_SCOPED a = {0};
    struct buf line = buf_new(&a, FLEET_MESSAGE_MAX + 16);
    struct pollfd p = {.fd = r->to, .events = POLLOUT};
    ssize_t sent;

    buf_addc(&line, '{');
    fleet_record_put(&line, &r->record);
    buf_addz(&line, "}\n");
    /* It is never full where its reader lives; where it hangs, what it missed is of no use. */
    if (line.cut || poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0)
        return;
    sent = write(r->to, line.ptr, line.len);
    (void)sent; /* the reader is gone: hear() says so */
}

static void say(struct registrar *r, struct str line)
{
    enum report_level level = str_starts(line, STR("W ")) ? REPORT_WARN : REPORT_INFO;

    if (line.len > 2)
        report_note(r->report, level, "coordinator", NULL, STR_FMT, (int)line.len - 2,
                    line.ptr + 2);
}

/* Hands whole lines to the log. */
static void hear(struct registrar *r)
{
    ssize_t got = read(r->from, r->words + r->len, sizeof(r->words) - r->len);
    struct str all;
    struct str line;

    if (got <= 0 && !(got < 0 && errno == EAGAIN)) {
        fd_close(&r->from);
        report_note(r->report, REPORT_WARN, "coordinator", NULL,
                    "the process that registers this worker has ended: the coordinator will think "
                    "it lost, and it goes on");
        return;
    }
    r->len += got > 0 ? (size_t)got : 0;
    all = (struct str){r->words, r->len};
    while (memchr(all.ptr, '\n', all.len) != NULL) {
        (void)str_cut(&all, '\n', &line);
        say(r, line);
    }
    memmove(r->words, all.ptr, all.len);
    r->len = all.len < sizeof(r->words) ? all.len : 0; /* a line without an end */
}

void registrar_observe(void *ctx, enum news_kind kind, const struct worker_news *now)
{
    struct registrar *r = ctx;

    if (kind != NEWS_TICK) {
        ARENA_SCOPED a = {0};

        r->record.state = now->state;
        (void)snprintf(r->reason, sizeof(r->reason), "%s", fit(&a, now->reason, FLEET_REASON_MAX));
        r->record.reason = r->reason;
        r->record.progress =
            (struct fleet_progress){.bytes = now->bytes, .total = now->total, .bps = now->bps};
        send_record(r);
    }
    if (r->from >= 0 && pthread_equal(pthread_self(), r->leader))
        hear(r);
}

void registrar_models(struct registrar *r, struct arena *a, const struct config *config,
                      const struct catalog_choice *choice)
{
    size_t count = choice->count < FLEET_MODELS_MAX ? choice->count : FLEET_MODELS_MAX;
    struct fleet_model *models = arena_array(a, struct fleet_model, count + 1);

    for (size_t i = 0; i < count; i++) {
        const char *commit = model_revision(a, config, &choice->wants[i]);

        models[i].name = fit(a, choice->wants[i].ref.text, FLEET_MODEL_MAX);
        models[i].revision = commit != NULL ? fit(a, commit, FLEET_REVISION_MAX) : "";
    }
    r->record.models = models;
    r->record.model_count = count;
}

void registrar_gpus(struct registrar *r, struct str gpus)
{
    if (gpus.len == 0 || gpus.len > sizeof(r->gpus))
        return;
    memcpy(r->gpus, gpus.ptr, gpus.len);
    r->record.gpus = (struct str){r->gpus, gpus.len};
}

void registrar_holds(struct registrar *r, const struct fleet_hold *holds, size_t count)
{
    r->record.holds = r->holds;
    r->record.hold_count = count < FLEET_HOLDS_MAX ? count : FLEET_HOLDS_MAX;
    for (size_t i = 0; i < r->record.hold_count; i++) {
        (void)snprintf(r->uuids[i], sizeof(r->uuids[i]), "%s", holds[i].uuid);
        r->holds[i] = holds[i];
        r->holds[i].uuid = r->uuids[i];
    }
    if (r->pid > 0)
        send_record(r);
}

static int open_pipes(int to[2], int from[2])
{
    if (pipe2(to, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    if (pipe2(from, O_CLOEXEC | O_NONBLOCK) < 0) {
        (void)close(to[0]);
        (void)close(to[1]);
        return -1;
    }
    (void)fcntl(to[1], F_SETPIPE_SZ, PIPE_BYTES);
    return 0;
}

static int start(struct registrar *r, const struct config *config)
{
    pid_t parent = getpid();
    int to[2];
    int from[2];
    pid_t pid;

    if (open_pipes(to, from) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        child_settle(parent);
        (void)close(to[1]);
        (void)close(from[0]);
        registrar_run(to[0], from[1], config);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    if (pid < 0) {
        (void)close(to[1]);
        (void)close(from[0]);
        return -1;
    }
    r->pid = pid;
    r->to = to[1];
    r->from = from[0];
    return 0;
}

int registrar_open(struct registrar *r, struct arena *a, const struct registrar_of *of,
                   struct err *err)
{
    struct coordinators coordinators;
    const char *warning;

    *r = (struct registrar){.to = -1, .from = -1, .report = of->report, .leader = pthread_self()};
    if (identity_coordinators(&coordinators, &warning, a, of->config, err) < 0 ||
        identity_record(&r->record, a, of->config, of->type->name, err) < 0)
        return -1;
    if (coordinators.count == 0)
        return 0;
    if (warning != NULL)
        report_note(of->report, REPORT_WARN, "coordinator", NULL, "%s", warning);
    registrar_models(r, a, of->config, of->choice);
    if (start(r, of->config) < 0) {
        struct err why = {0};

        (void)err_sys(&why, ERR_LIMIT, "this worker is not registered");
        report_note(of->report, REPORT_WARN, "coordinator", NULL, "%s", why.msg);
    }
    return 0;
}

void registrar_close(struct registrar *r)
{
    const struct clock *clock = clock_real();
    uint64_t end_ms = clock_now_ms(clock) + 2 * REGISTRATION_LEAVE_MS;

    if (r->pid == 0)
        return;
    fd_close(&r->to);
    /* Its words end with it. Whoever reaped it before is a supervisor that reaps all. */
    while (r->from >= 0 && clock_now_ms(clock) < end_ms) {
        struct pollfd p = {.fd = r->from, .events = POLLIN};

        if (poll(&p, 1, 100) == 1 && (p.revents & POLLIN) == 0)
            break;
        if ((p.revents & POLLIN) != 0)
            hear(r);
    }
    (void)kill(r->pid, SIGKILL);
    (void)waitpid(r->pid, NULL, 0);
    fd_close(&r->from);
    r->pid = 0;
}
