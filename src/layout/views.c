#include "layout/views.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/ref.h"
#include "store/volume.h"
#include "sys/fd.h"
#include "sys/file.h"

#define COMMIT_HEX ((size_t)40)

/* ---- texts of links ---- */

/* The part of path beneath dir ("" if it is dir itself); NULL if it is not beneath. */
static const char *beneath(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    while (len > 0 && dir[len - 1] == '/')
        len--;
    if (strncmp(path, dir, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return NULL;
    path += len;
    return path + strspn(path, "/");
}

/* A path whose meaning its text alone decides: links in it aside, no `..` climbs. */
static bool is_plain(const char *path)
{
    return strstr(path, "..") == NULL;
}

/*
 * Where the store is, as links shall name it: by the names that the operator gave on the volume
 * (a link at its root stays a link), else by its real place.
 */
static const char *store_place(const struct layout_place *p, const char *volume)
{
    const char *rest = beneath(p->store.path, p->config->volume->path);
    char real[PATH_MAX];

    if (rest != NULL && is_plain(rest))
        return str_format(p->arena, "%s%s%s", volume, rest[0] == '\0' ? "" : "/", rest);
    return realpath(p->store.path, real) == NULL ? NULL : str_dup(p->arena, str_from(real));
}

/* The text that leads from the directory from to the path to, both absolute and on the volume. */
static const char *relative(struct arena *a, const char *from, const char *to)
{
    size_t common = 0;
    const char *text = "";

    for (size_t i = 0;; i++) {
        bool from_ends = from[i] == '/' || from[i] == '\0';
        bool to_ends = to[i] == '/' || to[i] == '\0';

        if (from_ends && to_ends)
            common = i;
        if (from[i] != to[i] || from[i] == '\0')
            break;
    }
    from += common;
    to += common;
    for (const char *c = from + strspn(from, "/"); *c != '\0'; c += strspn(c, "/")) {
        text = str_format(a, "%s../", text);
        c += strcspn(c, "/");
    }
    return str_format(a, "%s%s", text, to + strspn(to, "/"));
}

/*
 * The text of a link in the directory dir (as opened) that leads to target beneath the store; NULL
 * if a place cannot be told.
 */
static const char *link_text(const struct layout_place *p, const char *dir, const char *target)
{
    char volume[PATH_MAX];
    char from[PATH_MAX];
    const char *store;
    const char *to;

    if (realpath(p->config->volume->path, volume) == NULL || realpath(dir, from) == NULL)
        return NULL;
    store = store_place(p, volume);
    if (store == NULL)
        return NULL;
    to = str_format(p->arena, "%s/%s", store, target);
    if (beneath(from, volume) == NULL || beneath(to, volume) == NULL)
        return to;
    return relative(p->arena, from, to);
}

/* ---- looking ---- */

/* The directory of a view, and its name there. */
struct seat {
    int fd; /* -1: not there yet */
    const char *dir;
    const char *name;
};

/* Nothing stands at path, and nobody let us make it. */
static bool cannot_make(struct arena *a, const char *path)
{
    char *parent = str_dup(a, str_from(path));

    for (;;) {
        char *slash = strrchr(parent, '/');

        if (access(parent, F_OK) == 0)
            return access(parent, W_OK | X_OK) < 0;
        if (errno != ENOENT || slash == NULL)
            return errno != ENOENT;
        if (slash == parent)
            return access("/", W_OK | X_OK) < 0;
        *slash = '\0';
    }
}

/* Opens what holds the view: the root, or a folder in it that is none of somebody's links. */
static enum view_state sit(struct seat *out, const struct layout_place *p, const struct view *v)
{
    const char *slash = strchr(v->name, '/');
    FD_SCOPED root = open(v->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *segment;
    int fd;

    *out = (struct seat){.fd = -1, .dir = v->root, .name = v->name};
    if (root < 0)
        return errno == ENOENT && !cannot_make(p->arena, v->root) ? VIEW_WRONG : VIEW_BLOCKED;
    if (slash == NULL) {
        out->fd = fd_take(&root);
        return VIEW_RIGHT;
    }
    segment = str_dup(p->arena, (struct str){v->name, (size_t)(slash - v->name)});
    out->name = slash + 1;
    out->dir = str_format(p->arena, "%s/%s", v->root, segment);
    fd = openat(root, segment, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? VIEW_WRONG : VIEW_BLOCKED;
    out->fd = fd;
    return VIEW_RIGHT;
}

static bool is_ours(const struct view *v, const char *text)
{
    struct str s = str_from(text);
    struct str tail;

    if (v->with_commit) {
        if (!str_rcut(&s, '/', &tail) || tail.len != COMMIT_HEX || !ref_is_commit(tail.ptr))
            return false;
    }
    if (!str_ends(s, str_from(v->ours)))
        return false;
    s.len -= strlen(v->ours);
    return s.len == 0 || s.ptr[s.len - 1] == '/';
}

static bool leads_to(const struct seat *seat, const struct layout_place *p, const char *target)
{
    struct stat link;
    struct stat there;

    return fstatat(seat->fd, seat->name, &link, 0) == 0 &&
           fstatat(p->store.fd, target, &there, 0) == 0 && link.st_ino == there.st_ino &&
           link.st_dev == there.st_dev;
}

/* The view root is the store: the real thing is there. */
static bool is_store(const struct layout_place *p, const char *root)
{
    struct stat a;
    struct stat b;

    return stat(root, &a) == 0 && fstat(p->store.fd, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

static bool dangles(int sys)
{
    return sys == ENOENT || sys == ENOTDIR || sys == ELOOP;
}

static enum view_state judge(const struct seat *seat, const struct layout_place *p,
                             const struct view *v)
{
    const char *want = link_text(p, seat->dir, v->target);
    char text[PATH_MAX];
    struct stat st;
    ssize_t len = readlinkat(seat->fd, seat->name, text, sizeof(text) - 1);

    if (len < 0 && errno == ENOENT)
        return faccessat(seat->fd, ".", W_OK | X_OK, 0) == 0 ? VIEW_WRONG : VIEW_BLOCKED;
    if (len < 0)
        return VIEW_BLOCKED;
    text[len] = '\0';
    if (want != NULL && strcmp(text, want) == 0)
        return VIEW_RIGHT;
    if (leads_to(seat, p, v->target) || (v->kept != NULL && leads_to(seat, p, v->kept)))
        return VIEW_RIGHT;
    if (is_ours(v, text) || (fstatat(seat->fd, seat->name, &st, 0) < 0 && dangles(errno)))
        return VIEW_WRONG;
    return VIEW_BLOCKED;
}

static enum view_state look(struct seat *seat, const struct layout_place *p, const struct view *v)
{
    enum view_state state = sit(seat, p, v);

    return state == VIEW_RIGHT ? judge(seat, p, v) : state;
}

enum view_state view_look(const struct layout_place *p, const struct view *v)
{
    struct seat seat = {.fd = -1};
    enum view_state state;

    if (is_store(p, v->root))
        return VIEW_RIGHT;
    state = look(&seat, p, v);
    fd_close(&seat.fd);
    return state;
}

/* ---- mending ---- */

/* Makes the root and the folder in it; the seat is opened. */
static int make_seat(struct seat *seat, const struct layout_place *p, const struct view *v,
                     struct err *err)
{
    struct store root;
    const char *slash = strchr(v->name, '/');
    int rc = 0;

    if (seat->fd >= 0)
        return 0;
    if (store_open(&root, p->arena, p->config->volume, v->root, true, err) < 0)
        return -1;
    if (slash != NULL)
        rc = file_mkdirs(root.fd,
                         str_dup(p->arena, (struct str){v->name, (size_t)(slash - v->name)}),
                         &p->config->volume->root, err);
    store_close(&root);
    if (rc == 0 && sit(seat, p, v) != VIEW_RIGHT)
        return err_set(err, ERR_VOLUME, "%s/%s cannot be opened", v->root, v->name);
    return rc;
}

/* A new link is made beside and renamed, so that the name is never without one. */
static int put_link(const struct seat *seat, const char *text, struct err *err)
{
    char temp[] = ".hostler-0123456789abcdef";

    if (symlinkat(text, seat->fd, seat->name) == 0)
        return 0;
    if (errno != EEXIST)
        return file_err(err, "%s/%s: link", seat->dir, seat->name);
    file_random_hex(temp + strlen(".hostler-"), 16);
    if (symlinkat(text, seat->fd, temp) < 0)
        return file_err(err, "%s/%s: link", seat->dir, seat->name);
    if (renameat(seat->fd, temp, seat->fd, seat->name) == 0)
        return 0;
    (void)file_err(err, "%s/%s", seat->dir, seat->name);
    (void)unlinkat(seat->fd, temp, 0);
    return -1;
}

static bool no_symlinks(const struct err *err)
{
    return err->sys == EPERM || err->sys == EOPNOTSUPP || err->sys == ENOSYS;
}

static int mend(struct seat *seat, const struct layout_place *p, const struct view *v,
                struct err *err)
{
    const char *text;

    if (make_seat(seat, p, v, err) < 0)
        return -1;
    text = link_text(p, seat->dir, v->target);
    if (text == NULL)
        return file_err(err, "the real place of %s and %s", seat->dir, p->store.path);
    if (put_link(seat, text, err) == 0)
        return 0;
    if (!no_symlinks(err))
        return -1;
    layout_notice(p->config, "no view %s/%s: symbolic links are not possible there (%s); use %s/%s",
                  v->root, v->name, err->msg, p->store.path, v->target);
    *err = (struct err){0};
    return 0;
}

int view_mend(const struct layout_place *p, const struct view *v, struct err *err)
{
    struct seat seat = {.fd = -1};
    enum view_state state;
    int rc = 0;

    if (is_store(p, v->root))
        return 0;
    state = look(&seat, p, v);
    if (state == VIEW_WRONG)
        rc = mend(&seat, p, v, err);
    else if (state == VIEW_BLOCKED)
        layout_notice(p->config,
                      "%s/%s is not ours to change and was left alone: no view of %s/%s there",
                      v->root, v->name, p->store.path, v->target);
    fd_close(&seat.fd);
    return rc;
}
