#include "gpu/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/stop.h"

/* More than any host has to say: each GPU with its processes, links and a few steps. */
#define RECORDS_MAX (GPU_MAX * (GPU_PROCESS_MAX + GPU_LINK_MAX + 32))
/* A killed child that sits in the driver may not end; nobody waits for that. */
#define REAP_MS ((uint64_t)1000)

void answer_send(int fd, const struct answer *answer)
{
    ssize_t sent;

    do
        sent = write(fd, answer, sizeof(*answer));
    while (sent < 0 && errno == EINTR);
    if (sent != (ssize_t)sizeof(*answer))
        _exit(1);
}

static void end_text(char *text, size_t size)
{
    text[size - 1] = '\0';
}
#define END_TEXT(array) end_text(array, sizeof(array))

static bool check_gpu(struct gpu *g)
{
    END_TEXT(g->uuid);
    END_TEXT(g->name);
    END_TEXT(g->pci);
    END_TEXT(g->sm);
    END_TEXT(g->mig_parent);
    END_TEXT(g->mig_profile);
    END_TEXT(g->reason);
    END_TEXT(g->hint);
    g->processes = NULL;
    g->links = NULL;
    g->process_count = g->link_count = 0;
    return (unsigned)g->state < GPU_STATES && (unsigned)g->compute_mode < GPU_COMPUTE_MODES &&
           g->total_mib <= GPU_MIB_MAX && g->reserved_mib <= GPU_MIB_MAX &&
           g->cuda_total_mib <= GPU_MIB_MAX && g->used_mib <= GPU_MIB_MAX &&
           g->free_mib <= GPU_MIB_MAX && g->index < GPU_MAX;
}

bool answer_check(struct answer *answer)
{
    END_TEXT(answer->text);
    END_TEXT(answer->cuda);
    END_TEXT(answer->process.name);
    END_TEXT(answer->link.to);
    if ((unsigned)answer->kind >= ANSWER_KINDS)
        return false;
    return check_gpu(&answer->one) && (unsigned)answer->link.kind < GPU_LINK_KINDS &&
           answer->process.mib <= GPU_MIB_MAX;
}

/* What the driver's library prints, and a core of it, are of no use to anybody. */
static void be_quiet(void)
{
    const struct rlimit none = {0, 0};
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setrlimit(RLIMIT_CORE, &none);
    for (int fd = 0; nowhere >= 0 && fd <= 2; fd++)
        (void)dup2(nowhere, fd);
}

/* A crash shall be seen as one, whoever has put a handler there, sanitizers for example. */
static void take_signals_as_they_come(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)sigaction(signals[i], &plain, NULL);
    /* That the parent has read enough is no crash: answer_send() ends the child. */
    (void)sigaction(SIGPIPE, &ignored, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void run_child(int fd, pid_t parent, const struct answer_exchange *exchange)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    take_signals_as_they_come();
    be_quiet();
    exchange->ask(fd, exchange->ask_ctx);
    _exit(0);
}

/* Waits for bytes, the end of the pipe, the deadline (0) or the wish to stop (-1). */
static int wait_readable(int fd, const struct answer_exchange *exchange, uint64_t end_ms)
{
    struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};

    for (;;) {
        uint64_t now = clock_now_ms(exchange->clock);
        uint64_t left = now < end_ms ? end_ms - now : 0;
        int ready = poll(p, 2, left < INT_MAX ? (int)left : INT_MAX);

        if (stop_wanted())
            return -1;
        if (ready > 0 && p[0].revents != 0)
            return 1;
        if (left == 0)
            return 0;
    }
}

/* True when END has come. */
static bool take_one(const struct answer_exchange *exchange, struct answer *answer, bool *ret_sound)
{
    *ret_sound = answer_check(answer);
    if (!*ret_sound || answer->kind == ANSWER_END)
        return true;
    exchange->take(exchange->take_ctx, answer);
    return false;
}

/* -1: told to stop. */
static int take_all(struct answer_outcome *out, int fd, const struct answer_exchange *exchange)
{
    uint64_t end_ms = clock_now_ms(exchange->clock) + exchange->limit_ms;
    struct answer answer;
    bool sound = false;

    out->end = ANSWER_QUIT;
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        int ready = wait_readable(fd, exchange, end_ms);

        if (ready < 0)
            return -1;
        if (ready == 0) {
            out->end = ANSWER_LATE;
            return 0;
        }
        if (read(fd, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
            return 0;
        if (take_one(exchange, &answer, &sound)) {
            out->end = sound ? ANSWER_ALL : ANSWER_QUIT;
            return 0;
        }
    }
    return 0;
}

/*
 * The status of the child's end. It ended by itself or was killed, so this is a moment; but one
 * that sits in the kernel's driver cannot be killed and is left.
 */
static bool reap(int *ret_status, pid_t pid, const struct clock *clock)
{
    uint64_t end_ms = clock_now_ms(clock) + REAP_MS;
    pid_t got;

    do {
        got = waitpid(pid, ret_status, WNOHANG);
        if (got == pid)
            return true;
        (void)poll(NULL, 0, 2);
    } while ((got == 0 || errno == EINTR) && clock_now_ms(clock) < end_ms);
    return false;
}

static void end_child(struct answer_outcome *out, pid_t pid, const struct clock *clock)
{
    int status = 0;

    /* One that closed the pipe is ending, and how it ends is worth knowing. */
    if (out->end != ANSWER_QUIT || !reap(&status, pid, clock)) {
        (void)kill(pid, SIGKILL);
        (void)reap(&status, pid, clock);
        return;
    }
    if (WIFSIGNALED(status)) {
        out->end = ANSWER_CRASHED;
        out->signal = WTERMSIG(status);
    }
}

int answer_exchange(struct answer_outcome *out, const struct answer_exchange *exchange,
                    struct err *err)
{
    int ends[2];
    pid_t self = getpid();
    pid_t pid;
    int r;

    *out = (struct answer_outcome){.end = ANSWER_NO_CHILD};
    if (pipe2(ends, O_CLOEXEC) < 0) {
        out->sys = errno;
        return 0;
    }
    pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        run_child(ends[1], self, exchange);
    }
    out->sys = errno;
    (void)close(ends[1]);
    r = pid < 0 ? 0 : take_all(out, ends[0], exchange);
    (void)close(ends[0]);
    if (pid > 0)
        end_child(out, pid, exchange->clock);
    return r < 0 ? stop_err(err) : 0;
}
