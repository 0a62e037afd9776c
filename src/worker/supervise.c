#include "worker/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/stop.h"
#include "worker/family.h"

#define TICK_MS  UINT64_C(1000)
#define ROUND_MS UINT64_C(200) /* between two looks at who is left */

/* What is a fault of our own must not be blocked. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

static struct supervised *cmd_of(const struct supervisor *s)
{
    return &s->commands[s->count - 1];
}

int supervisor_begin(struct supervisor *s, struct err *err)
{
    sigset_t all;

    (void)sigfillset(&all);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        (void)sigdelset(&all, faults[i]);
    s->net = s->config->net;
    s->net.clock = s->clock;
    s->terminal = terminal_begin();
    s->prober = (struct prober){.fd = -1};
    s->signals = -1;
    /* An ignored SIGCHLD would let children vanish before they are asked how they ended. */
    if (sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &s->birth.sigchld) < 0 ||
        sigprocmask(SIG_SETMASK, &all, &s->birth.mask) < 0)
        return err_sys(err, ERR_BUG, "signals cannot be blocked");
    s->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals < 0)
        return err_sys(err, ERR_BUG, "signalfd");
    /* Orphans come to us even where another process is PID 1. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    /* One that came before all were blocked was noted by its handler. */
    s->stop = stop_signal();
    return 0;
}

void supervisor_done(struct supervisor *s)
{
    if (s->signals < 0)
        return;
    (void)close(s->signals);
    s->signals = -1;
    (void)sigprocmask(SIG_SETMASK, &s->birth.mask, NULL);
}

int supervisor_start(struct supervisor *s, struct supervised *command, int *ret_cannot,
                     struct err *err)
{
    bool is_cmd = command == cmd_of(s);
    struct child_options options = {
        .argv = command->argv,
        .envp = s->variables,
        .birth = &s->birth,
        .foreground = is_cmd && s->terminal.foreground,
        .stream = command->stream,
        .stream_fd = command->stream_fd,
    };

    command->started_ms = clock_now_ms(s->clock);
    if (child_start(&command->pid, ret_cannot, &options, err) < 0)
        return -1;
    command->group = command->pid;
    if (*ret_cannot == 0 && is_cmd)
        terminal_give(&s->terminal, command->pid);
    return 0;
}

/* A group whose leader has ended may still have members, so its number is good for kill(2). */
static void signal_group(const struct supervised *command, int signal)
{
    if (command->pid > 0)
        (void)kill(-command->pid, signal);
}

static void want_stop(struct supervisor *s, int signal)
{
    struct supervised *cmd = cmd_of(s);

    if (s->stop != 0) {
        s->kill_at_ms = clock_now_ms(s->clock);
        return;
    }
    s->stop = signal;
    s->kill_at_ms = clock_now_ms(s->clock) + s->config->options.stop_timeout_ms;
    signal_group(cmd, signal);
    /* What stands still cannot end. */
    signal_group(cmd, SIGCONT);
}

static void noted(struct supervisor *s, pid_t pid, int wait_status)
{
    if (pid == s->prober.pid) {
        prober_listen(&s->prober);
        s->prober.pid = 0;
        prober_stop(&s->prober);
        s->prober_status = wait_status;
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->commands[i].pid == pid) {
            s->commands[i].pid = 0;
            s->commands[i].wait_status = wait_status;
        }
    }
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (!WIFSTOPPED(status))
            noted(s, pid, status);
        else if (pid == cmd_of(s)->pid)
            terminal_stopped(&s->terminal, pid, WSTOPSIG(status));
    }
}

static void take_signal(struct supervisor *s, int signal)
{
    struct supervised *cmd = cmd_of(s);

    if (signal == SIGCHLD || signal == SIGPIPE || signal == SIGTTIN || signal == SIGTTOU ||
        signal == SIGTSTP)
        return;
    if (signal == SIGINT || signal == SIGTERM)
        want_stop(s, signal);
    else if (signal == SIGCONT && cmd->pid > 0)
        terminal_continued(&s->terminal, cmd->pid);
    else
        signal_group(cmd, signal);
}

