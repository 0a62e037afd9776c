#include "model/ollama_manifest.h"

#include <stdlib.h>

#include "json/json.h"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define IMAGE        "application/vnd.ollama.image."
#define WORD_MAX     ((size_t)40)
#define SHOWN_MAX    ((size_t)120)

/* One file, and the word of its media type; several may have the same. */
struct part {
    struct str word;
    size_t at; /* place in the text: 0 is the config, then the layers */
    struct model_file file;
};

static struct model_ref copy_ref(struct arena *a, const struct model_ref *ref)
{
    struct model_ref copy = *ref;

    copy.host = ref->host == NULL ? NULL : str_dup(a, str_from(ref->host));
    copy.repo = str_dup(a, str_from(ref->repo));
    copy.revision = str_dup(a, str_from(ref->revision));
    copy.text = str_dup(a, str_from(ref->text));
    return copy;
}

/*
 * The last part of the media type, where it can be the name of a file. Words with a hyphen are not
 * taken, so that none can be what the second of two equal words is called.
 */
static struct str word_of(struct arena *a, struct str media_type)
{
    struct str word = media_type;

    if (!str_starts(media_type, STR(IMAGE)))
        return STR("layer");
    word = (struct str){word.ptr + strlen(IMAGE), word.len - strlen(IMAGE)};
    if (word.len == 0 || word.len > WORD_MAX)
        return STR("layer");
    for (size_t i = 0; i < word.len; i++)
        if (!(word.ptr[i] >= 'a' && word.ptr[i] <= 'z') &&
            !(word.ptr[i] >= '0' && word.ptr[i] <= '9') && word.ptr[i] != '_')
            return STR("layer");
    return str_copy(a, word);
}

static int read_digest(struct digest *out, const struct json *entry, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct digest d = {0};
    struct str text;
    struct str hex;
    struct err ignored;

    if (json_need_str(&text, entry, "digest", err) < 0)
        return -1;
    hex = text;
    if (str_starts(text, STR("sha256:")))
        hex = (struct str){text.ptr + 7, text.len - 7};
    if (hex.ptr == text.ptr || !str_is_hex(hex) || digest_parse(&d, hex, &ignored) < 0 ||
        d.kind != DIGEST_SHA256)
        return err_set(err, ERR_LIMIT, "the digest \"%s\" is not \"sha256:\" and 64 hex digits",
                       str_printable(&a, text, SHOWN_MAX));
    *out = d;
    return 0;
}

static int read_part(struct part *out, struct arena *a, const struct json *entry, struct err *err)
{
    struct part p = {.file = {.oid = "", .xet = "", .wanted = true}};
    struct str media_type = {0};

    if (!json_is_object(entry))
        return err_set(err, ERR_LIMIT, "it is no object");
    if (json_need_str(&media_type, entry, "mediaType", err) < 0 ||
        read_digest(&p.file.digest, entry, err) < 0 ||
        json_need_u64(&p.file.size, entry, "size", err) < 0)
        return -1;
    if (p.file.size > MANIFEST_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "%llu bytes are more than any file has",
                       (unsigned long long)p.file.size);
    p.word = word_of(a, media_type);
    *out = p;
    return 0;
}

static int compare_words(const void *a, const void *b)
{
    const struct part *left = a;
    const struct part *right = b;
    int order = str_cmp(left->word, right->word);

    return order != 0 ? order : (left->at > right->at) - (left->at < right->at);
}

/* The second license in the text is "license-2". */
static void name_parts(struct part *parts, size_t count, struct arena *a)
{
    size_t number = 0;

    qsort(parts, count, sizeof(parts[0]), compare_words);
    for (size_t i = 0; i < count; i++) {
        number = i > 0 && str_eq(parts[i].word, parts[i - 1].word) ? number + 1 : 1;
        parts[i].file.path = number == 1
                                 ? str_dup(a, parts[i].word)
                                 : str_format(a, STR_FMT "-%zu", STR_ARG(parts[i].word), number);
    }
}

static int compare_digests(const void *a, const void *b)
{
    const struct part *left = a;
    const struct part *right = b;
    int order = memcmp(left->file.digest.bytes, right->file.digest.bytes, DIGEST_BYTES);

    return order != 0 ? order : (left->at > right->at) - (left->at < right->at);
}

/* The same bytes have one size, whatever is said of them. */
static int check_sizes(struct part *parts, size_t count, struct err *err)
{
    char hex[DIGEST_HEX + 1];

    qsort(parts, count, sizeof(parts[0]), compare_digests);
    for (size_t i = 1; i < count; i++)
        if (digest_eq(&parts[i].file.digest, &parts[i - 1].file.digest) &&
            parts[i].file.size != parts[i - 1].file.size)
            return err_set(
                err, ERR_LIMIT, "sha256:%s has %llu bytes in one place and %llu in another",
                digest_format(&parts[i].file.digest, hex),
                (unsigned long long)parts[i - 1].file.size, (unsigned long long)parts[i].file.size);
    return 0;
}

