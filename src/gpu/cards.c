#include "gpu/cards.h"

#include <stdio.h>
#include <string.h>

#include "text/buf.h"
#include "text/num.h"
#include "text/vec.h"

#define MIB            ((uint64_t)1 << 20)
#define GB             ((uint64_t)1000000000)
#define RESERVED_LEAST ((uint64_t)350)
#define NAMES_MAX      ((size_t)4096)
#define COUNT_MAX      ((uint64_t)64)
#define WORD_MAX       ((size_t)40)

static const struct card {
    const char *name;
    uint64_t total_mib, reserved_mib;
    const char *sm;
} cards[] = {
#define CARD(name, total, reserved, sm) {name, total, reserved, sm},
#include "gpu/cards.def"
#undef CARD
};

const char *cards_names(struct arena *a)
{
    struct buf b = buf_new(a, NAMES_MAX);

    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)
        buf_addf(&b, "%s%s", i == 0 ? "" : ", ", cards[i].name);
    return b.ptr;
}

/* Small letters and figures alone, without the words that makers put in front. */
static struct str plain(struct arena *a, struct str name)
{
    static const char *const heads[] = {"nvidia", "geforce", "tesla", "rtx"};
    char *out = arena_array(a, char, name.len + 1);
    struct str s = {out, 0};

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[s.len++] = c;
    }
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (str_starts(s, str_from(heads[i])))
            s = (struct str){s.ptr + strlen(heads[i]), s.len - strlen(heads[i])};
    }
    return s;
}

/* "A100" alone is the smaller one of its name, "L4-24GB" that with a size. */
static const struct card *find(struct arena *a, struct str name)
{
    struct str wanted = plain(a, name);
    const struct card *found = NULL;

    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        struct str has = plain(a, str_from(cards[i].name));

        if (str_eq(has, wanted) ||
            str_eq(wanted, plain(a, str_from(str_format(a, "%sGB", cards[i].name)))))
            return &cards[i];
        if (found == NULL && wanted.len > 0 && str_starts(has, wanted) &&
            strchr(cards[i].name, '-') != NULL && wanted.len == has.len - 2)
            found = &cards[i];
    }
    return found;
}

/* "24GB", "24", "7.6GiB": a bare number is of gigabytes, as cards are sold. */
static bool size_of(struct card *out, struct str spec)
{
    uint64_t bytes;
    struct err err;

    if (num_parse_size(&bytes, spec, &err) < 0)
        return false;
    if (spec.ptr[spec.len - 1] >= '0' && spec.ptr[spec.len - 1] <= '9') {
        if (bytes > 100000)
            return false;
        bytes *= GB;
    }
    out->total_mib = bytes / MIB;
    out->reserved_mib = out->total_mib * 18 / 1000;
    if (out->reserved_mib < RESERVED_LEAST)
        out->reserved_mib = RESERVED_LEAST;
    out->sm = "";
    return out->total_mib > out->reserved_mib && out->total_mib <= GPU_MIB_MAX;
}

static struct gpu gpu_of(const struct card *card, const char *name, size_t index)
{
    struct gpu gpu = {.index = (uint32_t)index,
                      .total_mib = card->total_mib,
                      .reserved_mib = card->reserved_mib,
                      .cuda_total_mib = card->total_mib - card->reserved_mib};

    gpu.free_mib = gpu.cuda_total_mib;
    (void)snprintf(gpu.uuid, sizeof(gpu.uuid), "GPU-%zu", index + 1);
    (void)snprintf(gpu.name, sizeof(gpu.name), "%s", name);
    (void)snprintf(gpu.sm, sizeof(gpu.sm), "%s", card->sm);
    return gpu;
}

/* "2x" in front of a name or a size; 1 if it is not there. */
static uint64_t take_count(struct str *spec)
{
    struct str rest = *spec;
    struct str head;
    uint64_t count;
    struct err err;

    if (!str_cut(&rest, 'x', &head) || num_parse_u64(&count, head, COUNT_MAX, &err) < 0 ||
        count == 0 || rest.len == 0)
        return 1;
    *spec = str_trim(rest);
    return count;
}

int cards_inventory(struct gpu_inventory *out, struct arena *a, const char *const *specs,
                    size_t count, struct err *err)
{
    VEC(struct gpu) gpus = {0};

    for (size_t i = 0; i < count; i++) {
        struct str spec = str_trim(str_from(specs[i]));
        uint64_t each = take_count(&spec);
        struct card sized = {.name = str_dup(a, spec)};
        const struct card *card = spec.len <= WORD_MAX ? find(a, spec) : NULL;

        if (card == NULL && spec.len > 0 && size_of(&sized, spec))
            card = &sized;
        if (card == NULL) {
            (void)err_set(err, ERR_USAGE,
                          "--gpu %s: neither a size like 24GB nor a card that is known",
                          str_printable(a, str_from(specs[i]), WORD_MAX));
            return err_hint(err, "cards: %s", cards_names(a));
        }
        if (gpus.len + each > GPU_MAX)
            return err_set(err, ERR_LIMIT, "more than %zu GPUs are named", GPU_MAX);
        for (; each > 0; each--) {
            struct gpu gpu = gpu_of(card, card->name, gpus.len);

            vec_push(a, &gpus, gpu);
        }
    }
    *out = (struct gpu_inventory){.driver = "given", .gpus = gpus.at, .count = gpus.len};
    return 0;
}
