#include "model/config_json.h"

#include <stdio.h>
#include <string.h>

#include "json/json.h"

#define SHOWN ((size_t)80)

/* What is special in a family: flags. */
enum {
    ENCODER = 1,       /* no cache */
    MLA = 2,           /* one latent in place of keys and values */
    NO_WINDOW = 4,     /* sliding_window counts only with use_sliding_window */
    EVERY_SECOND = 8,  /* of the layers has the window */
    PATTERN = 16,      /* of sliding_window_pattern layers one has none */
    TIED = 32,         /* lm_head is the embedding where nothing is said */
    SEES = 64,         /* the text's numbers are in text_config */
    PLAIN_HEADS = 128, /* no grouped heads, whatever num_key_value_heads says */
};

static const struct family {
    const char *name;
    unsigned flags;
    const char *hidden, *layers, *heads, *intermediate, *context;
} families[] = {
#include "model/config_json.def"
};

struct reading {
    struct model_facts *facts;
    struct arena *arena;
    const char *what;
    const struct json *top;  /* of the file */
    const struct json *text; /* where the numbers of the text are */
    const struct family *family;
    unsigned flags;
};

static const struct family *family_of(struct str name)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (str_eqz(name, families[i].name))
            return &families[i];
    }
    return NULL;
}

/* A number of an object; 0 where there is none, or none that can be. */
static uint64_t number_in(struct reading *r, const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);
    uint64_t n;

    if (v == NULL)
        return 0;
    if (json_as_u64(&n, v) && n < FACTS_NUMBER)
        return n;
    facts_odd(r->facts, r->arena, "%s: %s is no number from 0 to 2^31", r->what, key);
    return 0;
}

static uint64_t number(struct reading *r, const char *own, const char *usual)
{
    return number_in(r, r->text, own != NULL ? own : usual);
}

/* The same with what transformers takes where nothing is said. */
static uint64_t number_or(struct reading *r, const char *key, uint64_t preset)
{
    return json_get(r->text, key) == NULL ? preset : number_in(r, r->text, key);
}

static bool flag(const struct json *object, const char *key, bool preset)
{
    struct err err;

    return json_bool(&preset, object, key, &err) < 0 ? false : preset;
}

static void word(char out[static FACTS_WORD], struct reading *r, const struct json *v)
{
    struct str text;

    if (v == NULL || !json_as_str(&text, v))
        return;
    (void)snprintf(out, FACTS_WORD, "%s", str_printable(r->arena, text, FACTS_WORD - 1));
}

/* ---- the shape ---- */

static void read_heads(struct reading *r)
{
    struct model_shape *s = &r->facts->shape;
    uint64_t kv = (r->flags & PLAIN_HEADS) != 0 ? 0 : number(r, NULL, "num_key_value_heads");
    uint64_t head = number(r, NULL, "head_dim");

    s->kv_heads = kv != 0 ? kv : s->heads;
    if (head == 0 && s->heads != 0)
        head = s->hidden / s->heads;
    s->head_k = head;
    s->head_v = head;
    s->rotary = head;
    if (s->kv_heads != 0 && s->heads % s->kv_heads != 0) {
        facts_odd(r->facts, r->arena,
                  "%s: %llu attention heads are no multiple of %llu key and value heads: reckoned "
                  "without groups",
                  r->what, (unsigned long long)s->heads, (unsigned long long)s->kv_heads);
        s->kv_heads = s->heads;
        s->guessed = true;
    }
}

static void read_latent(struct reading *r)
{
    struct model_shape *s = &r->facts->shape;
    uint64_t rope = number_or(r, "qk_rope_head_dim", 64);

    s->cache = FACTS_CACHE_LATENT;
    s->latent = number_or(r, "kv_lora_rank", 512) + rope;
    s->head_k = number_or(r, "qk_nope_head_dim", 128) + rope;
    s->head_v = number_or(r, "v_head_dim", 128);
    s->rotary = rope;
}

/* Layers that are named one by one: "sliding_attention". False where they are not. */
static bool count_layer_types(struct reading *r)
{
    const struct json *list = json_get(r->text, "layer_types");
    uint64_t count = 0;

    for (size_t i = 0; i < json_len(list); i++) {
        struct str name;

        count += json_as_str(&name, json_at(list, i)) && str_eqz(name, "sliding_attention");
    }
    r->facts->shape.window_layers = count;
    return list != NULL && json_len(list) > 0;
}

