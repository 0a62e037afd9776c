/*
 * A world of several hosts on one directory, each with a clock of its own whose hands we turn, and
 * a keeper without a thread.
 */
#ifndef TEST_STORE_HOSTS_H
#define TEST_STORE_HOSTS_H

#include "fakes.h"
#include "scratch.h"
#include "store/lease.h"
#include "store/lease_file.h"
#include "store/lease_keeper.h"
#include "store/lease_text.h"
#include "text/str.h"

#define NAME     "lease"
#define TAKEOVER 15000

static inline bool yes(int dirfd)
{
    (void)dirfd;
    return true;
}

static inline bool no(int dirfd)
{
    (void)dirfd;
    return false;
}

static inline uint64_t read_hands(const struct clock *c)
{
    return *(const uint64_t *)c->ctx;
}

/* Each has its own clock: they start at different hours and may be turned apart. */
struct host {
    uint64_t now_ms;
    struct clock clock;
    struct lease_keeper *keeper;
    struct lease_watch watch;
    struct lease *lease;
};

static inline void host_start(struct scratch *s, struct host *h, const char *name, uint64_t now_ms,
                              bool provable)
{
    struct lease_keeper_options options = {
        .clock = &h->clock,
        .host = name,
        .takeover_ms = TAKEOVER,
        .manual = true,
        .is_local = provable ? yes : no,
        .flock_works = yes,
    };

    *h = (struct host){.now_ms = now_ms};
    h->clock = (struct clock){.now_ms = read_hands, .unix_ms = read_hands, .ctx = &h->now_ms};
    h->keeper = lease_keeper_new(&options, &s->err);
    assert_non_null(h->keeper);
}

static inline bool try(struct scratch *s, struct host *h)
{
    assert_int_equal(lease_try(&h->lease, &h->watch, h->keeper,
                               &(struct lease_name){s->fd, NAME, "hf:org/name"}, &s->err),
                     0);
    return h->lease != NULL;
}

static inline void pass(struct host *h, uint64_t ms)
{
    h->now_ms += ms;
}

static inline void stop(struct host *h)
{
    lease_release(&h->lease);
    lease_keeper_free(&h->keeper);
}

/* As kill -9: the descriptors go, the file stays. */
static inline void kill_host(struct host *h)
{
    for (struct lease *lease = h->keeper->held; lease != NULL; lease = lease->next) {
        (void)close(lease->fd);
        lease->fd = -1;
        lease->name[0] = '?';
    }
    stop(h);
}

static inline struct lease_state on_disk(struct scratch *s)
{
    LEASE_FILE_SCOPED f = {.fd = -1};

    assert_int_equal(lease_file_read(&f, s->fd, NAME, &s->err), 0);
    assert_true(f.fd >= 0);
    assert_true(f.whole);
    return f.state;
}

static inline enum err_code try_for_error(struct scratch *s, struct host *h)
{
    struct lease_name name = {s->fd, NAME, "x"};

    s->err = (struct err){0};
    assert_int_equal(lease_try(&h->lease, &h->watch, h->keeper, &name, &s->err), -1);
    assert_null(h->lease);
    return s->err.code;
}

/* Brings h to the point where it judges the lease dead at its next look. */
static inline void let_judge(struct scratch *s, struct host *h)
{
    for (uint64_t waited = 0; waited < TAKEOVER; waited += 1000) {
        assert_false(try(s, h));
        pass(h, 1000);
    }
}

static inline const char *claim_on(struct scratch *s, const char *suffix)
{
    return str_format(&s->arena, "%s.claim.%s%s", NAME, on_disk(s).token, suffix);
}

static inline void plant_claim(struct scratch *s, const char *name)
{
    struct lease_state state = {.token = "0123456789abcdef", .host = "x", .boot_id = "-"};
    char text[LEASE_TEXT];

    memcpy(state.what, "-", 2);
    lease_format(text, &state);
    scratch_write(s, name, text, sizeof(text));
}

#endif
