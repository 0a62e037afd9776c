#include "layout/ollama_tag.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layout/folder.h"
#include "model/ollama_manifest.h"
#include "sys/fd.h"
#include "sys/file.h"

/* How often a server that starts may take the empty folder away before the file is in it. */
#define MOVE_TRIES 64

#define NAMES_MAX ((size_t)100000)

/* ---- names ---- */

const char *ollama_tag_path(struct arena *a, const struct ollama_name *name)
{
    return str_format(a, "manifests/%s/%s/%s/%s", name->host, name->ns, name->model, name->tag);
}

static int open_at(const struct layout_place *p, const char *path, int flags)
{
    struct err ignored;

    return p->store.fd < 0 ? -1 : file_open(p->store.fd, path, flags, 0, &ignored);
}

static bool is_there(const struct layout_place *p, const char *path)
{
    FD_SCOPED fd = open_at(p, path, O_PATH | O_NOFOLLOW);

    return fd >= 0;
}

/* A name in the folder that equals part but for case; part itself if there is none. */
static const char *part_on_disk(const struct layout_place *p, const char *folder, const char *part)
{
    FD_SCOPED fd = -1;
    const struct dirent *entry;
    DIR *dir;

    if (is_there(p, str_format(p->arena, "%s/%s", folder, part)))
        return part;
    fd = open_at(p, folder, O_RDONLY | O_DIRECTORY);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL)
        return part;
    (void)fd_take(&fd);
    for (size_t i = 0; i < NAMES_MAX && (entry = readdir(dir)) != NULL; i++) {
        if (str_eq_nocase(str_from(entry->d_name), str_from(part))) {
            part = str_dup(p->arena, str_from(entry->d_name));
            break;
        }
    }
    (void)closedir(dir);
    return part;
}

struct ollama_name ollama_tag_name(const struct layout_place *p, const char *tag)
{
    struct ollama_name n = ollama_state(p)->name;
    const char *folder = "manifests";

    n.tag = tag;
    if (is_there(p, ollama_tag_path(p->arena, &n)))
        return n;
    n.host = part_on_disk(p, folder, n.host);
    folder = str_format(p->arena, "%s/%s", folder, n.host);
    n.ns = part_on_disk(p, folder, n.ns);
    folder = str_format(p->arena, "%s/%s", folder, n.ns);
    n.model = part_on_disk(p, folder, n.model);
    folder = str_format(p->arena, "%s/%s", folder, n.model);
    n.tag = part_on_disk(p, folder, n.tag);
    return n;
}

/* ---- its record ---- */

/* Tags of one model often have the same bytes: each file has a record of its own. */
static bool key_of(struct digest *out, const struct manifest *m, const char *path)
{
    struct err ignored;
    struct digest d;

    if (digest_parse(&d, str_from(m->commit), &ignored) < 0)
        return false;
    *out = blob_records_copy_key(&d, path);
    return true;
}

static bool holds_at(const struct layout_place *p, const struct manifest *m, const char *path)
{
    FD_SCOPED fd = open_at(p, path, O_PATH | O_NOFOLLOW);
    struct digest key;
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && key_of(&key, m, path) && ollama_holds(p, &key, &st);
}

static const char *path_of(const struct layout_place *p, const char *tag)
{
    const struct ollama_name name = ollama_tag_name(p, tag);

    return ollama_tag_path(p->arena, &name);
}

bool ollama_tag_holds(const struct layout_place *p, const struct manifest *m)
{
    return holds_at(p, m, path_of(p, m->ref.revision));
}

static int record(const struct layout_place *p, const struct manifest *m, const char *path,
                  struct err *err)
{
    FD_SCOPED fd = file_open(p->store.fd, path, O_PATH | O_NOFOLLOW, 0, err);
    struct digest key;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_wrap(err, "%s", p->store.path);
    if (key_of(&key, m, path))
        ollama_record(p, &key, &st);
    return ollama_flush(p, err);
}

/* ---- writing ---- */

