#include "plan/at_origin.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "plan/headers.h"
#include "pull/notices.h"
#include "source/source.h"
#include "sys/clock.h"
#include "text/vec.h"

#define LONGEST_WAIT_MS ((uint64_t)360000)
#define REDIRECTS       5
#define TRIES           3
#define SPARE           ((size_t)64 << 10) /* for the words of a redirect or a refusal */

/* The first bytes of one file, when they have come. */
struct fetched {
    struct arena arena;
    const struct transfer_origin *origin;
    struct str bytes;
    struct err err;
    bool asked;
};

struct at_origin {
    struct net_config net;
    struct source_config source;
    struct source_session session;
    struct manifest manifest;
    struct headers_file *files;
    const struct model_file **listed; /* the manifest's, of each of files */
    struct fetched *fetched;          /* of each of files */
    size_t count;
    const char *name;
    struct report *report;
    struct notices notices; /* of the threads, for the one that called */
    struct round *round;    /* that is under way; NULL: none */
};

/* Files to be fetched by several threads, each the next one that nobody has. */
struct round {
    struct at_origin *o;
    const size_t *files;
    size_t count;
    size_t next;
    size_t ended; /* threads */
    bool told;    /* one of them has a notice */
    pthread_mutex_t mutex;
    pthread_cond_t news; /* ended or told */
};

static void show(void *ctx, const char *text)
{
    struct at_origin *o = ctx;

    report_note(o->report, REPORT_WARN, "network", NULL, "%s: %s", o->name, text);
}

/* Any thread: fits net_config. */
static void notice(void *ctx, const char *text)
{
    struct at_origin *o = ctx;

    notices_put(&o->notices, text);
    if (o->round == NULL)
        return;
    (void)pthread_mutex_lock(&o->round->mutex);
    o->round->told = true;
    (void)pthread_cond_signal(&o->round->news);
    (void)pthread_mutex_unlock(&o->round->mutex);
}

static void show_all(struct at_origin *o)
{
    char text[NOTICE_BYTES];

    while (notices_take(&o->notices, text))
        show(o, text);
}

/* Shows what the threads of a round have to say as it comes, until all of them have ended. */
static void show_until_end(struct at_origin *o, size_t threads)
{
    struct round *round = o->round;

    (void)pthread_mutex_lock(&round->mutex);
    while (round->ended < threads) {
        if (!round->told)
            (void)pthread_cond_wait(&round->news, &round->mutex);
        round->told = false;
        (void)pthread_mutex_unlock(&round->mutex);
        show_all(o);
        (void)pthread_mutex_lock(&round->mutex);
    }
    (void)pthread_mutex_unlock(&round->mutex);
    show_all(o);
}

static int one_answer(struct http_answer *answer, struct fetched *f, struct http_client *client,
                      const char *range, uint64_t bytes, struct err *err)
{
    const struct transfer_origin *origin = f->origin;
    struct http_request request = {
        .url = origin->url,
        .range = range,
        .redirects = REDIRECTS,
        .body_limit = (size_t)bytes + SPARE,
    };

    for (int tries = 0; tries < TRIES; tries++) {
        int verdict = 0;

        request.authorization = origin->authorize != NULL ? origin->authorize(origin->judge_ctx)
                                                          : origin->authorization;
        if (http_get(answer, &f->arena, client, &request, err) < 0)
            return -1;
        if (origin->judge != NULL && answer->status >= 400 && answer->status != 416)
            verdict = origin->judge(origin->judge_ctx, answer, err);
        if (verdict <= 0)
            return verdict;
    }
    return err_set(err, ERR_AUTH, "no token was good for it");
}

/* The first `bytes` of a file into its slot. */
static int fetch(struct fetched *f, struct http_client *client, const struct headers_file *file,
                 uint64_t bytes, struct err *err)
{
    uint64_t len = bytes < file->bytes ? bytes : file->bytes;
    struct http_answer answer;
    const char *range;

    if (len == 0) {
        f->bytes = STR("");
        return 0;
    }
    range = str_format(&f->arena, "bytes=0-%llu", (unsigned long long)(len - 1));
    if (one_answer(&answer, f, client, range, len, err) < 0)
        return err_wrap(err, "%s", file->path);
    if (answer.status != 206 && !(answer.status == 200 && file->bytes == len))
        return err_set(err, ERR_NET, "%s: %s answers %d to a request for a part of it", file->path,
                       url_authority(&f->arena, &answer.url), answer.status);
    if (answer.body.len != len)
        return err_set(err, ERR_NET, "%s: %zu bytes came of %llu", file->path, answer.body.len,
                       (unsigned long long)len);
    f->bytes = answer.body;
    return 0;
}

static void *work(void *ctx)
{
    struct round *round = ctx;
    struct err err = {0};
    struct http_client *client = http_client_new(&round->o->net, &err);

    for (;;) {
        size_t i;

        (void)pthread_mutex_lock(&round->mutex);
        i = round->next++;
        (void)pthread_mutex_unlock(&round->mutex);
        if (i >= round->count)
            break;
        i = round->files[i];
        if (client == NULL)
            round->o->fetched[i].err = err;
        else
            (void)fetch(&round->o->fetched[i], client, &round->o->files[i], HEADERS_FIRST,
                        &round->o->fetched[i].err);
        round->o->fetched[i].asked = true;
    }
    http_client_free(&client);
    (void)pthread_mutex_lock(&round->mutex);
    round->ended++;
    (void)pthread_cond_signal(&round->news);
    (void)pthread_mutex_unlock(&round->mutex);
    return NULL;
}

