#include "layout/ollama_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "layout/folder.h"
#include "layout/ollama_find.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"
#include "sys/stop.h"

#define OPEN_TRIES 64
#define AGAIN_MS   2

/*
 * Who removes a folder holds its exclusive flock, and only for that moment. Where flock does not
 * work, or that moment does not end, the folder is taken as it is.
 */
static bool is_going(int fd, bool last_try)
{
    struct stat st;

    if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK && !last_try)
        return true;
    return fstat(fd, &st) < 0 || st.st_nlink == 0;
}

int ollama_hold(int *ret_fd, const struct layout_place *p, const char *path, struct err *err)
{
    for (int i = 1; i <= OPEN_TRIES; i++) {
        struct err why = {0};
        FD_SCOPED fd = -1;

        if (folder_open(&fd, p, p->store.fd, path, true, &why) < 0 && why.sys != ENOENT) {
            *err = why;
            return -1;
        }
        if (fd >= 0 && !is_going(fd, i == OPEN_TRIES)) {
            *ret_fd = fd_take(&fd);
            return 0;
        }
        if (stop_wait_ms(AGAIN_MS))
            return stop_err(err);
    }
    return err_set(err, ERR_VOLUME, "%s/%s is made and removed again by others", p->store.path,
                   path);
}

/* rmdir of a path beneath the store, no link followed out of it. */
static bool remove_empty(const struct layout_place *p, struct str path)
{
    ARENA_SCOPED a = {0};
    struct str name = path;
    struct err ignored;
    FD_SCOPED parent = -1;

    if (!str_rcut(&path, '/', &name))
        path = STR(".");
    parent = file_open_dir(p->store.fd, str_dup(&a, path), &ignored);
    return parent >= 0 && unlinkat(parent, str_dup(&a, name), AT_REMOVEDIR) == 0;
}

/*
 * Nobody else has it open, and it is still the one that its path names: who gets the exclusive lock
 * gives up the shared one first, and in between another may have removed it and a third made anew.
 */
static bool is_ours_alone(int fd)
{
    struct stat st;

    return fd >= 0 && volume_is_local(fd) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
           fstat(fd, &st) == 0 && st.st_nlink > 0;
}

void ollama_give(const struct layout_place *p, const char *path, int *fd)
{
    struct str at = str_from(path);
    struct str name;

    if (is_ours_alone(*fd)) {
        while (remove_empty(p, at) && str_rcut(&at, '/', &name))
            ; /* and the parents that become empty with it */
        /* Who keeps a lease there has a copy of the descriptor, and with it would keep the lock. */
        (void)flock(*fd, LOCK_UN);
    }
    fd_close(fd);
    *fd = -1;
}

static const char *folder_of(const struct layout_place *p, const struct model_file *file)
{
    char name[OLLAMA_BLOB_NAME];

    return str_format(p->arena, OLLAMA_OWN "/%s", ollama_blob_name(name, &file->digest));
}

int ollama_open_staging(int *ret_dirfd, struct layout_place *p, const struct model_file *file,
                        bool make, struct err *err)
{
    *ret_dirfd = -1;
    if (file->size <= STAGING_SMALL_BYTES || p->store.fd < 0)
        return 0;
    if (make)
        return ollama_hold(ret_dirfd, p, folder_of(p, file), err);
    return folder_open(ret_dirfd, p, p->store.fd, folder_of(p, file), false, err);
}

void ollama_leave_staging(struct layout_place *p, const struct model_file *file, int *dirfd)
{
    ollama_give(p, folder_of(p, file), dirfd);
}
