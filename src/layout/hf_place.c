#include "layout/hf_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "layout/folder.h"
#include "layout/hf_ref.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"
#include "text/buf.h"
#include "text/vec.h"

#define STAGING_DIR ".hostler"
#define OPEN_TRIES  16
#define FLUSH_MS    2000
#define FOLDER_MAX  ((size_t)512)

const struct clock *hf_clock(const struct layout_place *p)
{
    return p->config->clock != NULL ? p->config->clock : clock_real();
}

int hf_blobs(const struct layout_place *p, struct err *err)
{
    struct hf_place *s = hf_state(p);

    if (s->blobs_fd >= 0)
        return 0;
    return folder_open(&s->blobs_fd, p, s->repo_fd, "blobs", !p->config->read_only, err);
}

bool hf_holds(const struct layout_place *p, const struct digest *d, const struct stat *st)
{
    return S_ISREG(st->st_mode) && blob_records_hold(p->records, d, st);
}

static const char *copies_folder(const struct layout_place *p)
{
    return str_format(p->arena, "%s/copies", p->folder);
}

static int read_copies(const struct layout_place *p, struct err *err)
{
    struct hf_place *s = hf_state(p);

    if (s->copies != NULL)
        return 0;
    return blob_records_read(&s->copies, p->arena, p->config->volume, copies_folder(p), err);
}

bool hf_holds_at(const struct layout_place *p, const struct model_file *file, const char *path,
                 const struct stat *st)
{
    struct err ignored = {0};
    struct digest key;

    if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size != file->size)
        return false;
    if (file->size == 0 || hf_holds(p, &file->digest, st))
        return true;
    if (read_copies(p, &ignored) < 0)
        return false;
    key = blob_records_copy_key(&file->digest, path);
    return blob_records_hold(hf_state(p)->copies, &key, st);
}

int hf_record_copy(const struct layout_place *p, const struct model_file *file, const char *path,
                   const struct stat *st, struct err *err)
{
    struct digest key = blob_records_copy_key(&file->digest, path);

    if (read_copies(p, err) < 0)
        return -1;
    blob_records_set(hf_state(p)->copies, &key, st);
    hf_state(p)->dirty = true;
    return 0;
}

void hf_record(const struct layout_place *p, const struct digest *d, const struct stat *st)
{
    blob_records_set(p->records, d, st);
    hf_state(p)->dirty = true;
}

int hf_flush(const struct layout_place *p, bool now, struct err *err)
{
    struct hf_place *s = hf_state(p);
    uint64_t now_ms = clock_now_ms(hf_clock(p));

    if (!s->dirty || p->config->read_only || (!now && now_ms - s->written_ms < FLUSH_MS))
        return 0;
    if (blob_records_write(p->records, p->config->volume, p->folder, err) < 0)
        return -1;
    if (s->copies != NULL &&
        blob_records_write(s->copies, p->config->volume, copies_folder(p), err) < 0)
        return -1;
    s->dirty = false;
    s->written_ms = now_ms;
    return 0;
}

struct hf_names hf_list(struct arena *a, int dirfd, size_t limit)
{
    VEC(const char *) names = {0};
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (dir == NULL) {
        fd_close(&fd);
        return (struct hf_names){.read = true};
    }
    while (names.len < limit && (entry = readdir(dir)) != NULL) {
        bool folder =
            entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN;

        if (folder && entry->d_name[0] != '.')
            vec_push(a, &names, str_dup(a, str_from(entry->d_name)));
    }
    (void)closedir(dir);
    return (struct hf_names){names.at, names.len, true};
}

/* "org/name" is kept in models--org--name, after the name that the user typed. */
static const char *folder_name(struct arena *a, const char *repo)
{
    struct buf b = buf_new(a, FOLDER_MAX);

    buf_addz(&b, "models--");
    for (const char *c = repo; *c != '\0'; c++) {
        if (*c == '/')
            buf_addz(&b, "--");
        else
            buf_addc(&b, *c);
    }
    return buf_str(&b).ptr;
}

static void close_fd(int *fd)
{
    fd_close(fd);
    *fd = -1;
}

/*
 * The folder with its snapshots/, which a scan of the cache misses in any folder that has none, so
 * it comes first. The shared flock tells a run that would take the empty folder away that we are
 * here; one that did so before is seen by the count of names.
 */
static int make_folder(const struct layout_place *p, struct err *err)
{
    struct hf_place *s = hf_state(p);
    const char *snapshots = str_format(p->arena, "%s/snapshots", s->name);
    struct stat st;

    for (int i = 0; i < OPEN_TRIES; i++) {
        struct err why = {0};

        if (folder_open(&s->repo_fd, p, p->store.fd, s->name, false, err) < 0)
            return -1;
        if (s->repo_fd < 0 &&
            file_mkdirs(p->store.fd, snapshots, &p->config->volume->root, &why) < 0 &&
            why.sys != ENOENT) {
            *err = why;
            return folder_refused(err, p, snapshots);
        }
        if (s->repo_fd < 0)
            continue; /* opened the next time round, by which it may be gone again */
        (void)flock(s->repo_fd, LOCK_SH | LOCK_NB);
        if (folder_open(&s->snapshots_fd, p, s->repo_fd, "snapshots", true, &why) < 0 &&
            why.sys != ENOENT) {
            *err = why;
            return -1;
        }
        if (s->snapshots_fd >= 0 && fstat(s->repo_fd, &st) == 0 && st.st_nlink > 0)
            return 0;
        close_fd(&s->snapshots_fd);
        close_fd(&s->repo_fd);
    }
    return err_set(err, ERR_VOLUME, "%s is made and removed again by others", p->shown);
}

