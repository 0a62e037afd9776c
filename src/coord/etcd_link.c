#include "coord/etcd_link.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "coord/etcd_threads.h"
#include "sys/stop.h"

#define STACK_BYTES ((size_t)512 << 10)

void etcd_lock(struct etcd_link *l)
{
    (void)pthread_mutex_lock(&l->lock);
}

void etcd_unlock(struct etcd_link *l)
{
    (void)pthread_mutex_unlock(&l->lock);
}

void etcd_wait_for(struct etcd_link *l, pthread_cond_t *condition, uint64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(condition, &l->lock, &until);
}

bool etcd_is_over(const struct etcd_link *l)
{
    return l->ended || stop_wanted();
}

uint64_t etcd_longer(uint64_t wait_ms)
{
    return wait_ms < ETCD_RETRY_MAX_MS / 2 ? 2 * wait_ms : ETCD_RETRY_MAX_MS;
}

static int start(struct etcd_link *l, void *(*run)(void *), const char *name, struct err *err)
{
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    int sys;

    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
    sys = pthread_create(&l->threads[l->thread_count], &attr, run, l);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    if (sys != 0) {
        errno = sys;
        (void)err_sys(err, ERR_LIMIT, "cannot start the thread %s", name);
        return err_hint(err, "raise the limit of processes (ulimit -u, pids of the cgroup)");
    }
    (void)pthread_setname_np(l->threads[l->thread_count++], name);
    return 0;
}

static void init(struct etcd_link *l)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->news, &monotonic);
    (void)pthread_cond_init(&l->wanted, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    l->last = &l->first;
}

struct etcd_link *etcd_link_new(struct arena *a, const struct gateway_config *config,
                                const char *owner, uint64_t ttl_ms, struct err *err)
{
    struct etcd_link *l = arena_new(a, struct etcd_link);

    l->config = config;
    l->owner = owner;
    l->ttl_s = (ttl_ms + 999) / 1000;
    l->asked_ms = clock_now_ms(config->net.clock);
    init(l);
    l->keeper = gateway_new(a, config, err);
    if (l->keeper != NULL)
        l->watcher = gateway_new(a, config, err);
    if (l->watcher == NULL || start(l, etcd_keep, "etcd-keeper", err) < 0 ||
        start(l, etcd_watch, "etcd-watcher", err) < 0)
        etcd_link_free(&l);
    return l;
}

void etcd_link_free(struct etcd_link **link)
{
    struct etcd_link *l = *link;
    struct etcd_batch *batch;

    if (l == NULL)
        return;
    etcd_lock(l);
    l->ended = true;
    (void)pthread_cond_broadcast(&l->wanted);
    etcd_unlock(l);
    if (l->thread_count > 0)
        gateway_cancel(l->keeper);
    if (l->thread_count > 1)
        gateway_cancel(l->watcher);
    for (size_t i = 0; i < l->thread_count; i++)
        (void)pthread_join(l->threads[i], NULL);
    gateway_free(&l->keeper);
    gateway_free(&l->watcher);
    while ((batch = etcd_link_next(l)) != NULL)
        etcd_batch_free(&batch);
    (void)pthread_cond_destroy(&l->news);
    (void)pthread_cond_destroy(&l->wanted);
    (void)pthread_mutex_destroy(&l->lock);
    *link = NULL;
}

struct etcd_state etcd_link_state(struct etcd_link *link)
{
    struct etcd_state state;

    etcd_lock(link);
    link->asked_ms = clock_now_ms(link->config->net.clock);
    state = link->state;
    etcd_unlock(link);
    return state;
}

void etcd_link_doubt(struct etcd_link *link, const struct err *why)
{
    etcd_lock(link);
    link->state.up = false;
    link->state.why = *why;
    link->doubted = true;
    (void)pthread_cond_broadcast(&link->wanted);
    etcd_unlock(link);
}

void etcd_batch_free(struct etcd_batch **batch)
{
    struct arena a;

    if (*batch == NULL)
        return;
    a = (*batch)->arena;
    arena_free(&a);
    *batch = NULL;
}

struct etcd_batch *etcd_link_next(struct etcd_link *link)
{
    struct etcd_batch *batch;

    etcd_lock(link);
    batch = link->first;
    if (batch != NULL) {
        link->first = batch->next;
        link->last = link->first != NULL ? link->last : &link->first;
        if (link->batches-- == ETCD_BATCHES_MAX)
            (void)pthread_cond_broadcast(&link->wanted);
    }
    etcd_unlock(link);
    return batch;
}

void etcd_link_wait(struct etcd_link *link, uint64_t ms)
{
    etcd_lock(link);
    if (link->first == NULL)
        etcd_wait_for(link, &link->news, ms);
    etcd_unlock(link);
}
