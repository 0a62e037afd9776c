#include "worker/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "text/str.h"

#define SYSTEM_DIR "/run/hostler"
#define ID_MAX     ((size_t)200)

static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* Opens a directory that can be trusted: whose own_only is set is ours and nobody else's. */
static int open_trusted(const char *path, bool make, bool own_only, struct err *err)
{
    struct stat st;

    if (make && mkdir(path, own_only ? 0700 : 0755) < 0 && errno != EEXIST)
        return err_sys(err, ERR_VOLUME, "%s cannot be made", path);
    FD_SCOPED fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (own_only ? O_NOFOLLOW : 0));
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_VOLUME, "%s", path);
    if (own_only && (st.st_uid != geteuid() || (st.st_mode & 077) != 0)) {
        (void)err_set(err, ERR_VOLUME,
                      "%s is not a folder that only we may enter (owner %u, mode %04o)", path,
                      (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
        return err_hint(err, "remove it, or name another folder with HOSTLER_RUNTIME_DIR");
    }
    if ((st.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH) {
        (void)err_set(err, ERR_VOLUME, "%s can be written by everybody", path);
        return err_hint(err, "chmod o-w %s, or name another folder with HOSTLER_RUNTIME_DIR", path);
    }
    if (make && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return err_sys(err, ERR_VOLUME, "%s cannot be written", path);
    return fd_take(&fd);
}

/* The reader looks where the writer would have written; what is not there is no reason to stop. */
static bool has_status(int fd, struct arena *a, const struct config *config)
{
    struct err ignored;
    const char *name;
    struct stat st;

    return runtime_status_name(&name, a, config, &ignored) == 0 &&
           fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int runtime_open(struct runtime *out, struct arena *a, const struct config *config, bool make,
                 struct err *err)
{
    const char *own = str_format(a, "/tmp/hostler-%u", (unsigned)geteuid());
    struct err ignored = {0};
    int fd;

    if (config->runtime_dir != NULL) {
        fd = open_trusted(config->runtime_dir, make, false, err);
        if (fd < 0)
            return err_wrap(err, "HOSTLER_RUNTIME_DIR");
        *out = (struct runtime){fd, config->runtime_dir};
        return 0;
    }
    fd = open_trusted(SYSTEM_DIR, make, false, &ignored);
    if (fd >= 0 && (make || has_status(fd, a, config))) {
        *out = (struct runtime){fd, SYSTEM_DIR};
        return 0;
    }
    fd_close(&fd);
    fd = open_trusted(own, make, true, err);
    if (fd < 0)
        return -1;
    *out = (struct runtime){fd, own};
    return 0;
}

void runtime_close(struct runtime *r)
{
    fd_close(&r->fd);
    r->fd = -1;
}

int runtime_status_name(const char **out, struct arena *a, const struct config *config,
                        struct err *err)
{
    const char *id = config->worker_id != NULL ? config->worker_id : "worker";
    size_t len = strlen(id);

    if (len > ID_MAX || strspn(id, id_letters) != len || id[0] == '.') {
        (void)err_set(err, ERR_USAGE, "WORKER_ID: \"%.80s\" is no name of a worker", id);
        return err_hint(err, "it takes letters, digits, '.', '_' and '-', at most %zu", ID_MAX);
    }
    *out = str_format(a, "%s.status", id);
    return 0;
}
