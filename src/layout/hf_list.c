/*
 * The list of a huggingface_hub cache, as doc/huggingface-cache.md has it: one model for each
 * repository of models, one revision for each snapshot, and for each ref whose snapshot is missing.
 */
#include "layout/hf_list.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout/hf_place.h"
#include "layout/hf_shared.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "text/buf.h"

#define MODELS        "models--"
#define REF_BYTES_MAX ((size_t)256)
#define COMMIT_HEX    ((size_t)40)
#define REF_DEPTH     16U

/* The hub while it is listed. */
struct hub {
    struct layout_listing *l;
    const char *path;
    int fd;
    uint32_t store;
    struct layout_place place; /* for the shared blob store */
    struct hf_place state;
};

/* ---- blobs ---- */

/* The entry of the shared store that a blob's link names; false if it is none of that form. */
static bool stat_shared(struct listed_blob *out, const struct hf_listed_repo *r,
                        const struct walk_entry *e)
{
    char text[PATH_MAX];
    char folder[3] = "";
    ssize_t len = readlinkat(e->dirfd, e->name, text, sizeof(text) - 1);
    FD_SCOPED fd = -1;
    const char *xet;

    text[len < 0 ? 0 : len] = '\0';
    if (!hf_shared_link(&xet, text) || !hf_shared_there(r->place))
        return false;
    memcpy(folder, xet, 2);
    fd = openat(hf_state(r->place)->shared_fd, folder,
                O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstatat(fd, xet, &out->st, AT_SYMLINK_NOFOLLOW) < 0)
        out->st = (struct stat){0};
    return true;
}

