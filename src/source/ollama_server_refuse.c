#include "source/ollama_server_refuse.h"

#include "json/json.h"

#define WORDS_MAX ((size_t)200)
#define BODY_MAX  ((size_t)65536)

struct meaning {
    const char *words; /* what the text holds */
    enum err_code code;
    const char *says;
    const char *hint;
};

#define NO_SPACE_HINT "free space where that Ollama has its store, or give it a larger one"
#define STORE_HINT    "its user must be able to write its store (OLLAMA_MODELS there)"
#define KEY_HINT \
    "give the key of that server (its .ollama/id_ed25519.pub) to the account that has access"
#define STORE_WAY_HINT "hostler itself can: let it write the store, with --ollama-via store"

/* The first that fits counts. */
static const struct meaning meanings[] = {
    {"file does not exist", ERR_NOT_FOUND, "finds no such model",
     "check the name and the tag; a private model needs that server's key"},
    {"no space left on device", ERR_NO_SPACE, "has no space left", NO_SPACE_HINT},
    {"disk quota exceeded", ERR_NO_SPACE, "has no space left", NO_SPACE_HINT},
    {"digest mismatch", ERR_DIGEST, "got wrong bytes",
     "it deletes them: pull again; if they stay wrong, look at its proxy and its disk"},
    {"412:", ERR_USAGE, "is too old for this model", "update that Ollama"},
    {"requires a newer version", ERR_USAGE, "is too old for this model", "update that Ollama"},
    {"no Location header", ERR_USAGE, "cannot take models from that registry", STORE_WAY_HINT},
    {"unexpected status code 302", ERR_USAGE, "cannot take models from that registry",
     STORE_WAY_HINT},
    {"realm host", ERR_USAGE, "cannot take models from that registry", STORE_WAY_HINT},
    {"unauthorized", ERR_AUTH, "is not allowed to have it", KEY_HINT},
    {"access denied", ERR_AUTH, "is not allowed to have it", KEY_HINT},
    {"permission denied", ERR_VOLUME, "cannot write its store", STORE_HINT},
    {"read-only file system", ERR_VOLUME, "cannot write its store", STORE_HINT},
    {"invalid model name", ERR_USAGE, "does not take this name", "see ollama.com for names"},
    {"max retries exceeded", ERR_NET, "could not fetch it",
     "check the network of that server: the bytes come to it, not to hostler"},
    {"", ERR_NET, "could not pull it", "see the log of that Ollama"},
};

int ollama_server_refuse(const char *base, const char *model, struct str words, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct buf text = buf_new(&a, words.len);
    const struct meaning *m = meanings;

    buf_add(&text, words);
    while (strstr(text.ptr, m->words) == NULL)
        m++;
    (void)err_set(err, m->code, "%s: the Ollama at %s %s: %s", model, base, m->says,
                  str_printable(&a, str_trim(words), WORDS_MAX));
    return err_hint(err, "%s", m->hint);
}

/* The words of {"error":"..."}; false if the body is something else. */
static bool find_words(struct str *out, struct arena *a, struct str body)
{
    struct err ignored = {0};
    struct str words = {0};
    JSON_SCOPED *doc = json_parse(body, BODY_MAX, "its answer", &ignored);

    if (doc == NULL || json_str(&words, doc, "error", &ignored) < 0 || words.ptr == NULL)
        return false;
    *out = str_copy(a, words);
    return true;
}

int ollama_server_refuse_status(const char *base, const char *model, int status, struct str body,
                                struct err *err)
{
    ARENA_SCOPED a = {0};
    struct str words;

    if (find_words(&words, &a, body))
        return ollama_server_refuse(base, model, words, err);
    if (status == 401 || status == 403) {
        (void)err_set(err, ERR_AUTH, "%s: the Ollama at %s refuses us (%d)", model, base, status);
        return err_hint(err, "an Ollama on loopback takes only requests to a local name; what "
                             "stands before it may want a login");
    }
    if (status >= 500)
        return err_set(err, ERR_NET, "%s: the Ollama at %s answers %d", model, base, status);
    (void)err_set(err, ERR_USAGE, "%s: %s answers %d, as no Ollama does", model, base, status);
    return err_hint(err, "name a running Ollama with OLLAMA_URL");
}