static int wrong_kind(const char *what, struct err *err)
{
    (void)err_set(err, ERR_LIMIT, "it is %s, no manifest of a model", what);
    return err_hint(err, "images of containers are no models of Ollama: check the name");
}

/* What else a registry may serve under a tag, in words. */
static int check_kind(const struct json *doc, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct str media_type = STR("");
    uint64_t version;

    if (!json_is_object(doc))
        return err_set(err, ERR_LIMIT, "it is no object");
    if (json_need_u64(&version, doc, "schemaVersion", err) < 0 ||
        json_str(&media_type, doc, "mediaType", err) < 0)
        return -1;
    if (version == 1)
        return wrong_kind("of schema 1, which registries make for clients of before 2016", err);
    if (version != 2)
        return err_set(err, ERR_LIMIT, "its schemaVersion is %llu, not 2",
                       (unsigned long long)version);
    if (str_eq(media_type, STR("application/vnd.docker.distribution.manifest.list.v2+json")))
        return wrong_kind("a manifest list (one image for several platforms)", err);
    if (str_eq(media_type, STR("application/vnd.oci.image.index.v1+json")) ||
        json_is_array(json_get(doc, "manifests")))
        return wrong_kind("an image index (one image for several platforms)", err);
    if (media_type.len > 0 && !str_eq(media_type, STR(OLLAMA_MANIFEST_ACCEPT)) &&
        !str_eq(media_type, STR(OCI_MANIFEST)))
        return err_set(err, ERR_LIMIT, "its media type is \"%s\"",
                       str_printable(&a, media_type, SHOWN_MAX));
    return 0;
}

static int read_parts(struct part **ret_parts, size_t *ret_count, struct arena *a,
                      const struct json *doc, struct err *err)
{
    const struct json *layers = json_get(doc, "layers");
    size_t count = 1 + json_len(layers);
    struct part *parts;

    if (!json_is_array(layers))
        return err_set(err, ERR_LIMIT, "\"layers\" is no array");
    if (count - 1 > OLLAMA_MANIFEST_LAYERS_MAX)
        return err_set(err, ERR_LIMIT, "%zu layers, at most %zu are taken", count - 1,
                       OLLAMA_MANIFEST_LAYERS_MAX);
    parts = arena_array(a, struct part, count);
    if (read_part(&parts[0], a, json_get(doc, "config"), err) < 0)
        return err_wrap(err, "config");
    parts[0].word = STR("config");
    for (size_t i = 1; i < count; i++) {
        if (read_part(&parts[i], a, json_at(layers, i - 1), err) < 0)
            return err_wrap(err, "layer %zu of %zu", i, count - 1);
        parts[i].at = i;
    }
    *ret_parts = parts;
    *ret_count = count;
    return 0;
}

static int hash_of(const char **ret_hex, struct arena *a, struct str raw, struct err *err)
{
    DIGEST_STREAM_SCOPED *stream = digest_start(DIGEST_SHA256, raw.len, err);
    struct digest d;
    char hex[DIGEST_HEX + 1];

    if (stream == NULL || digest_update(stream, raw.ptr, raw.len, err) < 0 ||
        digest_finish(&d, stream, err) < 0)
        return -1;
    *ret_hex = str_dup(a, str_from(digest_format(&d, hex)));
    return 0;
}

static int read_all(struct manifest *out, struct arena *a, struct str raw, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    JSON_SCOPED *doc = json_parse(raw, OLLAMA_MANIFEST_BYTES_MAX, "its text", err);
    struct part *parts;

    if (doc == NULL || check_kind(doc, err) < 0 ||
        read_parts(&parts, &out->file_count, &scratch, doc, err) < 0 ||
        check_sizes(parts, out->file_count, err) < 0)
        return -1;
    name_parts(parts, out->file_count, a);
    out->files = arena_array(a, struct model_file, out->file_count);
    for (size_t i = 0; i < out->file_count; i++)
        out->files[i] = parts[i].file;
    return hash_of(&out->commit, a, raw, err);
}

int ollama_manifest_parse(struct manifest *out, struct arena *a, const struct model_ref *ref,
                          struct str raw, struct err *err)
{
    struct manifest m = {.ref = copy_ref(a, ref)};

    if (read_all(&m, a, raw, err) < 0) {
        /* The readers of JSON take what is broken for a matter of the network; here it is kept. */
        if (err->code == ERR_NET)
            err->code = ERR_LIMIT;
        return err_wrap(err, "%s: its manifest", ref->text);
    }
    m.raw = str_copy(a, raw);
    if (manifest_check(&m, err) < 0)
        return -1;
    *out = m;
    return 0;
}
