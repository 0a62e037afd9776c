#include "gpu/nvml_host.h"

#include <stdio.h>

#include "gpu/tree.h"
#include "text/vec.h"

#define VENDOR_NVIDIA 0x10de
/* PCI classes with the programming interface cut off: VGA, 3D controller. */
#define CLASS_VGA 0x0300
#define CLASS_3D  0x0302

static bool is_version(struct str word)
{
    size_t points = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '.')
            points++;
        else if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return false;
    }
    return points > 0 && word.ptr[0] != '.' && word.ptr[word.len - 1] != '.';
}

const char *nvml_host_version(struct arena *a, struct str text)
{
    struct str line;
    struct str word;

    (void)str_cut(&text, '\n', &line);
    while (line.len > 0) {
        (void)str_cut(&line, ' ', &word);
        if (word.len > 0 && word.len < GPU_TEXT && is_version(word))
            return str_dup(a, word);
    }
    return NULL;
}

static void read_gpus(struct nvml_host *out, struct arena *a, const char *proc)
{
    struct tree_names names = tree_list(a, proc, "driver/nvidia/gpus", "");
    VEC(struct gpu) gpus = {0};

    for (size_t i = 0; i < names.len && i < GPU_MAX; i++) {
        struct gpu gpu = {.index = (uint32_t)i};
        struct str value;
        struct str text;

        if (!tree_text(&text, a, proc,
                       str_format(a, "driver/nvidia/gpus/%s/information", names.at[i])))
            continue;
        tree_copy(gpu.pci, sizeof(gpu.pci), str_from(names.at[i]));
        if (tree_field(&value, text, "Model"))
            tree_copy(gpu.name, sizeof(gpu.name), value);
        /* Question marks stand there until the GPU was used for the first time. */
        if (tree_field(&value, text, "GPU UUID") && memchr(value.ptr, '?', value.len) == NULL)
            tree_copy(gpu.uuid, sizeof(gpu.uuid), value);
        vec_push(a, &gpus, gpu);
    }
    out->gpus = gpus.at;
    out->gpu_count = gpus.len;
}

static const char *first_card(struct arena *a, const char *sys)
{
    struct tree_names names = tree_list(a, sys, "bus/pci/devices", "");

    for (size_t i = 0; i < names.len; i++) {
        uint64_t vendor = 0;
        uint64_t class = 0;

        if (!tree_u64(&vendor, a, sys, str_format(a, "bus/pci/devices/%s/vendor", names.at[i])) ||
            !tree_u64(&class, a, sys, str_format(a, "bus/pci/devices/%s/class", names.at[i])))
            continue;
        class >>= 8;
        if (vendor == VENDOR_NVIDIA && (class == CLASS_VGA || class == CLASS_3D))
            return names.at[i];
    }
    return NULL;
}

void nvml_host_look(struct nvml_host *out, struct arena *a, const struct gpu_look *look)
{
    struct nvml_host host = {0};
    struct str text;

    if (tree_text(&text, a, look->proc, "driver/nvidia/version")) {
        host.module = nvml_host_version(a, text);
        if (host.module == NULL)
            host.module = "of an unknown version";
    }
    host.card = first_card(a, look->sys);
    host.control = tree_refused(a, look->dev, "nvidiactl");
    read_gpus(&host, a, look->proc);
    *out = host;
}
