#include "plan/on_volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "layout/layout.h"
#include "plan/headers.h"
#include "sys/fd.h"
#include "text/vec.h"
#include "worker/model_path.h"
#include "worker/read_order.h"

struct on_volume {
    const char *folder; /* files are beneath it; NULL: their paths are whole */
    VEC(struct headers_file) files;
};

static const char *whole_path(struct arena *a, const struct on_volume *v, size_t file)
{
    const char *path = v->files.at[file].path;

    return v->folder == NULL ? path : str_format(a, "%s/%s", v->folder, path);
}

/* Fits headers_from; ctx is a struct on_volume. */
static int first(void *ctx, struct str *out, struct arena *a, size_t file, uint64_t bytes,
                 struct err *err)
{
    const struct on_volume *v = ctx;
    const char *path = whole_path(a, v, file);
    uint64_t most = v->files.at[file].bytes;
    size_t len = (size_t)(bytes < most ? bytes : most);
    char *buf = arena_array(a, char, len + 1);
    FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t done = 0;

    if (fd < 0)
        return err_sys(err, ERR_VOLUME, "%s", path);
    while (done < len) {
        ssize_t n = pread(fd, buf + done, len - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, ERR_VOLUME, "%s", path);
        if (n == 0)
            return err_set(err, ERR_VOLUME, "%s: it became shorter while it was read", path);
        done += (size_t)n;
    }
    *out = (struct str){buf, len};
    return 0;
}

static int list_folder(struct on_volume *v, struct arena *a, const char *path, struct err *err)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    if (dir == NULL)
        return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_VOLUME, "%s", path);
    while ((entry = readdir(dir)) != NULL && v->files.len < HEADERS_FILES_MAX) {
        struct headers_file file;
        struct stat st;

        if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
            continue;
        file = (struct headers_file){str_dup(a, str_from(entry->d_name)), (uint64_t)st.st_size};
        vec_push(a, &v->files, file);
    }
    (void)closedir(dir);
    v->folder = path;
    return 0;
}

static int list_ollama(struct on_volume *v, struct arena *a, const struct config *config,
                       const struct model_ref *ref, struct err *err)
{
    struct layout_config look = config->layout;
    struct read_order order = {0};
    struct volume volume;
    int r;

    if (volume_open(&volume, a, config->volume_path, false, err) < 0)
        return -1;
    look.volume = &volume;
    r = read_order_ollama(&order, a, &look, ref, err);
    volume_close(&volume);
    for (size_t i = 0; r == 0 && i < order.files.len; i++) {
        struct headers_file file = {order.files.at[i].path, order.files.at[i].bytes};

        vec_push(a, &v->files, file);
    }
    return r;
}

int on_volume_facts(struct model_facts *out, const char **ret_path, struct arena *a,
                    const struct config *config, const struct model_ref *ref, struct err *err)
{
    const struct catalog_want want = {.ref = *ref, .name = ref->text};
    struct on_volume v = {0};
    struct headers_from from = {.name = ref->text, .first = first, .ctx = &v};
    bool ollama = strcmp(ref->source, "ollama") == 0;
    const char *path = ollama ? NULL : model_path(a, config, &want, err);

    if ((!ollama && (path == NULL || list_folder(&v, a, path, err) < 0)) ||
        (ollama && list_ollama(&v, a, config, ref, err) < 0))
        return -1;
    if (v.files.len == 0)
        return err_set(err, ERR_NOT_FOUND, "%s is not on the volume", ref->text);
    from.files = v.files.at;
    from.count = v.files.len;
    if ((ollama ? headers_ollama : headers_hub)(out, a, &from, err) < 0)
        return -1;
    *ret_path = ollama ? v.files.at[0].path : path;
    return 0;
}
