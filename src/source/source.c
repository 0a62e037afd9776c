#include "source/source.h"

#include "source/hf.h"
#include "source/ollama.h"
#include "text/buf.h"

#define LIST_MAX ((size_t)200)

/* One line a source. */
static const struct source *const sources[] = {
    &source_hf,
    &source_ollama,
};

#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static const struct source *find(const char *name, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct buf list = buf_new(&a, LIST_MAX);

    for (size_t i = 0; i < SOURCES; i++) {
        if (strcmp(sources[i]->name, name) == 0)
            return sources[i];
        buf_addf(&list, "%s%s", i == 0 ? "" : ", ", sources[i]->name);
    }
    (void)err_set(err, ERR_USAGE, "models of %s cannot be pulled yet: the sources are %s", name,
                  list.ptr);
    return NULL;
}

int source_open(struct source_session *out, struct arena *a, const char *name,
                const struct source_config *config, struct err *err)
{
    struct source_session s = {.source = find(name, err), .config = config, .arena = a};

    if (s.source == NULL)
        return -1;
    s.client = http_client_new(config->net, err);
    if (s.client == NULL)
        return -1;
    if (s.source->open != NULL && s.source->open(&s, err) < 0) {
        source_close(&s);
        return -1;
    }
    *out = s;
    return 0;
}

void source_close(struct source_session *s)
{
    http_client_free(&s->client);
}

void source_tend(struct source_session *s)
{
    if (s->source->tend != NULL)
        s->source->tend(s);
}
