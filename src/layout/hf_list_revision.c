#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout/hf_list.h"
#include "layout/hf_place.h"
#include "layout/hf_tree.h"
#include "model/safetensors_index.h"
#include "sys/file.h"

#define ASTRAY "is a link that leads astray"

/* A name in the snapshot. */
struct name {
    const char *path;
    struct stat st; /* of the bytes it leads to */
    bool there;
    const char *wrong; /* it is what no reader should follow: what it is */
};

struct snapshot {
    struct hf_listed_repo *r;
    const char *commit;
    VEC(struct name) names; /* by path, once they are sorted */
    bool blind;
};

/* What its files are against what they should be. */
struct tally {
    uint64_t wanted;
    uint64_t missing;
    uint64_t unproved;
    const char *wrong; /* the first that is not what it should be */
};

/*
 * The blob that a link of a snapshot names, by its text alone: readers resolve ../../blobs/<etag>,
 * deeper names with more of "../"; absolute links into this repository work too, while the volume
 * stays where it is.
 */
static bool parse_link(struct digest *out, const struct snapshot *s, const struct walk_entry *e,
                       struct str text)
{
    struct str folder = text;
    struct err ignored;
    struct str etag;
    unsigned ups = 0;

    if (!str_rcut(&folder, '/', &etag) || !str_is_hex(etag) ||
        digest_parse(out, etag, &ignored) < 0)
        return false;
    if (str_starts(folder, STR("/")))
        return str_ends(folder, str_from(str_format(s->r->scratch, "/%s/blobs", s->r->name)));
    while (str_starts(folder, STR("../"))) {
        folder = (struct str){folder.ptr + 3, folder.len - 3};
        ups++;
    }
    return ups == e->depth + 2 && str_eqz(folder, "blobs");
}

static void add_link(struct snapshot *s, struct name *name, const struct walk_entry *e)
{
    char text[PATH_MAX];
    ssize_t len = readlinkat(e->dirfd, e->name, text, sizeof(text));
    struct listed_blob *blob;
    struct digest digest;

    if (len < 0 || (size_t)len == sizeof(text) ||
        !parse_link(&digest, s, e, (struct str){text, (size_t)len})) {
        name->wrong = ASTRAY;
        return;
    }
    blob = listed_blob_find(&s->r->blobs, &digest);
    if (blob == NULL)
        return;
    blob->used = true;
    name->wrong = blob->astray ? ASTRAY : NULL;
    name->there = !blob->astray;
    name->st = blob->st;
}

static void add_name(void *ctx, const struct walk_entry *e)
{
    struct snapshot *s = ctx;
    struct hf_listed_repo *r = s->r;
    struct name name = {0};

    if (e->type == S_IFDIR) {
        name.wrong = "lies too deep";
    } else if (e->type == S_IFLNK) {
        add_link(s, &name, e);
    } else if (e->type == S_IFREG) {
        if (fstatat(e->dirfd, e->name, &name.st, AT_SYMLINK_NOFOLLOW) == 0)
            name.there = S_ISREG(name.st.st_mode);
        else
            s->blind = s->blind || errno == EACCES;
        if (name.there)
            list_file(r->l, r->store, r->model, LISTED_PART_USED, &name.st);
    } else {
        name.wrong = "is no regular file";
    }
    name.path = str_dup(r->scratch, str_from(e->path));
    vec_push(r->scratch, &s->names, name);
}

static int by_inode(const void *left, const void *right)
{
    const struct name *a = left;
    const struct name *b = right;

    if (a->there != b->there)
        return a->there ? -1 : 1;
    if (a->st.st_dev != b->st.st_dev)
        return a->st.st_dev < b->st.st_dev ? -1 : 1;
    return a->st.st_ino == b->st.st_ino ? 0 : (a->st.st_ino < b->st.st_ino ? -1 : 1);
}

