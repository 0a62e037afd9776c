#include "layout/hf_tree.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "json/json.h"
#include "layout/hf_snapshot.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "text/relpath.h"
#include "text/utf8.h"
#include "text/vec.h"

#define FORMAT_VERSION 1

/* ---- writing ---- */

/* Python's json.dump writes ASCII: all else as \uXXXX, above the first plane as two of them. */
static void put_path(struct buf *b, const char *path)
{
    struct str rest = str_from(path);

    buf_addc(b, '"');
    while (rest.len > 0) {
        uint32_t c;
        size_t len = utf8_next(&c, rest);

        assert(len > 0); /* relpath_check() let it through */
        rest = (struct str){rest.ptr + len, rest.len - len};
        if (c == '"' || c == '\\')
            buf_addf(b, "\\%c", (int)c);
        else if (c >= 0x10000)
            buf_addf(b, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                     0xdc00 + ((c - 0x10000) & 0x3ff));
        else if (c >= 0x7f || c < 0x20)
            buf_addf(b, "\\u%04x", c);
        else
            buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

static void put_file(struct buf *b, const struct model_file *file)
{
    char hex[DIGEST_HEX + 1];
    bool lfs = file->digest.kind == DIGEST_SHA256;

    (void)digest_format(&file->digest, hex);
    buf_addz(b, "  ");
    put_path(b, file->path);
    buf_addf(b, ": {\n   \"size\": %llu,\n   \"blob_id\": \"%s\"", (unsigned long long)file->size,
             file->oid[0] != '\0' ? file->oid : hex);
    if (lfs)
        buf_addf(b, ",\n   \"lfs_sha256\": \"%s\",\n   \"lfs_size\": %llu", hex,
                 (unsigned long long)file->size);
    buf_addz(b, "\n  }");
}

void hf_tree_text(struct buf *b, const struct manifest *m)
{
    buf_addf(b, "{\n \"format_version\": %d,\n \"files\": {", FORMAT_VERSION);
    for (size_t i = 0; i < m->file_count; i++) {
        buf_addz(b, i == 0 ? "\n" : ",\n");
        put_file(b, &m->files[i]);
    }
    buf_addz(b, m->file_count == 0 ? "}\n}" : "\n }\n}");
}

static const char *tree_path(const struct layout_place *p, const char *commit)
{
    return str_format(p->arena, "trees/%s.json", commit);
}

bool hf_tree_there(const struct layout_place *p, const char *commit)
{
    struct stat st;

    return hf_state(p)->repo_fd >= 0 &&
           fstatat(hf_state(p)->repo_fd, tree_path(p, commit), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && st.st_size > 0;
}

/*
 * True if the one that is there serves: it parses, and has the read bits that ours would have
 * (huggingface_hub leaves 0600, which helps no other uid).
 */
static bool serves(const struct layout_place *p, const struct manifest *m, const char *path)
{
    const struct hf_place *s = hf_state(p);
    struct err ignored = {0};
    ARENA_SCOPED scratch = {0};
    struct manifest there;
    struct str text;
    struct stat st;

    if (fstatat(s->repo_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        (st.st_mode & s->file_mode & 0444) != (s->file_mode & 0444) ||
        file_read_all(&text, &scratch, s->repo_fd, path, HF_TREE_BYTES_MAX, &ignored) < 0)
        return false;
    return hf_tree_parse(&there, &scratch, text, &m->ref, m->commit, &ignored) == 0 &&
           there.file_count == m->file_count;
}

int hf_tree_publish(const struct layout_place *p, const struct manifest *m, struct err *err)
{
    const struct hf_place *s = hf_state(p);
    const char *path = tree_path(p, m->commit);
    ARENA_SCOPED scratch = {0};
    struct buf text = buf_new(&scratch, HF_TREE_BYTES_MAX);
    FD_SCOPED dir = -1;

    if (hf_open_parents(&dir, p, s->repo_fd, STR("trees"), err) < 0)
        return -1;
    if (serves(p, m, path))
        return 0;
    hf_tree_text(&text, m);
    if (text.cut)
        return err_set(err, ERR_LIMIT, "%s: its listing is longer than %zu MiB", p->shown,
                       HF_TREE_BYTES_MAX >> 20);
    return file_replace(s->repo_fd, path, ".hostler", buf_str(&text), s->file_mode, err);
}

/* ---- reading ---- */

struct reading {
    struct arena *arena;
    VEC(struct model_file) files;
    struct err *err;
};

static int bad_entry(struct reading *r, struct str path, const char *what)
{
    return err_set(r->err, ERR_LIMIT, "listing: %s of " STR_FMT, what, STR_ARG(path));
}

static int read_file(void *ctx, struct str path, const struct json *value)
{
    struct reading *r = ctx;
    struct model_file file = {.oid = "", .xet = ""};
    struct str blob_id;
    struct str sha256 = {0};
    struct str xet = {0};

    if (r->files.len >= MANIFEST_FILES_MAX)
        return bad_entry(r, path, "too many files at the entry");
    if (relpath_check(path, r->err) < 0 || !json_is_object(value) ||
        json_need_u64(&file.size, value, "size", r->err) < 0 ||
        json_need_str(&blob_id, value, "blob_id", r->err) < 0 ||
        json_str(&sha256, value, "lfs_sha256", r->err) < 0 ||
        json_str(&xet, value, "xet_hash", r->err) < 0)
        return r->err->code == ERR_NONE ? bad_entry(r, path, "no object as the entry") : -1;
    if (digest_parse(&file.digest, sha256.len > 0 ? sha256 : blob_id, r->err) < 0 ||
        (sha256.len > 0) != (file.digest.kind == DIGEST_SHA256))
        return bad_entry(r, path, "not the digest");
    if (file.size > MANIFEST_SIZE_MAX || blob_id.len > DIGEST_HEX || xet.len > HF_XET_HEX ||
        !str_is_hex(blob_id) || !str_is_hex(xet))
        return bad_entry(r, path, "size or hash out of range");
    file.path = str_dup(r->arena, path);
    file.oid = str_dup(r->arena, blob_id);
    if (xet.len > 0)
        file.xet = str_dup(r->arena, xet);
    vec_push(r->arena, &r->files, file);
    return 0;
}

int hf_tree_parse(struct manifest *out, struct arena *a, struct str text,
                  const struct model_ref *ref, const char *commit, struct err *err)
{
    JSON_SCOPED *doc = json_parse(text, HF_TREE_BYTES_MAX, "listing", err);
    struct reading reading = {.arena = a, .err = err};
    const struct json *files;
    struct manifest m;
    uint64_t version;

    if (doc == NULL || json_need_u64(&version, doc, "format_version", err) < 0)
        return -1;
    files = json_get(doc, "files");
    if (version != FORMAT_VERSION || files == NULL || !json_is_object(files))
        return err_set(err, ERR_LIMIT, "listing: not of format %d", FORMAT_VERSION);
    *err = (struct err){0};
    if (json_each(files, read_file, &reading) != 0)
        return -1;
    m = (struct manifest){
        .ref = *ref, .commit = commit, .files = reading.files.at, .file_count = reading.files.len};
    if (manifest_check(&m, err) < 0)
        return -1;
    *out = m;
    return 0;
}

int hf_tree_read(struct manifest *out, struct layout_place *p, const struct model_ref *ref,
                 const char *commit, struct err *err)
{
    const char *path = tree_path(p, commit);
    struct err why = {0};
    struct str text;

    if (hf_state(p)->repo_fd < 0 ||
        file_read_all(&text, p->arena, hf_state(p)->repo_fd, path, HF_TREE_BYTES_MAX, &why) < 0 ||
        hf_tree_parse(out, p->arena, text, ref, str_dup(p->arena, str_from(commit)), &why) < 0)
        return err_set(err, ERR_NOT_FOUND, "%s has no listing of %.12s%s%s", p->shown, commit,
                       why.code == ERR_NONE ? "" : ": ", why.msg);
    return 0;
}
