#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "gpu/inventory.h"
#include "gpu/tree.h"
#include "json/json.h"
#include "sys/fd.h"

static int read_text(char *out, size_t size, const struct json *object, const char *key,
                     struct err *err)
{
    struct str text = {"", 0};

    if (json_str(&text, object, key, err) < 0)
        return -1;
    if (text.len >= size)
        return err_set(err, ERR_LIMIT, "\"%s\" is longer than %zu bytes", key, size - 1);
    tree_copy(out, size, text);
    return 0;
}
#define READ_TEXT(array, object, key, err) read_text(array, sizeof(array), object, key, err)

static int too_large(const char *key, uint64_t most, struct err *err)
{
    return err_set(err, ERR_LIMIT, "\"%s\" is more than %ju", key, (uintmax_t)most);
}

static int read_number(uint64_t *out, const struct json *object, const char *key, uint64_t most,
                       struct err *err)
{
    if (json_u64(out, object, key, err) < 0)
        return -1;
    return *out <= most ? 0 : too_large(key, most, err);
}

/* One of the words of an enum; what is absent stays. */
static int read_word(unsigned *out, const struct json *object, const char *key,
                     const char *(*name)(unsigned), unsigned count, struct err *err)
{
    struct str text = {"", 0};

    if (json_get(object, key) == NULL)
        return 0;
    if (json_str(&text, object, key, err) < 0)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        if (!str_eqz(text, name(i)))
            continue;
        *out = i;
        return 0;
    }
    return err_set(err, ERR_USAGE, "\"%s\" has a word that we do not know", key);
}

static const char *state_word(unsigned i)
{
    return gpu_state_name((enum gpu_state)i);
}

static const char *mode_word(unsigned i)
{
    return gpu_compute_mode_name((enum gpu_compute_mode)i);
}

static const char *link_word(unsigned i)
{
    return gpu_link_name((enum gpu_link_kind)i);
}

/* What is missing follows from the rest: total = reserved + CUDA's, CUDA's = used + free. */
static int read_sizes(struct gpu *gpu, const struct json *object, struct err *err)
{
    bool free_given = json_get(object, "free_mib") != NULL;
    bool used_given = json_get(object, "used_mib") != NULL;

    if (read_number(&gpu->total_mib, object, "total_mib", GPU_MIB_MAX, err) < 0 ||
        read_number(&gpu->reserved_mib, object, "reserved_mib", GPU_MIB_MAX, err) < 0 ||
        read_number(&gpu->cuda_total_mib, object, "cuda_total_mib", GPU_MIB_MAX, err) < 0 ||
        read_number(&gpu->used_mib, object, "used_mib", GPU_MIB_MAX, err) < 0 ||
        read_number(&gpu->free_mib, object, "free_mib", GPU_MIB_MAX, err) < 0)
        return -1;
    if (gpu->total_mib == 0 && gpu->cuda_total_mib > 0)
        gpu->total_mib = gpu->cuda_total_mib + gpu->reserved_mib;
    if (gpu->total_mib > GPU_MIB_MAX)
        return too_large("total_mib", GPU_MIB_MAX, err);
    if (gpu->reserved_mib > gpu->total_mib || gpu->cuda_total_mib > gpu->total_mib)
        return err_set(err, ERR_USAGE, "a part of the memory is larger than \"total_mib\"");
    if (json_get(object, "cuda_total_mib") == NULL)
        gpu->cuda_total_mib = gpu->total_mib - gpu->reserved_mib;
    if (gpu->used_mib > gpu->cuda_total_mib || gpu->free_mib > gpu->cuda_total_mib)
        return err_set(err, ERR_USAGE, "a part of the memory is larger than \"cuda_total_mib\"");
    if (gpu->used_mib + gpu->free_mib > gpu->cuda_total_mib)
        return err_set(err, ERR_USAGE,
                       "\"used_mib\" %ju and \"free_mib\" %ju are more than \"cuda_total_mib\" %ju",
                       (uintmax_t)gpu->used_mib, (uintmax_t)gpu->free_mib,
                       (uintmax_t)gpu->cuda_total_mib);
    if (!free_given)
        gpu->free_mib = gpu->cuda_total_mib - gpu->used_mib;
    if (!used_given)
        gpu->used_mib = gpu->cuda_total_mib - gpu->free_mib;
    return 0;
}