static int by_path(const void *left, const void *right)
{
    const struct name *a = left;
    const struct name *b = right;

    return strcmp(a->path, b->path);
}

/* Files, bytes and time of last use. Leaves the names sorted by path. */
static void measure(struct listed_revision *out, struct snapshot *s)
{
    if (s->names.len == 0)
        return;
    qsort(s->names.at, s->names.len, sizeof(*s->names.at), by_inode);
    for (size_t i = 0; i < s->names.len && s->names.at[i].there; i++) {
        const struct stat *st = &s->names.at[i].st;

        out->files++;
        if (i == 0 || by_inode(&s->names.at[i - 1], &s->names.at[i]) != 0)
            out->bytes += (uint64_t)st->st_size;
        if (st->st_atim.tv_sec > out->used)
            out->used = st->st_atim.tv_sec;
    }
    qsort(s->names.at, s->names.len, sizeof(*s->names.at), by_path);
}

static bool holds(struct snapshot *s, const struct model_file *file, const struct name *name)
{
    struct hf_listed_repo *r = s->r;
    struct err ignored = {0};
    struct digest key;

    if (file->size == 0 || blob_records_hold(r->records, &file->digest, &name->st))
        return true;
    if (r->copies == NULL &&
        blob_records_read(&r->copies, r->scratch, r->l->config->volume,
                          str_format(r->scratch, "hf/%s/copies", r->name), &ignored) < 0)
        return false;
    key = blob_records_copy_key(&file->digest,
                                str_format(r->scratch, "%s/%s", s->commit, file->path));
    return blob_records_hold(r->copies, &key, &name->st);
}

static void compare(struct tally *t, struct snapshot *s, const struct model_file *file)
{
    struct name key = {.path = file->path};
    const struct name *name =
        s->names.len == 0 ? NULL : bsearch(&key, s->names.at, s->names.len, sizeof(key), by_path);

    t->wanted++;
    if (name == NULL || (!name->there && name->wrong == NULL))
        t->missing++;
    else if (name->there && (uint64_t)name->st.st_size != file->size && t->wrong == NULL)
        t->wrong = str_format(s->r->l->arena, "%s has %ju bytes of %ju", file->path,
                              (uintmax_t)name->st.st_size, (uintmax_t)file->size);
    else if (name->there && !holds(s, file, name))
        t->unproved++;
}

/* The listing of the commit: our receipt, else huggingface_hub's own. */
static bool read_listing(struct manifest *out, bool *ret_ours, const struct snapshot *s)
{
    struct hf_listed_repo *r = s->r;
    const struct model_ref ref = {.source = "hf", .repo = r->repo, .revision = s->commit};
    const char *path = str_format(r->scratch, "trees/%.40s.json", s->commit);
    struct err ignored = {0};
    struct str text;

    if (!ref_is_commit(s->commit))
        return false;
    *ret_ours = receipt_read(out, r->scratch, r->l->config->volume,
                             str_format(r->scratch, "hf/%s", r->name), s->commit, &ignored) == 0;
    if (*ret_ours)
        return true;
    ignored = (struct err){0};
    return file_read_all(&text, r->scratch, r->fd, path, HF_TREE_BYTES_MAX, &ignored) == 0 &&
           hf_tree_parse(out, r->scratch, text, &ref, s->commit, &ignored) == 0;
}

/* Names that lead nowhere or astray, whatever any listing says; wanted is theirs where there is
 * none. */
static void look_at_names(struct tally *t, const struct snapshot *s, bool listed)
{
    for (size_t i = 0; i < s->names.len; i++) {
        const struct name *name = &s->names.at[i];

        if (name->wrong != NULL && t->wrong == NULL)
            t->wrong = str_format(s->r->l->arena, "%s %s", name->path, name->wrong);
        if (listed)
            continue;
        t->wanted++;
        if (!name->there && name->wrong == NULL)
            t->missing++;
    }
}

