#include "gpu/memory.h"

#include <assert.h>

#define BLOCK            ((uint64_t)16) /* tokens of a block of vLLM's cache */
#define LOGIT_BYTES      ((uint64_t)39) /* of a logit while it is sampled, measured */
#define ACTIVATION_SLACK (64 * MEMORY_MIB)
#define OTHER            (256 * MEMORY_MIB)
#define GRAPH_BASE       (256 * MEMORY_MIB)
#define GRAPH_EACH       (6 * MEMORY_MIB)
#define CONTEXT_ALONE    (512 * MEMORY_MIB)
#define CONTEXT_NCCL     (1536 * MEMORY_MIB)
#define LLAMA_CONTEXT    (457 * MEMORY_MIB)
#define LLAMA_MARGIN     (1024 * MEMORY_MIB)
#define LLAMA_BATCH      ((uint64_t)512)
#define ENCODING         (300 * MEMORY_MIB) /* working memory of a projector */
#define SERVER_TOKENS    ((uint64_t)512)

static uint64_t most(uint64_t n)
{
    return n < MEMORY_MOST ? n : MEMORY_MOST;
}

static uint64_t mul(uint64_t x, uint64_t y)
{
    uint64_t n;

    return __builtin_mul_overflow(x, y, &n) ? MEMORY_MOST : most(n);
}

static uint64_t add(uint64_t x, uint64_t y)
{
    return most(most(x) + most(y));
}

static uint64_t larger(uint64_t x, uint64_t y)
{
    return x > y ? x : y;
}

static uint64_t smaller(uint64_t x, uint64_t y)
{
    return x < y ? x : y;
}

static uint64_t ceil_div(uint64_t x, uint64_t y)
{
    return x / y + (x % y != 0);
}

static uint64_t ranks(const struct memory_settings *s)
{
    return s->tp > 1 ? s->tp : 1;
}

static uint64_t width_of_kv(const struct memory_settings *s)
{
    return s->kv_fp8 ? 1 : 2;
}

/* Bytes of one token in one layer, on one rank. */
static uint64_t layer_token(const struct model_shape *shape, const struct memory_settings *s)
{
    uint64_t heads = shape->kv_heads != 0 ? shape->kv_heads : shape->heads;

    switch (shape->cache) {
    case FACTS_CACHE_NONE: return 0;
    case FACTS_CACHE_LATENT: return mul(shape->latent, width_of_kv(s));
    case FACTS_CACHE_ATTENTION: break;
    }
    return mul(mul(larger(1, heads / ranks(s)), shape->head_k + shape->head_v), width_of_kv(s));
}

/* Tokens that a layer with a window keeps of one request. */
static uint64_t window_tokens(const struct model_shape *shape, const struct memory_settings *s)
{
    uint64_t tokens = smaller(add(shape->window - 1, s->batch_tokens), s->context);

    return mul(ceil_div(tokens, BLOCK) + 1, BLOCK);
}

/*
 * Layers as vLLM groups them: groups are of one size, the smaller kind's count, or the larger's
 * where that is less than half as many more; the last group of a kind is filled up.
 */
static uint64_t padded(uint64_t layers, uint64_t other)
{
    uint64_t few = smaller(layers, other);
    uint64_t many = larger(layers, other);
    uint64_t size = mul(many, 2) < mul(few, 3) ? many : few;

    return size == 0 ? layers : mul(ceil_div(layers, size), size);
}

static uint64_t kv_of_request(const struct model_shape *shape, const struct memory_settings *s)
{
    uint64_t each = layer_token(shape, s);
    uint64_t whole = mul(ceil_div(s->context, BLOCK), BLOCK);
    uint64_t with_window = shape->window != 0 ? smaller(shape->window_layers, shape->layers) : 0;
    uint64_t full = shape->layers - with_window;
    uint64_t kept;

    if (with_window == 0)
        return mul(mul(whole, shape->layers), each);
    kept = smaller(window_tokens(shape, s), whole + BLOCK);
    if (full == 0)
        return mul(mul(kept, with_window), each);
    return add(mul(mul(whole, padded(full, with_window)), each),
               mul(mul(kept, padded(with_window, full)), each));
}

uint64_t memory_captures(uint64_t seqs)
{
    uint64_t top = smaller(mul(2, seqs), 512);
    uint64_t count = 0;

    for (uint64_t size = 1; size <= top; size = size < 8 ? size * 2 : size + (size < 256 ? 8 : 16))
        count += size <= seqs ? 2 : 1;
    return count;
}

static void set(struct memory_need *out, enum memory_part part, uint64_t bytes,
                enum memory_source source)
{
    out->part[part] = bytes;
    out->source[part] = source;
}

/* 16-bit weights whose linear layers are packed into 8 bits at load; embeddings stay. */
static uint64_t packed_to_fp8(const struct model_facts *facts)
{
    uint64_t table = mul(mul(facts->shape.vocab, facts->shape.hidden), 2);
    uint64_t tables = facts->shape.tied ? table : mul(table, 2);

    if (tables > facts->load_bytes)
        return facts->load_bytes;
    return tables + (facts->load_bytes - tables) / 2;
}

