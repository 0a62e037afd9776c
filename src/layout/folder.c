#include "layout/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/obstacle.h"

int folder_hostile(struct err *err, const struct layout_place *p, const char *where,
                   const char *what)
{
    (void)err_set(err, ERR_LIMIT, "%s/%s %s", p->store.path, where, what);
    return err_hint(err, "look who made it; remove it, and pull again");
}

int folder_refused(struct err *err, const struct layout_place *p, const char *where)
{
    if (obstacle_is_met(err))
        return obstacle_err(err, p->store.fd, p->store.path, where);
    return err_wrap(err, "%s", p->shown);
}

/* The path of name in the open directory dirfd, beneath the store. */
static const char *path_in_store(const struct layout_place *p, int dirfd, const char *name)
{
    char store[PATH_MAX];
    char dir[PATH_MAX];
    size_t len;

    if (!file_path_of(store, p->store.fd) || !file_path_of(dir, dirfd))
        return name;
    len = strlen(store);
    if (strncmp(dir, store, len) != 0 || dir[len] != '/')
        return name;
    return str_format(p->arena, "%s/%s", dir + len + 1, name);
}

int folder_open(int *ret_fd, const struct layout_place *p, int dirfd, const char *name, bool make,
                struct err *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    struct err why = {0};
    int fd = file_open(dirfd, name, flags, 0, &why);

    if (fd < 0 && why.sys == ENOENT && !make) {
        *ret_fd = -1;
        return 0;
    }
    if (fd < 0 && why.sys == ENOENT &&
        file_mkdirs(dirfd, name, &p->config->volume->root, &why) == 0)
        fd = file_open(dirfd, name, flags, 0, &why);
    if (fd < 0) {
        *err = why;
        return folder_refused(err, p, path_in_store(p, dirfd, name));
    }
    *ret_fd = fd;
    return 0;
}

int folder_sync(const struct layout_place *p, int fd, struct err *err)
{
    if (fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == EOPNOTSUPP)
        return 0;
    return file_err(err, "fsync %s", p->shown);
}
