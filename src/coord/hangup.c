#include "coord/hangup.h"

#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 64

int hangups_init(struct hangups *h, struct err *err)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd < 0)
        return err_sys(err, ERR_USAGE, "the coordinator gets no descriptor for epoll");
    h->fd = fd;
    return 0;
}

void hangups_done(struct hangups *h)
{
    (void)close(h->fd);
    h->fd = -1;
}

int hangups_watch(struct hangups *h, int fd, void *who)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data = {.ptr = who}};

    return epoll_ctl(h->fd, EPOLL_CTL_ADD, fd, &event);
}

size_t hangups_take(struct hangups *h, void **who, size_t max)
{
    struct epoll_event events[BATCH];
    int count = epoll_wait(h->fd, events, (int)(max < BATCH ? max : BATCH), 0);

    for (int i = 0; i < count; i++)
        who[i] = events[i].data.ptr;
    return count > 0 ? (size_t)count : 0;
}