static void vllm_weights(struct memory_need *out, const struct model_facts *facts,
                         const struct memory_settings *s)
{
    const struct model_shape *shape = &facts->shape;
    uint64_t bytes = s->weights_fp8 ? packed_to_fp8(facts) : facts->load_bytes;

    set(out, MEMORY_ROPE, mul(mul(shape->context, shape->rotary), 2), MEMORY_FORMULA);
    set(out, MEMORY_WEIGHTS, ceil_div(bytes, ranks(s)),
        s->weights_fp8 ? MEMORY_FORMULA : MEMORY_HEADER);
    if (s->learned.weights > out->part[MEMORY_ROPE])
        set(out, MEMORY_WEIGHTS, s->learned.weights - out->part[MEMORY_ROPE], MEMORY_MEASURED);
}

/* The profile run: one step of T tokens, then the sampler with S rows. */
static void vllm_working(struct memory_need *out, const struct model_shape *shape,
                         const struct memory_settings *s)
{
    uint64_t seqs = smaller(s->seqs, s->batch_tokens);
    uint64_t step = mul(mul(s->batch_tokens, add(mul(3, ceil_div(shape->intermediate, ranks(s))),
                                                 mul(4, shape->hidden))),
                        2);
    uint64_t logits =
        shape->cache == FACTS_CACHE_NONE ? 0 : mul(mul(seqs, shape->vocab), LOGIT_BYTES);

    if (s->learned.working != 0) {
        set(out, MEMORY_ACTIVATION, s->learned.working, MEMORY_MEASURED);
        set(out, MEMORY_OTHER, 0, MEMORY_MEASURED);
        set(out, MEMORY_GRAPHS, 0, MEMORY_MEASURED);
        return;
    }
    set(out, MEMORY_ACTIVATION, add(larger(step, logits), ACTIVATION_SLACK), MEMORY_ESTIMATE);
    set(out, MEMORY_OTHER, OTHER, MEMORY_ESTIMATE);
    set(out, MEMORY_GRAPHS, s->eager ? 0 : add(GRAPH_BASE, mul(GRAPH_EACH, memory_captures(seqs))),
        MEMORY_ESTIMATE);
}

static void vllm(struct memory_need *out, const struct model_facts *facts,
                 const struct memory_settings *s)
{
    static const enum memory_part fixed[] = {MEMORY_WEIGHTS, MEMORY_ROPE, MEMORY_ACTIVATION,
                                             MEMORY_OTHER, MEMORY_GRAPHS};

    vllm_weights(out, facts, s);
    vllm_working(out, &facts->shape, s);
    set(out, MEMORY_KV, kv_of_request(&facts->shape, s), MEMORY_FORMULA);
    set(out, MEMORY_CONTEXT, ranks(s) > 1 ? CONTEXT_NCCL : CONTEXT_ALONE, MEMORY_ESTIMATE);
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        out->fixed = add(out->fixed, out->part[fixed[i]]);
    out->inside = add(out->fixed, out->part[MEMORY_KV]);
    out->whole = add(out->inside, out->part[MEMORY_CONTEXT]);
    out->resident = out->whole;
}

static void ollama(struct memory_need *out, const struct model_facts *facts,
                   const struct memory_settings *s)
{
    const struct model_shape *shape = &facts->shape;
    uint64_t projector = facts->projector_bytes;
    uint64_t loaded;

    set(out, MEMORY_WEIGHTS, facts->tensor_bytes, MEMORY_HEADER);
    set(out, MEMORY_KV,
        mul(mul(mul(s->context, larger(1, s->seqs)), shape->layers), layer_token(shape, s)),
        MEMORY_FORMULA);
    set(out, MEMORY_ACTIVATION,
        add(mul(mul(LLAMA_BATCH, add(shape->vocab, mul(4, shape->hidden))), 4), ACTIVATION_SLACK),
        MEMORY_ESTIMATE);
    set(out, MEMORY_CONTEXT, LLAMA_CONTEXT, MEMORY_FORMULA);
    /* The margin holds the projector, and is in whole MiB. */
    set(out, MEMORY_PROJECTOR, projector, MEMORY_HEADER);
    set(out, MEMORY_MARGIN,
        mul(ceil_div(add(projector, LLAMA_MARGIN), MEMORY_MIB), MEMORY_MIB) - projector,
        MEMORY_FORMULA);
    loaded = add(add(out->part[MEMORY_WEIGHTS], out->part[MEMORY_KV]),
                 add(out->part[MEMORY_ACTIVATION], out->part[MEMORY_CONTEXT]));
    out->fixed = add(loaded, projector) - out->part[MEMORY_KV];
    out->whole = add(add(loaded, projector), out->part[MEMORY_MARGIN]);
    out->inside = out->whole;
    out->resident = add(loaded, projector == 0 ? 0 : add(projector, ENCODING));
}

