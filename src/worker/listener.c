#include "worker/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/arena.h"
#include "sys/fd.h"

#define CHUNK   ((size_t)65536)
#define LAST_MS 1000 /* how long our stream may take no byte at the end */

struct listener {
    struct arena arena; /* this lies in it */
    struct listener_options options;
    int in, child;         /* the pipe; child: -1 once it is given away */
    int copy_in, copy_out; /* the pipe for a second look */
    int wake;              /* eventfd: the child has ended */
    pthread_t thread;
    bool running;
    bool no_splice; /* our stream cannot take it */
    atomic_bool deaf, ending;
    char buf[CHUNK];
};

/* True once our stream takes bytes; false: it does not, and the end has come. */
static bool await_room(struct listener *l)
{
    struct pollfd p = {.fd = l->options.stream, .events = POLLOUT};

    for (;;) {
        int r = poll(&p, 1, LAST_MS);

        if (r > 0)
            return true;
        if (r == 0 && atomic_load(&l->ending))
            return false;
        if (r < 0 && errno != EINTR)
            return true; /* not a thing to be polled: the write will tell */
    }
}

static bool write_all(struct listener *l, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(l->options.stream, l->buf + done, len - done);

        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR && (errno != EAGAIN || !await_room(l)))
            return false;
    }
    return true;
}

/* Some of the bytes, at most len; 0: no more will come; -1: our stream is gone. */
static ssize_t move_some(struct listener *l, size_t len)
{
    ssize_t n;

    if (!await_room(l)) {
        errno = EPIPE; /* as good as gone */
        return -1;
    }
    if (!l->no_splice) {
        n = splice(l->in, NULL, l->options.stream, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n >= 0 || errno != EINVAL)
            return n;
        l->no_splice = true;
    }
    n = read(l->in, l->buf, len < CHUNK ? len : CHUNK);
    if (n > 0 && !write_all(l, (size_t)n)) {
        errno = EPIPE;
        return -1;
    }
    return n;
}

/* Just so many bytes, which are there. */
static bool move_exactly(struct listener *l, size_t len)
{
    while (len > 0) {
        ssize_t n = move_some(l, len);

        if (n > 0)
            len -= (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return false;
    }
    return true;
}

/* A second look at what is in the pipe; its length, 0: nothing, or nothing more. */
static ssize_t look(struct listener *l)
{
    ssize_t n = tee(l->in, l->copy_in, CHUNK, SPLICE_F_NONBLOCK);
    size_t done = 0;

    while (n > 0 && done < (size_t)n) {
        ssize_t got = read(l->copy_out, l->buf, CHUNK);

        if (got <= 0)
            break;
        l->options.hear(l->options.ctx, (struct str){l->buf, (size_t)got});
        done += (size_t)got;
    }
    return n;
}

/* False: there is nothing more to move, or nowhere to. */
static bool work(struct listener *l)
{
    ssize_t n;

    if (atomic_load(&l->deaf)) {
        n = move_some(l, CHUNK);
        return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
    }
    n = look(l);
    if (n > 0)
        return move_exactly(l, (size_t)n);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0;
}

static void *run(void *ctx)
{
    struct listener *l = ctx;

    for (;;) {
        struct pollfd p[] = {{.fd = l->in, .events = POLLIN}, {.fd = l->wake, .events = POLLIN}};

        if (poll(p, 2, -1) < 0)
            continue;
        if ((p[0].revents & POLLIN) == 0 && p[0].revents != 0)
            break; /* the last writer is gone */
        if (p[1].revents != 0 && !is_readable(l->in))
            break;
        if ((p[0].revents & POLLIN) != 0 && !work(l))
            break;
    }
    /* Who still writes gets what it would have got from our stream. */
    fd_close(&l->in);
    return NULL;
}

void listener_end(struct listener **listener)
{
    struct listener *l = *listener;
    struct arena arena;

    if (l == NULL)
        return;
    if (l->running) {
        uint64_t one = 1;
        ssize_t written;

        atomic_store(&l->ending, true);
        written = write(l->wake, &one, sizeof(one));
        (void)written;
        (void)pthread_join(l->thread, NULL);
    }
    fd_close(&l->in);
    fd_close(&l->child);
    fd_close(&l->copy_in);
    fd_close(&l->copy_out);
    fd_close(&l->wake);
    arena = l->arena;
    *listener = NULL;
    arena_free(&arena);
}

static int open_ends(struct listener *l, struct err *err)
{
    int ends[2], copy[2];

    l->wake = eventfd(0, EFD_CLOEXEC);
    if (l->wake < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, ERR_USAGE, "no pipe to hear the engine's log by");
    l->in = ends[0];
    l->child = ends[1];
    if (pipe2(copy, O_CLOEXEC) < 0)
        return err_sys(err, ERR_USAGE, "no pipe to hear the engine's log by");
    l->copy_out = copy[0];
    l->copy_in = copy[1];
    return 0;
}

int listener_new(struct listener **out, const struct listener_options *options, struct err *err)
{
    struct arena arena = {0};
    struct listener *l = arena_new(&arena, struct listener);
    struct stat st;
    int r;

    *l = (struct listener){.arena = arena,
                           .options = *options,
                           .in = -1,
                           .child = -1,
                           .copy_in = -1,
                           .copy_out = -1,
                           .wake = -1};
    /* A splice moves the place in a file without its lock: two writers would meet there. */
    l->no_splice = fstat(options->stream, &st) == 0 && S_ISREG(st.st_mode);
    r = open_ends(l, err);
    if (r == 0) {
        errno = pthread_create(&l->thread, NULL, run, l);
        l->running = errno == 0;
        r = l->running ? 0 : err_sys(err, ERR_USAGE, "no thread to hear the engine's log by");
    }
    if (r < 0) {
        listener_end(&l);
        return -1;
    }
    *out = l;
    return 0;
}

int listener_fd(const struct listener *l)
{
    return l->child;
}

void listener_begin(struct listener *l)
{
    fd_close(&l->child);
}

void listener_deaf(struct listener *l)
{
    atomic_store(&l->deaf, true);
}
