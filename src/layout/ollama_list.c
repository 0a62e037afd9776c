/*
 * The list of an Ollama store: one model for each manifest at manifests/HOST/NAMESPACE/MODEL/TAG,
 * and one for each model of which only a download of ours lies there.
 */
#include "layout/ollama_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "layout/ollama_place.h"
#include "layout/ollama_stage.h"
#include "model/ollama_manifest.h"
#include "model/ref_ollama.h"
#include "store/receipt.h"
#include "sys/fd.h"
#include "sys/file.h"

#define BLOBS          "blobs"
#define BLOB           "sha256-"
#define MANIFESTS      "manifests"
#define MANIFEST_DEPTH 3U /* folders above a manifest: host, namespace, model */
#define SHA256_HEX     ((size_t)64)

/* ---- blobs ---- */

static bool stat_entry(struct stat *st, struct ollama_stock *s, const struct walk_entry *e)
{
    struct err err = {0};

    if (fstatat(e->dirfd, e->name, st, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    if (errno != ENOENT && !s->blind) {
        (void)file_err(&err, "cannot be looked at");
        list_problem(s->l, ollama_listed_in(s, BLOBS), &err);
        s->blind = true;
    }
    return false;
}

/*
 * Ollama follows a blob that is a link, and so do we, beneath the store; false if it dangles. The
 * descriptor is for looking alone: nothing is read.
 */
static bool follow(struct listed_blob *blob, const struct ollama_stock *s, const char *name)
{
    struct err why = {0};
    FD_SCOPED fd = file_open(s->fd, str_format(s->scratch, BLOBS "/%s", name), O_PATH, 0, &why);

    blob->astray = fd < 0 && (why.sys == EXDEV || why.sys == ELOOP);
    return blob->astray || (fd >= 0 && fstat(fd, &blob->st) == 0);
}

static void add_blob(void *ctx, const struct walk_entry *e)
{
    struct ollama_stock *s = ctx;
    struct str name = str_from(e->name);
    struct str hex = {name.ptr + strlen(BLOB), name.len - strlen(BLOB)};
    struct listed_blob blob = {0};
    struct err ignored;

    if (!stat_entry(&blob.st, s, e))
        return;
    if (name.len == strlen(BLOB) + SHA256_HEX && str_starts(name, STR(BLOB)) && str_is_hex(hex) &&
        digest_parse(&blob.digest, hex, &ignored) == 0) {
        if (S_ISLNK(blob.st.st_mode) && !follow(&blob, s, e->name))
            return;
        blob.astray = blob.astray || !S_ISREG(blob.st.st_mode);
        vec_push(s->scratch, &s->blobs.all, blob);
        return;
    }
    /* Ollama's own downloads are `<blob>-partial`, `<blob>-partial-<N>` and `<blob>.tmp`. */
    list_file(s->l, s->store, LISTED_NO_MODEL,
              str_starts(name, STR(BLOB)) ? LISTED_PART_ARRIVING : LISTED_PART_META, &blob.st);
}

/* ---- models ---- */

/* How a tally of a model's blobs ends. */
struct tally {
    uint64_t missing;
    uint64_t unproved;
    const char *wrong; /* the first that is not what it should be */
};

static void look_at_blob(struct tally *t, struct listed_revision *out, struct ollama_stock *s,
                         const struct model_file *file, uint32_t model)
{
    struct listed_blob *blob = listed_blob_find(&s->blobs, &file->digest);

    if (blob == NULL) {
        t->missing++;
        return;
    }
    if (blob->astray) {
        t->wrong =
            str_format(s->l->arena, "%s is a link that leads astray, or no file", file->path);
        return;
    }
    blob->used = true;
    list_file(s->l, s->store, model, LISTED_PART_USED, &blob->st);
    out->files++;
    out->bytes += (uint64_t)blob->st.st_size;
    if (blob->st.st_atim.tv_sec > out->used)
        out->used = blob->st.st_atim.tv_sec;
    if ((uint64_t)blob->st.st_size != file->size)
        t->wrong = str_format(s->l->arena, "%s has %ju bytes of %ju", file->path,
                              (uintmax_t)blob->st.st_size, (uintmax_t)file->size);
    else if (!blob_records_hold(s->records, &file->digest, &blob->st))
        t->unproved++;
}

static int by_digest(const void *left, const void *right)
{
    const struct model_file *const *a = left;
    const struct model_file *const *b = right;

    return memcmp((*a)->digest.bytes, (*b)->digest.bytes, DIGEST_BYTES);
}

/* The blobs of a manifest, each digest once. */
static void look_at_blobs(struct listed_revision *out, struct ollama_stock *s,
                          const struct manifest *m, uint32_t model)
{
    const struct model_file **files =
        arena_array(s->scratch, const struct model_file *, m->file_count + 1);
    struct tally t = {0};
    size_t count = 0;

    for (size_t i = 0; i < m->file_count; i++)
        files[i] = &m->files[i];
    if (m->file_count > 0)
        qsort(files, m->file_count, sizeof(*files), by_digest);
    for (size_t i = 0; i < m->file_count; i++) {
        if (i > 0 && by_digest(&files[i - 1], &files[i]) == 0)
            continue;
        look_at_blob(&t, out, s, files[i], model);
        count++;
    }
    out->state = LISTED_COMPLETE;
    if (s->blind) {
        out->state = LISTED_UNREADABLE;
    } else if (t.wrong != NULL) {
        out->state = LISTED_DAMAGED;
        out->why = t.wrong;
    } else if (t.missing > 0) {
        out->state = LISTED_PARTIAL;
        out->why = str_format(s->l->arena, "%ju of %zu files", (uintmax_t)out->files, count);
    } else if (t.unproved == 0) {
        out->state = LISTED_VERIFIED;
    }
}

struct model_ref ollama_listed_ref(struct layout_listing *l, const char *path)
{
    struct str rest = str_from(path);
    struct model_ref ref = {.source = "ollama"};
    struct err ignored = {0};
    struct str host;
    struct str tag;

    (void)str_rcut(&rest, '/', &tag);
    if (ref_ollama_parse(
            &ref, l->arena,
            str_from(str_format(l->arena, STR_FMT ":" STR_FMT, STR_ARG(rest), STR_ARG(tag))),
            &ignored) == 0)
        return ref;
    (void)str_cut(&rest, '/', &host);
    ref = (struct model_ref){
        .source = "ollama",
        .host = str_dup(l->arena, host),
        .repo = str_dup(l->arena, rest),
        .revision = str_dup(l->arena, tag),
    };
    if (str_eqz(host, REF_OLLAMA_HOST)) {
        if (str_starts(rest, STR("library/")))
            rest = (struct str){rest.ptr + 8, rest.len - 8};
        ref.text = str_format(l->arena, "ollama:" STR_FMT ":" STR_FMT, STR_ARG(rest), STR_ARG(tag));
    } else {
        ref.text = str_format(l->arena, "ollama:" STR_FMT "/" STR_FMT ":" STR_FMT, STR_ARG(host),
                              STR_ARG(rest), STR_ARG(tag));
    }
    return ref;
}

uint32_t ollama_listed_model(struct ollama_stock *s, const struct model_ref *ref,
                             const struct listed_revision *revision)
{
    struct listed_model model = {
        .store = s->store,
        .name = ref->text,
        .host = ref->host,
        .repo = ref->repo,
        .revisions = arena_array(s->l->arena, struct listed_revision, OLLAMA_LISTED_REVISIONS),
        .revision_count = 1};

    model.revisions[0] = *revision;
    return list_model(s->l, &model);
}

static void read_manifest(struct listed_revision *out, struct ollama_stock *s,
                          const struct walk_entry *e, const struct model_ref *ref, uint32_t model)
{
    struct arena_mark mark = arena_mark(s->scratch);
    struct err err = {0};
    struct manifest m;
    struct str raw;

    if (file_read_all(&raw, s->scratch, s->fd, str_format(s->scratch, MANIFESTS "/%s", e->path),
                      OLLAMA_MANIFEST_BYTES_MAX, &err) < 0) {
        out->state = err.sys == EACCES ? LISTED_UNREADABLE : LISTED_DAMAGED;
        out->why = err.sys == EXDEV || err.sys == ELOOP
                       ? "its manifest is a link that leads out of the store"
                       : "its manifest cannot be read";
        if (err.sys == EACCES)
            list_problem(s->l, s->path, &err);
    } else if (ollama_manifest_parse(&m, s->scratch, ref, raw, &err) < 0) {
        out->state = LISTED_DAMAGED;
        out->why = str_format(s->l->arena, "its manifest is broken: %s", err.msg);
    } else {
        out->revision = str_dup(s->l->arena, str_from(m.commit));
        look_at_blobs(out, s, &m, model);
    }
    arena_rewind(s->scratch, mark);
}

static void add_manifest(void *ctx, const struct walk_entry *e)
{
    struct ollama_stock *s = ctx;
    struct listed_revision revision = {.state = LISTED_DAMAGED};
    struct model_ref ref;
    struct stat st;
    uint32_t model;

    if (fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (e->depth != MANIFEST_DEPTH || (e->type != S_IFREG && e->type != S_IFLNK)) {
        list_file(s->l, s->store, LISTED_NO_MODEL, LISTED_PART_META, &st);
        return;
    }
    ref = ollama_listed_ref(s->l, e->path);
    model = ollama_listed_model(s, &ref, &revision);
    list_file(s->l, s->store, model, LISTED_PART_META, &st);
    read_manifest(&revision, s, e, &ref, model);
    s->l->models.at[model].revisions[0] = revision;
}

/* ---- the store ---- */

/* Whatever else is in the folder: views for people, and what other programs leave. */
static void add_rest(void *ctx, const struct walk_entry *e)
{
    static const char *const known[] = {BLOBS, MANIFESTS, OLLAMA_OWN, NULL};
    struct ollama_stock *s = ctx;
    struct stat st;

    for (size_t i = 0; known[i] != NULL; i++) {
        if (strcmp(e->name, known[i]) == 0)
            return;
    }
    if (e->type == S_IFDIR)
        list_walk_files(s->l,
                        &(struct listed_folder){.dirfd = e->dirfd,
                                                .name = e->name,
                                                .shown = ollama_listed_in(s, e->name),
                                                .depth = WALK_DEPTH_MAX},
                        s->store, LISTED_NO_MODEL, LISTED_PART_META);
    else if (fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        list_file(s->l, s->store, LISTED_NO_MODEL, LISTED_PART_META, &st);
}

void ollama_list_all(struct layout_listing *l, const struct layout *self)
{
    ARENA_SCOPED scratch = {0};
    struct ollama_stock s = {.l = l, .scratch = &scratch, .path = l->config->ollama_models};
    FD_SCOPED fd = list_open_store(&s.store, l, self, s.path);
    size_t problems = l->problem_count;
    struct err why = {0};

    if (fd < 0)
        return;
    s.fd = fd;
    list_begin_count(l);
    if (blob_records_read(&s.records, &scratch, l->config->volume, OLLAMA_RECORDS, &why) < 0) {
        list_problem(l, s.path, &why);
        return;
    }
    ollama_list_walk(&s, BLOBS, 0, add_blob);
    s.blind = s.blind || list_is_blind(l, problems);
    listed_blobs_sort(&s.blobs);
    ollama_list_walk(&s, MANIFESTS, MANIFEST_DEPTH, add_manifest);
    ollama_list_arriving(&s);
    if (l->disk)
        ollama_list_walk(&s, ".", 0, add_rest);
    for (size_t i = 0; i < s.blobs.all.len; i++) {
        if (!s.blobs.all.at[i].used)
            list_file(l, s.store, LISTED_NO_MODEL, LISTED_PART_UNUSED, &s.blobs.all.at[i].st);
    }
}

void ollama_list_walk(struct ollama_stock *s, const char *name, unsigned depth,
                      void (*entry)(void *ctx, const struct walk_entry *e))
{
    list_walk(s->l, &(struct listed_folder){.dirfd = s->fd,
                                            .name = name,
                                            .shown = ollama_listed_in(s, name),
                                            .depth = depth,
                                            .entry = entry,
                                            .ctx = s});
}
