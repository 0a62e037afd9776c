#include "source/ollama_refuse.h"

#include <string.h>

#include "model/ref_ollama.h"
#include "source/refusal.h"

#define LIBRARY "library/"

/* A refusal under examination. */
struct examined {
    const struct ollama_asked *asked;
    const struct model_ref *ref;
    struct refusal said;
    const char *host; /* that refused */
    int status;
};

/* Names that people know from elsewhere, and what the library has in their place. */
static const struct {
    const char *name;
    const char *hint;
} renamed[] = {
    {"llava-next", "LLaVA-NeXT is version 1.6 of llava there: ollama:llava:7b, ollama:llava:13b, "
                   "ollama:llava:34b"},
    {"mistral-7b-instruct", "it is ollama:mistral:7b-instruct there"},
    {"all-minilm-l6-v2", "it is ollama:all-minilm there"},
};

/* How the name would be written for Hugging Face, if it may be one. */
static const char *as_hub(struct arena *a, const struct model_ref *ref)
{
    const char *text = str_format(a, "hf:%s", ref->repo);
    struct err ignored = {0};
    struct model_ref parsed;

    if (strcmp(ref->host, REF_OLLAMA_HOST) != 0 || str_starts(str_from(ref->repo), STR(LIBRARY)))
        return NULL;
    return ref_parse(&parsed, a, str_from(text), &ignored) == 0 ? text : NULL;
}

static bool has_capitals(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            return true;
    return false;
}

int ollama_refuse_hint(const struct model_ref *ref, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct str name = str_from(ref->repo);
    bool library = str_starts(name, STR(LIBRARY));
    const char *hub = as_hub(&a, ref);

    if (strcmp(ref->host, REF_OLLAMA_HOST) != 0 && has_capitals(ref->repo))
        return err_hint(err, "registries want names in lower case: %s has capitals", ref->repo);
    if (strcmp(ref->host, REF_OLLAMA_HOST) != 0)
        return err_hint(err,
                        "check host, name and tag: the registry was asked for %s with the tag "
                        "%s",
                        ref->repo, ref->revision);
    if (library)
        name = (struct str){name.ptr + strlen(LIBRARY), name.len - strlen(LIBRARY)};
    for (size_t i = 0; library && i < sizeof(renamed) / sizeof(renamed[0]); i++)
        if (str_eq_nocase(name, str_from(renamed[i].name)))
            return err_hint(err, "%s", renamed[i].hint);
    return err_hint(err, "its tags are at https://ollama.com/%s/tags%s%s", ref->repo,
                    hub == NULL ? "" : "; a model of Hugging Face is written ",
                    hub == NULL ? "" : hub);
}

static int missing(const struct examined *x, struct err *err)
{
    char hex[DIGEST_HEX + 1];

    if (x->asked->file != NULL) {
        (void)err_set(err, ERR_NOT_FOUND,
                      "%s: its manifest names %s (sha256:%s), but %s does not have it",
                      x->ref->text, x->asked->file->path,
                      digest_format(&x->asked->file->digest, hex), x->host);
        return err_hint(err, "try again later; if it stays away, the model was not pushed whole");
    }
    (void)err_set(err, ERR_NOT_FOUND, "%s: %s has no such model, or not with the tag %s",
                  x->ref->text, x->host, x->ref->revision);
    return ollama_refuse_hint(x->ref, err);
}

static int denied(const struct examined *x, struct err *err)
{
    (void)err_set(err, ERR_AUTH, "%s: %s refuses (%d)%s%s", x->ref->text, x->host, x->status,
                  x->said.words[0] == '\0' ? "" : ": ", x->said.words);
    return err_hint(err, "only models that a registry gives to everybody can be pulled: check the "
                         "name, or whether the model is private");
}

static int other(const struct examined *x, struct err *err)
{
    (void)err_set(err, ERR_NET, "%s: %s answers %d%s%s", x->ref->text, x->host, x->status,
                  x->said.words[0] == '\0' ? "" : ": ", x->said.words);
    if (x->status == 412)
        return err_hint(err, "Ollama's registry refuses old versions of Ollama so; if it takes us "
                             "for one, a newer hostler may help");
    if (strcmp(x->said.code, "MANIFEST_INVALID") == 0)
        return err_hint(err, "what this tag holds is no manifest in the form that Ollama reads: "
                             "was it pushed by another program?");
    return err_hint(err, "try again later");
}

static int refuse(const struct examined *x, struct err *err)
{
    static const char *const unknown[] = {"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NAME_INVALID",
                                          "TAG_INVALID", "BLOB_UNKNOWN"};

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        if (strcmp(x->said.code, unknown[i]) == 0)
            return missing(x, err);
    switch (x->status) {
    case 401:
    case 403:
    case 451: return denied(x, err);
    case 404:
    case 410: return missing(x, err);
    default: return other(x, err);
    }
}

int ollama_refuse(const struct ollama_asked *asked, const struct http_answer *answer,
                  struct err *err)
{
    ARENA_SCOPED a = {0};
    const struct examined x = {
        .asked = asked,
        .ref = asked->ref,
        .said = refusal_read(&a, (struct str){0}, answer->body),
        .host = url_authority(&a, &answer->url),
        .status = answer->status,
    };

    return refuse(&x, err);
}