static void read_window(struct reading *r)
{
    struct model_shape *s = &r->facts->shape;
    uint64_t window = number(r, NULL, "sliding_window");
    uint64_t first = number(r, NULL, "max_window_layers");
    uint64_t pattern = number_or(r, "sliding_window_pattern", 6);

    if (window == 0 || ((r->flags & NO_WINDOW) != 0 && !flag(r->text, "use_sliding_window", false)))
        return;
    s->window = window;
    if (count_layer_types(r)) {
        /* said */
    } else if ((r->flags & EVERY_SECOND) != 0) {
        s->window_layers = (s->layers + 1) / 2;
    } else if ((r->flags & PATTERN) != 0 && pattern != 0) {
        s->window_layers = s->layers - s->layers / pattern;
    } else if ((r->flags & NO_WINDOW) != 0) {
        s->window_layers = first < s->layers ? s->layers - first : 0;
    } else {
        s->window_layers = s->layers;
    }
    if (s->window_layers == 0)
        s->window = 0;
}

/* Of a mixture what one token goes through: its experts, and those that all go through. */
static void read_experts(struct reading *r)
{
    struct model_shape *s = &r->facts->shape;
    uint64_t width = number(r, NULL, "moe_intermediate_size");
    uint64_t taken = number(r, NULL, "num_experts_per_tok");
    uint64_t shared = number(r, NULL, "shared_expert_intermediate_size");

    s->experts = number(r, NULL, "num_local_experts");
    if (s->experts == 0)
        s->experts = number(r, NULL, "num_experts");
    if (s->experts == 0)
        s->experts = number(r, NULL, "n_routed_experts");
    if (s->experts == 0 || taken == 0)
        return;
    width = width != 0 ? width : s->intermediate;
    shared += width * number(r, NULL, "n_shared_experts");
    s->intermediate = width * taken + shared;
}

static uint64_t tiles_of(struct reading *r)
{
    const struct json *grid = json_get(r->top, "image_grid_pinpoints");

    return grid == NULL ? 1 : 5; /* the whole image, and at most four tiles of it */
}

static void read_vision(struct reading *r)
{
    const struct json *vision = json_get(r->top, "vision_config");
    struct model_shape *s = &r->facts->shape;
    uint64_t size, patch;

    if (vision == NULL || !json_is_object(vision))
        return;
    size = number_in(r, vision, "image_size");
    patch = number_in(r, vision, "patch_size");
    s->vision_heads = number_in(r, vision, "num_attention_heads");
    if (s->vision_heads == 0)
        s->vision_heads = number_in(r, vision, "num_heads");
    if (patch != 0 && size / patch < 10000)
        s->image_tokens = (size / patch) * (size / patch) * tiles_of(r);
}

static void read_defaults(struct reading *r)
{
    struct model_shape *s = &r->facts->shape;
    bool inside = (r->flags & SEES) != 0;

    /* A text_config says only what differs from its model's defaults. */
    if (inside && s->hidden == 0)
        s->hidden = 4096;
    if (inside && s->layers == 0)
        s->layers = 32;
    if (inside && s->heads == 0)
        s->heads = 32;
    if (inside && s->intermediate == 0)
        s->intermediate = str_eqz(str_from(s->architecture), "mistral") ? 14336 : 11008;
    if (inside && s->vocab == 0)
        s->vocab = 32000;
    if (inside && s->context == 0)
        s->context = 2048;
    if (s->intermediate == 0 && s->hidden != 0)
        s->intermediate = s->hidden * 4;
}

static void judge_shape(struct reading *r)
{
    struct model_shape *s = &r->facts->shape;

    if (s->layers == 0 || s->hidden == 0 || s->heads == 0) {
        s->guessed = true;
        facts_odd(r->facts, r->arena,
                  "%s: no number of layers, heads or width that is understood: the cache is not "
                  "known",
                  r->what);
    }
    if (s->context == 0)
        facts_odd(r->facts, r->arena, "%s: it does not say for how many tokens it was trained",
                  r->what);
    if (s->remote_code)
        facts_odd(r->facts, r->arena,
                  "%s: wants code of its repository (auto_map), which is not run here", r->what);
}

static void read_shape(struct reading *r)
{
    static const struct family usual = {0};
    const struct family *f = r->family != NULL ? r->family : &usual;
    struct model_shape *s = &r->facts->shape;

    s->hidden = number(r, f->hidden, "hidden_size");
    s->layers = number(r, f->layers, "num_hidden_layers");
    s->heads = number(r, f->heads, "num_attention_heads");
    s->intermediate = number(r, f->intermediate, "intermediate_size");
    s->context = number(r, f->context, "max_position_embeddings");
    s->vocab = number(r, NULL, "vocab_size");
    read_defaults(r);
    read_heads(r);
    if ((r->flags & ENCODER) != 0)
        s->cache = FACTS_CACHE_NONE;
    if ((r->flags & MLA) != 0)
        read_latent(r);
    read_window(r);
    read_experts(r);
    read_vision(r);
    s->tied = flag(r->text, "tie_word_embeddings", (r->flags & TIED) != 0);
    s->remote_code = json_get(r->top, "auto_map") != NULL;
    judge_shape(r);
}

