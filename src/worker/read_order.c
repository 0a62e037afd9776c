#include "worker/read_order.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout/ollama_find.h"
#include "model/weights.h"
#include "sys/file.h"
#include "text/glob.h"
#include "text/vec.h"

#define ENTRIES_MAX ((size_t)100000) /* of one folder */

/* Folders that hold the same model once more, for other programs. */
static const char *const other_folders[] = {"onnx", "openvino", "coreml", "original", "metal"};

static const char *const ollama_parts[] = {"model*", "adapter*", "projector*"};

struct names {
    VEC(const char *) files;
    VEC(const char *) folders;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool matches(const char *const *patterns, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (glob_match(str_from(patterns[i]), str_from(name)))
            return true;
    }
    return false;
}
#define MATCHES(patterns, name) matches(patterns, sizeof(patterns) / sizeof((patterns)[0]), name)

static void take_name(struct names *out, struct arena *a, int dirfd, const char *name)
{
    struct stat st;

    if (name[0] == '.' || fstatat(dirfd, name, &st, 0) < 0)
        return;
    if (S_ISDIR(st.st_mode) && !MATCHES(other_folders, name))
        vec_push(a, &out->folders, str_dup(a, str_from(name)));
    if (S_ISREG(st.st_mode) && weights_in(name))
        vec_push(a, &out->files, str_dup(a, str_from(name)));
}

static int read_names(struct names *out, struct arena *a, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    size_t left = ENTRIES_MAX;

    if (dir == NULL) {
        (void)file_err(err, "%s", path);
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    while (left > 0 && (entry = readdir(dir)) != NULL) {
        take_name(out, a, fd, entry->d_name);
        left--;
    }
    (void)closedir(dir);
    if (left == 0)
        return err_set(err, ERR_LIMIT, "%s has more than %zu names", path, ENTRIES_MAX);
    if (out->files.len > 0)
        qsort(out->files.at, out->files.len, sizeof(out->files.at[0]), compare_names);
    if (out->folders.len > 0)
        qsort(out->folders.at, out->folders.len, sizeof(out->folders.at[0]), compare_names);
    return 0;
}

/* What cannot be looked at any more is left out: the engine will say so. */
static int add(struct read_order *out, struct arena *a, const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return 0;
    if (out->files.len >= READ_ORDER_FILES_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %zu files of weights", path,
                       READ_ORDER_FILES_MAX);
    vec_push(a, &out->files,
             ((struct read_ahead_file){
                 .path = path,
                 .bytes = (uint64_t)st.st_size,
                 .device = st.st_dev,
                 .inode = st.st_ino,
             }));
    out->bytes += (uint64_t)st.st_size;
    return 0;
}

static bool any(const struct names *names, const char *pattern)
{
    for (size_t i = 0; i < names->files.len; i++) {
        if (glob_match(str_from(pattern), str_from(names->files.at[i])))
            return true;
    }
    return false;
}

static int add_folder(struct read_order *out, struct arena *a, const char *path,
                      const struct names *names, struct err *err)
{
    bool twice = any(names, "model*.safetensors");
    const char *format = NULL;

    for (size_t i = 0; format == NULL && i < WEIGHTS_FORMATS; i++) {
        if (any(names, weights_formats[i]))
            format = weights_formats[i];
    }
    for (size_t i = 0; format != NULL && i < names->files.len; i++) {
        const char *name = names->files.at[i];

        if (!glob_match(str_from(format), str_from(name)) ||
            (twice && glob_match(STR("consolidated*.safetensors"), str_from(name))))
            continue;
        if (add(out, a, str_format(a, "%s/%s", path, name), err) < 0)
            return -1;
    }
    return 0;
}

int read_order_folder(struct read_order *out, struct arena *a, const char *path, struct err *err)
{
    struct read_order order = {0};
    struct names names = {0};

    if (read_names(&names, a, path, err) < 0 || add_folder(&order, a, path, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.folders.len; i++) {
        const char *folder = str_format(a, "%s/%s", path, names.folders.at[i]);
        struct names inside = {0};

        if (read_names(&inside, a, folder, err) < 0 ||
            add_folder(&order, a, folder, &inside, err) < 0)
            return -1;
    }
    *out = order;
    return 0;
}

static int add_blobs(struct read_order *out, struct arena *a, const char *store,
                     const struct manifest *m, struct err *err)
{
    char name[OLLAMA_BLOB_NAME];

    for (size_t part = 0; part < sizeof(ollama_parts) / sizeof(ollama_parts[0]); part++) {
        for (size_t i = 0; i < m->file_count; i++) {
            const struct model_file *file = &m->files[i];

            if (glob_match(str_from(ollama_parts[part]), str_from(file->path)) &&
                add(out, a,
                    str_format(a, "%s/blobs/%s", store, ollama_blob_name(name, &file->digest)),
                    err) < 0)
                return -1;
        }
    }
    return 0;
}

static int read_place(struct read_order *out, struct arena *a, struct layout_place *place,
                      const struct model_ref *ref, struct err *err)
{
    const char *commit = place->layout->local_commit(place, ref->revision);
    struct manifest m;

    if (commit == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s: not on the volume", ref->text);
    if (place->layout->local_manifest(&m, place, ref, commit, err) < 0)
        return -1;
    return add_blobs(out, a, place->config->ollama_models, &m, err);
}

int read_order_ollama(struct read_order *out, struct arena *a, const struct layout_config *config,
                      const struct model_ref *ref, struct err *err)
{
    struct layout_config look = *config;
    struct read_order order = {0};
    struct layout_place place;
    int result;

    look.read_only = true;
    if (layout_open(&place, a, &look, ref, err) < 0)
        return -1;
    result = read_place(&order, a, &place, ref, err);
    layout_close(&place);
    if (result == 0)
        *out = order;
    return result;
}

void read_order_join(struct read_order *all, struct arena *a, const struct read_order *more)
{
    for (size_t i = 0; i < more->files.len; i++)
        vec_push(a, &all->files, more->files.at[i]);
    all->bytes += more->bytes;
}
