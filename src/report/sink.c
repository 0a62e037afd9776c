#include "report/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

struct sink sink_of(int fd)
{
    return (struct sink){.fd = fd, .terminal = fd >= 0 && isatty(fd) == 1};
}

struct sink sink_open(const char *path)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct sink s = sink_of(open(path, flags, 0666));

    s.owned = true;
    return s;
}

/* True if the receiver can take more before our patience ends. */
static bool wait_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, SINK_PATIENCE_MS) == 1 && (p.revents & POLLOUT) != 0;
}

void sink_write(struct sink *s, struct str text)
{
    while (s->fd >= 0 && !s->broken && text.len > 0) {
        ssize_t done = write(s->fd, text.ptr, text.len);

        if (done >= 0) {
            text.ptr += done;
            text.len -= (size_t)done;
        } else if (errno == EAGAIN) {
            if (!wait_writable(s->fd)) {
                s->lost = s->lost != 0 ? s->lost : EAGAIN;
                return;
            }
        } else if (errno != EINTR) {
            s->lost = s->lost != 0 ? s->lost : errno;
            /* A full disk may have room again for the next line; all else is for good. */
            s->broken = errno != ENOSPC && errno != EDQUOT;
            return;
        }
    }
}

void sink_close(struct sink *s)
{
    if (s->owned && s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}