static bool stat_blob(struct stat *st, struct hf_listed_repo *r, const struct walk_entry *e)
{
    struct err err = {0};

    if (fstatat(e->dirfd, e->name, st, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    if (errno != ENOENT && !r->blind) {
        (void)file_err(&err, "cannot be looked at");
        list_problem(r->l, hf_listed_in(r, "blobs"), &err);
        r->blind = true;
    }
    return false;
}

/* What is no blob: downloads of other programs by their endings, else odds and ends. */
static void add_other(struct hf_listed_repo *r, const struct walk_entry *e, const struct stat *st)
{
    struct str rest = str_from(e->name);
    bool arrives = str_ends(rest, STR(".incomplete")) || str_ends(rest, STR(".part"));
    struct listed_blob blob = {.st = *st};
    struct err ignored;
    struct str etag;

    list_file(r->l, r->store, r->model, arrives ? LISTED_PART_ARRIVING : LISTED_PART_META, st);
    (void)str_cut(&rest, '.', &etag);
    if (arrives && str_is_hex(etag) && digest_parse(&blob.digest, etag, &ignored) == 0)
        vec_push(r->scratch, &r->arriving.all, blob);
}

static void add_blob(void *ctx, const struct walk_entry *e)
{
    struct hf_listed_repo *r = ctx;
    struct str name = str_from(e->name);
    struct listed_blob blob = {0};
    struct err ignored;

    if (!stat_blob(&blob.st, r, e))
        return;
    if (!str_is_hex(name) || digest_parse(&blob.digest, name, &ignored) < 0) {
        add_other(r, e, &blob.st);
        return;
    }
    if (e->type == S_IFLNK)
        blob.astray = !stat_shared(&blob, r, e);
    else
        blob.astray = !S_ISREG(blob.st.st_mode);
    if (blob.astray || S_ISREG(blob.st.st_mode))
        vec_push(r->scratch, &r->blobs.all, blob);
}

/* ---- refs and revisions ---- */

static void add_ref(void *ctx, const struct walk_entry *e)
{
    struct hf_listed_repo *r = ctx;
    struct arena_mark mark = arena_mark(r->scratch);
    struct hf_listed_ref ref = {0};
    struct err ignored;
    struct str text;
    struct stat st;

    if (e->type != S_IFREG || fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    list_file(r->l, r->store, r->model, LISTED_PART_META, &st);
    if (file_read_all(&text, r->scratch, e->dirfd, e->name, REF_BYTES_MAX, &ignored) < 0)
        return;
    text = str_trim(text);
    if (text.len == COMMIT_HEX && str_is_hex(text)) {
        ref.commit = str_dup(r->l->arena, text);
        ref.name = str_dup(r->l->arena, str_from(e->path));
        arena_rewind(r->scratch, mark);
        vec_push(r->scratch, &r->refs, ref);
    }
}

static int by_name(const void *left, const void *right)
{
    const struct hf_listed_ref *a = left;
    const struct hf_listed_ref *b = right;
    bool first = strcmp(a->name, "main") == 0;
    bool second = strcmp(b->name, "main") == 0;

    return first != second ? (first ? -1 : 1) : strcmp(a->name, b->name);
}

/* Gives a revision the names that lead to its commit. */
static void name_revision(struct hf_listed_repo *r, struct listed_revision *revision)
{
    VEC(const char *) names = {0};

    for (size_t i = 0; i < r->refs.len; i++) {
        if (strcmp(r->refs.at[i].commit, revision->revision) != 0)
            continue;
        r->refs.at[i].placed = true;
        vec_push(r->l->arena, &names, r->refs.at[i].name);
    }
    revision->names = names.at;
    revision->name_count = names.len;
}

static void add_revision(void *ctx, const struct walk_entry *e)
{
    struct hf_listed_repo *r = ctx;
    struct listed_revision revision = {.revision = e->name};

    if (e->type == S_IFDIR) {
        revision = hf_list_revision(r, e->name);
    } else if (e->type == S_IFLNK) {
        revision.revision = str_dup(r->l->arena, str_from(e->name));
        revision.state = LISTED_DAMAGED;
        revision.why = "its snapshot is a link, which is not followed";
    } else {
        return;
    }
    name_revision(r, &revision);
    vec_push(r->l->arena, &r->revisions, revision);
}

/* Refs whose snapshot is not there, or, if snapshots could not be listed, was not seen. */
static void add_missing(struct hf_listed_repo *r, bool unseen)
{
    for (size_t i = 0; i < r->refs.len; i++) {
        struct listed_revision revision = {.revision = r->refs.at[i].commit,
                                           .state = unseen ? LISTED_UNREADABLE : LISTED_PARTIAL,
                                           .why = unseen ? NULL : "no snapshot"};

        if (r->refs.at[i].placed)
            continue;
        name_revision(r, &revision);
        vec_push(r->l->arena, &r->revisions, revision);
    }
}

/* ---- repositories ---- */

/* Whatever else is in the folder: listings, and what other programs leave. */
static void add_rest(void *ctx, const struct walk_entry *e)
{
    static const char *const known[] = {"blobs", "refs", "snapshots", HF_STAGING, NULL};
    struct hf_listed_repo *r = ctx;
    struct stat st;

    for (size_t i = 0; known[i] != NULL; i++) {
        if (strcmp(e->name, known[i]) == 0)
            return;
    }
    if (e->type == S_IFDIR)
        list_walk_files(r->l,
                        &(struct listed_folder){.dirfd = e->dirfd,
                                                .name = e->name,
                                                .shown = hf_listed_in(r, e->name),
                                                .depth = WALK_DEPTH_MAX},
                        r->store, r->model, LISTED_PART_META);
    else if (fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        list_file(r->l, r->store, r->model, LISTED_PART_META, &st);
}

static void walk_part(struct hf_listed_repo *r, const char *name, unsigned depth,
                      void (*entry)(void *ctx, const struct walk_entry *e))
{
    list_walk(r->l, &(struct listed_folder){.dirfd = r->fd,
                                            .name = name,
                                            .shown = hf_listed_in(r, name),
                                            .depth = depth,
                                            .entry = entry,
                                            .ctx = r});
}

static void list_parts(struct hf_listed_repo *r)
{
    size_t problems = r->l->problem_count;
    struct err why = {0};

    if (blob_records_read(&r->records, r->scratch, r->l->config->volume,
                          str_format(r->scratch, "hf/%s", r->name), &why) < 0) {
        list_problem(r->l, r->shown, &why);
        return;
    }
    walk_part(r, "blobs", 0, add_blob);
    r->blind = r->blind || list_is_blind(r->l, problems);
    listed_blobs_sort(&r->blobs);
    walk_part(r, "refs", REF_DEPTH, add_ref);
    if (r->refs.len > 0)
        qsort(r->refs.at, r->refs.len, sizeof(*r->refs.at), by_name);
    problems = r->l->problem_count;
    walk_part(r, "snapshots", 0, add_revision);
    add_missing(r, list_is_blind(r->l, problems));
    hf_list_arriving(r);
    if (r->l->disk)
        walk_part(r, ".", 0, add_rest);
    for (size_t i = 0; i < r->blobs.all.len; i++) {
        const struct listed_blob *blob = &r->blobs.all.at[i];

        list_file(r->l, r->store, r->model, blob->used ? LISTED_PART_USED : LISTED_PART_UNUSED,
                  &blob->st);
    }
}

/* "models--org--name" is hf:org/name; what no name of the Hub becomes is shown all the same. */
static const char *repo_of(struct arena *a, const char *folder)
{
    struct buf b = buf_new(a, WALK_PATH_MAX);

    for (const char *c = folder + strlen(MODELS); *c != '\0'; c++) {
        if (c[0] == '-' && c[1] == '-') {
            buf_addc(&b, '/');
            c++;
        } else {
            buf_addc(&b, *c);
        }
    }
    return buf_str(&b).ptr;
}

/* A folder that cannot be opened, by errno. */
static struct listed_revision refused(struct hf_listed_repo *r, mode_t type)
{
    struct listed_revision revision = {.state = LISTED_UNREADABLE};
    struct err err = {0};

    if (type == S_IFLNK) {
        revision.state = LISTED_DAMAGED;
        revision.why = "its folder is a link, which is not followed";
    } else {
        (void)file_err(&err, "cannot be opened");
        list_problem(r->l, r->shown, &err);
    }
    return revision;
}

static void list_repo(const struct hub *h, const struct walk_entry *e)
{
    ARENA_SCOPED scratch = {0};
    struct hf_listed_repo r = {.l = h->l,
                               .scratch = &scratch,
                               .place = &h->place,
                               .name = e->name,
                               .store = h->store,
                               .repo = repo_of(h->l->arena, e->name)};
    FD_SCOPED fd = openat(h->fd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    r.fd = fd;
    r.shown = str_format(&scratch, "%s/%s", h->path, e->name);
    if (fd < 0 && errno == ENOENT)
        return;
    r.model =
        list_model(h->l, &(struct listed_model){.store = h->store,
                                                .name = str_format(h->l->arena, "hf:%s", r.repo),
                                                .repo = r.repo});
    if (fd < 0)
        vec_push(h->l->arena, &r.revisions, refused(&r, e->type));
    else
        list_parts(&r);
    h->l->models.at[r.model].revisions = r.revisions.at;
    h->l->models.at[r.model].revision_count = r.revisions.len;
}

/* Entries of the shared blob store are unused until a repository's link leads to them. */
static void add_shared(void *ctx, const struct walk_entry *e)
{
    const struct hub *h = ctx;
    struct str name = str_from(e->name);
    bool entry = name.len == HF_XET_HEX && str_is_hex(name) && hf_shared_there(&h->place);
    struct stat st;

    if (fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        list_file(h->l, h->store, LISTED_NO_MODEL, entry ? LISTED_PART_UNUSED : LISTED_PART_META,
                  &st);
}

static void list_shared(struct hub *h, const struct walk_entry *e)
{
    list_walk(h->l, &(struct listed_folder){.dirfd = e->dirfd,
                                            .name = e->name,
                                            .shown = str_format(h->l->arena, "%s/blobs", h->path),
                                            .depth = WALK_DEPTH_MAX,
                                            .entry = add_shared,
                                            .ctx = h});
}

static void add_entry(void *ctx, const struct walk_entry *e)
{
    struct hub *h = ctx;
    struct stat st;

    list_begin_count(h->l);
    if (e->type != S_IFREG && str_starts(str_from(e->name), STR(MODELS)) &&
        e->name[strlen(MODELS)] != '\0')
        list_repo(h, e);
    else if (e->type == S_IFDIR && strcmp(e->name, "blobs") == 0)
        list_shared(h, e);
    else if (e->type == S_IFDIR)
        list_walk_files(
            h->l,
            &(struct listed_folder){.dirfd = e->dirfd,
                                    .name = e->name,
                                    .shown = str_format(h->l->arena, "%s/%s", h->path, e->name),
                                    .depth = WALK_DEPTH_MAX},
            h->store, LISTED_NO_MODEL, LISTED_PART_META);
    else if (fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        list_file(h->l, h->store, LISTED_NO_MODEL, LISTED_PART_META, &st);
}

void hf_list_all(struct layout_listing *l, const struct layout *self)
{
    struct hub h = {.l = l, .path = l->config->hf_hub, .state = {.shared_fd = -1}};
    FD_SCOPED fd = list_open_store(&h.store, l, self, h.path);
    uint64_t left = l->entries_max;

    if (fd < 0)
        return;
    h.fd = fd;
    h.place = (struct layout_place){
        .layout = self, .config = l->config, .store.fd = fd, .staging_fd = -1, .state = &h.state};
    list_walk(l, &(struct listed_folder){.dirfd = fd,
                                         .name = ".",
                                         .shown = h.path,
                                         .left = &left,
                                         .entry = add_entry,
                                         .ctx = &h});
    fd_close(&h.state.shared_fd);
}
