/*
 * The addresses of a host. Each bears its own number of connections, so each has its own pace. As
 * long as all is well, curl resolves the name and takes what it likes. When even few connections
 * get a crawl, the name is looked up here, too, on a thread of its own that nobody waits for, and
 * the next address is tried.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "transfer/engine.h"

#define ADDRESSES_MAX 8

struct address {
    struct address *next;
    struct pace pace;
    char ip[INET6_ADDRSTRLEN];     /* empty: the one that curl chose, not known yet */
    struct curl_slist *connect_to; /* kept to the end: requests under way point to it */
    bool tried;
};

/* Lives until both its thread and its host have let go of it. */
struct lookup {
    struct arena arena; /* it lives in its own */
    const char *name;
    char found[ADDRESSES_MAX][INET6_ADDRSTRLEN];
    size_t count;
    _Atomic bool done;
    _Atomic int holders;
};

static void let_go(struct lookup *l)
{
    struct arena a = l->arena;

    if (--l->holders == 0)
        arena_free(&a);
}

static void note(struct lookup *l, const struct addrinfo *info)
{
    const void *ip =
        info->ai_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr;

    if (inet_ntop(info->ai_family, ip, l->found[l->count], INET6_ADDRSTRLEN) != NULL)
        l->count++;
}

static void *look_up(void *ctx)
{
    struct lookup *l = ctx;
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *all = NULL;

    if (getaddrinfo(l->name, NULL, &want, &all) == 0) {
        for (const struct addrinfo *i = all; i != NULL && l->count < ADDRESSES_MAX; i = i->ai_next)
            if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
                note(l, i);
        freeaddrinfo(all);
    }
    l->done = true;
    let_go(l);
    return NULL;
}

static void start_lookup(struct host *h)
{
    struct arena a = {0};
    struct lookup *l = arena_new(&a, struct lookup);
    pthread_t thread;

    l->name = str_dup(&a, h->url.host);
    l->arena = a;
    l->holders = 2;
    h->lookup = l;
    if (pthread_create(&thread, NULL, look_up, l) == 0) {
        (void)pthread_detach(thread);
    } else {
        l->done = true;
        let_go(l);
    }
}

static struct address *add(struct host *h, const char *ip)
{
    const struct net_config *net = &h->t->net;
    struct address *a = arena_new(&h->t->arena, struct address);
    struct address **last = &h->addresses;

    (void)snprintf(a->ip, sizeof(a->ip), "%s", ip);
    pace_init(&a->pace, net->connections, net->connections_fixed, engine_now(h->t));
    while (*last != NULL)
        last = &(*last)->next;
    *last = a;
    return a;
}

void address_init(struct host *h)
{
    struct address *a = add(h, "");

    a->tried = true;
    h->address = a;
    h->pace = &a->pace;
}

void address_seen(struct host *h, const char *ip)
{
    if (h->address->ip[0] == '\0' && ip != NULL)
        (void)snprintf(h->address->ip, sizeof(h->address->ip), "%s", ip);
}

/* From now on requests go to a. Those under way end where they are. */
static void turn_to(struct host *h, struct address *a)
{
    const struct curl_api *curl = h->t->curl;
    ARENA_SCOPED scratch = {0};
    bool v6 = strchr(a->ip, ':') != NULL;

    a->connect_to = curl->slist_append(
        NULL, str_format(&scratch, STR_FMT ":%u:%s%s%s:%u", STR_ARG(h->url.host), h->url.port,
                         v6 ? "[" : "", a->ip, v6 ? "]" : "", h->url.port));
    a->tried = true;
    h->connect_to = a->connect_to;
    h->address = a;
    h->pace = &a->pace;
    pace_restart(&a->pace, engine_now(h->t));
    if (h->t->net.notice != NULL)
        h->t->net.notice(
            h->t->net.notice_ctx,
            str_format(&scratch, "%s has become slow; trying its address %s", h->name, a->ip));
}

static void try_next(struct host *h)
{
    for (struct address *a = h->addresses; a != NULL; a = a->next)
        if (!a->tried) {
            turn_to(h, a);
            return;
        }
}

void address_collapsed(struct host *h)
{
    if (request_proxy_variable(&h->url) != NULL || h->lookup != NULL)
        return; /* a proxy chooses addresses itself */
    if (h->looked_up)
        try_next(h);
    else
        start_lookup(h);
}

static bool known(const struct host *h, const char *ip)
{
    for (const struct address *a = h->addresses; a != NULL; a = a->next)
        if (strcmp(a->ip, ip) == 0)
            return true;
    return false;
}

void address_poll(struct host *h)
{
    struct lookup *l = h->lookup;

    if (l == NULL || !l->done)
        return;
    for (size_t i = 0; i < l->count; i++)
        if (!known(h, l->found[i]))
            (void)add(h, l->found[i]);
    h->lookup = NULL;
    h->looked_up = true;
    let_go(l);
    try_next(h);
}

void address_done(struct host *h)
{
    if (h->lookup != NULL)
        let_go(h->lookup);
    for (struct address *a = h->addresses; a != NULL; a = a->next)
        if (a->connect_to != NULL)
            h->t->curl->slist_free_all(a->connect_to);
    h->lookup = NULL;
    h->connect_to = NULL;
}
