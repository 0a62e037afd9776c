/*
 * A volume with an Ollama store for one test, and models to put there. A model is given as a list
 * of parts, the config first; its manifest is written as registry.ollama.ai writes it.
 */
#ifndef TEST_LAYOUT_OLLAMA_H
#define TEST_LAYOUT_OLLAMA_H

#include "hub.h"
#include "model/ollama_manifest.h"
#include "text/buf.h"

#define DOCKER "application/vnd.docker."

/* One entry of a manifest; word is what its media type ends in. */
static inline void put_part(struct buf *b, const char *word, const char *hex, uint64_t size)
{
    bool config = strcmp(word, "config") == 0;

    buf_addf(b, "{\"mediaType\":\"%s%s\",\"digest\":\"sha256:%s\",\"size\":%ju}",
             config ? DOCKER "container.image.v1+json" : "application/vnd.ollama.image.",
             config ? "" : word, hex, (uintmax_t)size);
}

/* The text of a manifest around its entries. */
static inline struct buf begin_text(struct arena *a)
{
    struct buf b = buf_new(a, OLLAMA_MANIFEST_BYTES_MAX);

    buf_addz(&b, "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER "distribution.manifest.v2+json\","
                 "\"config\":");
    return b;
}

static inline struct manifest parsed(struct hub *h, const char *name, struct str raw)
{
    struct model_ref ref;
    struct manifest m;

    assert_int_equal(ref_parse(&ref, h->arena, str_from(name), &h->err), 0);
    if (ollama_manifest_parse(&m, h->arena, &ref, raw, &h->err) < 0)
        fail_msg("%s", h->err.msg);
    return m;
}

/* contents: "config", then the layers; of "license-2" the media type ends in "license". */
static inline struct manifest model_of(struct hub *h, const char *name,
                                       const struct content *contents)
{
    struct buf b = begin_text(h->arena);

    for (size_t i = 0; contents[i].path != NULL; i++) {
        struct str word = str_from(contents[i].path);
        struct str number;

        (void)str_rcut(&word, '-', &number);
        if (i > 0)
            buf_addz(&b, i == 1 ? ",\"layers\":[" : ",");
        put_part(&b, str_dup(h->arena, word), hex_of(h, contents[i].bytes, true),
                 strlen(contents[i].bytes));
    }
    buf_addz(&b, "]}");
    return parsed(h, name, buf_str(&b));
}

static inline char *blob_of(const struct hub *h, const char *bytes)
{
    return str_format(h->arena, "ollama/blobs/sha256-%s", hex_of(h, bytes, true));
}

static inline struct stat stat_of(const struct hub *h, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(h->scratch->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

/* Enough that a file of it is staged under a lease of its own. */
static inline char *large_bytes(const struct hub *h)
{
    char *bytes = arena_array(h->arena, char, STAGING_SMALL_BYTES + 100);

    for (size_t i = 0; i < STAGING_SMALL_BYTES + 99; i++)
        bytes[i] = (char)('a' + i % 23);
    bytes[STAGING_SMALL_BYTES + 99] = '\0';
    return bytes;
}

#define LIBRARY "ollama/manifests/registry.ollama.ai/library/"

static const struct content llava[] = {
    {"config", "{\"model_format\":\"gguf\"}\n", true},
    {"model", "GGUF weights of llava", true},
    {"projector", "GGUF projector", true},
    {"license", "Apache", true},
    {"license-2", "Llama", true},
    {"params", "{\"stop\":[\"[INST]\",\"[/INST]\"]}\n", true},
    {0},
};

#endif
