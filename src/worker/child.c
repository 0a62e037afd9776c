#include "worker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/stop.h"

#define EXIT_NOT_FOUND  127
#define EXIT_CANNOT_RUN 126
#define LAST_FD         4096 /* of those that are closed one by one, on kernels before 5.9 */

void child_settle(pid_t parent)
{
    sigset_t none;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The parent may have died before that, and would never be noticed. */
    if (getppid() != parent)
        _exit(EXIT_CANNOT_RUN);
    stop_undo();
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void be_quiet(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; nothing >= 0 && fd <= 2; fd++)
        (void)dup2(nothing, fd);
}

/* In the child, between fork and exec: system calls alone. All signals are blocked until the end.
 */
static _Noreturn void become(const struct child_options *o, pid_t parent, int told)
{
    int cannot;
    ssize_t written;

    (void)setpgid(0, 0);
    if (o->foreground)
        (void)tcsetpgrp(STDIN_FILENO, getpgrp());
    if (o->quiet)
        be_quiet();
    if (o->stream != 0)
        (void)dup2(o->stream_fd, o->stream);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_CANNOT_RUN);
    stop_undo();
    (void)sigaction(SIGCHLD, &o->birth->sigchld, NULL);
    (void)sigprocmask(SIG_SETMASK, &o->birth->mask, NULL);
    (void)execvpe(o->argv[0], o->argv, o->envp);
    cannot = errno;
    written = write(told, &cannot, sizeof(cannot));
    (void)written; /* the parent sees the exit status too */
    _exit(child_exit_of_errno(cannot));
}

int child_start(pid_t *ret_pid, int *ret_cannot, const struct child_options *o, struct err *err)
{
    FD_SCOPED read_end = -1;
    FD_SCOPED write_end = -1;
    pid_t parent = getpid();
    sigset_t all;
    sigset_t before;
    int cannot = 0;
    int ends[2];
    ssize_t got;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, ERR_BUG, "pipe");
    read_end = ends[0];
    write_end = ends[1];
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        become(o, parent, write_end);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        (void)err_sys(err, ERR_USAGE, "%s cannot be started", o->argv[0]);
        return err_hint(err, "raise the limit of processes (ulimit -u, pids of the container)");
    }
    /* Both do it, so that it is done whoever comes first. */
    (void)setpgid(pid, pid);
    (void)close(fd_take(&write_end));
    do
        got = read(read_end, &cannot, sizeof(cannot));
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof(cannot)) {
        (void)waitpid(pid, NULL, 0);
        *ret_cannot = cannot;
        return 0;
    }
    *ret_cannot = 0;
    *ret_pid = pid;
    return 0;
}

int child_alone_with(int fd)
{
    int kept = STDERR_FILENO + 1;

    if (fd != kept)
        (void)dup3(fd, kept, O_CLOEXEC);
    if (close_range((unsigned)kept + 1, ~0U, 0) < 0) {
        for (int other = kept + 1; other < LAST_FD; other++)
            (void)close(other);
    }
    return kept;
}

int child_exit_of_errno(int cannot)
{
    return cannot == ENOENT || cannot == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

int child_exit_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

const char *child_ended(char out[static CHILD_ENDED], int wait_status)
{
    if (WIFSIGNALED(wait_status)) {
        const char *name = sigabbrev_np(WTERMSIG(wait_status));

        if (name != NULL)
            (void)snprintf(out, CHILD_ENDED, "was killed by SIG%s", name);
        else
            (void)snprintf(out, CHILD_ENDED, "was killed by signal %d", WTERMSIG(wait_status));
    } else {
        (void)snprintf(out, CHILD_ENDED, "ended with status %d", WEXITSTATUS(wait_status));
    }
    return out;
}