static void server(struct memory_need *out, const struct model_facts *facts,
                   const struct memory_settings *s)
{
    const struct model_shape *shape = &facts->shape;
    uint64_t tokens = smaller(s->context, SERVER_TOKENS) * 32;

    set(out, MEMORY_WEIGHTS, facts->tensor_bytes, MEMORY_HEADER);
    set(out, MEMORY_ACTIVATION,
        mul(mul(tokens, add(mul(3, shape->intermediate), mul(4, shape->hidden))), 4) / 8,
        MEMORY_ESTIMATE);
    set(out, MEMORY_CONTEXT, CONTEXT_ALONE, MEMORY_ESTIMATE);
    out->fixed = add(out->part[MEMORY_WEIGHTS], out->part[MEMORY_ACTIVATION]);
    out->inside = out->fixed;
    out->whole = add(out->inside, out->part[MEMORY_CONTEXT]);
    out->resident = out->whole;
}

void memory_reckon(struct memory_need *out, const struct model_facts *facts,
                   const struct memory_settings *settings)
{
    static void (*const engines[MEMORY_ENGINES])(struct memory_need *, const struct model_facts *,
                                                 const struct memory_settings *) = {
        [MEMORY_VLLM] = vllm,
        [MEMORY_OLLAMA] = ollama,
        [MEMORY_SERVER] = server,
    };

    assert(settings->engine < MEMORY_ENGINES);
    *out = (struct memory_need){0};
    engines[settings->engine](out, facts, settings);
    if (settings->engine != MEMORY_SERVER)
        out->kv_token = mul(layer_token(&facts->shape, settings), facts->shape.layers);
}

uint64_t memory_tokens(const struct memory_need *need, const struct memory_settings *s,
                       uint64_t cache_bytes)
{
    uint64_t whole = mul(mul(ceil_div(s->context, BLOCK), BLOCK), need->kv_token);

    if (need->kv_token == 0)
        return 0;
    /* With windows a token costs what it does in a request of the whole context. */
    if (need->part[MEMORY_KV] != whole && need->part[MEMORY_KV] != 0) {
        uint64_t each = mul(ceil_div(need->part[MEMORY_KV], larger(1, s->context)), BLOCK);

        return cache_bytes / each * BLOCK;
    }
    return cache_bytes / mul(BLOCK, need->kv_token) * BLOCK;
}

/* What a partly loaded model takes before its first layer, and with each. */
static void of_layers(uint64_t *ret_aside, uint64_t *ret_each, const struct memory_need *need,
                      const struct model_facts *facts)
{
    uint64_t layers = facts->shape.layers;

    *ret_aside = add(add(need->part[MEMORY_PROJECTOR], need->part[MEMORY_MARGIN]),
                     add(need->part[MEMORY_CONTEXT], need->part[MEMORY_ACTIVATION]));
    *ret_each = layers == 0 ? 0 : add(facts->layer_bytes, need->part[MEMORY_KV] / layers);
}

uint64_t memory_layers(const struct memory_need *need, const struct model_facts *facts,
                       uint64_t free_bytes)
{
    uint64_t aside, each;

    of_layers(&aside, &each, need, facts);
    if (free_bytes >= need->whole)
        return facts->shape.layers;
    if (free_bytes <= aside || each == 0)
        return 0;
    return smaller((free_bytes - aside) / each, facts->shape.layers);
}

uint64_t memory_of_layers(const struct memory_need *need, const struct model_facts *facts,
                          uint64_t layers)
{
    uint64_t aside, each;

    of_layers(&aside, &each, need, facts);
    return add(aside, mul(each, layers));
}

uint64_t memory_mib(uint64_t bytes)
{
    return bytes / MEMORY_MIB + (bytes % MEMORY_MIB >= MEMORY_MIB / 2);
}

int64_t memory_mib_signed(int64_t bytes)
{
    return bytes < 0 ? -(int64_t)memory_mib((uint64_t)-bytes)
                     : (int64_t)memory_mib((uint64_t)bytes);
}

const char *memory_part_name(enum memory_part part)
{
    static const char *const names[MEMORY_PARTS] = {
        [MEMORY_WEIGHTS] = "weights",      [MEMORY_PROJECTOR] = "projector",
        [MEMORY_ROPE] = "rope cache",      [MEMORY_ACTIVATION] = "activation",
        [MEMORY_OTHER] = "non-torch",      [MEMORY_GRAPHS] = "CUDA graphs",
        [MEMORY_KV] = "KV cache",          [MEMORY_MARGIN] = "margin",
        [MEMORY_CONTEXT] = "CUDA context",
    };

    assert(part < MEMORY_PARTS);
    return names[part];
}

const char *memory_source_name(enum memory_source source)
{
    static const char *const names[MEMORY_SOURCES] = {
        [MEMORY_MEASURED] = "measured",
        [MEMORY_HEADER] = "read from the header",
        [MEMORY_FORMULA] = "formula",
        [MEMORY_ESTIMATE] = "estimate",
    };

    assert(source < MEMORY_SOURCES);
    return names[source];
}

const char *memory_engine_name(enum memory_engine engine)
{
    static const char *const names[MEMORY_ENGINES] = {
        [MEMORY_VLLM] = "vllm",
        [MEMORY_OLLAMA] = "ollama",
        [MEMORY_SERVER] = "server",
    };

    assert(engine < MEMORY_ENGINES);
    return names[engine];
}
