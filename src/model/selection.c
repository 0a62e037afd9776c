#include <stdlib.h>

#include "model/manifest.h"
#include "text/buf.h"
#include "text/glob.h"
#include "text/num.h"
#include "text/vec.h"

#define LIST_MAX ((size_t)300)

/* Weights in formats that are left out, also where no safetensors stand beside them. */
static const char *const other_weights[] = {
    "*.pt",   "*.pth",    "*.ckpt",  "*.h5",      "*.msgpack", "*.ot",
    "*.gguf", "*.tflite", "*.onnx*", "*.mlmodel", NULL,
};

/* Folders that hold the same model once more, for other programs. */
static const char *const other_folders[] = {
    "onnx", "openvino", "coreml", "original", "metal", "*.mlpackage", NULL,
};

/* What ends in .bin and is not a model: a repository is not full because it has one of these. */
static const char *const no_weights[] = {"training_args.bin", "*imatrix*", NULL};

/* A folder with safetensors in it, and what the choice of the files beside them needs to know. */
struct folder {
    struct str path;
    bool model_safetensors; /* model*.safetensors */
};

struct folders {
    VEC(struct folder) list; /* sorted by path, each once */
};

static bool any_match(const char *const *patterns, struct str s)
{
    for (; patterns != NULL && *patterns != NULL; patterns++)
        if (glob_match(str_from(*patterns), s))
            return true;
    return false;
}

/* Takes a path apart into its folder ("" at the top) and its name. */
static struct str folder_of(const char *path, struct str *ret_name)
{
    struct str folder = str_from(path);

    if (str_rcut(&folder, '/', ret_name))
        return folder;
    *ret_name = folder;
    return (struct str){path, 0};
}

static int compare_folders(const void *a, const void *b)
{
    const struct folder *left = a;
    const struct folder *right = b;

    return str_cmp(left->path, right->path);
}

static const struct folder *find_folder(const struct folders *f, struct str path)
{
    const struct folder key = {.path = path};

    if (f->list.len == 0)
        return NULL;
    return bsearch(&key, f->list.at, f->list.len, sizeof(key), compare_folders);
}

/* Sorts the folders and makes one of those with the same path. */
static void merge(struct folders *f)
{
    size_t kept = 0;

    if (f->list.len == 0)
        return;
    qsort(f->list.at, f->list.len, sizeof(f->list.at[0]), compare_folders);
    for (size_t i = 1; i < f->list.len; i++) {
        if (str_eq(f->list.at[kept].path, f->list.at[i].path))
            f->list.at[kept].model_safetensors |= f->list.at[i].model_safetensors;
        else
            f->list.at[++kept] = f->list.at[i];
    }
    f->list.len = kept + 1;
}

static struct folders find_safetensors(struct arena *a, const struct manifest *m)
{
    struct folders f = {0};

    for (size_t i = 0; i < m->file_count; i++) {
        struct folder folder;
        struct str name;

        folder.path = folder_of(m->files[i].path, &name);
        if (!str_ends(name, STR(".safetensors")))
            continue;
        folder.model_safetensors = str_starts(name, STR("model"));
        vec_push(a, &f.list, folder);
    }
    merge(&f);
    return f;
}

static bool in_other_folder(struct str folder)
{
    bool more = folder.len > 0;

    while (more) {
        struct str segment;

        more = str_cut(&folder, '/', &segment);
        if (any_match(other_folders, segment))
            return true;
    }
    return false;
}

static bool is_default(const struct folders *f, const char *path)
{
    struct str name;
    struct str path_of_folder = folder_of(path, &name);
    const struct folder *folder = find_folder(f, path_of_folder);

    if (in_other_folder(path_of_folder) || any_match(other_weights, name))
        return false;
    if (folder == NULL)
        return true;
    return !str_ends(name, STR(".bin")) &&
           !(folder->model_safetensors && glob_match(STR("consolidated*.safetensors"), name));
}

static bool is_weights(const char *path)
{
    struct str name;

    (void)folder_of(path, &name);
    return any_match(other_weights, name) || str_ends(name, STR(".safetensors")) ||
           (str_ends(name, STR(".bin")) && !any_match(no_weights, name));
}

