/*
 * AMD's GPUs, by what the kernel's driver amdgpu shows in /sys: its cards in class/drm, and in
 * class/kfd the nodes that ROCm computes on, whose order is the one ROCm counts in.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gpu/gpu.h"
#include "gpu/tree.h"
#include "gpu/visible.h"
#include "text/num.h"
#include "text/str.h"
#include "text/vec.h"

#define VENDOR_AMD 0x1002
#define MIB        ((uint64_t)1 << 20)
#define NODES      "class/kfd/kfd/topology/nodes"
#define NO_NODE    UINT32_MAX

struct card {
    struct gpu gpu;
    const char *name; /* "card0" */
    uint64_t render;  /* number of /dev/dri/renderD<n>, 0: none */
    uint32_t node;    /* order of ROCm; NO_NODE: it does not compute on it */
};

typedef VEC(struct card) cards;

struct walk {
    struct arena *arena;
    const struct gpu_look *look;
};

static const char *device_path(const struct walk *w, const char *card, const char *file)
{
    return str_format(w->arena, "class/drm/%s/device/%s", card, file);
}

static bool device_u64(uint64_t *out, const struct walk *w, const char *card, const char *file)
{
    return tree_u64(out, w->arena, w->look->sys, device_path(w, card, file));
}

static uint64_t mib_of(uint64_t bytes)
{
    return bytes / MIB < GPU_MIB_MAX ? bytes / MIB : GPU_MIB_MAX;
}

static void read_memory(struct gpu *gpu, const struct walk *w, const char *card, const char *kind)
{
    uint64_t total = 0;
    uint64_t used = 0;

    if (!device_u64(&total, w, card, str_format(w->arena, "mem_info_%s_total", kind)) ||
        !device_u64(&used, w, card, str_format(w->arena, "mem_info_%s_used", kind)) || total == 0) {
        gpu_set_state(gpu, GPU_FAULTY, "the driver does not tell its memory");
        gpu_set_hint(gpu, "look for amdgpu in the kernel's log (dmesg)");
        return;
    }
    gpu->total_mib = gpu->cuda_total_mib = mib_of(total);
    gpu->used_mib = mib_of(used < total ? used : total);
    gpu->free_mib = gpu->total_mib - gpu->used_mib;
}

static void read_names(struct card *card, const struct walk *w, const char *name)
{
    struct gpu *gpu = &card->gpu;
    const char *pci =
        tree_link_name(w->arena, w->look->sys, str_format(w->arena, "class/drm/%s/device", name));
    struct tree_names nodes =
        tree_list(w->arena, w->look->sys, device_path(w, name, "drm"), "renderD");
    struct err unused;
    struct str text;

    if (pci != NULL)
        (void)snprintf(gpu->pci, sizeof(gpu->pci), "%.31s", pci);
    if (nodes.len > 0 && num_parse_u64(&card->render, str_from(nodes.at[0] + strlen("renderD")),
                                       UINT32_MAX, &unused) < 0)
        card->render = 0;
    if (tree_text(&text, w->arena, w->look->sys, device_path(w, name, "product_name")) &&
        text.len > 0)
        tree_copy(gpu->name, sizeof(gpu->name), text);
    else
        (void)snprintf(gpu->name, sizeof(gpu->name), "AMD GPU");
    /* Sixteen hexadecimal digits, as ROCm's tools write it after "GPU-". APUs have none. */
    if (tree_text(&text, w->arena, w->look->sys, device_path(w, name, "unique_id")) &&
        text.len > 0 && text.len <= 16 && str_is_hex(text))
        (void)snprintf(gpu->uuid, sizeof(gpu->uuid), "GPU-%.16s", str_dup(w->arena, text));
    else
        (void)snprintf(gpu->uuid, sizeof(gpu->uuid), "PCI-%s", gpu->pci);
}

static uint64_t node_u64(struct str properties, const char *name)
{
    struct err unused;
    struct str text;
    uint64_t n = 0;

    if (!tree_field(&text, properties, name) || num_parse_u64(&n, text, UINT64_MAX, &unused) < 0)
        return 0;
    return n;
}

/* 90402 is gfx942: the last two digits of three numbers, the third as one hexadecimal digit. */
static void name_target(char out[static 16], uint64_t version)
{
    if (version > 0 && version < 1000000)
        (void)snprintf(out, 16, "gfx%" PRIu64 "%" PRIu64 "%" PRIx64, version / 10000,
                       version / 100 % 100, version % 100);
}

