#include "model/gguf.h"

#include <string.h>

#include "model/gguf_keys.h"
#include "model/gguf_scan.h"
#include "text/num.h"
#include "text/seen.h"

#define KEY_MAX                   ((uint64_t)64 << 10)
#define NAME_MAX_LEN              ((uint64_t)64) /* llama.cpp: less than that */
#define KEY_LEAST                 ((uint64_t)14) /* bytes of the shortest */
#define TENSOR_LEAST              ((uint64_t)24)
#define DIMS_MAX                  4
#define ALIGNMENT                 ((uint64_t)32)
#define ALIGNMENT_MAX             ((uint64_t)64 << 10)
#define BLOCKS_MAX                ((uint64_t)4096)
#define SHOWN                     ((size_t)80)
#define PATCH_TOKENS(size, patch) (((size) / (patch)) * ((size) / (patch)))

static const struct {
    uint32_t number;
    const char *name;
    uint64_t elements, bytes;
} types[] = {
#define GGML(number, name, elements, bytes) {number, name, elements, bytes},
#include "model/gguf.def"
#undef GGML
};

struct head {
    struct gguf_scan scan;
    struct gguf_keys keys;
    struct seen seen; /* names of keys, then of tensors */
    uint64_t *blocks; /* bytes of each blk.N */
    struct model_facts facts;
    uint64_t offset; /* where the next tensor begins */
};

static const char *shown(struct head *h, struct str text)
{
    return str_printable(h->scan.arena, text, SHOWN);
}

/* Never for more names than the head can hold, whatever it claims. */
static void make_room(struct head *h, uint64_t names, uint64_t least)
{
    uint64_t most = (uint64_t)(h->scan.end - h->scan.start) / least + 1;

    h->seen = seen_new(h->scan.arena, (size_t)(names < most ? names : most));
}

/* ---- keys ---- */

static enum gguf_step read_key(struct head *h)
{
    struct gguf_value value;
    struct str key;
    uint64_t vocab = h->keys.vocab;
    enum gguf_step r = gguf_string(&h->scan, &key, KEY_MAX);

    if (r != GGUF_OK)
        return r;
    if (key.len == 0)
        return gguf_bad(&h->scan, "a key without a name");
    if (!seen_add(&h->seen, key))
        return gguf_bad(&h->scan, "the key %s is there twice", shown(h, key));
    r = gguf_value(&h->scan, &value);
    if (r != GGUF_OK)
        return r;
    gguf_keep(&h->keys, key, &value);
    if (h->keys.tokens && !str_eqz(key, "tokenizer.ggml.tokens"))
        h->keys.vocab = vocab; /* the list says it better than a number */
    return GGUF_OK;
}

/* ---- tensors ---- */

static uint64_t padded(uint64_t bytes, uint64_t alignment)
{
    uint64_t rest = bytes % alignment;

    return rest == 0 ? bytes : bytes + (alignment - rest);
}

static enum gguf_step dims(struct head *h, struct str name, uint64_t *ret_first, uint64_t *ret_all)
{
    uint32_t count;
    enum gguf_step r = gguf_u32(&h->scan, &count);

    *ret_first = 1;
    *ret_all = 1;
    if (r == GGUF_OK && count > DIMS_MAX)
        return gguf_bad(&h->scan, "tensor %s has %u dimensions", shown(h, name), count);
    for (uint32_t i = 0; r == GGUF_OK && i < count; i++) {
        uint64_t dim = 0;

        r = gguf_u64(&h->scan, &dim);
        if (r == GGUF_OK && (dim >> 63 != 0 || __builtin_mul_overflow(*ret_all, dim, ret_all) ||
                             *ret_all >> 63 != 0))
            return gguf_bad(&h->scan, "tensor %s has more than 2^63 elements", shown(h, name));
        if (i == 0)
            *ret_first = dim;
    }
    return r;
}

/* The N of "blk.N."; false where there is none. */
static bool block_of(uint64_t *out, struct str name)
{
    struct str rest = name, head;
    struct err err;

    if (!str_cut(&rest, '.', &head) || !str_eqz(head, "blk") || !str_cut(&rest, '.', &head))
        return false;
    return num_parse_u64(out, head, BLOCKS_MAX - 1, &err) == 0;
}

static enum gguf_step count_tensor(struct head *h, struct str name, uint32_t type,
                                   const uint64_t elements[2], uint64_t offset)
{
    uint64_t block, bytes;
    size_t t = 0;

    while (t < sizeof(types) / sizeof(types[0]) && types[t].number != type)
        t++;
    if (t == sizeof(types) / sizeof(types[0]))
        return gguf_bad(&h->scan, "tensor %s is of type %u, which is not known", shown(h, name),
                        type);
    if (elements[0] % types[t].elements != 0)
        return gguf_bad(&h->scan, "tensor %s has rows of %llu, no whole blocks of %s",
                        shown(h, name), (unsigned long long)elements[0], types[t].name);
    if (__builtin_mul_overflow(elements[1] / types[t].elements, types[t].bytes, &bytes) ||
        bytes >> 62 != 0)
        return gguf_bad(&h->scan, "tensor %s has more than 2^62 bytes", shown(h, name));
    if (offset != h->offset)
        return gguf_bad(&h->scan, "tensor %s begins at %llu, and the one before it ends at %llu",
                        shown(h, name), (unsigned long long)offset, (unsigned long long)h->offset);
    if (__builtin_add_overflow(h->offset, padded(bytes, h->keys.alignment), &h->offset) ||
        !facts_add_tensor(&h->facts, types[t].name, elements[1], bytes))
        return gguf_bad(&h->scan, "its tensors have more than 2^64 bytes");
    if (block_of(&block, name))
        h->blocks[block] += bytes;
    return GGUF_OK;
}

