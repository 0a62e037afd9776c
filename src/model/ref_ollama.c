#include "model/ref_ollama.h"

#include "text/num.h"

#define HOST_MAX ((size_t)350)
#define PART_MAX ((size_t)80)
#define LIBRARY  "library"
#define TAG      "latest"

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The table of the facts: first a word character, then also those of extra; what names the part. */
static int check_part(struct str part, const char *what, const char *extra, struct arena *a,
                      struct err *err)
{
    size_t max = str_eqz(str_from(what), "host") ? HOST_MAX : PART_MAX;

    if (part.len == 0)
        return err_set(err, ERR_USAGE, "the %s is empty", what);
    if (part.len > max)
        return err_set(err, ERR_USAGE, "the %s has %zu characters, at most %zu are taken", what,
                       part.len, max);
    for (size_t i = 0; i < part.len; i++)
        if (!is_word(part.ptr[i]) && (i == 0 || memchr(extra, part.ptr[i], strlen(extra)) == NULL))
            return err_set(err, ERR_USAGE,
                           "the %s \"%s\" holds \"%s\" at %zu: letters, digits and \"_\" are "
                           "taken, and \"%s\" after the first",
                           what, str_printable(a, part, PART_MAX),
                           str_printable(a, (struct str){part.ptr + i, 1}, PART_MAX), i + 1, extra);
    return 0;
}

/* The grammar of Ollama takes any run of colons; a host that can be asked has one port at most. */
static int check_host(struct str host, struct arena *a, struct err *err)
{
    struct str port = host;
    struct str name;
    struct err ignored;
    uint64_t number;

    if (check_part(host, "host", "-.:", a, err) < 0)
        return -1;
    if (!str_cut(&port, ':', &name))
        return 0;
    if (num_parse_u64(&number, port, UINT16_MAX, &ignored) < 0 || number == 0)
        return err_set(err, ERR_USAGE, "the host \"%s\" has a port that is none",
                       str_printable(a, host, PART_MAX));
    return 0;
}

/* A model that runs at its maker's: its manifest names no weights, so there is nothing to pull. */
static int refuse_cloud(struct str name, struct str tag, struct err *err)
{
    if (!str_eq_nocase(tag, STR("cloud")) &&
        !(tag.len > 6 && str_eq_nocase((struct str){tag.ptr + tag.len - 6, 6}, STR("-cloud"))))
        return 0;
    return err_set(err, ERR_USAGE,
                   STR_FMT ":" STR_FMT " runs in Ollama's cloud and has no weights to pull",
                   STR_ARG(name), STR_ARG(tag));
}

struct parts {
    struct str host;
    struct str ns;
    struct str name;
    struct str tag;
    bool tagged; /* the tag was written */
};

static int make(struct model_ref *out, struct arena *a, const struct parts *p, struct err *err)
{
    bool home = str_eq_nocase(p->host, STR(REF_OLLAMA_HOST));
    bool library = home && str_eq(p->ns, STR(LIBRARY));
    bool named = !str_eq(p->tag, STR(TAG));

    if (check_host(p->host, a, err) < 0 || check_part(p->ns, "namespace", "-", a, err) < 0 ||
        check_part(p->name, "model's name", "-.", a, err) < 0 ||
        check_part(p->tag, "tag", "-.", a, err) < 0 || refuse_cloud(p->name, p->tag, err) < 0)
        return -1;
    *out = (struct model_ref){
        .source = "ollama",
        .host = home ? REF_OLLAMA_HOST : str_dup(a, p->host),
        .repo = str_format(a, STR_FMT "/" STR_FMT, STR_ARG(p->ns), STR_ARG(p->name)),
        .revision = str_dup(a, p->tag),
        .revision_named = named,
        .revision_written = p->tagged,
    };
    out->text =
        str_format(a, "ollama:%s%s" STR_FMT "%s" STR_FMT "%s%s", home ? "" : out->host,
                   home ? "" : "/", library ? 0 : (int)p->ns.len, p->ns.ptr, library ? "" : "/",
                   STR_ARG(p->name), named ? ":" : "", named ? out->revision : "");
    return 0;
}

int ref_ollama_parse(struct model_ref *out, struct arena *a, struct str text, struct err *err)
{
    struct parts p = {.host = STR(REF_OLLAMA_HOST), .ns = STR(LIBRARY), .tag = STR(TAG)};
    struct str rest = text;
    struct str tail;

    if (str_starts(text, STR("http://"))) {
        (void)err_set(err, ERR_USAGE, "\"%s\" holds \"http://\"", str_printable(a, text, REF_MAX));
        return err_hint(err, "write ollama:HOST:PORT/NS/NAME and --insecure-http HOST:PORT");
    }
    if (str_starts(text, STR("https://")))
        rest = (struct str){text.ptr + 8, text.len - 8};
    if (memchr(rest.ptr, '@', rest.len) != NULL) {
        (void)err_set(err, ERR_USAGE, "\"%s\": a model of Ollama cannot be pinned by \"@\"",
                      str_printable(a, text, REF_MAX));
        return err_hint(err, "write its tag: ollama:NAME:TAG");
    }
    p.name = rest;
    if (str_rcut(&p.name, ':', &tail) && memchr(tail.ptr, '/', tail.len) == NULL) {
        p.tag = tail;
        p.tagged = true;
        rest = p.name;
    }
    p.name = rest;
    if (str_rcut(&rest, '/', &p.name)) {
        p.ns = rest;
        if (str_rcut(&rest, '/', &p.ns))
            p.host = rest;
    }
    return make(out, a, &p, err);
}

int ref_ollama_at(struct model_ref *out, struct arena *a, const struct model_ref *ref,
                  struct str tag, struct err *err)
{
    struct parts p = {
        .host = str_from(ref->host), .ns = str_from(ref->repo), .tag = tag, .tagged = true};

    (void)str_rcut(&p.ns, '/', &p.name);
    return make(out, a, &p, err);
}

int ref_ollama_page(struct model_ref *out, struct arena *a, struct str path, struct err *err)
{
    struct str rest = path;
    struct str ns;
    struct str name;

    (void)str_cut(&rest, '/', &ns);
    (void)str_cut(&rest, '/', &name);
    if (name.len == 0 || rest.len > 0) {
        (void)err_set(err, ERR_USAGE, "\"%s\" is no page of one model of Ollama",
                      str_printable(a, path, REF_MAX));
        return err_hint(err, "write ollama:NAME or ollama:NAME:TAG");
    }
    return ref_ollama_parse(out, a, (struct str){path.ptr, ns.len + 1 + name.len}, err);
}
