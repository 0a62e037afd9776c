#include "worker/registration.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "worker/answers.h"
#include "worker/registration_inside.h"

static void set_options(struct registration *r, const struct registration_options *o)
{
    r->net = *o->net;
    r->net.connect_ms = r->net.first_byte_ms = REGISTRATION_ANSWER_MS;
    r->net.stall_ms = REGISTRATION_ANSWER_MS;
    r->net.stall_bps = ANSWER_BODY_MAX; /* an answer is through in one such time, or is too slow */
    r->net.notice = NULL;
    r->to = *o->coordinators;
    for (size_t i = 0; i < r->to.count; i++) {
        struct err unused;

        /* It has been taken apart before. */
        (void)!url_parse(&r->to.at[i], &r->arena, o->coordinators->at[i].text, &unused);
    }
    if (r->to.token_file != NULL)
        r->to.token_file = str_dup(&r->arena, str_from(r->to.token_file));
    if (r->to.token != NULL)
        registration_set_token(r, r->to.token);
    r->to.token = NULL;
    beats_init(&r->beats, r->to.count, registration_now_ms(r));
}

static void release(struct registration *r)
{
    struct arena a = r->arena;

    arena_free(&r->told_arena);
    arena_free(&r->now_arena);
    arena_free(&r->taken_arena);
    arena_free(&r->token_arena);
    if (r->words_fd >= 0)
        (void)close(r->words_fd);
    (void)pthread_cond_destroy(&r->wake);
    (void)pthread_mutex_destroy(&r->lock);
    arena_free(&a);
}

static int start_thread(struct registration *r)
{
    sigset_t all;
    sigset_t before;
    int failed;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&r->thread, NULL, registration_run, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    return failed == 0 ? 0 : -1;
}

struct registration *registration_start(const struct registration_options *options, struct err *err)
{
    struct arena a = {0};
    struct registration *r = arena_new(&a, struct registration);
    pthread_condattr_t monotonic;

    r->arena = a;
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&r->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    set_options(r, options);
    r->words_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->words_fd < 0 || start_thread(r) < 0) {
        (void)err_sys(err, ERR_BUG, "this worker is not registered");
        release(r);
        return NULL;
    }
    return r;
}

void registration_tell(struct registration *r, const struct fleet_record *record)
{
    struct arena fresh = {0};
    struct arena old;
    struct fleet_record copy;

    fleet_record_copy(&copy, &fresh, record);
    (void)pthread_mutex_lock(&r->lock);
    old = r->told_arena;
    r->told_arena = fresh;
    r->told = copy;
    r->told_new = true;
    if (!r->told_any || r->last_state != record->state)
        message_moved(&r->moves, record->state, clock_unix_ms(r->net.clock));
    r->told_any = true;
    r->last_state = record->state;
    (void)pthread_cond_broadcast(&r->wake);
    (void)pthread_mutex_unlock(&r->lock);
    arena_free(&old);
}

int registration_fd(const struct registration *r)
{
    return r->words_fd;
}

bool registration_heard(struct registration *r, struct registration_word *out)
{
    uint64_t unused;
    bool any;

    (void)pthread_mutex_lock(&r->lock);
    any = r->word_count > 0;
    if (any) {
        *out = r->words[0];
        memmove(r->words, r->words + 1, --r->word_count * sizeof(r->words[0]));
    } else {
        (void)!read(r->words_fd, &unused, sizeof(unused));
    }
    (void)pthread_mutex_unlock(&r->lock);
    return any;
}

/* Ends the exchange that the thread is at; the lock is held. */
static void interrupt(struct registration *r)
{
    if (r->client != NULL)
        http_client_cancel(r->client);
}

/* Waits for the thread's end until then. */
static bool ends_until(struct registration *r, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    int waited = 0;
    bool ended;

    (void)pthread_mutex_lock(&r->lock);
    while (!r->ended && waited == 0)
        waited = pthread_cond_timedwait(&r->wake, &r->lock, &until);
    ended = r->ended;
    (void)pthread_mutex_unlock(&r->lock);
    return ended;
}

void registration_stop(struct registration **r)
{
    struct registration *it = *r;
    uint64_t end_ms;

    *r = NULL;
    if (it == NULL)
        return;
    end_ms = registration_now_ms(it) + REGISTRATION_LEAVE_MS;
    (void)pthread_mutex_lock(&it->lock);
    it->ending = true;
    it->end_ms = end_ms;
    interrupt(it);
    (void)pthread_cond_broadcast(&it->wake);
    (void)pthread_mutex_unlock(&it->lock);
    if (!ends_until(it, end_ms)) {
        (void)pthread_mutex_lock(&it->lock);
        interrupt(it);
        (void)pthread_mutex_unlock(&it->lock);
        if (!ends_until(it, end_ms + REGISTRATION_LEAVE_MS / 4)) {
            /* It hangs where nothing can be interrupted, such as a name server that does not
             * answer. The process ends; the memory is left to the thread. */
            (void)pthread_detach(it->thread);
            return;
        }
    }
    (void)pthread_join(it->thread, NULL);
    release(it);
}