static enum gguf_step read_tensor(struct head *h)
{
    uint64_t elements[2];
    uint64_t offset = 0;
    uint32_t type = 0;
    struct str name;
    enum gguf_step r = gguf_string(&h->scan, &name, NAME_MAX_LEN - 1);

    if (r == GGUF_OK && !seen_add(&h->seen, name))
        return gguf_bad(&h->scan, "tensor %s is there twice", shown(h, name));
    if (r == GGUF_OK)
        r = dims(h, name, &elements[0], &elements[1]);
    if (r == GGUF_OK)
        r = gguf_u32(&h->scan, &type);
    if (r == GGUF_OK)
        r = gguf_u64(&h->scan, &offset);
    return r == GGUF_OK ? count_tensor(h, name, type, elements, offset) : r;
}

/* ---- the whole ---- */

static enum gguf_step read_start(struct head *h, uint64_t *ret_tensors, uint64_t *ret_keys)
{
    uint32_t magic = 0, version = 0;
    enum gguf_step r = gguf_u32(&h->scan, &magic);

    if (r == GGUF_OK && magic != 0x46554747) /* "GGUF" */
        return gguf_bad(&h->scan, "it does not begin with GGUF");
    if (r == GGUF_OK)
        r = gguf_u32(&h->scan, &version);
    if (r == GGUF_OK && (version & 0xffff) == 0)
        return gguf_bad(&h->scan, "it was written for machines of the other byte order");
    if (r == GGUF_OK && version != 2 && version != 3)
        return gguf_bad(&h->scan, "version %u, and 2 and 3 are known", version);
    if (r == GGUF_OK)
        r = gguf_u64(&h->scan, ret_tensors);
    if (r == GGUF_OK)
        r = gguf_u64(&h->scan, ret_keys);
    if (r == GGUF_OK && (*ret_tensors > GGUF_TENSORS_MAX || *ret_keys > GGUF_KEYS_MAX))
        return gguf_bad(&h->scan, "%llu keys and %llu tensors, more than %llu and %llu",
                        (unsigned long long)*ret_keys, (unsigned long long)*ret_tensors,
                        (unsigned long long)GGUF_KEYS_MAX, (unsigned long long)GGUF_TENSORS_MAX);
    return r;
}

static enum gguf_step read_all(struct head *h)
{
    uint64_t tensors = 0, keys = 0;
    uint64_t alignment;
    enum gguf_step r = read_start(h, &tensors, &keys);

    if (r != GGUF_OK)
        return r;
    make_room(h, keys, KEY_LEAST);
    h->keys.alignment = ALIGNMENT;
    for (uint64_t i = 0; i < keys && r == GGUF_OK; i++)
        r = read_key(h);
    alignment = h->keys.alignment;
    if (r == GGUF_OK &&
        (alignment == 0 || alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)) != 0))
        return gguf_bad(&h->scan, "an alignment of %llu", (unsigned long long)alignment);
    make_room(h, tensors, TENSOR_LEAST);
    h->blocks = arena_array(h->scan.arena, uint64_t, BLOCKS_MAX);
    for (uint64_t i = 0; i < tensors && r == GGUF_OK; i++)
        r = read_tensor(h);
    return r;
}

static enum gguf_step check_end(struct head *h, uint64_t file_bytes)
{
    uint64_t start = padded((uint64_t)(h->scan.at - h->scan.start), h->keys.alignment);
    uint64_t end = UINT64_MAX;

    /* The last tensor's padding may be missing. */
    if (h->offset < UINT64_MAX - start)
        end = start + h->offset;
    if (end > file_bytes && end - file_bytes > h->keys.alignment)
        return gguf_bad(&h->scan, "its tensors end at %llu and the file at %llu: it is cut off",
                        (unsigned long long)end, (unsigned long long)file_bytes);
    return GGUF_OK;
}