/* A GPU that can be used has a size; one that tells nothing may have none. */
static int check_known(const struct gpu *gpu, struct err *err)
{
    if (gpu->uuid[0] == '\0' && gpu->state == GPU_OK)
        return err_set(err, ERR_USAGE, "\"uuid\" is missing");
    if (gpu->total_mib == 0 && gpu->state == GPU_OK)
        return err_set(err, ERR_USAGE, "\"total_mib\" or \"cuda_total_mib\" is missing");
    return 0;
}

static int read_mig(struct gpu *gpu, const struct json *object, struct err *err)
{
    const struct json *mig = json_get(object, "mig");

    if (mig == NULL)
        return 0;
    if (!json_is_object(mig))
        return err_set(err, ERR_USAGE, "\"mig\" should be an object");
    if (READ_TEXT(gpu->mig_parent, mig, "parent", err) < 0 ||
        READ_TEXT(gpu->mig_profile, mig, "profile", err) < 0)
        return -1;
    if (gpu->mig_parent[0] == '\0')
        return err_set(err, ERR_USAGE, "\"mig\" lacks its \"parent\"");
    return 0;
}

/* An array of at most `most` objects; absent is empty. */
static int open_list(const struct json **ret_list, const struct json *object, const char *key,
                     size_t most, struct err *err)
{
    const struct json *list = json_get(object, key);

    *ret_list = list;
    if (list != NULL && !json_is_array(list))
        return err_set(err, ERR_USAGE, "\"%s\" should be an array", key);
    if (json_len(list) > most)
        return err_set(err, ERR_LIMIT, "\"%s\" has more than %zu entries", key, most);
    for (size_t i = 0; i < json_len(list); i++) {
        if (!json_is_object(json_at(list, i)))
            return err_set(err, ERR_USAGE, "an entry of \"%s\" should be an object", key);
    }
    return 0;
}

static int read_processes(struct gpu *gpu, struct arena *a, const struct json *object,
                          struct err *err)
{
    const struct json *list;

    if (open_list(&list, object, "processes", GPU_PROCESS_MAX, err) < 0)
        return -1;
    gpu->process_count = json_len(list);
    gpu->processes = arena_array(a, struct gpu_process, gpu->process_count);
    for (size_t i = 0; i < gpu->process_count; i++) {
        const struct json *at = json_at(list, i);
        struct gpu_process *p = &gpu->processes[i];

        p->mib_known = json_get(at, "mib") != NULL;
        if (read_number(&p->pid, at, "pid", UINT32_MAX, err) < 0 ||
            read_number(&p->mib, at, "mib", GPU_MIB_MAX, err) < 0 ||
            READ_TEXT(p->name, at, "name", err) < 0)
            return -1;
    }
    return 0;
}

static int read_links(struct gpu *gpu, struct arena *a, const struct json *object, struct err *err)
{
    const struct json *list;

    if (open_list(&list, object, "links", GPU_LINK_MAX, err) < 0)
        return -1;
    gpu->link_count = json_len(list);
    gpu->links = arena_array(a, struct gpu_link, gpu->link_count);
    for (size_t i = 0; i < gpu->link_count; i++) {
        unsigned kind = GPU_LINK_SYS;

        if (READ_TEXT(gpu->links[i].to, json_at(list, i), "to", err) < 0 ||
            read_word(&kind, json_at(list, i), "kind", link_word, GPU_LINK_KINDS, err) < 0)
            return -1;
        gpu->links[i].kind = (enum gpu_link_kind)kind;
    }
    return 0;
}

static int read_state(struct gpu *gpu, const struct json *object, struct err *err)
{
    unsigned state = GPU_OK;
    unsigned mode = GPU_COMPUTE_DEFAULT;

    if (json_bool(&gpu->display, object, "display", err) < 0 ||
        json_bool(&gpu->unified, object, "unified", err) < 0 ||
        read_word(&mode, object, "compute_mode", mode_word, GPU_COMPUTE_MODES, err) < 0 ||
        read_word(&state, object, "state", state_word, GPU_STATES, err) < 0 ||
        READ_TEXT(gpu->reason, object, "reason", err) < 0 ||
        READ_TEXT(gpu->hint, object, "hint", err) < 0)
        return -1;
    gpu->state = (enum gpu_state)state;
    gpu->compute_mode = (enum gpu_compute_mode)mode;
    return 0;
}

