#include "worker/prober.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "transfer/http.h"
#include "worker/child.h"

#define FIRST_WAIT_MS 50
#define MOST_WAIT_MS  1000

/* The first check that does not hold says why. */
static int try_all(const struct ready_checks *checks, struct http_client *client,
                   char *const *variables, struct err *err)
{
    for (size_t i = 0; i < checks->len; i++) {
        ARENA_SCOPED scratch = {0};

        if (ready_try(&checks->at[i], &scratch, client, variables, err) < 0)
            return -1;
    }
    return 0;
}

static void say(int fd, const char *why)
{
    char line[PROBER_REASON];
    size_t len = strlen(why);
    ssize_t written;

    if (len >= sizeof(line))
        len = sizeof(line) - 1;
    memcpy(line, why, len);
    line[len] = '\n';
    written = write(fd, line, len + 1);
    (void)written; /* a full pipe: nobody wants to know just now */
}

static bool needs_http(const struct ready_checks *checks)
{
    for (size_t i = 0; i < checks->len; i++) {
        if (checks->at[i].kind != READY_TCP && checks->at[i].kind != READY_CMD)
            return true;
    }
    return false;
}

static _Noreturn void probe(const struct ready_checks *checks, const struct net_config *net,
                            char *const *variables, int fd)
{
    struct http_client *client = NULL;
    int wait_ms = FIRST_WAIT_MS;
    struct err err = {0};

    if (needs_http(checks))
        client = http_client_new(net, &err);
    while (err.code != ERR_NONE || try_all(checks, client, variables, &err) < 0) {
        say(fd, err.msg);
        (void)poll(NULL, 0, wait_ms);
        wait_ms = wait_ms * 2 > MOST_WAIT_MS ? MOST_WAIT_MS : wait_ms * 2;
        err = (struct err){0};
        if (needs_http(checks) && client == NULL)
            client = http_client_new(net, &err);
    }
    _exit(0);
}

int prober_start(struct prober *p, const struct ready_checks *checks, const struct net_config *net,
                 char *const *variables, struct err *err)
{
    pid_t parent = getpid();
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(err, ERR_BUG, "pipe");
    pid = fork();
    if (pid == 0) {
        child_settle(parent);
        probe(checks, net, variables, child_alone_with(ends[1]));
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return err_sys(err, ERR_USAGE, "no process for asking whether it is ready");
    }
    *p = (struct prober){.pid = pid, .fd = ends[0]};
    return 0;
}

void prober_listen(struct prober *p)
{
    char text[4096];
    ssize_t got;

    while (p->fd >= 0 && (got = read(p->fd, text, sizeof(text))) > 0) {
        /* The last whole line. A piece at the seam of two reads is as good as none. */
        struct str all = {text, (size_t)got};
        struct str line;

        if (all.ptr[all.len - 1] != '\n')
            continue;
        all.len--;
        if (!str_rcut(&all, '\n', &line))
            line = all;
        line.len = line.len < sizeof(p->reason) ? line.len : sizeof(p->reason) - 1;
        memcpy(p->reason, line.ptr, line.len);
        p->reason[line.len] = '\0';
    }
}

void prober_stop(struct prober *p)
{
    if (p->pid > 0)
        (void)kill(p->pid, SIGKILL);
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
}
