/* The thread of registration.h, which alone speaks to the network. */
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "worker/answers.h"
#include "worker/registration_inside.h"

/* A file whose token was refused is looked at so often. */
#define TOKEN_LOOK_MS UINT64_C(1000)

static uint32_t chance(void)
{
    uint32_t random = 0;

    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    return random;
}

/* When the queue is full the newest is dropped: nobody listens anyway. */
static void say(struct registration *r, bool warning, const char *text)
{
    uint64_t one = 1;

    (void)pthread_mutex_lock(&r->lock);
    if (r->word_count < REGISTRATION_WORDS_MAX) {
        struct registration_word *word = &r->words[r->word_count++];

        word->warning = warning;
        (void)snprintf(word->text, sizeof(word->text), "%s", text);
        (void)!write(r->words_fd, &one, sizeof(one));
    }
    (void)pthread_mutex_unlock(&r->lock);
}

/* ------------------------------------------------------------------ the token */

/* A word of the log in which a coordinator echoes the token is cut down to what we know ourselves.
 */
static const char *without_token(const struct registration *r, const char *words)
{
    const char *token = r->authorization != NULL ? r->authorization + strlen("Bearer ") : NULL;

    return token != NULL && strstr(words, token) != NULL ? "it refuses, and repeats the token"
                                                         : words;
}

void registration_set_token(struct registration *r, const char *token)
{
    struct arena fresh = {0};

    r->authorization = str_format(&fresh, "Bearer %s", token);
    arena_free(&r->token_arena);
    r->token_arena = fresh;
}

/* A file whose token was refused has another one by now? */
static void refresh_token(struct registration *r)
{
    ARENA_SCOPED a = {0};
    struct err unused;
    const char *token;

    if (!r->token_refused || r->to.token_file == NULL ||
        coordinators_read_token(&token, &a, r->to.token_file, &unused) < 0 ||
        strcmp(token, r->authorization + strlen("Bearer ")) == 0)
        return;
    r->token_refused = false;
    registration_set_token(r, token);
    beats_mended(&r->beats, registration_now_ms(r));
}

/* ------------------------------------------------------------------ one message */

struct sending {
    const char *path;
    struct str body;
    uint64_t limit_ms;
};

static int post(struct http_answer *answer, struct arena *a, struct registration *r,
                const struct sending *s, struct err *err)
{
    struct http_request request = {.method = "POST",
                                   .authorization = r->authorization,
                                   .accept = "application/json",
                                   .body_limit = ANSWER_BODY_MAX,
                                   .json = s->body,
                                   .named_by_operator = true,
                                   .once = true,
                                   .first_byte_ms = s->limit_ms};

    if (coordinators_url(&request.url, a, &r->to.at[r->beats.at], s->path, err) < 0)
        return -1;
    return http_get(answer, a, r->client, &request, err);
}

/* Sends it and sees what comes. False: it was interrupted. */
static bool exchange(struct beats_event *event, const char **ret_words, struct arena *a,
                     struct registration *r, const struct sending *s)
{
    struct http_answer answer;
    struct err err = {0};

    *event = (struct beats_event){.what = BEATS_NOTHING};
    if (post(&answer, a, r, s, &err) == 0) {
        *ret_words = answer_read(event, a, &answer, clock_unix_ms(r->net.clock));
    } else {
        if (err.code == ERR_INTERRUPTED)
            return false;
        if (err.code == ERR_LIMIT)
            event->what = BEATS_RUBBISH;
        *ret_words = str_format(a, "%s", err.msg);
    }
    *ret_words = without_token(r, *ret_words);
    event->now_ms = registration_now_ms(r);
    event->random = chance();
    return true;
}

static const char *path_of(struct arena *a, const struct registration *r, const char *what)
{
    return str_format(a, "/v1/workers/%s/%s", url_encode(a, str_from(r->now.id), ""), what);
}

/* ------------------------------------------------------------------ the log */

static void tell_news(struct registration *r, enum beats_news news, const struct url *whom,
                      const char *words)
{
    ARENA_SCOPED a = {0};
    const char *name = whom->text.ptr;
    const char *id = r->now.id;
    bool many = r->to.count > 1;

    switch (news) {
    case BEATS_QUIET: return;
    case BEATS_FIRST:
        say(r, false, str_format(&a, "registered with the coordinator %s as %s", name, id));
        return;
    case BEATS_LOST:
        say(r, true,
            str_format(
                &a,
                "the coordinator %s cannot be told how this worker is: %s%s; the worker goes "
                "on, may be shown as lost meanwhile, and tells everything when it can",
                name, words, many ? " (nor can the others)" : ""));
        return;
    case BEATS_BACK:
        say(r, false,
            str_format(&a, "the coordinator %s is back, and knows of %s again", name, id));
        return;
    case BEATS_MOVED:
        say(r, false, str_format(&a, "registered with the coordinator %s as %s now", name, id));
        return;
    case BEATS_ENDED:
        say(r, true,
            str_format(&a,
                       "a newer worker has registered as %s with the coordinator %s: this one is "
                       "no longer listed, and goes on; end one of the two, or give each a "
                       "WORKER_ID of its own",
                       id, name));
        return;
    }
}

/* ------------------------------------------------------------------ the thread */

static void keep_taken(struct registration *r)
{
    struct arena fresh = {0};
    struct fleet_record copy;

    fleet_record_copy(&copy, &fresh, &r->now);
    arena_free(&r->taken_arena);
    r->taken_arena = fresh;
    r->taken = copy;
    r->untold.at[0] = r->untold.at[r->untold.count - 1];
    r->untold.count = 1;
}