/* Without a listing: a blob that another program began to fetch, and that is not there. */
static bool is_awaited(const struct hf_listed_repo *r)
{
    for (size_t i = 0; i < r->arriving.all.len; i++) {
        if (listed_blob_find(&r->blobs, &r->arriving.all.at[i].digest) == NULL)
            return true;
    }
    return false;
}

/* The shards that an index in this snapshot names, and that are not there. */
static void look_at_index(struct tally *t, struct snapshot *s, const struct name *index)
{
    struct hf_listed_repo *r = s->r;
    const char *slash = strrchr(index->path, '/');
    int folder_len = slash == NULL ? 0 : (int)(slash + 1 - index->path);
    const char *path = str_format(r->scratch, "snapshots/%s/%s", s->commit, index->path);
    struct safetensors_index shards;
    struct err ignored = {0};
    struct str text;

    if (file_read_all(&text, r->scratch, r->fd, path, SAFETENSORS_INDEX_BYTES_MAX, &ignored) < 0 ||
        safetensors_index_parse(&shards, r->scratch, text, &ignored) < 0)
        return;
    for (size_t i = 0; i < shards.shard_count; i++) {
        const struct name key = {
            .path = str_format(r->scratch, "%.*s%s", folder_len, index->path, shards.shards[i])};

        if (bsearch(&key, s->names.at, s->names.len, sizeof(key), by_path) == NULL) {
            t->wanted++;
            t->missing++;
        }
    }
}

/* Without a listing: whether all the weights are there is known by their own index alone. */
static void look_at_indexes(struct tally *t, struct snapshot *s)
{
    for (size_t i = 0; i < s->names.len; i++) {
        const struct name *name = &s->names.at[i];

        if (name->there && str_ends(str_from(name->path), STR(SAFETENSORS_INDEX_ENDING)))
            look_at_index(t, s, name);
    }
}

static void judge(struct listed_revision *out, struct snapshot *s)
{
    struct tally t = {0};
    bool ours = false;
    struct manifest m;
    bool listed = read_listing(&m, &ours, s);

    for (size_t i = 0; listed && i < m.file_count; i++) {
        if (m.files[i].wanted || !ours)
            compare(&t, s, &m.files[i]);
    }
    look_at_names(&t, s, listed);
    if (!listed)
        look_at_indexes(&t, s);
    out->state = LISTED_COMPLETE;
    if (s->blind || s->r->blind) {
        out->state = LISTED_UNREADABLE;
    } else if (t.wrong != NULL) {
        out->state = LISTED_DAMAGED;
        out->why = t.wrong;
    } else if (t.missing > 0 || t.wanted == 0) {
        out->state = LISTED_PARTIAL;
        out->why = str_format(s->r->l->arena, "%ju of %ju files", (uintmax_t)(t.wanted - t.missing),
                              (uintmax_t)t.wanted);
    } else if (!listed && is_awaited(s->r)) {
        out->state = LISTED_PARTIAL;
        out->why = "another program has not ended its download";
    } else if (ours && t.unproved == 0) {
        out->state = LISTED_VERIFIED;
    }
}

struct listed_revision hf_list_revision(struct hf_listed_repo *r, const char *commit)
{
    struct listed_revision out = {.revision = str_dup(r->l->arena, str_from(commit))};
    struct snapshot s = {.r = r, .commit = out.revision};
    const char *name = str_format(r->scratch, "snapshots/%s", commit);
    size_t problems = r->l->problem_count;

    list_walk(r->l,
              &(struct listed_folder){.dirfd = r->fd,
                                      .name = name,
                                      .shown = str_format(r->scratch, "%s/%s", r->shown, name),
                                      .depth = WALK_DEPTH_MAX,
                                      .entry = add_name,
                                      .ctx = &s});
    s.blind = s.blind || list_is_blind(r->l, problems);
    measure(&out, &s);
    judge(&out, &s);
    return out;
}
