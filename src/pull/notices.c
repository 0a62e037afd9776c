#include "pull/notices.h"

#include <stdio.h>
#include <string.h>

void notices_init(struct notices *n, notices_show *show, void *show_ctx)
{
    memset(n, 0, sizeof(*n));
    n->owner = pthread_self();
    n->show = show;
    n->show_ctx = show_ctx;
    (void)pthread_mutex_init(&n->mutex, NULL);
}

void notices_done(struct notices *n)
{
    (void)pthread_mutex_destroy(&n->mutex);
}

void notices_put(void *ctx, const char *text)
{
    struct notices *n = ctx;

    if (pthread_equal(pthread_self(), n->owner)) {
        n->show(n->show_ctx, text);
        return;
    }
    (void)pthread_mutex_lock(&n->mutex);
    if (n->count == NOTICES_MAX)
        n->dropped++;
    else
        (void)snprintf(n->text[n->count++], NOTICE_BYTES, "%s", text);
    (void)pthread_mutex_unlock(&n->mutex);
}

bool notices_take(struct notices *n, char out[static NOTICE_BYTES])
{
    bool any;

    (void)pthread_mutex_lock(&n->mutex);
    any = n->count > 0;
    if (any) {
        memcpy(out, n->text[0], NOTICE_BYTES);
        n->count--;
        memmove(n->text[0], n->text[1], n->count * NOTICE_BYTES);
    } else if (n->dropped > 0) {
        any = true;
        (void)snprintf(out, NOTICE_BYTES, "%zu more notices of the network", n->dropped);
        n->dropped = 0;
    }
    (void)pthread_mutex_unlock(&n->mutex);
    return any;
}
