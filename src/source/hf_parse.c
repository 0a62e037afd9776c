#include "source/hf_parse.h"

#include "json/json.h"
#include "source/refusal.h"
#include "text/relpath.h"

#define SHOWN_MAX ((size_t)160) /* of a server's words in our message */

static struct json *parse(struct str body, const char *what, struct err *err)
{
    if (!refusal_is_page(body))
        return json_parse(body, HF_ANSWER_BYTES_MAX, what, err);
    (void)err_set(err, ERR_NET, "%s: a web page came instead of the Hub's answer", what);
    (void)err_hint(err, "a proxy or a captive portal may have answered: look at HTTPS_PROXY, "
                        "NO_PROXY and HF_ENDPOINT");
    return NULL;
}

int hf_parse_revision(struct hf_revision *out, struct arena *a, struct str body, const char *what,
                      struct err *err)
{
    JSON_SCOPED *doc = parse(body, what, err);
    struct hf_revision r = {0};
    struct str sha;

    if (doc == NULL)
        return -1;
    if (json_need_str(&sha, doc, "sha", err) < 0 ||
        json_bool(&r.disabled, doc, "disabled", err) < 0)
        return err_wrap(err, "%s", what);
    r.commit = str_dup(a, sha);
    if (sha.len != strlen(r.commit) || !ref_is_commit(r.commit))
        return err_set(err, ERR_NET, "%s: the sha \"%s\" is no commit", what,
                       str_printable(a, sha, SHOWN_MAX));
    *out = r;
    return 0;
}

static const char *digest_text(struct arena *a, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];

    return str_dup(a, str_from(digest_format(d, hex)));
}

static int read_digest(struct digest *out, const struct json *entry, enum digest_kind kind,
                       struct err *err)
{
    struct digest d;
    struct str oid;

    if (json_need_str(&oid, entry, "oid", err) < 0)
        return -1;
    if (digest_parse(&d, oid, err) < 0)
        return -1;
    if (d.kind != kind)
        return err_set(err, ERR_LIMIT, "\"oid\" has %zu digits", oid.len);
    *out = d;
    return 0;
}

/* Of a large file the listing has the sha256 and, once more, the size. */
static int read_lfs(struct model_file *f, const struct json *lfs, struct err *err)
{
    uint64_t size;

    if (!json_is_object(lfs))
        return err_set(err, ERR_NET, "\"lfs\" is no object");
    if (read_digest(&f->digest, lfs, DIGEST_SHA256, err) < 0 ||
        json_need_u64(&size, lfs, "size", err) < 0)
        return err_wrap(err, "\"lfs\"");
    if (size != f->size)
        return err_set(err, ERR_NET, "the listing says both %llu and %llu bytes",
                       (unsigned long long)f->size, (unsigned long long)size);
    return 0;
}

/* Without access to a gated repository the hash is a mask of stars; it helps nobody then. */
static int read_xet(struct model_file *f, struct arena *a, const struct json *entry,
                    struct err *err)
{
    struct err ignored = {0};
    struct str text = STR("");
    struct digest hash;

    if (json_str(&text, entry, "xetHash", err) < 0)
        return -1;
    f->xet = digest_parse(&hash, text, &ignored) == 0 && hash.kind == DIGEST_SHA256
                 ? digest_text(a, &hash)
                 : "";
    return 0;
}

static int read_file(struct model_file *out, struct arena *a, const struct json *entry,
                     struct str path, struct err *err)
{
    const struct json *lfs = json_get(entry, "lfs");
    struct model_file f = {.path = str_dup(a, path)};
    struct digest oid;

    if (json_need_u64(&f.size, entry, "size", err) < 0 ||
        read_digest(&oid, entry, DIGEST_GIT_SHA1, err) < 0 || read_xet(&f, a, entry, err) < 0)
        return -1;
    f.oid = digest_text(a, &oid);
    f.digest = oid;
    if (lfs != NULL && read_lfs(&f, lfs, err) < 0)
        return -1;
    if (f.size > MANIFEST_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "%llu bytes are more than any file has",
                       (unsigned long long)f.size);
    *out = f;
    return 0;
}

static int read_entry(struct hf_listing *listing, struct arena *a, const struct json *entry,
                      struct err *err)
{
    struct model_file file;
    struct str type;
    struct str path;

    if (!json_is_object(entry))
        return err_set(err, ERR_NET, "an entry is no object");
    if (json_need_str(&type, entry, "type", err) < 0)
        return -1;
    if (!str_eq(type, STR("file")))
        return 0;
    if (json_need_str(&path, entry, "path", err) < 0 || relpath_check(path, err) < 0)
        return -1;
    if (read_file(&file, a, entry, path, err) < 0)
        return err_wrap(err, STR_FMT, STR_ARG(path));
    vec_push(a, &listing->files, file);
    return 0;
}

int hf_parse_page(struct hf_listing *listing, struct arena *a, struct str body, const char *what,
                  struct err *err)
{
    JSON_SCOPED *doc = parse(body, what, err);
    struct hf_listing grown = *listing;

    if (doc == NULL)
        return -1;
    if (!json_is_array(doc))
        return err_set(err, ERR_NET, "%s: the listing is no array", what);
    grown.entries += json_len(doc);
    if (grown.entries > HF_ENTRIES_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %zu files and folders", what, HF_ENTRIES_MAX);
    for (size_t i = 0; i < json_len(doc); i++)
        if (read_entry(&grown, a, json_at(doc, i), err) < 0)
            return err_wrap(err, "%s", what);
    if (grown.files.len > MANIFEST_FILES_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %zu files", what, MANIFEST_FILES_MAX);
    *listing = grown;
    return 0;
}

/* The parameters of one link, up to the comma that ends it; *s keeps what follows. */
static struct str cut_params(struct str *s)
{
    struct str params = {s->ptr, 0};
    bool quoted = false;

    while (params.len < s->len && (quoted || s->ptr[params.len] != ',')) {
        if (s->ptr[params.len] == '"')
            quoted = !quoted;
        else if (quoted && s->ptr[params.len] == '\\' && params.len + 1 < s->len)
            params.len++;
        params.len++;
    }
    s->ptr += params.len;
    s->len -= params.len;
    return params;
}

/* Is "next" one of the relations that the parameters name? */
static bool has_rel_next(struct str params)
{
    struct str param;
    bool more = true;

    while (more) {
        struct str name;

        more = str_cut(&params, ';', &param);
        if (!str_cut(&param, '=', &name) || !str_eq_nocase(str_trim(name), STR("rel")))
            continue;
        param = str_trim(param);
        if (param.len >= 2 && param.ptr[0] == '"' && param.ptr[param.len - 1] == '"')
            param = (struct str){param.ptr + 1, param.len - 2};
        for (bool words = true; words;) {
            words = str_cut(&param, ' ', &name);
            if (str_eq_nocase(name, STR("next")))
                return true;
        }
    }
    return false;
}

bool hf_parse_next(struct str *ret_url, struct str value)
{
    struct str rest = value;
    struct str skipped;

    while (str_cut(&rest, '<', &skipped)) {
        struct str url;

        if (!str_cut(&rest, '>', &url))
            return false;
        if (has_rel_next(cut_params(&rest))) {
            *ret_url = url;
            return true;
        }
    }
    return false;
}
