#include "worker/hearing.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json/json.h"
#include "store/learned.h"
#include "sys/fd.h"
#include "worker/model_path.h"
#include "worker/words.h"

#define GPUS_MAX   ((size_t)4 << 20)
#define FILE_MOST  ((uint64_t)64 << 20) /* of a log file that are read */
#define FILE_CHUNK ((size_t)8192)

void hearing_init(struct hearing *h, const struct config *config, struct report *report,
                  const struct catalog_worker *type, const struct catalog_choice *choice,
                  struct str gpus)
{
    *h = (struct hearing){
        .config = config, .report = report, .type = type, .choice = choice, .gpus = gpus};
    (void)pthread_mutex_init(&h->mutex, NULL);
}

static bool is_off(const struct hearing *h)
{
    return h->config->options.learn != NULL && strcmp(h->config->options.learn, "off") == 0;
}

static uint64_t file_bytes(const struct hearing *h)
{
    struct stat st;

    if (h->config->options.learn_from == NULL || stat(h->config->options.learn_from, &st) < 0)
        return 0;
    return (uint64_t)st.st_size;
}

/* What the engine's own log file has got since CMD was started. One that was cut begins anew. */
static void hear_file(struct hearing *h)
{
    const char *path = h->config->options.learn_from;
    FD_SCOPED fd =
        path == NULL || is_off(h) ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    uint64_t at = file_bytes(h) < h->file_bytes ? 0 : h->file_bytes;
    uint64_t end = at + FILE_MOST;
    char buf[FILE_CHUNK];
    ssize_t n;

    while (fd >= 0 && at < end && (n = pread(fd, buf, sizeof(buf), (off_t)at)) > 0) {
        engine_log_feed(&h->log, (struct str){buf, (size_t)n});
        at += (uint64_t)n;
    }
    h->file_bytes = at;
}

static void hear(void *ctx, struct str bytes)
{
    struct hearing *h = ctx;

    (void)pthread_mutex_lock(&h->mutex);
    engine_log_feed(&h->log, bytes);
    (void)pthread_mutex_unlock(&h->mutex);
}

/* The stream that the engine logs on; 0: nobody knows it. */
static int stream_of(const struct catalog_worker *type)
{
    if (strcmp(type->engine, "vllm") == 0)
        return STDOUT_FILENO;
    return strcmp(type->engine, "ollama") == 0 ? STDERR_FILENO : 0;
}

static bool is_wanted(const struct hearing *h, int stream)
{
    const char *learn = h->config->options.learn;
    struct stat st;

    if (stream == 0 || h->config->options.learn_from != NULL ||
        (learn != NULL && strcmp(learn, "off") == 0))
        return false;
    if (learn != NULL && strcmp(learn, "on") == 0)
        return true;
    return fstat(stream, &st) == 0 && !S_ISREG(st.st_mode) && isatty(stream) == 0;
}

void hearing_prepare(struct hearing *h, struct supervised *cmd)
{
    int stream = stream_of(h->type);
    const struct listener_options options = {.stream = stream, .hear = hear, .ctx = h};
    struct err err = {0};

    cmd->stream = 0;
    h->log = (struct engine_log){0};
    h->file_bytes = file_bytes(h);
    h->over = false;
    if (!is_wanted(h, stream))
        return;
    if (listener_new(&h->listener, &options, &err) < 0) {
        report_note(h->report, REPORT_WARN, "not_heard", NULL, "%s: nothing is learned", err.msg);
        return;
    }
    cmd->stream = stream;
    cmd->stream_fd = listener_fd(h->listener);
}

void hearing_begin(struct hearing *h, const struct supervised *cmd)
{
    if (h->listener != NULL && cmd->pid > 0)
        listener_begin(h->listener);
    else
        listener_end(&h->listener);
}

/* ---- what is kept ---- */