/* The files with weights and their sizes, as many as a message has room for. */
static void list_weights(struct buf *list, const struct manifest *m)
{
    size_t left_out = 0;

    for (size_t i = 0; i < m->file_count; i++) {
        char size[NUM_TEXT];
        size_t before = list->len;

        if (!is_weights(m->files[i].path))
            continue;
        if (left_out == 0)
            buf_addf(list, "%s%s (%s)", before > 0 ? ", " : "", m->files[i].path,
                     num_format_size(size, m->files[i].size));
        if (left_out > 0 || list->cut) {
            left_out++;
            buf_truncate(list, before);
        }
    }
    list->limit += NUM_TEXT;
    if (left_out > 0)
        buf_addf(list, "%s%zu more", list->len > 0 ? " and " : "", left_out);
}

/* A repository with weights of which the default selection takes none would be silently useless. */
static int check_weights(const struct manifest *m, struct arena *a, struct err *err)
{
    struct buf list = buf_new(a, LIST_MAX);
    bool only_gguf = true;
    bool some = false;

    for (size_t i = 0; i < m->file_count; i++) {
        if (!is_weights(m->files[i].path))
            continue;
        if (m->files[i].wanted)
            return 0;
        some = true;
        only_gguf = only_gguf && str_ends(str_from(m->files[i].path), STR(".gguf"));
    }
    if (!some)
        return 0;
    list_weights(&list, m);
    (void)err_set(err, ERR_USAGE, "%s holds %s, name the files to have: %s", m->ref.text,
                  only_gguf ? "weights as GGUF only" : "no safetensors and no .bin weights",
                  list.ptr);
    return err_hint(err, "--include 'FILE or GLOB' (and --include '*.json' for what belongs to "
                         "it), or --all-files");
}

static void list_patterns(struct buf *out, const char *option, const char *const *patterns)
{
    for (; patterns != NULL && *patterns != NULL; patterns++)
        buf_addf(out, "%s%s '%s'", out->len > 0 ? " " : "", option, *patterns);
}

static int refuse_nothing(const struct manifest *m, const struct selection *s, struct arena *a,
                          struct err *err)
{
    struct buf patterns = buf_new(a, LIST_MAX);

    if (m->file_count == 0) {
        (void)err_set(err, ERR_NOT_FOUND, "%s holds no files", m->ref.text);
        return err_hint(err, "check the name and the revision");
    }
    list_patterns(&patterns, "--include", s->include);
    list_patterns(&patterns, "--exclude", s->exclude);
    (void)err_set(err, ERR_NOT_FOUND, "%s: none of its %zu files is selected by %s", m->ref.text,
                  m->file_count, patterns.len > 0 ? patterns.ptr : "the default selection");
    return err_hint(err, "--dry-run --all-files lists the files");
}

static int select_default(struct manifest *m, struct arena *a, struct err *err)
{
    struct folders folders = find_safetensors(a, m);

    for (size_t i = 0; i < m->file_count; i++)
        m->files[i].wanted = is_default(&folders, m->files[i].path);
    return check_weights(m, a, err);
}

int selection_apply(bool *ret_whole, struct manifest *m, const struct selection *s, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    bool filtered = strcmp(m->ref.source, "hf") == 0;
    bool include = s->include != NULL && s->include[0] != NULL;

    for (size_t i = 0; i < m->file_count; i++)
        m->files[i].wanted =
            !filtered || !include || any_match(s->include, str_from(m->files[i].path));
    if (filtered && !include && !s->all_files && select_default(m, &scratch, err) < 0)
        return -1;
    for (size_t i = 0; filtered && i < m->file_count; i++)
        if (any_match(s->exclude, str_from(m->files[i].path)))
            m->files[i].wanted = false;
    if (manifest_wanted_count(m) == 0)
        return refuse_nothing(m, s, &scratch, err);
    *ret_whole = manifest_wanted_count(m) == m->file_count;
    return 0;
}
