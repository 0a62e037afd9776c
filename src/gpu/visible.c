#include "gpu/visible.h"

#include <stdio.h>
#include <string.h>

#include "text/num.h"
#include "text/str.h"

/* Of a variable's value in a reason. */
#define SHOWN 60

/* The GPUs that a list can name, as places in the inventory, and which of them it does. */
struct choice {
    struct gpu_inventory *inventory;
    const char *name; /* of the variable */
    const char *value;
    size_t at[GPU_MAX];
    size_t count;
    bool chosen[GPU_MAX]; /* by place in the inventory */
    size_t chosen_count;
    size_t last; /* the place of the one chosen last */
};

static bool is_instance(const struct gpu *gpu)
{
    return gpu->mig_parent[0] != '\0';
}

/* Whole cards and instances that nothing has hidden so far. */
static struct choice choice_of(struct gpu_inventory *inventory, const char *name, const char *value)
{
    struct choice c = {.inventory = inventory, .name = name, .value = value};

    for (size_t i = 0; i < inventory->count && c.count < GPU_MAX; i++) {
        if (inventory->gpus[i].state != GPU_HIDDEN)
            c.at[c.count++] = i;
    }
    return c;
}

static struct gpu *candidate(const struct choice *c, size_t i)
{
    return &c->inventory->gpus[c->at[i]];
}

static void choose(struct choice *c, size_t i)
{
    if (!c->chosen[c->at[i]])
        c->chosen_count++;
    c->chosen[c->at[i]] = true;
    c->last = c->at[i];
}

static bool parse_number(uint64_t *out, struct str text)
{
    struct err unused;

    return num_parse_u64(out, text, GPU_MAX, &unused) == 0;
}

/* The n-th whole card; false if there are not so many. */
static bool choose_card(struct choice *c, uint64_t n)
{
    for (size_t i = 0; i < c->count; i++) {
        if (is_instance(candidate(c, i)) || n-- > 0)
            continue;
        choose(c, i);
        return true;
    }
    return false;
}

/* "0:1": of a card an instance, both by number. */
static bool choose_instance(struct choice *c, uint64_t card, uint64_t instance)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct gpu *gpu = candidate(c, i);

        if (!is_instance(gpu) || gpu->index != card || gpu->mig_index != instance)
            continue;
        choose(c, i);
        return true;
    }
    return false;
}

/* The old name of an instance: MIG-GPU-<uuid of the card>/gi/ci. */
static bool has_old_name(const struct gpu *gpu, struct str name)
{
    char old[GPU_TEXT + 32];

    if (!is_instance(gpu))
        return false;
    (void)snprintf(old, sizeof(old), "MIG-%s/%u/%u", gpu->mig_parent, gpu->mig_gi, gpu->mig_ci);
    return str_eqz(name, old);
}

/* A UUID, or a beginning of it that fits one GPU alone. */
static bool choose_uuid(struct choice *c, struct str name)
{
    size_t found = 0;
    size_t last = 0;

    if (name.len <= 4 || !(str_starts(name, STR("GPU-")) || str_starts(name, STR("MIG-"))))
        return false;
    for (size_t i = 0; i < c->count; i++) {
        const struct gpu *gpu = candidate(c, i);

        if (!str_starts(str_from(gpu->uuid), name) && !has_old_name(gpu, name))
            continue;
        found++;
        last = i;
    }
    if (found != 1)
        return false;
    choose(c, last);
    return true;
}

static bool choose_entry(struct choice *c, struct str entry)
{
    struct str card;
    struct str rest = entry;
    uint64_t n;
    uint64_t instance;

    if (parse_number(&n, entry))
        return choose_card(c, n);
    if (str_cut(&rest, ':', &card) && parse_number(&n, card) && parse_number(&instance, rest))
        return choose_instance(c, n, instance);
    return choose_uuid(c, entry);
}

/* What was not chosen is hidden. A card that is cut up stays what it is, its instances tell. */
static void hide_rest(const struct choice *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct gpu *gpu = candidate(c, i);

        if (c->chosen[c->at[i]] || gpu->state == GPU_MIG_PARENT)
            continue;
        gpu_set_state(gpu, GPU_HIDDEN, "not in %s=%.*s", c->name, SHOWN, c->value);
        gpu_set_hint(gpu, "name it there to use it");
    }
}

static void hide_all(const struct choice *c, const char *why, const char *hint)
{
    for (size_t i = 0; i < c->count; i++) {
        if (candidate(c, i)->state == GPU_MIG_PARENT)
            continue;
        gpu_set_state(candidate(c, i), GPU_HIDDEN, "%s=%.*s %s", c->name, SHOWN, c->value, why);
        gpu_set_hint(candidate(c, i), "%s", hint);
    }
}

/* "nvidia.com/gpu=0" of CDI is 0. */
static struct str plain_entry(struct str entry)
{
    static const char *const heads[] = {"nvidia.com/gpu=", "runtime.nvidia.com/gpu="};

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct str head = str_from(heads[i]);

        if (str_starts(entry, head))
            return (struct str){entry.ptr + head.len, entry.len - head.len};
    }
    return entry;
}

