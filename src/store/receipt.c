#include "store/receipt.h"

#include <string.h>

#include "store/sealed.h"
#include "sys/file.h"
#include "text/relpath.h"
#include "text/vec.h"

#define KIND         "receipt"
#define FILE_NAME    "model-"
#define REVISION_MAX ((size_t)120) /* bytes of it in a file's name */

/*
 * The file of a revision: what is no plain character of a name becomes %XX. A very long one is cut
 * and told apart by its checksum; the receipt says itself which revision it is of, so that neither
 * a collision nor a filesystem without upper case gives us another's.
 */
static const char *path_of(struct arena *a, const char *folder, const char *revision)
{
    struct buf b = buf_new(a, 4 * RELPATH_MAX);

    buf_addz(&b, FILE_NAME);
    for (const char *c = revision; *c != '\0' && b.len < REVISION_MAX; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("._-", *c) != NULL;

        if (plain)
            buf_addc(&b, *c);
        else
            buf_addf(&b, "%%%02X", (unsigned char)*c);
    }
    if (b.len >= REVISION_MAX)
        buf_addf(&b, "%%%08x", digest_crc32c(0, revision, strlen(revision)));
    return sealed_path(a, folder, b.ptr);
}

/* "file <digest> <size> <oid> <xet> <wanted> <path>" */
static bool parse_file(struct model_file *out, struct arena *a, struct str line)
{
    struct err ignored;
    struct str digest;
    struct str oid;
    struct str xet;
    struct str path;
    uint64_t wanted;

    if (!sealed_word(&digest, a, &line) || !sealed_number(&out->size, &line) ||
        !sealed_word(&oid, a, &line) || !sealed_word(&xet, a, &line) ||
        !sealed_number(&wanted, &line) || !sealed_word(&path, a, &line) || line.len > 0)
        return false;
    if (digest_parse(&out->digest, digest, &ignored) < 0 || out->size > MANIFEST_SIZE_MAX ||
        wanted > 1 || !str_is_hex(oid) || oid.len > DIGEST_HEX || !str_is_hex(xet) ||
        (xet.len != 0 && xet.len != DIGEST_HEX) || relpath_check(path, &ignored) < 0)
        return false;
    out->oid = oid.ptr;
    out->xet = xet.ptr;
    out->wanted = wanted == 1;
    out->path = path.ptr;
    return true;
}

/* "<key> <value>", both checked. */
static bool parse_value(struct str *out, struct arena *a, struct str *body, const char *key)
{
    struct str line;
    struct str word;

    (void)str_cut(body, '\n', &line);
    (void)str_cut(&line, ' ', &word);
    return str_eqz(word, key) && sealed_word(out, a, &line) && line.len == 0;
}

/* A commit becomes the name of a directory. */
static bool is_commit(const struct model_ref *ref, struct str commit)
{
    struct err ignored;
    struct digest digest;

    if (strcmp(ref->source, "hf") == 0)
        return ref_is_commit(commit.ptr);
    if (str_starts(commit, STR("sha256:")))
        commit = (struct str){commit.ptr + 7, commit.len - 7};
    return digest_parse(&digest, commit, &ignored) == 0;
}

/* The publisher's text, on a line of its own where a receipt has it. */
static bool parse_raw(struct str *out, struct arena *a, struct str *body)
{
    return !str_starts(*body, STR("raw ")) || parse_value(out, a, body, "raw");
}

static bool parse(struct manifest *out, struct str *ret_revision, struct arena *a, struct str text)
{
    struct manifest m = {0};
    VEC(struct model_file) files = {0};
    struct err ignored = {0};
    struct str body;
    struct str ref;
    struct str commit;

    if (!sealed_check(&body, text, KIND, RECEIPT_FORMAT) || !parse_value(&ref, a, &body, "model") ||
        !parse_value(ret_revision, a, &body, "revision") ||
        !parse_value(&commit, a, &body, "commit") || ref_parse(&m.ref, a, ref, &ignored) < 0 ||
        !is_commit(&m.ref, commit) || !parse_raw(&m.raw, a, &body))
        return false;
    while (body.len > 0) {
        struct model_file file = {0};
        struct str line;
        struct str word;

        (void)str_cut(&body, '\n', &line);
        (void)str_cut(&line, ' ', &word);
        if (!str_eqz(word, "file") || files.len == MANIFEST_FILES_MAX ||
            !parse_file(&file, a, line))
            return false;
        vec_push(a, &files, file);
    }
    m.commit = commit.ptr;
    m.files = files.at;
    m.file_count = files.len;
    if (manifest_check(&m, &ignored) < 0)
        return false;
    *out = m;
    return true;
}

bool receipt_parse(struct manifest *out, struct arena *a, struct str text)
{
    struct str revision;

    return parse(out, &revision, a, text);
}

int receipt_read(struct manifest *out, struct arena *a, const struct volume *v, const char *folder,
                 const char *revision, struct err *err)
{
    const char *path = path_of(a, folder, revision);
    struct err ignored;
    struct manifest m;
    struct str named;
    struct str text;

    if (file_read_all(&text, a, v->fd, path, SEALED_BYTES_MAX, &ignored) < 0 ||
        !parse(&m, &named, a, text) || !str_eqz(named, revision))
        return err_set(err, ERR_NOT_FOUND, "%s: no receipt of revision %s", folder, revision);
    *out = m;
    return 0;
}

static void put_value(struct buf *b, const char *key, struct str value)
{
    buf_addf(b, "%s ", key);
    sealed_put(b, value);
    buf_addc(b, '\n');
}

static void put_file(struct buf *b, const struct model_file *file)
{
    char hex[DIGEST_HEX + 1];

    buf_addf(b, "file %s %ju ", digest_format(&file->digest, hex), (uintmax_t)file->size);
    sealed_put(b, str_from(file->oid));
    buf_addc(b, ' ');
    sealed_put(b, str_from(file->xet));
    buf_addf(b, " %d ", file->wanted);
    sealed_put(b, str_from(file->path));
    buf_addc(b, '\n');
}

int receipt_write(const struct manifest *m, const struct volume *v, const char *folder,
                  const char *revision, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct buf b = sealed_begin(&scratch, KIND, RECEIPT_FORMAT);

    if (!v->writable)
        return 0;
    put_value(&b, "model", str_from(m->ref.text));
    put_value(&b, "revision", str_from(revision));
    put_value(&b, "commit", str_from(m->commit));
    if (m->raw.ptr != NULL)
        put_value(&b, "raw", m->raw);
    for (size_t i = 0; i < m->file_count; i++)
        put_file(&b, &m->files[i]);
    return sealed_write(&b, v, path_of(&scratch, folder, revision), err);
}

void receipt_sweep(const struct volume *v, const char *folder)
{
    ARENA_SCOPED a = {0};

    file_sweep(v->fd, sealed_path(&a, folder, "."));
}
