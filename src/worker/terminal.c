#include "worker/terminal.h"

#include <signal.h>
#include <unistd.h>

struct terminal terminal_begin(void)
{
    struct terminal t = {.ours = getpgrp()};
    pid_t holder = tcgetpgrp(STDIN_FILENO);

    t.there = holder >= 0;
    t.foreground = t.there && holder == t.ours;
    return t;
}

/* SIGTTOU is blocked wherever this is called, so who is in the background may do it too. */
void terminal_give(const struct terminal *t, pid_t child)
{
    if (t->there && tcgetpgrp(STDIN_FILENO) == t->ours)
        (void)tcsetpgrp(STDIN_FILENO, child);
}

void terminal_take(const struct terminal *t, pid_t child)
{
    if (t->there && tcgetpgrp(STDIN_FILENO) == child)
        (void)tcsetpgrp(STDIN_FILENO, t->ours);
}

/* The kernel stops nobody whose group is an orphan, for the same reason. */
static bool is_job_of_a_shell(void)
{
    pid_t parent = getppid();

    return getpid() != 1 && getsid(0) != getpid() && parent > 0 && getsid(parent) == getsid(0) &&
           getpgid(parent) != getpgrp();
}

void terminal_stopped(const struct terminal *t, pid_t child, int by)
{
    if (!t->there)
        return;
    if (!is_job_of_a_shell()) {
        if (by != SIGSTOP)
            (void)kill(-child, SIGCONT);
        return;
    }
    terminal_take(t, child);
    (void)raise(SIGSTOP);
    /* Here we are continued; the SIGCONT that did it is read with the other signals. */
}

void terminal_continued(const struct terminal *t, pid_t child)
{
    terminal_give(t, child);
    (void)kill(-child, SIGCONT);
}