/* ---- packed weights ---- */

static void read_quant(struct reading *r, const struct json *q)
{
    struct model_quant *quant = &r->facts->quant;
    struct str scheme = {0};
    const struct json *groups;
    uint64_t group;

    if (q == NULL || !json_is_object(q))
        return;
    word(quant->method, r, json_get(q, "quant_method"));
    if (quant->method[0] == '\0')
        (void)snprintf(quant->method, sizeof(quant->method), "gptq");
    quant->bits = number_in(r, q, json_get(q, "bits") != NULL ? "bits" : "w_bit");
    if (strcmp(quant->method, "fp8") == 0)
        quant->bits = 8;
    /* -1 is one group of all, which is no number here, and right as 0. */
    groups = json_get(q, json_get(q, "group_size") != NULL ? "group_size" : "q_group_size");
    if (groups != NULL && json_as_u64(&group, groups) && group < FACTS_NUMBER)
        quant->group = group;
    quant->desc_act = flag(q, "desc_act", false);
    if (json_get(q, "activation_scheme") != NULL &&
        json_as_str(&scheme, json_get(q, "activation_scheme")))
        quant->static_activations = str_eqz(scheme, "static");
}

static struct json *parse(struct str text, const char *what, struct err *err)
{
    struct json *doc = json_parse(text, CONFIG_JSON_MAX, what, err);

    if (doc != NULL && json_is_object(doc))
        return doc;
    if (doc != NULL)
        (void)err_set(err, ERR_LIMIT, "%s: it is no JSON object", what);
    json_free(&doc);
    err->code = ERR_LIMIT; /* a file, which is no better the second time */
    return NULL;
}

int config_json_read(struct model_facts *facts, struct arena *a, struct str text, const char *what,
                     struct err *err)
{
    struct reading r = {.facts = facts, .arena = a, .what = what};
    JSON_SCOPED *doc = parse(text, what, err);
    const struct json *inside;
    struct str type = {0};

    if (doc == NULL)
        return -1;
    r.top = doc;
    r.text = doc;
    if (json_get(doc, "model_type") != NULL)
        (void)json_as_str(&type, json_get(doc, "model_type"));
    r.family = family_of(type);
    r.flags = r.family != NULL ? r.family->flags : 0;
    facts->shape = (struct model_shape){0};
    word(facts->shape.architecture, &r, json_get(doc, "model_type"));
    inside = json_get(doc, "text_config");
    if (inside != NULL && json_is_object(inside)) {
        r.text = inside;
        r.flags |= SEES;
    }
    if (r.family == NULL)
        facts_odd(facts, a, "%s: the architecture \"%s\" is not known: read as if it were llama's",
                  what, facts->shape.architecture);
    read_shape(&r);
    word(facts->dtype, &r,
         json_get(r.text, "torch_dtype") != NULL ? json_get(r.text, "torch_dtype")
                                                 : json_get(doc, "torch_dtype"));
    word(facts->dtype, &r, json_get(doc, "dtype"));
    read_quant(&r, json_get(doc, "quantization_config"));
    return 0;
}

int config_json_read_quant(struct model_facts *facts, struct arena *a, struct str text,
                           const char *what, struct err *err)
{
    struct reading r = {.facts = facts, .arena = a, .what = what};
    JSON_SCOPED *doc = parse(text, what, err);

    if (doc == NULL)
        return -1;
    if (facts->quant.method[0] == '\0')
        read_quant(&r, doc);
    return 0;
}

void config_json_params(struct model_facts *facts)
{
    const struct model_shape *s = &facts->shape;
    uint64_t layer, tables;

    if (facts->quant.method[0] == '\0') {
        facts->params = facts->elements;
        return;
    }
    if (s->guessed || s->experts != 0 || s->vision_heads != 0 || s->cache != FACTS_CACHE_ATTENTION)
        return;
    layer = s->hidden * s->head_k * (2 * s->heads + 2 * s->kv_heads) +
            3 * s->hidden * s->intermediate + 2 * s->hidden;
    tables = s->vocab * s->hidden * (s->tied ? 1 : 2);
    facts->params = s->layers * layer + tables + s->hidden;
}