/* The one model of GPU that all have which can be used; false: they differ, or nobody looked. */
static bool gpu_of(char out[static LEARNED_WORD], struct str gpus)
{
    struct err ignored;
    JSON_SCOPED *list = gpus.len > 0 ? json_parse(gpus, GPUS_MAX, "gpus", &ignored) : NULL;
    struct str first = {0};

    for (size_t i = 0; list != NULL && i < json_len(list); i++) {
        const struct json *gpu = json_at(list, i);
        struct str name = {0}, state = {0};

        if (json_str(&name, gpu, "name", &ignored) < 0 ||
            json_str(&state, gpu, "state", &ignored) < 0 || !str_eqz(state, "ok"))
            continue;
        if (first.ptr != NULL && !str_eq(first, name))
            return false;
        first = name;
    }
    if (first.ptr == NULL || first.len >= LEARNED_WORD)
        return false;
    memcpy(out, first.ptr, first.len);
    out[first.len] = '\0';
    return true;
}

/* The model that vLLM serves: the only one of the Hub that this worker has. */
static const struct catalog_want *served(const struct hearing *h)
{
    const struct catalog_want *found = NULL;

    for (size_t i = 0; i < h->choice->count; i++) {
        if (strcmp(h->choice->wants[i].ref.source, "hf") != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = &h->choice->wants[i];
    }
    return found;
}

/* "fp8", "fp8_e5m2". */
static bool is_fp8(const char *value)
{
    return value != NULL && strncmp(value, "fp8", 3) == 0;
}

static struct learned learned_of(const struct hearing *h, struct arena *a,
                                 const struct catalog_want *want, const char *const *argv)
{
    const char *revision = model_revision(a, h->config, want);
    struct learned one = {
        .engine = "vllm",
        .tp = words_number(argv, "--tensor-parallel-size"),
        .seqs = words_number(argv, "--max-num-seqs"),
        .batch_tokens = words_number(argv, "--max-num-batched-tokens"),
        .eager = words_have(argv, "--enforce-eager"),
        .kv_fp8 = is_fp8(words_value(argv, "--kv-cache-dtype")),
        .weights_fp8 = is_fp8(words_value(argv, "--quantization")),
        .weights = h->log.figures.weights,
        .working = engine_working(&h->log.figures),
    };

    (void)snprintf(one.version, sizeof(one.version), "%s", h->log.version);
    if (revision != NULL)
        (void)snprintf(one.revision, sizeof(one.revision), "%s", revision);
    if (one.tp == 0)
        one.tp = 1;
    return one;
}

static void keep(struct hearing *h, const struct supervised *cmd)
{
    ARENA_SCOPED a = {0};
    const struct catalog_want *want = served(h);
    struct learned one;
    struct volume volume;
    struct err err = {0};

    if (strcmp(h->type->engine, "vllm") != 0 || want == NULL || h->log.figures.weights == 0)
        return;
    one = learned_of(h, &a, want, (const char *const *)cmd->argv);
    if (!gpu_of(one.gpu, h->gpus) ||
        volume_open(&volume, &a, h->config->volume_path, false, &err) < 0)
        return;
    if (learned_write(&volume, want->ref.text, &one, &err) < 0)
        report_note(h->report, REPORT_DEBUG, "not_learned", want->ref.text, "%s", err.msg);
    else
        report_note(h->report, REPORT_INFO, "learned", want->ref.text,
                    "%s took %llu MiB for the weights and %llu MiB beside them and its cache: "
                    "later plans go by that",
                    cmd->name, (unsigned long long)(one.weights >> 20),
                    (unsigned long long)(one.working >> 20));
    volume_close(&volume);
}

void hearing_ready(struct hearing *h, const struct supervised *cmd)
{
    if (h->listener == NULL && h->config->options.learn_from == NULL)
        return;
    if (h->listener != NULL)
        listener_deaf(h->listener);
    hear_file(h);
    (void)pthread_mutex_lock(&h->mutex);
    keep(h, cmd);
    h->log.crash.code = NULL; /* it lives in spite of what it said */
    (void)pthread_mutex_unlock(&h->mutex);
}

void hearing_end(struct hearing *h, const struct supervised *cmd)
{
    if (h->listener == NULL && (h->config->options.learn_from == NULL || h->over))
        return;
    h->over = true;
    listener_end(&h->listener);
    hear_file(h);
    engine_log_end(&h->log);
    if (h->log.crash.code != NULL && cmd->wait_status != 0)
        report_note(h->report, REPORT_ERROR, "engine_memory", NULL, "%s: %s; what would help: %s",
                    cmd->name, h->log.crash.cause, h->log.crash.change);
}
