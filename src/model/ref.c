#include "model/ref.h"

#include "model/ref_hf.h"
#include "model/ref_ollama.h"

static bool cut_head(struct str *s, struct str head)
{
    if (!str_starts(*s, head))
        return false;
    *s = (struct str){s->ptr + head.len, s->len - head.len};
    return true;
}

static struct str before(struct str s, char sep)
{
    struct str head;

    (void)str_cut(&s, sep, &head);
    return head;
}

static bool is_hub(struct str host)
{
    return str_eq_nocase(host, STR("huggingface.co")) || str_eq_nocase(host, STR("hf.co")) ||
           str_eq_nocase(host, STR("www.huggingface.co"));
}

static bool is_ollama(struct str host)
{
    return str_eq_nocase(host, STR("ollama.com")) || str_eq_nocase(host, STR("www.ollama.com")) ||
           str_eq_nocase(host, STR("ollama.ai")) || str_eq_nocase(host, STR(REF_OLLAMA_HOST));
}

/* rest is what follows "https://". */
static int parse_url(struct model_ref *out, struct arena *a, struct str rest, struct err *err)
{
    struct str whole = rest;
    struct str path = before(before(rest, '?'), '#');
    struct str host;

    while (str_ends(path, STR("/")))
        path.len--;
    (void)str_cut(&path, '/', &host);
    if (is_hub(host))
        return ref_hf_page(out, a, path, err);
    if (is_ollama(host))
        return ref_ollama_page(out, a, path, err);
    (void)err_set(err, ERR_USAGE, "\"%s\" is no model of huggingface.co or ollama.com",
                  str_printable(a, whole, REF_MAX));
    return err_hint(err, "for a mirror of Hugging Face write hf:ORG/NAME and set HF_ENDPOINT; for "
                         "another registry of Ollama write ollama:HOST/NS/NAME");
}

/* Without a scheme: how many slashes there are tells the Hub's names from Ollama's. */
static int parse_bare(struct model_ref *out, struct arena *a, struct str text, struct err *err)
{
    struct str rest = text;
    struct str name;
    struct str host;

    (void)str_cut(&rest, '@', &name);
    rest = name;
    if (!str_cut(&rest, '/', &host)) {
        if (name.len == text.len)
            return ref_ollama_parse(out, a, text, err);
        (void)err_set(err, ERR_USAGE, "\"%s\" is no name of Ollama, which hold no \"@\"",
                      str_printable(a, text, REF_MAX));
        return err_hint(err, "a repository of Hugging Face is written hf:%s",
                        str_printable(a, text, REF_MAX));
    }
    if (memchr(rest.ptr, '/', rest.len) == NULL)
        return ref_hf_parse(out, a, text, err);
    if (is_hub(host) && memchr(rest.ptr, ':', rest.len) == NULL)
        return ref_hf_page(out, a, (struct str){rest.ptr, (size_t)(text.ptr + text.len - rest.ptr)},
                           err);
    if (memchr(host.ptr, '.', host.len) != NULL || memchr(host.ptr, ':', host.len) != NULL ||
        str_eq(host, STR("localhost")))
        return ref_ollama_parse(out, a, text, err);
    return ref_hf_parse(out, a, text, err);
}

static int parse(struct model_ref *out, struct arena *a, struct str text, struct err *err)
{
    struct str rest = text;

    if (cut_head(&rest, STR("hf://"))) {
        (void)cut_head(&rest, STR("models/"));
        return ref_hf_parse(out, a, rest, err);
    }
    if (cut_head(&rest, STR("hf:")))
        return ref_hf_parse(out, a, rest, err);
    if (cut_head(&rest, STR("ollama://")) || cut_head(&rest, STR("ollama:")))
        return ref_ollama_parse(out, a, rest, err);
    if (cut_head(&rest, STR("https://")) || cut_head(&rest, STR("http://")))
        return parse_url(out, a, rest, err);
    if (memmem(text.ptr, text.len, "://", 3) != NULL) {
        (void)err_set(err, ERR_USAGE, "\"%s\" is of no source that is known",
                      str_printable(a, text, REF_MAX));
        return err_hint(err, "the sources are hf: and ollama:");
    }
    return parse_bare(out, a, text, err);
}

int ref_parse(struct model_ref *out, struct arena *a, struct str text, struct err *err)
{
    if (text.len == 0)
        return err_set(err, ERR_USAGE, "the name of the model is empty");
    if (text.len > REF_MAX)
        return err_set(err, ERR_USAGE,
                       "the name of the model has %zu characters, at most %zu are "
                       "taken",
                       text.len, REF_MAX);
    return parse(out, a, text, err);
}

int ref_at(struct model_ref *out, struct arena *a, const struct model_ref *ref, struct str revision,
           struct err *err)
{
    if (ref->host != NULL)
        return ref_ollama_at(out, a, ref, revision, err);
    return ref_hf_make(out, a, str_from(ref->repo), revision, err);
}

bool ref_is_commit(const char *revision)
{
    return strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}