/* One message to the present coordinator. False: it was interrupted. */
static bool speak(struct registration *r, enum beats_change change, uint64_t limit_ms)
{
    static const char *const what[] = {[BEATS_BEAT] = "beat", [BEATS_REPORT] = "report"};
    ARENA_SCOPED a = {0};
    enum beats_message kind = beats_message(&r->beats, change);
    struct url whom = r->to.at[r->beats.at];
    struct sending s = {.limit_ms = limit_ms};
    struct beats_event event;
    const char *words;
    enum beats_news news;

    s.path = kind == BEATS_REGISTER ? "/v1/workers" : path_of(&a, r, what[kind]);
    s.body = message_body(&a, kind, &r->taken, &r->now, &r->untold, r->beats.lean);
    if (!exchange(&event, &words, &a, r, &s))
        return false;
    news = beats_answer(&r->beats, &event);
    if (event.what == BEATS_OK)
        keep_taken(r);
    if (event.what == BEATS_TOKEN)
        r->token_refused = true;
    tell_news(r, news, &whom, words);
    return true;
}

/* Takes what was told. The lock is held. */
static void fetch(struct registration *r)
{
    if (!r->told_new)
        return;
    arena_free(&r->now_arena);
    r->now_arena = r->told_arena;
    r->told_arena = (struct arena){0};
    r->now = r->told;
    r->told_new = false;
    r->any = true;
    for (size_t i = 0; i < r->moves.count; i++)
        message_moved(&r->untold, r->moves.at[i].state, r->moves.at[i].unix_ms);
    r->moves.count = 0;
}

static enum beats_change change_of(const struct registration *r)
{
    return r->beats.ever ? message_change(&r->taken, &r->now) : BEATS_STATE;
}

/* Until something is to be sent. False: it shall end. */
static bool await(struct registration *r, enum beats_change *ret_change)
{
    bool ending;

    (void)pthread_mutex_lock(&r->lock);
    for (;;) {
        uint64_t due = UINT64_MAX;
        uint64_t now = registration_now_ms(r);
        struct timespec until;

        fetch(r);
        refresh_token(r);
        ending = r->ending;
        if (r->any) {
            *ret_change = change_of(r);
            due = beats_due_ms(&r->beats, *ret_change, now);
        }
        if (ending || due <= now)
            break;
        if (r->token_refused && r->to.token_file != NULL && due > now + TOKEN_LOOK_MS)
            due = now + TOKEN_LOOK_MS;
        if (due == UINT64_MAX) {
            (void)pthread_cond_wait(&r->wake, &r->lock);
            continue;
        }
        until = (struct timespec){.tv_sec = (time_t)(due / 1000),
                                  .tv_nsec = (long)(due % 1000) * 1000000};
        (void)pthread_cond_timedwait(&r->wake, &r->lock, &until);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return !ending;
}

/*
 * Whoever is registered leaves; whoever never could be says once how it ended. Where one
 * coordinator does not answer, the next one is told.
 */
static void part(struct registration *r)
{
    bool known = r->beats.ever;

    if (!r->any || r->beats.over)
        return;
    for (size_t i = 0; i < r->to.count; i++) {
        ARENA_SCOPED a = {0};
        uint64_t now = registration_now_ms(r);
        struct beats_event event;
        const char *words;
        struct sending s = {.path = known ? path_of(&a, r, "leave") : "/v1/workers"};

        s.body = known ? message_leave(&a, &r->now, &r->untold)
                       : message_body(&a, BEATS_REGISTER, &r->now, &r->now, &r->untold, false);
        if (now >= r->end_ms)
            return;
        s.limit_ms = r->end_ms - now;
        if (!exchange(&event, &words, &a, r, &s))
            return;
        if (event.what != BEATS_NOTHING && event.what != BEATS_FAILING)
            return;
        r->beats.at = (r->beats.at + 1) % r->to.count;
    }
}

/* A client for the network in place of the one there was, which may have been cancelled. */
static int renew_client(struct registration *r, struct err *err)
{
    struct http_client *fresh = http_client_new(&r->net, err);
    struct http_client *old;

    (void)pthread_mutex_lock(&r->lock);
    old = r->client;
    r->client = fresh;
    (void)pthread_mutex_unlock(&r->lock);
    http_client_free(&old);
    return fresh != NULL ? 0 : -1;
}

static void drop_client(struct registration *r)
{
    struct http_client *old;

    (void)pthread_mutex_lock(&r->lock);
    old = r->client;
    r->client = NULL;
    (void)pthread_mutex_unlock(&r->lock);
    http_client_free(&old);
}

static void loop(struct registration *r)
{
    enum beats_change change = BEATS_STATE;
    struct err err = {0};

    if (renew_client(r, &err) < 0) {
        ARENA_SCOPED a = {0};

        say(r, true, str_format(&a, "this worker is not registered: %s", err.msg));
        return;
    }
    while (await(r, &change))
        (void)speak(r, change, REGISTRATION_ANSWER_MS);
    if (renew_client(r, &err) == 0)
        part(r);
    drop_client(r);
}

void *registration_run(void *ctx)
{
    struct registration *r = ctx;

    loop(r);
    (void)pthread_mutex_lock(&r->lock);
    r->ended = true;
    (void)pthread_cond_broadcast(&r->wake);
    (void)pthread_mutex_unlock(&r->lock);
    return NULL;
}