/*
 * huggingface_hub puts it into each cache, so that backups can leave caches out. Not worth a
 * failure: who cannot write it will fail at something that counts.
 */
static void tag_cache(const struct layout_place *p)
{
    static const char text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                               "# This file is a cache directory tag created by huggingface_hub.\n"
                               "# For information about cache directory tags, see:\n"
                               "#\thttps://bford.info/cachedir/\n";
    const struct hf_place *s = hf_state(p);
    const char *staging = str_format(p->arena, "%s/" STAGING_DIR, s->name);
    struct err ignored = {0};
    struct stat st;

    if (fstatat(p->store.fd, "CACHEDIR.TAG", &st, AT_SYMLINK_NOFOLLOW) < 0 &&
        file_replace(p->store.fd, "CACHEDIR.TAG", staging, STR(text), s->file_mode, &ignored) < 0)
        return;
}

static int open_writable(struct layout_place *p, struct err *err)
{
    struct hf_place *s = hf_state(p);

    s->file_mode = 0666 & ~file_umask();
    if (make_folder(p, err) < 0 ||
        folder_open(&p->staging_fd, p, s->repo_fd, STAGING_DIR, true, err) < 0 ||
        folder_open(&s->blobs_fd, p, s->repo_fd, "blobs", false, err) < 0)
        return -1;
    tag_cache(p);
    return 0;
}

/* What is not there stays -1. */
static int open_read_only(struct layout_place *p, struct err *err)
{
    struct hf_place *s = hf_state(p);

    if (folder_open(&s->repo_fd, p, p->store.fd, s->name, false, err) < 0)
        return -1;
    if (s->repo_fd < 0)
        return 0;
    if (folder_open(&s->snapshots_fd, p, s->repo_fd, "snapshots", false, err) < 0 ||
        folder_open(&s->blobs_fd, p, s->repo_fd, "blobs", false, err) < 0)
        return -1;
    return folder_open(&p->staging_fd, p, s->repo_fd, STAGING_DIR, false, err);
}

int hf_place_open(struct layout_place *p, const struct model_ref *ref, struct err *err)
{
    const struct layout_config *config = p->config;
    struct hf_place *s = arena_new(p->arena, struct hf_place);
    int rc;

    *s = (struct hf_place){.repo_fd = -1, .blobs_fd = -1, .snapshots_fd = -1, .shared_fd = -1};
    s->name = folder_name(p->arena, ref->repo);
    p->state = s;
    p->folder = str_format(p->arena, "hf/%s", s->name);
    p->shown = str_format(p->arena, "%s/%s", config->hf_hub, s->name);
    s->written_ms = clock_now_ms(hf_clock(p));
    if (blob_records_read(&p->records, p->arena, config->volume, p->folder, err) < 0)
        return -1;
    if (store_open(&p->store, p->arena, config->volume, config->hf_hub, !config->read_only, err) <
        0) {
        p->store = (struct store){.path = config->hf_hub, .fd = -1, .volume = config->volume};
        return config->read_only && err->code == ERR_NOT_FOUND ? 0 : -1;
    }
    rc = config->read_only ? open_read_only(p, err) : open_writable(p, err);
    if (rc == 0 && !config->read_only)
        rc = hf_ref_check(p, ref->revision, err);
    if (rc < 0)
        hf_place_close(p);
    return rc;
}

/*
 * A model that proved not to exist shall leave no folder behind. The exclusive flock is had only
 * when no other run has the folder open; where flock may mean this host alone, the folder stays.
 */
static void take_back(const struct layout_place *p)
{
    const struct hf_place *s = hf_state(p);
    struct err ignored = {0};

    if (p->config->read_only || s->snapshots_fd < 0 || hf_blobs(p, &ignored) < 0 ||
        hf_list(p->arena, s->snapshots_fd, 1).len > 0 || !volume_is_local(s->repo_fd) ||
        flock(s->repo_fd, LOCK_EX | LOCK_NB) < 0)
        return;
    if (unlinkat(s->repo_fd, STAGING_DIR, AT_REMOVEDIR) == 0 &&
        unlinkat(s->repo_fd, "blobs", AT_REMOVEDIR) == 0 &&
        unlinkat(s->repo_fd, "snapshots", AT_REMOVEDIR) == 0)
        (void)unlinkat(p->store.fd, s->name, AT_REMOVEDIR);
}

void hf_place_close(struct layout_place *p)
{
    struct hf_place *s = hf_state(p);
    struct err ignored = {0};

    if (s == NULL)
        return;
    if (p->records != NULL && hf_flush(p, true, &ignored) < 0)
        layout_notice(p->config, "what was verified will be hashed again: %s", ignored.msg);
    take_back(p);
    close_fd(&s->shared_fd);
    close_fd(&s->snapshots_fd);
    close_fd(&s->blobs_fd);
    close_fd(&s->repo_fd);
    close_fd(&p->staging_fd);
    if (p->store.fd >= 0)
        store_close(&p->store);
}
