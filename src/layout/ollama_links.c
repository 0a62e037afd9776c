#include "layout/ollama_links.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layout/ollama_find.h"
#include "layout/ollama_tag.h"
#include "model/ref_ollama.h"
#include "sys/fd.h"
#include "sys/file.h"

#define ROOT "models"
#define HEAD "../../blobs/"

/* What leads to the weights: HEAD, a blob's name and a NUL. */
#define TEXT (sizeof(HEAD) + OLLAMA_BLOB_NAME)

struct link {
    const char *folder; /* beneath the store */
    const char *name;
    char text[TEXT];
};

enum link_state {
    LINK_RIGHT,
    LINK_WRONG,   /* missing, dangling, or ours and leading elsewhere */
    LINK_BLOCKED, /* something of somebody else is in its way, or it cannot be made */
};

/* False: the model has no weights in one file. */
static bool link_of(struct link *out, const struct layout_place *p, const struct manifest *m)
{
    const struct model_file *weights = manifest_find(m, "model");
    const struct ollama_name n = ollama_tag_name(p, m->ref.revision);
    bool home = str_eq_nocase(str_from(n.host), STR(REF_OLLAMA_HOST));
    bool library = home && str_eq_nocase(str_from(n.ns), STR("library"));
    char blob[OLLAMA_BLOB_NAME];

    if (weights == NULL)
        return false;
    (void)snprintf(out->text, TEXT, HEAD "%s", ollama_blob_name(blob, &weights->digest));
    out->folder = str_format(p->arena, ROOT "/%s%s%s%s%s", home ? "" : n.host, home ? "" : "+",
                             library ? "" : n.ns, library ? "" : "+", n.model);
    out->name = n.tag;
    return true;
}

/* ---- looking ---- */

/* A link that we made once, for whatever blob. */
static bool is_ours(const char *text)
{
    struct str s = str_from(text);

    if (!str_starts(s, STR(HEAD "sha256-")))
        return false;
    s.ptr += strlen(HEAD "sha256-");
    s.len -= strlen(HEAD "sha256-");
    return s.len == DIGEST_HEX && str_is_hex(s);
}

/* The text of the link, or of the file that stands for it; -1 if it is neither. */
static ssize_t read_text(char text[static PATH_MAX], int folder, const char *name)
{
    ssize_t len = readlinkat(folder, name, text, PATH_MAX - 1);
    FD_SCOPED fd = -1;
    struct stat st;

    if (len >= 0 || errno != EINVAL)
        return len;
    fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size >= (off_t)TEXT) {
        errno = EEXIST;
        return -1;
    }
    return read(fd, text, TEXT);
}

static bool dangles(int folder, const char *name)
{
    struct stat st;

    return fstatat(folder, name, &st, 0) < 0 &&
           (errno == ENOENT || errno == ENOTDIR || errno == ELOOP);
}

/* Nobody lets us make it, there or in the nearest folder above that is there. */
static bool cannot_make(const struct layout_place *p, const char *folder)
{
    struct str at = str_from(folder);
    struct str last;
    struct err why = {0};
    FD_SCOPED fd = file_open_dir(p->store.fd, folder, &why);

    while (fd < 0 && why.sys == ENOENT && str_rcut(&at, '/', &last))
        fd = file_open_dir(p->store.fd, str_dup(p->arena, at), &why);
    if (fd < 0 && why.sys != ENOENT)
        return true;
    return faccessat(fd < 0 ? p->store.fd : fd, ".", W_OK | X_OK, AT_EACCESS) < 0;
}

static enum link_state look(const struct layout_place *p, const struct link *l)
{
    struct err why = {0};
    FD_SCOPED folder =
        file_open(p->store.fd, l->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &why);
    char text[PATH_MAX];
    ssize_t len;

    if (folder < 0)
        return why.sys != ENOENT || cannot_make(p, l->folder) ? LINK_BLOCKED : LINK_WRONG;
    len = read_text(text, folder, l->name);
    if (len < 0)
        return errno != ENOENT || cannot_make(p, l->folder) ? LINK_BLOCKED : LINK_WRONG;
    text[len] = '\0';
    if (strcmp(text, l->text) == 0)
        return LINK_RIGHT;
    return is_ours(text) || dangles(folder, l->name) ? LINK_WRONG : LINK_BLOCKED;
}

bool ollama_links_right(const struct layout_place *p, const struct manifest *m)
{
    struct link l;

    return !link_of(&l, p, m) || look(p, &l) != LINK_WRONG;
}

/* ---- mending ---- */

static bool no_symlinks(int sys)
{
    return sys == EPERM || sys == EOPNOTSUPP || sys == ENOSYS;
}

/* Made beside and renamed, so that the name is never without one. */
static int put(const struct layout_place *p, const struct link *l, int folder, struct err *err)
{
    char temp[] = "tmp-0123456789abcdef";
    const char *path = str_format(p->arena, "%s/%s", l->folder, l->name);

    file_random_hex(temp + strlen("tmp-"), 16);
    if (symlinkat(l->text, p->staging_fd, temp) == 0) {
        if (renameat(p->staging_fd, temp, folder, l->name) == 0)
            return 0;
        (void)file_err(err, "%s/%s", p->store.path, path);
        (void)unlinkat(p->staging_fd, temp, 0);
        return -1;
    }
    if (!no_symlinks(errno))
        return file_err(err, "%s/%s: link", p->store.path, path);
    layout_notice(p->config, "%s/%s is a file that holds a path: links are not possible there (%s)",
                  p->store.path, path, strerror(errno));
    return file_replace(p->store.fd, path, ollama_state(p)->staging, str_from(l->text),
                        ollama_state(p)->file_mode, err);
}

static int mend(const struct layout_place *p, const struct link *l, struct err *err)
{
    FD_SCOPED folder = -1;

    if (file_mkdirs(p->store.fd, l->folder, &p->config->volume->root, err) == 0)
        folder = file_open(p->store.fd, l->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);
    if (folder < 0)
        return err_wrap(err, "%s", p->store.path);
    return put(p, l, folder, err);
}

int ollama_links_mend(const struct layout_place *p, const struct manifest *m, struct err *err)
{
    enum link_state state;
    struct link l;

    if (!link_of(&l, p, m))
        return 0;
    state = look(p, &l);
    if (state == LINK_WRONG)
        return mend(p, &l, err);
    if (state == LINK_BLOCKED)
        layout_notice(p->config, "%s/%s/%s is not ours to change and was left alone: no link to %s",
                      p->store.path, l.folder, l.name, m->ref.text);
    return 0;
}
