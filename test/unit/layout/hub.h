/*
 * A volume with a hub cache for one test, and a model to put there: files are given as path and
 * bytes, "large" ones (LFS) have a sha256, the others git's blob id.
 */
#ifndef TEST_LAYOUT_HUB_H
#define TEST_LAYOUT_HUB_H

#include "../child.h"
#include "../store/scratch.h"
#include "digest/digest.h"
#include "layout/layout.h"
#include "sys/clock.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define XET      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct hub {
    struct scratch *scratch;
    struct arena *arena;
    struct volume volume;
    struct layout_config config;
    struct layout_place place;
    struct err err;
    char notices[4096];
    size_t fetched; /* files that were absent and had to come */
    size_t hashed;  /* files that were there and had to be read */
};

struct content {
    const char *path;
    const char *bytes;
    bool large;
};

static inline void hub_notice(void *ctx, const char *text)
{
    struct hub *h = ctx;
    size_t len = strlen(h->notices);

    (void)snprintf(h->notices + len, sizeof(h->notices) - len, "%s\n", text);
}

/* A path on the volume. */
static inline char *hub_path(const struct hub *h, const char *name)
{
    return str_format(h->arena, "%s/%s", h->scratch->path, name);
}

static inline void hub_init(struct hub *h, struct scratch *s)
{
    *h = (struct hub){.scratch = s, .arena = &s->arena};
    assert_int_equal(volume_open(&h->volume, h->arena, s->path, false, &h->err), 0);
    h->config = (struct layout_config){.volume = &h->volume,
                                       .hf_hub = hub_path(h, "huggingface/hub"),
                                       .vllm_cache = hub_path(h, "vllm"),
                                       .ollama_models = hub_path(h, "ollama"),
                                       .notice = hub_notice,
                                       .notice_ctx = h};
}

static inline void hub_done(struct hub *h)
{
    layout_close(&h->place);
    volume_close(&h->volume);
}

static inline struct digest digest_of(const char *bytes, bool large)
{
    enum digest_kind kind = large ? DIGEST_SHA256 : DIGEST_GIT_SHA1;
    struct err err;
    DIGEST_STREAM_SCOPED *stream = digest_start(kind, strlen(bytes), &err);
    struct digest d;

    assert_non_null(stream);
    assert_int_equal(digest_update(stream, bytes, strlen(bytes), &err), 0);
    assert_int_equal(digest_finish(&d, stream, &err), 0);
    return d;
}

static inline const char *hex_of(const struct hub *h, const char *bytes, bool large)
{
    struct digest d = digest_of(bytes, large);

    return digest_format(&d, arena_array(h->arena, char, DIGEST_HEX + 1));
}

/* All wanted. contents ends with a NULL path. */
static inline struct manifest listing(struct hub *h, const char *repo, const char *revision,
                                      const char *commit, const struct content *contents)
{
    struct manifest m = {.ref = {.source = "hf", .repo = repo, .revision = revision, .text = repo},
                         .commit = commit};

    while (contents[m.file_count].path != NULL)
        m.file_count++;
    m.files = arena_array(h->arena, struct model_file, m.file_count + 1);
    for (size_t i = 0; i < m.file_count; i++)
        m.files[i] = (struct model_file){
            .path = contents[i].path,
            .size = strlen(contents[i].bytes),
            .digest = digest_of(contents[i].bytes, contents[i].large),
            .oid = contents[i].large ? "1111111111111111111111111111111111111111" : "",
            .xet = "",
            .wanted = true,
        };
    assert_int_equal(manifest_check(&m, &h->err), 0);
    return m;
}

static inline const char *bytes_of(const struct content *contents, const char *path)
{
    while (contents->path != NULL && strcmp(contents->path, path) != 0)
        contents++;
    assert_non_null(contents->path);
    return contents->bytes;
}

static inline int hub_open(struct hub *h, const struct manifest *m)
{
    layout_close(&h->place);
    h->err = (struct err){0};
    return layout_open(&h->place, h->arena, &h->config, &m->ref, &h->err);
}

