/* The inside of registration.h: what the caller's side and the thread share. */
#ifndef WORKER_REGISTRATION_INSIDE_H
#define WORKER_REGISTRATION_INSIDE_H

#include <pthread.h>

#include "transfer/http.h"
#include "worker/message.h"
#include "worker/registration.h"

#define REGISTRATION_WORDS_MAX 16

struct registration {
    struct arena arena; /* this object, and what stays the same */
    struct net_config net;
    struct coordinators to;
    pthread_t thread;
    /* ---- what both threads touch, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t wake; /* something was told, it shall end, or it has ended */
    struct arena told_arena;
    struct fleet_record told;
    bool told_any, told_new;
    struct message_moves moves; /* that the thread has not fetched yet */
    enum fleet_state last_state;
    bool ending;
    bool ended;
    uint64_t end_ms; /* when the leave must be through */
    struct registration_word words[REGISTRATION_WORDS_MAX];
    size_t word_count;
    int words_fd;               /* an eventfd: readable while there are words */
    struct http_client *client; /* the thread's; under the lock, for who cancels it */
    /* ---- the thread's own */
    struct beats beats;
    struct arena now_arena;
    struct fleet_record now;
    bool any;
    struct arena taken_arena;
    struct fleet_record taken;
    struct message_moves untold;
    struct arena token_arena;
    const char *authorization; /* NULL: without */
    bool token_refused;        /* read its file again */
};

static inline uint64_t registration_now_ms(const struct registration *r)
{
    return clock_now_ms(r->net.clock);
}

/* From now on messages carry this token. */
void registration_set_token(struct registration *r, const char *token);

/* What the thread runs, until r->ending and the end is told. */
void *registration_run(void *ctx);

#endif