static int read_gpu(struct gpu *gpu, struct arena *a, const struct json *object, size_t place,
                    struct err *err)
{
    uint64_t index = place;

    if (READ_TEXT(gpu->uuid, object, "uuid", err) < 0 ||
        read_number(&index, object, "index", GPU_MAX - 1, err) < 0 ||
        READ_TEXT(gpu->name, object, "name", err) < 0 ||
        READ_TEXT(gpu->pci, object, "pci", err) < 0 || READ_TEXT(gpu->sm, object, "sm", err) < 0 ||
        read_sizes(gpu, object, err) < 0 || read_mig(gpu, object, err) < 0 ||
        read_state(gpu, object, err) < 0 || check_known(gpu, err) < 0)
        return -1;
    gpu->index = (uint32_t)index;
    return read_processes(gpu, a, object, err) < 0 ? -1 : read_links(gpu, a, object, err);
}

/* Two of one name: nobody could tell which one is meant. */
static int check_unique(const struct gpu_inventory *inventory, size_t place, struct err *err)
{
    for (size_t i = 0; i < place; i++) {
        if (inventory->gpus[place].uuid[0] != '\0' &&
            strcmp(inventory->gpus[i].uuid, inventory->gpus[place].uuid) == 0)
            return err_set(err, ERR_USAGE, "its \"uuid\" is that of GPU %zu too", i);
    }
    return 0;
}

static int read_all(struct gpu_inventory *out, struct arena *a, const struct json *doc,
                    struct err *err)
{
    const struct json *list;

    if (!json_is_object(doc) || !json_is_array(json_get(doc, "gpus")))
        return err_set(err, ERR_USAGE, "an object with an array \"gpus\" is expected");
    if (READ_TEXT(out->driver, doc, "driver", err) < 0 ||
        READ_TEXT(out->driver_version, doc, "driver_version", err) < 0 ||
        READ_TEXT(out->cuda_version, doc, "cuda_version", err) < 0 ||
        READ_TEXT(out->reason, doc, "reason", err) < 0 ||
        READ_TEXT(out->hint, doc, "hint", err) < 0 ||
        open_list(&list, doc, "gpus", GPU_MAX, err) < 0)
        return -1;
    out->count = json_len(list);
    out->gpus = arena_array(a, struct gpu, out->count);
    for (size_t i = 0; i < out->count; i++) {
        if (read_gpu(&out->gpus[i], a, json_at(list, i), i, err) < 0 ||
            check_unique(out, i, err) < 0)
            return err_wrap(err, "GPU %zu", i);
    }
    return 0;
}

int inventory_read(struct gpu_inventory *out, struct arena *a, struct str text, const char *what,
                   struct err *err)
{
    JSON_SCOPED *doc = json_parse(text, INVENTORY_MAX, what, err);
    struct gpu_inventory got = {0};
    int r;

    if (doc == NULL) {
        if (err->code == ERR_NET)
            err->code = ERR_USAGE;
        return -1;
    }
    r = read_all(&got, a, doc, err);
    if (r < 0 && err->code == ERR_NET)
        err->code = ERR_USAGE; /* the file is the operator's, not an answer */
    if (r < 0)
        return err_wrap(err, "%s", what);
    *out = got;
    return 0;
}

/* A pipe will do too: --gpus-from <(ssh host hostler gpus --json). */
int inventory_read_file(struct gpu_inventory *out, struct arena *a, const char *path,
                        struct err *err)
{
    FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text;
    size_t len = 0;
    ssize_t got = 1;

    if (fd < 0)
        return err_sys(err, ERR_USAGE, "the inventory of GPUs %s", path);
    text = arena_array(a, char, INVENTORY_MAX + 1);
    while (got > 0 && len <= INVENTORY_MAX) {
        got = read(fd, text + len, INVENTORY_MAX + 1 - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    if (got < 0)
        return err_sys(err, ERR_USAGE, "reading the inventory of GPUs %s", path);
    return inventory_read(out, a, (struct str){text, len}, path, err);
}