static bool lists(const char *value, const char *word)
{
    struct str rest = str_from(value);
    struct str entry;

    while (rest.len > 0) {
        (void)str_cut(&rest, ',', &entry);
        if (str_eqz(plain_entry(str_trim(entry)), word))
            return true;
    }
    return false;
}

/* How many GPUs a program could be given: cards that are not cut up, and instances. */
static size_t usable_count(const struct choice *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++)
        count += candidate(c, i)->state != GPU_MIG_PARENT;
    return count;
}

static size_t entry_count(const char *value)
{
    size_t count = 1;

    for (const char *comma = value; (comma = strchr(comma, ',')) != NULL; comma++)
        count++;
    return count;
}

/* A card that is named to the runtime brings all of its instances. */
static void choose_children(struct choice *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct gpu *parent = candidate(c, i);

        if (parent->state != GPU_MIG_PARENT || !c->chosen[c->at[i]])
            continue;
        for (size_t k = 0; k < c->count; k++) {
            if (is_instance(candidate(c, k)) && candidate(c, k)->index == parent->index)
                choose(c, k);
        }
    }
}

static void apply_nvidia(struct gpu_inventory *inventory, const char *value)
{
    struct choice c = choice_of(inventory, "NVIDIA_VISIBLE_DEVICES", value);
    struct str rest = str_from(value);
    struct str entry;

    if (value[0] == '\0' || value[0] == '/' || lists(value, "void") || lists(value, "all"))
        return;
    if (lists(value, "none")) {
        hide_all(&c, "asks for no GPU", "name the GPUs there to use them");
        return;
    }
    if (usable_count(&c) <= entry_count(value))
        return;
    while (rest.len > 0) {
        (void)str_cut(&rest, ',', &entry);
        (void)choose_entry(&c, plain_entry(str_trim(entry)));
    }
    choose_children(&c);
    hide_rest(&c);
}

/* The cards, as it is they that are counted: instances are named after their cards and profiles. */
static bool are_alike(const struct choice *c)
{
    const struct gpu *first = NULL;

    for (size_t i = 0; i < c->count; i++) {
        const struct gpu *gpu = candidate(c, i);

        if (is_instance(gpu))
            continue;
        if (first != NULL && strcmp(gpu->name, first->name) != 0)
            return false;
        first = gpu;
    }
    return true;
}

/* Of a card that is cut up its first instance, where there is one. */
static void choose_first_child(struct choice *c, const struct gpu *parent)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!is_instance(candidate(c, i)) || candidate(c, i)->index != parent->index)
            continue;
        choose(c, i);
        return;
    }
}

/*
 * Lists up to the first entry that is not valid, or that leads to an instance: one is the most. A
 * card that is cut up leads to its first. True: a number stands in the list.
 */
static bool choose_until_invalid(struct choice *c)
{
    struct str rest = str_from(c->value);
    struct str entry;
    bool numbers = false;
    uint64_t n;

    while (rest.len > 0) {
        const struct gpu *gpu;

        (void)str_cut(&rest, ',', &entry);
        entry = str_trim(entry);
        if (!choose_entry(c, entry))
            break;
        numbers = numbers || parse_number(&n, entry);
        gpu = &c->inventory->gpus[c->last];
        if (gpu->state == GPU_MIG_PARENT)
            choose_first_child(c, gpu);
        if (gpu->state == GPU_MIG_PARENT || is_instance(gpu))
            break;
    }
    return numbers;
}

static void apply_cuda(struct gpu_inventory *inventory, const char *value, const char *order)
{
    struct choice c = choice_of(inventory, "CUDA_VISIBLE_DEVICES", value);
    bool by_bus = order != NULL && strcmp(order, "PCI_BUS_ID") == 0;
    bool numbers = choose_until_invalid(&c);

    if (numbers && !by_bus && !are_alike(&c) && c.chosen_count < c.count) {
        hide_all(&c,
                 "counts in CUDA's own order, fastest first, so which of different GPUs it means "
                 "cannot be told",
                 "set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID");
        return;
    }
    if (c.chosen_count == 0)
        hide_all(&c, "names none of the GPUs here",
                 "name GPUs that are here, or unset it; a container counts its own from 0");
    else
        hide_rest(&c);
}

void visible_hide_nvidia(struct gpu_inventory *inventory, const struct gpu_visible *visible)
{
    if (visible->nvidia_visible_devices != NULL)
        apply_nvidia(inventory, visible->nvidia_visible_devices);
    if (visible->cuda_visible_devices != NULL)
        apply_cuda(inventory, visible->cuda_visible_devices, visible->cuda_device_order);
}

static void apply_amd(struct gpu_inventory *inventory, const char *name, const char *value)
{
    struct choice c = choice_of(inventory, name, value);

    if (value == NULL)
        return;
    (void)choose_until_invalid(&c);
    if (c.chosen_count == 0)
        hide_all(&c, "names none of the GPUs here", "name GPUs that are here, or unset it");
    else
        hide_rest(&c);
}

void visible_hide_amd(struct gpu_inventory *inventory, const struct gpu_visible *visible)
{
    apply_amd(inventory, "ROCR_VISIBLE_DEVICES", visible->rocr_visible_devices);
    apply_amd(inventory, "HIP_VISIBLE_DEVICES", visible->hip_visible_devices);
}
