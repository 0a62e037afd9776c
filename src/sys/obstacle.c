#include "sys/obstacle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/fd.h"
#include "text/str.h"

bool obstacle_is_met(const struct err *err)
{
    return err->sys == ENOTDIR || err->sys == ELOOP || err->sys == EXDEV;
}

const char *obstacle_find(struct arena *a, int dirfd, const char *path)
{
    FD_SCOPED at = -1;

    for (const char *part = path; *part != '\0';) {
        size_t len = strcspn(part, "/");
        const char *name = str_dup(a, (struct str){part, len});
        struct stat st;
        int fd;

        if (len > 0 && fstatat(at < 0 ? dirfd : at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return path;
        if (len > 0 && !S_ISDIR(st.st_mode))
            return str_dup(a, (struct str){path, (size_t)(part - path) + len});
        fd = openat(at < 0 ? dirfd : at, len > 0 ? name : ".",
                    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return path;
        fd_close(&at);
        at = fd;
        part += len;
        part += strspn(part, "/");
    }
    return path;
}

int obstacle_err(struct err *err, int dirfd, const char *where, const char *path)
{
    ARENA_SCOPED a = {0};

    (void)err_set(err, ERR_LIMIT, "%s/%s should be a directory of its own, and is not", where,
                  obstacle_find(&a, dirfd, path));
    return err_hint(err, "look who made it; remove it, and pull again");
}
