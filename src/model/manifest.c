#include "model/manifest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "text/relpath.h"

static int compare_paths(const void *a, const void *b)
{
    const struct model_file *left = a;
    const struct model_file *right = b;

    return strcmp(left->path, right->path);
}

/* The file that path takes for a folder; NULL: none. */
static const struct model_file *file_as_folder(const struct manifest *m, const char *path)
{
    char folder[RELPATH_MAX + 1];
    const char *slash = path;

    while ((slash = strchr(slash, '/')) != NULL) {
        size_t len = (size_t)(slash - path);
        const struct model_file *file;

        assert(len < sizeof(folder));
        memcpy(folder, path, len);
        folder[len] = '\0';
        file = manifest_find(m, folder);
        if (file != NULL)
            return file;
        slash++;
    }
    return NULL;
}

static int check_sizes(const struct manifest *m, struct err *err)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].size > MANIFEST_SIZE_MAX ||
            __builtin_add_overflow(sum, m->files[i].size, &sum) || sum > MANIFEST_SIZE_MAX)
            return err_set(err, ERR_LIMIT, "%s: with %s the files are larger than 2^50 bytes",
                           m->ref.text, m->files[i].path);
    }
    return 0;
}

int manifest_check(struct manifest *m, struct err *err)
{
    if (m->file_count > MANIFEST_FILES_MAX)
        return err_set(err, ERR_LIMIT, "%s: %zu files, at most %zu are taken", m->ref.text,
                       m->file_count, MANIFEST_FILES_MAX);
    if (m->file_count > 1)
        qsort(m->files, m->file_count, sizeof(m->files[0]), compare_paths);
    for (size_t i = 1; i < m->file_count; i++)
        if (strcmp(m->files[i - 1].path, m->files[i].path) == 0)
            return err_set(err, ERR_LIMIT, "%s: the listing names %s twice", m->ref.text,
                           m->files[i].path);
    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *folder = file_as_folder(m, m->files[i].path);

        if (folder != NULL)
            return err_set(err, ERR_LIMIT, "%s: the listing has %s both as a file and as a folder",
                           m->ref.text, folder->path);
    }
    return check_sizes(m, err);
}

const struct model_file *manifest_find(const struct manifest *m, const char *path)
{
    const struct model_file key = {.path = path};

    if (m->file_count == 0)
        return NULL;
    return bsearch(&key, m->files, m->file_count, sizeof(m->files[0]), compare_paths);
}

uint64_t manifest_wanted_bytes(const struct manifest *m)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].wanted)
            bytes += m->files[i].size;
    return bytes;
}

size_t manifest_wanted_count(const struct manifest *m)
{
    size_t count = 0;

    for (size_t i = 0; i < m->file_count; i++)
        count += m->files[i].wanted;
    return count;
}