/* As a pull would: into staging, where the layout wants it, verified, to its blob. */
static inline int hub_fetch(struct hub *h, const struct model_file *file, const char *bytes,
                            bool replace)
{
    struct layout_place *p = &h->place;
    struct staging staged;
    struct staging *list[] = {&staged};
    const struct model_file *files[] = {file};
    int dirfd = -1;
    int rc;

    if (p->layout->open_staging != NULL &&
        p->layout->open_staging(&dirfd, p, file, true, &h->err) < 0)
        return -1;
    assert_int_equal(staging_open(&staged, h->arena, dirfd < 0 ? p->staging_fd : dirfd,
                                  "0123456789abcdef",
                                  &(struct journal_file){file->digest, file->size}, &h->err),
                     0);
    assert_int_equal(pwrite(staged.fd, bytes, strlen(bytes), 0), strlen(bytes));
    h->fetched++;
    rc = p->layout->publish_blobs(p, &(struct blob_batch){files, list, 1, replace}, &h->err);
    if (rc < 0)
        staging_close(&staged);
    if (dirfd >= 0)
        p->layout->leave_staging(p, file, &dirfd);
    return rc;
}

/* Brings the one file: reuses what is found if its bytes are right. */
static inline int hub_bring(struct hub *h, const struct model_file *file, const char *bytes)
{
    struct layout_place *p = &h->place;
    struct blob_found found;
    struct digest d;
    int rc = 0;

    if (p->layout->find(&found, p, file, &h->err) < 0)
        return -1;
    if (found.state == BLOB_VERIFIED)
        return 0;
    if (found.state == BLOB_ABSENT)
        return hub_fetch(h, file, bytes, false);
    h->hashed++;
    assert_int_equal(digest_fd(&d, file->digest.kind, found.fd, file->size, &h->err), 0);
    if (digest_eq(&d, &file->digest))
        rc = p->layout->take(p, file, &found, &h->err);
    else
        rc = hub_fetch(h, file, bytes, true);
    (void)close(found.fd);
    return rc;
}

/* A whole pull of m; -1 with h->err where something refused. */
static inline int hub_pull(struct hub *h, const struct manifest *m, const struct content *contents,
                           bool whole)
{
    h->fetched = 0;
    h->hashed = 0;
    h->notices[0] = '\0';
    if (hub_open(h, m) < 0)
        return -1;
    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].wanted &&
            hub_bring(h, &m->files[i], bytes_of(contents, m->files[i].path)) < 0)
            return -1;
    }
    return h->place.layout->publish_model(&h->place, m, whole, &h->err);
}

#define assert_pulled(h, m, contents, whole)             \
    do {                                                 \
        if (hub_pull((h), (m), (contents), (whole)) < 0) \
            fail_msg("%s", (h)->err.msg);                \
    } while (0)

/* As the next start asks: with records read anew. */
static inline bool hub_complete(struct hub *h, const struct manifest *m, bool whole)
{
    struct layout_config writing = h->config;
    bool complete;

    h->config.read_only = true;
    assert_int_equal(hub_open(h, m), 0);
    complete = h->place.layout->complete(&h->place, m, whole);
    layout_close(&h->place);
    h->config = writing;
    return complete;
}

static inline char *link_of(const struct hub *h, const char *name)
{
    char text[4096];
    ssize_t len = readlinkat(h->scratch->fd, name, text, sizeof(text) - 1);

    return str_dup(h->arena, (struct str){len < 0 ? "(no link)" : text, len < 0 ? 9 : (size_t)len});
}

static inline char *text_of(const struct hub *h, const char *name)
{
    return scratch_read(h->scratch, name, NULL);
}

static inline mode_t mode_of(const struct hub *h, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(h->scratch->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static inline void make_dirs(const struct hub *h, const char *name)
{
    char *path = str_dup(h->arena, str_from(name));

    for (char *c = path; *c != '\0'; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        (void)mkdirat(h->scratch->fd, path, 0777);
        *c = '/';
    }
    (void)mkdirat(h->scratch->fd, path, 0777);
}

/* A file with its folders. */
static inline void put(const struct hub *h, const char *name, const char *bytes)
{
    char *dir = str_dup(h->arena, str_from(name));

    *strrchr(dir, '/') = '\0';
    make_dirs(h, dir);
    scratch_write(h->scratch, name, bytes, strlen(bytes));
}

static inline void put_link(const struct hub *h, const char *text, const char *name)
{
    char *dir = str_dup(h->arena, str_from(name));

    *strrchr(dir, '/') = '\0';
    make_dirs(h, dir);
    assert_int_equal(symlinkat(text, h->scratch->fd, name), 0);
}

static inline void remove_all(const struct hub *h, const char *name)
{
    assert_int_equal(remove_tree(hub_path(h, name)), 0);
}

#define REPO   "huggingface/hub/models--org--name/"
#define SNAP_A REPO "snapshots/" COMMIT_A "/"
#define SNAP_B REPO "snapshots/" COMMIT_B "/"

#endif
