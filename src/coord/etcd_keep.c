/* The keeper: the thread that has the lease live on. */
#include <inttypes.h>

#include "coord/etcd_threads.h"

/* Renewals in the life of a lease. */
#define RENEWALS 3

/* A new lease, or the old one's next term. *ret_ttl_s 0: the old one is no more. */
static int ask_lease(struct etcd_link *l, uint64_t *lease, uint64_t *ret_ttl_s, struct err *err)
{
    ARENA_SCOPED a = {0};
    JSON_SCOPED *doc = NULL;
    const char *body = *lease != 0 ? str_format(&a, "{\"ID\":\"%" PRIu64 "\"}", *lease)
                                   : str_format(&a, "{\"TTL\":\"%" PRIu64 "\"}", l->ttl_s);

    if (gateway_ask(&doc, l->keeper, *lease != 0 ? "/v3/lease/keepalive" : "/v3/lease/grant",
                    str_from(body), err) < 0)
        return -1;
    return etcd_read_lease(lease, ret_ttl_s, doc, err);
}

static int put_sign(struct etcd_link *l, uint64_t lease, struct err *err)
{
    ARENA_SCOPED a = {0};
    JSON_SCOPED *doc = NULL;
    struct buf value = buf_new(&a, ETCD_BODY_LIMIT);
    struct buf body = buf_new(&a, ETCD_BODY_LIMIT);
    const char *key = str_format(&a, ETCD_COORDINATORS "%" PRIx64, lease);

    buf_addc(&value, '{');
    json_put_member(&value, "owner", str_from(l->owner));
    buf_addc(&value, '}');
    etcd_put_put(&body, str_from(key), buf_str(&value), lease);
    return gateway_ask(&doc, l->keeper, "/v3/kv/put", buf_str(&body), err);
}

static void set_lease(struct etcd_link *l, uint64_t lease, uint64_t ttl_s)
{
    etcd_lock(l);
    l->relist = l->relist || (l->state.lease != 0 && l->state.lease != lease);
    l->state.lease = lease;
    if (ttl_s != 0)
        l->state.lease_ms = ttl_s * 1000;
    etcd_unlock(l);
}

static int check_owner(struct etcd_link *l, struct err *err)
{
    uint64_t now = clock_now_ms(l->config->net.clock);
    bool still;

    etcd_lock(l);
    still = l->state.lease != 0 && now - l->asked_ms > l->state.lease_ms / 2;
    etcd_unlock(l);
    return still ? err_set(err, ERR_WAIT, "this coordinator stands still") : 0;
}

/* Has the lease live on, or gets another one; *lease is 0 for as long as there is none. */
static int renew(struct etcd_link *l, uint64_t *lease, struct err *err)
{
    uint64_t began_ms = clock_now_ms(l->config->net.clock);
    uint64_t ttl_s = 0;

    if (*lease != 0 && ask_lease(l, lease, &ttl_s, err) < 0)
        return -1;
    if (ttl_s == 0) {
        *lease = 0;
        began_ms = clock_now_ms(l->config->net.clock);
        if (ask_lease(l, lease, &ttl_s, err) < 0)
            return -1;
    }
    set_lease(l, *lease, ttl_s);
    if (put_sign(l, *lease, err) < 0)
        return -1;
    etcd_lock(l);
    l->state.alive_ms = began_ms;
    l->state.up = true;
    (void)pthread_cond_signal(&l->news);
    etcd_unlock(l);
    return 0;
}

static void set_down(struct etcd_link *l, const struct err *why)
{
    etcd_lock(l);
    l->state.up = false;
    l->state.why = *why;
    (void)pthread_cond_signal(&l->news);
    etcd_unlock(l);
}

void *etcd_keep(void *ctx)
{
    struct etcd_link *l = ctx;
    uint64_t lease = 0;
    uint64_t retry_ms = ETCD_RETRY_MIN_MS;
    bool over;

    do {
        struct err err = {0};
        bool renewed = check_owner(l, &err) == 0 && renew(l, &lease, &err) == 0;

        if (!renewed)
            set_down(l, &err);
        etcd_lock(l);
        retry_ms = renewed ? ETCD_RETRY_MIN_MS : etcd_longer(retry_ms);
        if (!etcd_is_over(l) && !(renewed && l->doubted))
            etcd_wait_for(l, &l->wanted, renewed ? l->state.lease_ms / RENEWALS : retry_ms);
        l->doubted = false;
        over = etcd_is_over(l);
        etcd_unlock(l);
    } while (!over);
    return NULL;
}