/* Gives each card the node that has its render device. A node with CPU cores too is an APU. */
static void read_nodes(cards *all, const struct walk *w)
{
    struct tree_names nodes = tree_list(w->arena, w->look->sys, NODES, "");
    uint32_t order = 0;

    for (size_t i = 0; i < nodes.len && order < GPU_MAX; i++) {
        const char *path = str_format(w->arena, NODES "/%s/properties", nodes.at[i]);
        struct str text;
        uint64_t render;

        if (!tree_text(&text, w->arena, w->look->sys, path) || node_u64(text, "simd_count") == 0)
            continue;
        render = node_u64(text, "drm_render_minor");
        for (size_t k = 0; k < all->len; k++) {
            struct card *card = &all->at[k];

            if (render == 0 || card->render != render)
                continue;
            card->node = order;
            card->gpu.unified = node_u64(text, "cpu_cores_count") > 0;
            name_target(card->gpu.sm, node_u64(text, "gfx_target_version"));
        }
        order++;
    }
}

/* May ROCm use it? Both devices are needed. */
static void read_permission(struct card *card, const struct walk *w)
{
    const char *why = tree_refused(w->arena, w->look->dev, "kfd");

    if (card->node == NO_NODE) {
        gpu_set_state(&card->gpu, GPU_FAULTY, "ROCm does not know it: it is not in /sys/" NODES);
        gpu_set_hint(&card->gpu, "use a card and a kernel that ROCm supports");
        return;
    }
    if (why == NULL)
        why = tree_refused(w->arena, w->look->dev,
                           str_format(w->arena, "dri/renderD%" PRIu64, card->render));
    if (why == NULL)
        return;
    gpu_set_state(&card->gpu, GPU_NO_PERMISSION, "%s", why);
    gpu_set_hint(&card->gpu,
                 "in a container: --device /dev/kfd --device /dev/dri; else add the user "
                 "to the group that owns them (render, video)");
}

static bool is_card(const char *name)
{
    return strspn(name + strlen("card"), "0123456789") == strlen(name + strlen("card"));
}

/* The cards with their nodes; memory last, as APUs have another one. */
static void read_cards(cards *all, const struct walk *w)
{
    struct tree_names names = tree_list(w->arena, w->look->sys, "class/drm", "card");

    for (size_t i = 0; i < names.len && all->len < GPU_MAX; i++) {
        struct card card = {.name = names.at[i], .node = NO_NODE};
        uint64_t vendor = 0;

        if (!is_card(names.at[i]) || !device_u64(&vendor, w, names.at[i], "vendor") ||
            vendor != VENDOR_AMD)
            continue;
        read_names(&card, w, names.at[i]);
        vec_push(w->arena, all, card);
    }
    read_nodes(all, w);
    for (size_t i = 0; i < all->len; i++) {
        struct card *card = &all->at[i];

        read_permission(card, w);
        read_memory(&card->gpu, w, card->name, card->gpu.unified ? "gtt" : "vram");
    }
}

/* In ROCm's order, then those that it does not know. */
static void put_in_order(struct gpu_inventory *out, struct arena *a, const cards *all)
{
    struct gpu *gpus = arena_array(a, struct gpu, all->len);
    size_t count = 0;

    for (uint32_t node = 0; node < GPU_MAX; node++) {
        for (size_t i = 0; i < all->len; i++) {
            if (all->at[i].node == node)
                gpus[count++] = all->at[i].gpu;
        }
    }
    for (size_t i = 0; i < all->len; i++) {
        if (all->at[i].node == NO_NODE)
            gpus[count++] = all->at[i].gpu;
    }
    for (size_t i = 0; i < count; i++)
        gpus[i].index = (uint32_t)i;
    out->gpus = gpus;
    out->count = count;
}

static int look_amd(struct gpu_inventory *out, bool *ret_here, struct arena *a,
                    const struct gpu_look *look, struct err *err)
{
    const struct walk w = {.arena = a, .look = look};
    cards all = {0};
    struct str version;

    (void)err;
    read_cards(&all, &w);
    *ret_here = all.len > 0;
    if (all.len == 0)
        return 0;
    out->reason[0] = out->hint[0] = '\0';
    if (tree_text(&version, a, look->sys, "module/amdgpu/version") && version.len < GPU_TEXT)
        memcpy(out->driver_version, version.ptr, version.len);
    put_in_order(out, a, &all);
    return 0;
}

const struct gpu_driver gpu_driver_amd = {
    .name = "amd", .look = look_amd, .hide = visible_hide_amd};
