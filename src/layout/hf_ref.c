#include "layout/hf_ref.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layout/hf_snapshot.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/stop.h"
#include "text/relpath.h"

#define REFS "refs"

/* A client that truncates a ref writes its 40 bytes at once afterwards. */
#define REF_AGAIN_MS 20

/* A repository has a name for each pull request that somebody asked for. */
#define NAMES_MAX ((size_t)100000)

/* ---- whose name it is ---- */

/*
 * Another entry of the folder to which the part leads; NULL: the part itself is listed, or nothing
 * that could be it. Where only letters of ASCII fold the spelling tells; else the inode does, which
 * not every filesystem has.
 */
static const char *other_spelling(struct arena *a, int folder, const char *part)
{
    const struct dirent *entry;
    const char *other = NULL;
    struct stat st;
    DIR *dir;
    int fd;

    if (fstatat(folder, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return NULL;
    fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        fd_close(&fd);
        return NULL;
    }
    for (size_t i = 0; i < NAMES_MAX && (entry = readdir(dir)) != NULL; i++) {
        if (strcmp(entry->d_name, part) == 0) {
            other = NULL;
            break;
        }
        if (other == NULL &&
            (str_eq_nocase(str_from(entry->d_name), str_from(part)) || entry->d_ino == st.st_ino))
            other = str_dup(a, str_from(entry->d_name));
    }
    (void)closedir(dir);
    return other;
}

/* The path beneath the repository, as it is on disk, that refs/<revision> leads to though it is
 * another's; NULL: it is free, or the revision's own. */
static const char *taken_by(const struct layout_place *p, const char *revision)
{
    struct str rest = str_from(revision);
    const char *above = REFS;

    for (;;) {
        struct err ignored = {0};
        FD_SCOPED folder = file_open(hf_state(p)->repo_fd, above,
                                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &ignored);
        const char *other;
        struct str part;
        bool more;

        if (folder < 0)
            return NULL;
        more = str_cut(&rest, '/', &part);
        other = other_spelling(p->arena, folder, str_dup(p->arena, part));
        if (other != NULL)
            return str_format(p->arena, "%s/%s", above, other);
        if (!more)
            return NULL;
        above = str_format(p->arena, "%s/%.*s", above, (int)part.len, part.ptr);
    }
}

int hf_ref_check(const struct layout_place *p, const char *revision, struct err *err)
{
    const char *other;

    if (hf_state(p)->repo_fd < 0 || ref_is_commit(revision))
        return 0;
    other = taken_by(p, revision);
    if (other == NULL)
        return 0;
    (void)err_set(err, ERR_LIMIT,
                  "%s: the name of revision %s leads to %s, which is another's: this filesystem "
                  "does not tell the two apart (it folds case, or forms of Unicode)",
                  p->shown, revision, other);
    return err_hint(err,
                    "pull to a volume on another filesystem, or name the commit instead of the "
                    "revision; or remove %s/%s, if it is needed no longer",
                    p->shown, other);
}

/* ---- reading ---- */

static ssize_t read_once(char *text, size_t room, const struct layout_place *p, const char *path)
{
    struct err ignored = {0};
    FD_SCOPED fd =
        file_open(hf_state(p)->repo_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &ignored);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    return read(fd, text, room);
}

bool hf_ref_read(char out[static HF_COMMIT_HEX + 1], const struct layout_place *p,
                 const char *revision, bool exact)
{
    char path[RELPATH_MAX + sizeof(REFS "/")];
    char text[HF_COMMIT_HEX + 24];
    struct str commit;
    ssize_t len;

    if (hf_state(p)->repo_fd < 0 || strlen(revision) > RELPATH_MAX)
        return false;
    (void)snprintf(path, sizeof(path), REFS "/%s", revision);
    len = read_once(text, sizeof(text), p, path);
    if (len == 0) {
        (void)stop_wait_ms(REF_AGAIN_MS);
        len = read_once(text, sizeof(text), p, path);
    }
    if (len < (ssize_t)HF_COMMIT_HEX)
        return false;
    commit = (struct str){text, (size_t)len};
    if (!exact)
        commit = str_trim(commit);
    if (commit.len != HF_COMMIT_HEX || taken_by(p, revision) != NULL)
        return false;
    memcpy(out, commit.ptr, HF_COMMIT_HEX);
    out[HF_COMMIT_HEX] = '\0';
    return ref_is_commit(out);
}

/* ---- writing ---- */

/*
 * 40 digits and nothing else. The temporary file is elsewhere: a stray name beneath refs/ makes a
 * scan of the cache call the whole repository corrupted.
 */
int hf_ref_publish(const struct layout_place *p, const char *revision, const char *commit,
                   struct err *err)
{
    const struct hf_place *s = hf_state(p);
    char there[HF_COMMIT_HEX + 1];
    const char *path = str_format(p->arena, REFS "/%s", revision);
    const char *slash = strrchr(path, '/');
    FD_SCOPED parent = -1;

    if (relpath_check(str_from(revision), err) < 0)
        return err_wrap(err, "%s: revision", p->shown);
    /* Another host may have pulled another spelling since the place was opened. */
    if (hf_ref_check(p, revision, err) < 0)
        return -1;
    if (hf_open_parents(&parent, p, s->repo_fd, (struct str){path, (size_t)(slash - path)}, err) <
        0) {
        if (err->code == ERR_LIMIT && strchr(revision, '/') != NULL)
            return err_hint(err, "a revision of that name may have been there once: remove its "
                                 "file, and pull again");
        return err_wrap(err, "%s: the name of revision %s", p->shown, revision);
    }
    if (hf_ref_read(there, p, revision, true) && strcmp(there, commit) == 0)
        return 0;
    return file_replace(s->repo_fd, path, ".hostler", (struct str){commit, HF_COMMIT_HEX},
                        s->file_mode, err);
}