static void put_word(char out[static FACTS_WORD], struct arena *a, struct str word)
{
    const char *text = str_printable(a, word, FACTS_WORD - 1);
    size_t len = strlen(text);

    len = len < FACTS_WORD - 1 ? len : FACTS_WORD - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

static bool is_encoder(const struct gguf_keys *keys, struct str architecture)
{
    return (keys->causal_said && !keys->causal) || str_ends(architecture, STR("bert")) ||
           str_starts(architecture, STR("jina-bert"));
}

/* Numbers that stand in the file; what is missing follows from the others as in llama.cpp. */
static void put_shape(struct head *h, struct arena *a)
{
    struct model_shape *shape = &h->facts.shape;
    const struct gguf_keys *k = &h->keys;
    uint64_t head = k->heads != 0 ? k->hidden / k->heads : 0;
    /* Older files of such models keep whole heads: llama.cpp goes by these two keys. */
    bool latent = k->latent != 0 && k->mla_k != 0 && k->mla_v != 0;

    *shape = (struct model_shape){
        .layers = k->layers,
        .hidden = k->hidden,
        .intermediate = k->intermediate * (k->experts_used != 0 ? k->experts_used : 1),
        .heads = k->heads,
        .kv_heads = k->kv_heads != 0 ? k->kv_heads : k->heads,
        .head_k = k->head_k != 0 ? k->head_k : head,
        .head_v = k->head_v != 0 ? k->head_v : head,
        .vocab = k->vocab,
        .context = k->context,
        .rotary = k->rotary != 0 ? k->rotary : head,
        .cache = latent                                ? FACTS_CACHE_LATENT
                 : is_encoder(k, h->keys.architecture) ? FACTS_CACHE_NONE
                                                       : FACTS_CACHE_ATTENTION,
        .latent = latent ? k->latent + k->rotary : 0,
        .experts = k->experts,
        .guessed = k->layers == 0 || k->heads == 0 || k->hidden == 0,
    };
    put_word(shape->architecture, h->scan.arena, k->architecture);
    put_word(h->facts.licence, h->scan.arena, k->licence);
    if (shape->guessed)
        facts_odd(&h->facts, a,
                  "%s: no block_count, head_count or embedding_length: the cache is not known",
                  h->scan.what);
    if (k->kv_least != k->kv_heads)
        facts_odd(&h->facts, a,
                  "%s: layers of %llu to %llu key and value heads: reckoned with the most",
                  h->scan.what, (unsigned long long)k->kv_least, (unsigned long long)k->kv_heads);
    if (k->window != 0)
        facts_odd(&h->facts, a, "%s: a window of %llu, reckoned as whole attention", h->scan.what,
                  (unsigned long long)k->window);
}

static void finish_projector(struct head *h, const struct model_facts *before)
{
    struct model_facts facts = *before;

    facts.projector_bytes += h->facts.tensor_bytes - before->tensor_bytes;
    facts.shape.vision_heads = h->keys.vision_heads;
    if (h->keys.patch != 0)
        facts.shape.image_tokens = PATCH_TOKENS(h->keys.image, h->keys.patch);
    h->facts = facts;
}

static void finish_text(struct head *h, struct arena *a, const struct model_facts *before,
                        uint64_t file_bytes)
{
    struct model_facts *facts = &h->facts;

    for (size_t i = 0; i < BLOCKS_MAX; i++)
        facts->layer_bytes = h->blocks[i] > facts->layer_bytes ? h->blocks[i] : facts->layer_bytes;
    facts->file_bytes += file_bytes;
    facts->load_bytes = facts->tensor_bytes;
    facts->params = facts->elements;
    facts_sort_dtypes(facts);
    if (before->shape.layers == 0) {
        uint64_t vision_heads = before->shape.vision_heads, tokens = before->shape.image_tokens;

        put_shape(h, a);
        facts->shape.vision_heads = vision_heads;
        facts->shape.image_tokens = tokens;
    }
}

/* The head goes on behind what is there: at least as much as is needed, and twice what there is. */
static int ask_for_more(struct head *h, uint64_t *ret_need, uint64_t have, uint64_t file_bytes)
{
    uint64_t more = h->scan.need > have * 2 ? h->scan.need : have * 2;

    if (h->scan.need > file_bytes || have >= file_bytes)
        return gguf_bad(&h->scan, "its head ends behind the file: it is cut off");
    if (h->scan.need > GGUF_HEADER_MAX)
        return gguf_bad(&h->scan, "its head has more than %zu bytes", GGUF_HEADER_MAX);
    more = more > GGUF_HEADER_MAX ? GGUF_HEADER_MAX : more;
    *ret_need = more > file_bytes ? file_bytes : more;
    return 0;
}

int gguf_read(struct model_facts *facts, struct arena *a, uint64_t *ret_need,
              const struct gguf_file *file, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct head h = {
        .scan = {.start = file->head.ptr,
                 .at = file->head.ptr,
                 .end = file->head.ptr + file->head.len,
                 .what = file->what,
                 .arena = &scratch,
                 .err = err},
        .facts = *facts,
    };
    enum gguf_step r = read_all(&h);

    if (r == GGUF_MORE)
        return ask_for_more(&h, ret_need, file->head.len, file->bytes);
    if (r == GGUF_BAD || check_end(&h, file->bytes) != GGUF_OK)
        return -1;
    if (str_eqz(h.keys.architecture, "clip"))
        finish_projector(&h, facts);
    else
        finish_text(&h, a, facts, file->bytes);
    *facts = h.facts;
    *ret_need = 0;
    return 0;
}
