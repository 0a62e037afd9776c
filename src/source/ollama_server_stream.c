#include "source/ollama_server_stream.h"

#include "json/json.h"
#include "model/manifest.h"
#include "source/ollama_server_refuse.h"

/* A digest has 71 characters; a name of a part may be a little longer. */
#define DIGEST_MAX ((size_t)128)

static void reach(struct ollama_stream *s, enum ollama_phase phase)
{
    if (s->phase < phase)
        s->phase = phase;
}

static void take_status(struct ollama_stream *s, struct str status)
{
    if (str_eqz(status, "success"))
        reach(s, OLLAMA_SUCCESS);
    else if (str_starts(status, STR("pulling manifest")))
        reach(s, OLLAMA_MANIFEST);
    else if (str_starts(status, STR("pulling")))
        reach(s, OLLAMA_PULLING);
    else if (str_starts(status, STR("verifying")))
        reach(s, OLLAMA_VERIFYING);
    else if (str_starts(status, STR("writing")))
        reach(s, OLLAMA_WRITING);
}

/* The part of that digest, a new one if there is none; NULL: there are too many. */
static struct ollama_part *part_of(struct ollama_stream *s, struct str digest)
{
    ARENA_SCOPED scratch = {0};
    const char *name = str_printable(&scratch, digest, DIGEST_MAX);
    struct ollama_part fresh = {0};

    /* It is nearly always the last one. */
    for (size_t i = s->parts.len; i-- > 0;) {
        if (strcmp(s->parts.at[i].digest, name) == 0)
            return &s->parts.at[i];
    }
    if (s->parts.len == OLLAMA_PARTS_MAX)
        return NULL;
    fresh.digest = str_dup(s->arena, str_from(name));
    vec_push(s->arena, &s->parts, fresh);
    return &s->parts.at[s->parts.len - 1];
}

static int take_digest(struct ollama_stream *s, struct str digest, uint64_t total,
                       uint64_t completed, struct err *err)
{
    size_t before = s->parts.len;
    struct ollama_part *part;

    if (digest.len > DIGEST_MAX || total > MANIFEST_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "%s: the Ollama at %s says %s", s->model, s->base,
                       digest.len > DIGEST_MAX ? "a digest that is none"
                                               : "a size that no model has");
    part = part_of(s, digest);
    if (part == NULL)
        return err_set(err, ERR_LIMIT, "%s: the Ollama at %s says more than %zu digests", s->model,
                       s->base, OLLAMA_PARTS_MAX);
    completed = completed < total ? completed : total;
    s->total = s->total - part->total + total;
    s->completed = s->completed - part->completed + completed;
    part->total = total;
    part->completed = completed;
    if (s->parts.len > before)
        part->first = completed;
    if (part->most < completed)
        part->most = completed;
    reach(s, OLLAMA_PULLING);
    return 0;
}

static int take(struct ollama_stream *s, const struct json *doc, struct err *err)
{
    struct str error = {0};
    struct str status = {0};
    struct str digest = {0};
    uint64_t total = 0;
    uint64_t completed = 0;

    if (json_str(&error, doc, "error", err) < 0 || json_str(&status, doc, "status", err) < 0 ||
        json_str(&digest, doc, "digest", err) < 0 || json_u64(&total, doc, "total", err) < 0 ||
        json_u64(&completed, doc, "completed", err) < 0)
        return err_wrap(err, "%s: the Ollama at %s", s->model, s->base);
    if (error.ptr != NULL)
        return ollama_server_refuse(s->base, s->model, error, err);
    if (digest.len > 0 && take_digest(s, digest, total, completed, err) < 0)
        return -1;
    take_status(s, status);
    return s->phase == OLLAMA_SUCCESS ? 1 : 0;
}

int ollama_stream_line(struct ollama_stream *s, struct str line, struct err *err)
{
    JSON_SCOPED *doc = json_parse(line, OLLAMA_LINE_MAX, "a line of its answer", err);

    if (doc == NULL)
        return err_wrap(err, "%s: the Ollama at %s", s->model, s->base);
    if (!json_is_object(doc))
        return err_set(err, ERR_NET, "%s: the Ollama at %s: a line of its answer is no object",
                       s->model, s->base);
    return take(s, doc, err);
}

uint64_t ollama_stream_fetched(const struct ollama_stream *s)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < s->parts.len; i++)
        bytes += s->parts.at[i].most - s->parts.at[i].first;
    return bytes;
}
