#include "model/ref_hf.h"

#include "text/relpath.h"

#define PART_MAX     ((size_t)96)
#define REVISION_MAX ((size_t)255)
#define BRANCH       "main"

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool str_has(struct str s, struct str part)
{
    return memmem(s.ptr, s.len, part.ptr, part.len) != NULL;
}

/* Rules of the Hub for one part of an id; what says which part it is. */
static int check_part(struct str part, const char *what, struct arena *a, struct err *err)
{
    const char *shown = str_printable(a, part, PART_MAX);

    if (part.len == 0)
        return err_set(err, ERR_USAGE, "the %s is empty", what);
    if (part.len > PART_MAX)
        return err_set(err, ERR_USAGE, "the %s has %zu characters, at most %zu are taken", what,
                       part.len, PART_MAX);
    for (size_t i = 0; i < part.len; i++)
        if (!is_word(part.ptr[i]) && part.ptr[i] != '-' && part.ptr[i] != '.')
            return err_set(err, ERR_USAGE,
                           "the %s \"%s\" holds \"%s\": only letters, digits, \"_\", \"-\" and "
                           "\".\" are taken",
                           what, shown, str_printable(a, (struct str){part.ptr + i, 1}, PART_MAX));
    if (!is_word(part.ptr[0]) || !is_word(part.ptr[part.len - 1]))
        return err_set(err, ERR_USAGE,
                       "the %s \"%s\" must begin and end with a letter, a digit or \"_\"", what,
                       shown);
    if (str_has(part, STR("--")) || str_has(part, STR("..")))
        return err_set(err, ERR_USAGE, "the %s \"%s\" holds \"--\" or \"..\"", what, shown);
    if (str_ends(part, STR(".git")))
        return err_set(err, ERR_USAGE, "the %s \"%s\" ends in \".git\": leave that away", what,
                       shown);
    return 0;
}

static int check_repo(struct str repo, struct arena *a, struct err *err)
{
    struct str name = repo;
    struct str org;

    if (!str_cut(&name, '/', &org))
        return check_part(repo, "repository's name", a, err);
    if (memchr(name.ptr, '/', name.len) != NULL) {
        (void)err_set(err, ERR_USAGE, "\"%s\" has more than two parts, a repository is org/name",
                      str_printable(a, repo, REF_MAX));
        return err_hint(err, "a file or folder within a repository is asked for by --include");
    }
    if (check_part(org, "organisation", a, err) < 0)
        return -1;
    return check_part(name, "repository's name", a, err);
}

/* Git's rules for names of refs, which also make them safe below the store's refs/. */
static bool is_revision(struct str rev)
{
    struct str rest = rev;
    struct str segment;
    bool more = true;

    if (rev.len == 0 || rev.len > REVISION_MAX || str_eq(rev, STR("@")))
        return false;
    for (size_t i = 0; i < rev.len; i++)
        if ((unsigned char)rev.ptr[i] <= ' ' || strchr("~^:?*[\\\x7f", rev.ptr[i]) != NULL)
            return false;
    if (str_has(rev, STR("..")) || str_has(rev, STR("@{")) || str_ends(rev, STR(".")))
        return false;
    while (more) {
        more = str_cut(&rest, '/', &segment);
        if (segment.len == 0 || segment.ptr[0] == '.' || str_ends(segment, STR(".lock")))
            return false;
    }
    return true;
}

static int check_revision(struct str rev, struct arena *a, struct err *err)
{
    struct err ignored;

    if (!is_revision(rev) || relpath_check(rev, &ignored) < 0) {
        (void)err_set(err, ERR_USAGE, "\"%s\" is no revision", str_printable(a, rev, REVISION_MAX));
        return err_hint(err, "a revision is a branch, a tag, a commit or refs/pr/NUMBER");
    }
    return 0;
}

int ref_hf_make(struct model_ref *out, struct arena *a, struct str repo, struct str revision,
                struct err *err)
{
    bool named = revision.ptr != NULL && !str_eq(revision, STR(BRANCH));