static void take_signals(struct supervisor *s)
{
    struct signalfd_siginfo got;

    while (read(s->signals, &got, sizeof(got)) == (ssize_t)sizeof(got))
        take_signal(s, (int)got.ssi_signo);
    reap(s);
}

static void tick(struct supervisor *s)
{
    uint64_t now = clock_now_ms(s->clock);

    if (now - s->ticked_ms >= TICK_MS) {
        s->ticked_ms = now;
        news_tick(s->news);
    }
    if (s->kill_at_ms != 0 && now >= s->kill_at_ms)
        signal_group(cmd_of(s), SIGKILL);
}

void supervisor_round(struct supervisor *s, uint64_t ms)
{
    struct pollfd p[] = {{.fd = s->signals, .events = POLLIN},
                         {.fd = s->prober.fd, .events = POLLIN}};
    uint64_t now = clock_now_ms(s->clock);
    uint64_t most = ms < TICK_MS ? ms : TICK_MS;

    if (s->kill_at_ms != 0 && s->kill_at_ms > now && s->kill_at_ms - now < most)
        most = s->kill_at_ms - now;
    (void)poll(p, 2, (int)most);
    prober_listen(&s->prober);
    take_signals(s);
    tick(s);
}

const struct supervised *supervisor_ended(const struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->commands[i].started_ms != 0 && s->commands[i].pid == 0)
            return &s->commands[i];
    }
    return NULL;
}

/* Waits until it has ended; it was told to. */
static void await_end(struct supervisor *s, const struct supervised *command)
{
    while (command->pid > 0)
        supervisor_round(s, TICK_MS);
}

/* The wish to stop was uttered twice, or long ago. */
static bool is_late(const struct supervisor *s, uint64_t kill_at)
{
    uint64_t now = clock_now_ms(s->clock);

    return now >= kill_at || (s->kill_at_ms != 0 && now >= s->kill_at_ms);
}

static void end_command(struct supervisor *s, const struct supervised *command)
{
    uint64_t kill_at = clock_now_ms(s->clock) + s->config->options.stop_timeout_ms;

    signal_group(command, SIGTERM);
    signal_group(command, SIGCONT);
    while (command->pid > 0) {
        supervisor_round(s, ROUND_MS);
        if (is_late(s, kill_at))
            signal_group(command, SIGKILL);
    }
}

/* The living descendants, without the servers of --with and what is theirs. */
static struct family left_behind(const struct supervisor *s, struct arena *a)
{
    pid_t *spared = arena_array(a, pid_t, s->count + 2);
    size_t count = 0;

    if (s->spared > 0)
        spared[count++] = s->spared;
    for (size_t i = 0; i + 1 < s->count; i++) {
        if (s->commands[i].pid > 0)
            spared[count++] = s->commands[i].pid;
    }
    return family_of_ours(a, spared);
}

static size_t signal_left_behind(const struct supervisor *s, int signal)
{
    ARENA_SCOPED scratch = {0};
    struct family left = left_behind(s, &scratch);

    for (size_t i = 0; signal != 0 && i < left.len; i++)
        (void)kill(left.at[i], signal);
    return left.len;
}

static void end_left_behind(struct supervisor *s)
{
    uint64_t kill_at = clock_now_ms(s->clock) + s->config->options.stop_timeout_ms;
    size_t left = signal_left_behind(s, SIGTERM);

    if (left > 0)
        report_note(s->report, REPORT_WARN, "left_behind", NULL,
                    "%s left %zu processes behind: they are told to end", cmd_of(s)->name, left);
    while (left > 0) {
        supervisor_round(s, ROUND_MS);
        left = signal_left_behind(s, is_late(s, kill_at) ? SIGKILL : 0);
    }
}

void supervisor_end(struct supervisor *s)
{
    struct supervised *cmd = cmd_of(s);

    prober_stop(&s->prober);
    while (s->prober.pid > 0)
        supervisor_round(s, ROUND_MS);
    if (s->stop != 0)
        await_end(s, cmd);
    else
        end_command(s, cmd);
    terminal_take(&s->terminal, cmd->group);
    end_left_behind(s);
    for (size_t i = s->count - 1; i-- > 0;)
        end_command(s, &s->commands[i]);
    end_left_behind(s);
}