static int find_origin(struct at_origin *o, size_t file, struct err *err)
{
    struct fetched *f = &o->fetched[file];

    if (f->origin != NULL)
        return 0;
    return o->session.source->origin(&f->origin, &o->session, &o->manifest, o->listed[file], err);
}

/* Fits headers_from; ctx is a struct at_origin. */
static void expect(void *ctx, const size_t *files, size_t count)
{
    struct at_origin *o = ctx;
    struct round round = {.o = o, .files = files, .count = count};
    pthread_t threads[AT_ORIGIN_THREADS];
    size_t started = 0;
    struct err ignored = {0};

    for (size_t i = 0; i < count; i++) {
        if (find_origin(o, files[i], &ignored) < 0)
            return; /* first() says it */
    }
    (void)pthread_mutex_init(&round.mutex, NULL);
    (void)pthread_cond_init(&round.news, NULL);
    o->round = &round;
    while (started < AT_ORIGIN_THREADS && started < count && count > 1 &&
           pthread_create(&threads[started], NULL, work, &round) == 0)
        started++;
    show_until_end(o, started);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    o->round = NULL;
    (void)pthread_cond_destroy(&round.news);
    (void)pthread_mutex_destroy(&round.mutex);
}

static int first(void *ctx, struct str *out, struct arena *a, size_t file, uint64_t bytes,
                 struct err *err)
{
    struct at_origin *o = ctx;
    struct fetched *f = &o->fetched[file];
    uint64_t want = bytes < o->files[file].bytes ? bytes : o->files[file].bytes;

    (void)a;
    if (f->asked && f->err.code != ERR_NONE) {
        *err = f->err;
        return err_wrap(err, "%s", o->name);
    }
    if (f->bytes.ptr == NULL || f->bytes.len < want) {
        if (find_origin(o, file, err) < 0 ||
            fetch(f, o->session.client, &o->files[file], want, err) < 0)
            return err_wrap(err, "%s", o->name);
        f->asked = true;
    }
    *out = (struct str){f->bytes.ptr, (size_t)want};
    return 0;
}

static bool is_of_use(const struct model_ref *ref, const struct model_file *file)
{
    struct str path = str_from(file->path);

    if (strcmp(ref->source, "ollama") != 0)
        return true;
    return str_eqz(path, "model") || str_starts(path, STR("projector"));
}

/* The weights of a model of Ollama before its projectors. */
static void list_files(struct at_origin *o, struct arena *a, const struct model_ref *ref)
{
    size_t most =
        o->manifest.file_count < HEADERS_FILES_MAX ? o->manifest.file_count : HEADERS_FILES_MAX;

    o->files = arena_array(a, struct headers_file, most + 1);
    o->listed = arena_array(a, const struct model_file *, most + 1);
    o->fetched = arena_array(a, struct fetched, most + 1);
    for (size_t i = 0; i < o->manifest.file_count && o->count < most; i++) {
        const struct model_file *file = &o->manifest.files[i];

        if (!is_of_use(ref, file))
            continue;
        o->listed[o->count] = file;
        o->files[o->count++] = (struct headers_file){file->path, file->size};
    }
}

static int read_headers(struct model_facts *out, struct arena *a, struct at_origin *o,
                        const struct model_ref *ref, struct err *err)
{
    struct headers_from from = {.name = ref->text, .first = first, .expect = expect, .ctx = o};
    int r;

    assert(o->session.source != NULL);
    if (o->session.source->manifest(&o->manifest, &o->session, ref, err) < 0)
        return -1;
    list_files(o, a, ref);
    from.files = o->files;
    from.count = o->count;
    r = (strcmp(ref->source, "ollama") == 0 ? headers_ollama : headers_hub)(out, a, &from, err);
    for (size_t i = 0; i < o->count; i++)
        arena_free(&o->fetched[i].arena);
    return r;
}

int at_origin_facts(struct model_facts *out, struct arena *a, const struct config *config,
                    struct report *report, const struct model_ref *ref, struct err *err)
{
    struct at_origin o = {
        .net = config->net, .source = config->source, .name = ref->text, .report = report};
    int r;

    if (o.net.clock == NULL)
        o.net.clock = clock_real();
    o.net.notice = notice;
    o.net.notice_ctx = &o;
    if (o.net.longest_wait_ms == 0)
        o.net.longest_wait_ms = LONGEST_WAIT_MS;
    o.source.net = &o.net;
    notices_init(&o.notices, show, &o);
    r = source_open(&o.session, a, ref->source, &o.source, err);
    if (r == 0) {
        r = read_headers(out, a, &o, ref, err);
        source_close(&o.session);
    }
    notices_done(&o.notices);
    return r;
}