    if (check_repo(repo, a, err) < 0)
        return -1;
    if (named && check_revision(revision, a, err) < 0)
        return -1;
    *out = (struct model_ref){
        .source = "hf",
        .repo = str_dup(a, repo),
        .revision = named ? str_dup(a, revision) : BRANCH,
        .revision_named = named,
        .revision_written = revision.ptr != NULL,
        .text = named ? str_format(a, "hf:" STR_FMT "@" STR_FMT, STR_ARG(repo), STR_ARG(revision))
                      : str_format(a, "hf:" STR_FMT, STR_ARG(repo)),
    };
    return 0;
}

/* Repositories of other kinds, in URLs and in hf://: we fill volumes with models only. */
static int refuse_other_kinds(struct str path, struct err *err)
{
    static const char *const kinds[] = {"datasets", "spaces", "kernels"};
    struct str head;

    (void)str_cut(&path, '/', &head);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (path.len > 0 && str_eqz(head, kinds[i]))
            return err_set(err, ERR_USAGE, "only models are pulled, %s are not supported",
                           kinds[i]);
    return 0;
}

int ref_hf_parse(struct model_ref *out, struct arena *a, struct str text, struct err *err)
{
    struct str revision = text;
    struct str repo;
    struct str last;

    if (refuse_other_kinds(text, err) < 0)
        return -1;
    if (!str_cut(&revision, '@', &repo)) {
        revision = (struct str){0};
        if (str_rcut(&repo, ':', &last) && last.len > 0 &&
            memchr(last.ptr, '/', last.len) == NULL) {
            (void)err_set(err, ERR_USAGE, "\"%s\": names of Hugging Face hold no \":\"",
                          str_printable(a, text, REF_MAX));
            return err_hint(err,
                            "a revision is written hf:" STR_FMT "@REVISION; a model of Ollama "
                            "ollama:NAME:TAG",
                            STR_ARG(repo));
        }
        repo = text;
    }
    return ref_hf_make(out, a, repo, revision, err);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes percent-encoding; what is no encoding stays as it is. */
static struct str decode(struct arena *a, struct str s)
{
    char *out = arena_array(a, char, s.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        int high = s.ptr[i] == '%' && i + 2 < s.len ? hex_value(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.ptr[i + 2]) : -1;

        if (low >= 0)
            i += 2;
        out[len++] = low >= 0 ? (char)(high * 16 + low) : s.ptr[i];
    }
    return (struct str){out, len};
}

/* refs/pr/1 in a URL: the browser encodes its slashes, people who type it do not. */
static struct str page_revision(struct str *rest)
{
    struct str all = *rest;
    struct str revision;
    struct str part;

    (void)str_cut(rest, '/', &revision);
    if (!str_eq(revision, STR("refs")))
        return revision;
    (void)str_cut(rest, '/', &part);
    (void)str_cut(rest, '/', &part);
    return (struct str){all.ptr, (size_t)(part.ptr + part.len - all.ptr)};
}

int ref_hf_page(struct model_ref *out, struct arena *a, struct str path, struct err *err)
{
    struct str rest = path;
    struct str org;
    struct str name;
    struct str kind;
    struct str repo;
    struct str revision;

    if (refuse_other_kinds(path, err) < 0)
        return -1;
    (void)str_cut(&rest, '/', &org);
    (void)str_cut(&rest, '/', &name);
    repo = name.len == 0 ? org : (struct str){path.ptr, org.len + 1 + name.len};
    if (rest.len == 0)
        return ref_hf_parse(out, a, repo, err);
    (void)str_cut(&rest, '/', &kind);
    if (!str_eq(kind, STR("tree")) && !str_eq(kind, STR("commit")) && !str_eq(kind, STR("blob")) &&
        !str_eq(kind, STR("resolve"))) {
        (void)err_set(err, ERR_USAGE, "\"%s\" is no page of a model's files",
                      str_printable(a, path, REF_MAX));
        return err_hint(err, "write hf:" STR_FMT, STR_ARG(repo));
    }
    revision = decode(a, page_revision(&rest));
    if (rest.len == 0)
        return ref_hf_make(out, a, repo, revision, err);
    (void)err_set(err, ERR_USAGE, "\"%s\" is a part of a repository",
                  str_printable(a, path, REF_MAX));
    return err_hint(err, "write hf:" STR_FMT "@" STR_FMT " --include '" STR_FMT "%s'",
                    STR_ARG(repo), STR_ARG(revision), STR_ARG(rest),
                    str_eq(kind, STR("tree")) ? "/*" : "");
}