/* The right bytes stand there, as a file of its own. */
static bool stands(const struct layout_place *p, const struct manifest *m, const char *path)
{
    ARENA_SCOPED scratch = {0};
    FD_SCOPED fd = open_at(p, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct err ignored;
    struct str text;

    return fd >= 0 &&
           file_read_all(&text, &scratch, p->store.fd, path, OLLAMA_MANIFEST_BYTES_MAX, &ignored) ==
               0 &&
           str_eq(text, m->raw);
}

/* The finished file takes its place, again and again as long as its folder is gone. */
static int move(const struct layout_place *p, const char *temp, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *folder = str_dup(p->arena, (struct str){path, (size_t)(slash - path)});
    struct err why = {0};

    for (int i = 0; i < MOVE_TRIES; i++) {
        FD_SCOPED to = -1;

        why = (struct err){0};
        if (file_mkdirs(p->store.fd, folder, &p->config->volume->root, &why) == 0)
            to = file_open_dir(p->store.fd, folder, &why);
        if (to >= 0 && renameat(p->staging_fd, temp, to, slash + 1) == 0)
            return folder_sync(p, to, err);
        if (to >= 0)
            (void)file_err(&why, "rename to %s", path);
        if (why.sys != ENOENT)
            break;
    }
    *err = why;
    return folder_refused(err, p, folder);
}

static int put(const struct layout_place *p, const struct manifest *m, const char *path,
               struct err *err)
{
    char temp[] = "tmp-0123456789abcdef"; /* what a kill leaves is swept with others of that name */
    int rc;

    file_random_hex(temp + strlen("tmp-"), 16);
    if (file_replace(p->staging_fd, temp, ".", m->raw, ollama_state(p)->file_mode, err) < 0)
        return err_wrap(err, "%s", p->shown);
    rc = move(p, temp, path, err);
    if (rc < 0)
        (void)unlinkat(p->staging_fd, temp, 0);
    return rc;
}

int ollama_tag_write(const struct layout_place *p, const struct manifest *m, struct err *err)
{
    const char *path = path_of(p, m->ref.revision);

    if (holds_at(p, m, path))
        return 0;
    if (!stands(p, m, path) && put(p, m, path, err) < 0)
        return -1;
    return record(p, m, path, err);
}

void ollama_tag_remove(const struct layout_place *p, const struct manifest *m)
{
    const char *path = path_of(p, m->ref.revision);
    const char *slash = strrchr(path, '/');
    FD_SCOPED folder = open_at(p, str_dup(p->arena, (struct str){path, (size_t)(slash - path)}),
                               O_RDONLY | O_DIRECTORY);

    if (folder >= 0)
        (void)unlinkat(folder, slash + 1, 0);
}

/* ---- what the store says without a network ---- */

int ollama_text_digest(struct digest *out, struct str text, struct err *err)
{
    DIGEST_STREAM_SCOPED *stream = digest_start(DIGEST_SHA256, text.len, err);

    if (stream == NULL || digest_update(stream, text.ptr, text.len, err) < 0)
        return -1;
    return digest_finish(out, stream, err);
}

static int read_text(struct str *out, const struct layout_place *p, const char *tag,
                     struct err *err)
{
    const char *path = path_of(p, tag);
    struct err why;

    if (p->store.fd >= 0 &&
        file_read_all(out, p->arena, p->store.fd, path, OLLAMA_MANIFEST_BYTES_MAX, &why) == 0)
        return 0;
    return err_set(err, ERR_NOT_FOUND, "%s/%s: there is no manifest", p->store.path, path);
}

const char *ollama_local_commit(struct layout_place *p, const char *revision)
{
    char hex[DIGEST_HEX + 1];
    struct err ignored;
    struct digest d;
    struct str text;

    if (read_text(&text, p, revision, &ignored) < 0 || ollama_text_digest(&d, text, &ignored) < 0)
        return NULL;
    return str_dup(p->arena, str_from(digest_format(&d, hex)));
}

int ollama_local_manifest(struct manifest *out, struct layout_place *p, const struct model_ref *ref,
                          const char *commit, struct err *err)
{
    struct manifest m = {0};
    struct err why = {0};
    struct str text;

    if (read_text(&text, p, ref->revision, err) < 0)
        return -1;
    if (ollama_manifest_parse(&m, p->arena, ref, text, &why) < 0)
        return err_set(err, ERR_NOT_FOUND, "%s: %s", p->store.path, why.msg);
    /* A tag of 40 hex digits looks like a commit to who asks, and stands for itself then. */
    if (strcmp(m.commit, commit) != 0 && strcmp(ref->revision, commit) != 0)
        return err_set(err, ERR_NOT_FOUND, "%s: the manifest there is another: %.12s, not %.12s",
                       p->shown, m.commit, commit);
    *out = m;
    return 0;
}
