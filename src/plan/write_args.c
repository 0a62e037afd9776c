#include "plan/write_args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/ref.h"
#include "report/escape.h"
#include "text/utf8.h"
#include "text/vec.h"

#define NAME_MAX_LEN ((size_t)50)
#define COMMENT_MAX  1024

typedef VEC(const char *) word_list;
typedef VEC(const struct plan_placed *) placed_list;

/* "org/name" of "hf:org/name@revision"; "llava:7b" of "ollama:llava:7b". */
static const char *served_name(const struct write_ask *ask, const char *ref)
{
    struct str rest = str_from(ref);
    struct str scheme, name;

    (void)str_cut(&rest, ':', &scheme);
    if (!str_eqz(scheme, "hf"))
        return str_dup(ask->arena, rest);
    (void)str_cut(&rest, '@', &name);
    return str_dup(ask->arena, name);
}

static const char *dtype_of(const struct write_ask *ask, const struct plan_placed *placed)
{
    const char *says = placed->model->facts->dtype;

    if (placed->fit.half || ask->plan->ask->wish.dtype == PLAN_DTYPE_HALF)
        return "half";
    if (ask->plan->ask->wish.dtype == PLAN_DTYPE_BFLOAT16)
        return "bfloat16";
    if (strcmp(says, "bfloat16") == 0 || strcmp(says, "float16") == 0)
        return says;
    return "auto";
}

static const char *number(const struct write_ask *ask, uint64_t n)
{
    return str_format(ask->arena, "%llu", (unsigned long long)n);
}

static const char *share(const struct write_ask *ask, uint32_t thousandths)
{
    struct buf b = buf_new(ask->arena, 16);

    plan_put_share(&b, thousandths);
    return b.ptr;
}

static void add(const struct write_ask *ask, word_list *words, const char *word, const char *value)
{
    vec_push(ask->arena, words, word);
    if (value != NULL)
        vec_push(ask->arena, words, value);
}

static void add_settings(word_list *words, const struct write_ask *ask,
                         const struct plan_placed *placed)
{
    const struct memory_settings *s = &placed->settings;

    add(ask, words, "--dtype", dtype_of(ask, placed));
    add(ask, words, "--max-model-len", number(ask, s->context));
    if (placed->fit.utilization != 0) /* it has a GPU */
        add(ask, words, "--gpu-memory-utilization", share(ask, placed->fit.utilization));
    add(ask, words, "--max-num-seqs", number(ask, s->seqs));
    add(ask, words, "--max-num-batched-tokens", number(ask, s->batch_tokens));
    if (s->tp > 1)
        add(ask, words, "--tensor-parallel-size", number(ask, s->tp));
    if (s->eager)
        add(ask, words, "--enforce-eager", NULL);
    if (s->kv_fp8)
        add(ask, words, "--kv-cache-dtype", "fp8");
    if (s->weights_fp8)
        add(ask, words, "--quantization", "fp8");
    if (placed->model->facts->shape.cache == FACTS_CACHE_NONE)
        add(ask, words, "--runner", "pooling");
    vec_push(ask->arena, words, NULL);
}

const char *const *write_vllm_settings(const struct write_ask *ask,
                                       const struct plan_placed *placed)
{
    word_list words = {0};

    add_settings(&words, ask, placed);
    return words.at;
}

/*
 * The view for vLLM, which leads to the default revision. Of a commit its snapshot; of another
 * revision the name with it, which vLLM looks up below HF_HOME, offline too.
 */
static void add_model(word_list *words, const struct write_ask *ask, const char *ref)
{
    const char *name = served_name(ask, ref);
    const char *at = strchr(ref, '@');
    const char *slash = strchr(name, '/');

    if (at == NULL) {
        add(ask, words, str_format(ask->arena, WRITE_MOUNT "/vllm/%s", name), NULL);
    } else if (ref_is_commit(at + 1) && slash != NULL) {
        add(ask, words,
            str_format(ask->arena, WRITE_MOUNT "/huggingface/hub/models--%.*s--%s/snapshots/%s",
                       (int)(slash - name), name, slash + 1, at + 1),
            NULL);
    } else {
        add(ask, words, name, NULL);
        add(ask, words, "--revision", at + 1);
    }
    add(ask, words, "--served-model-name", name);
}

const char *const *write_vllm_args(const struct write_ask *ask, const struct plan_placed *placed)
{
    word_list words = {0};

    add_model(&words, ask, placed->model->ref);
    add_settings(&words, ask, placed);
    return words.at;
}

const struct write_variable *write_environment(const struct write_ask *ask,
                                               const struct plan_placed *placed)
{
    struct write_variable *all = arena_array(ask->arena, struct write_variable, 8);

    if (placed->settings.engine != MEMORY_OLLAMA) {
        all[0] = (struct write_variable){"HF_HOME", WRITE_MOUNT "/huggingface"};
        all[1] = (struct write_variable){"HF_HUB_OFFLINE", "1"};
        return all;
    }
    all[0] = (struct write_variable){"OLLAMA_MODELS", WRITE_MOUNT "/ollama"};
    all[1] =
        (struct write_variable){"OLLAMA_CONTEXT_LENGTH", number(ask, placed->settings.context)};
    all[2] = (struct write_variable){"OLLAMA_NUM_PARALLEL", "1"};
    all[3] = (struct write_variable){"OLLAMA_MAX_LOADED_MODELS", "1"};
    all[4] = (struct write_variable){"OLLAMA_KEEP_ALIVE", "-1"};
    /* The image asks for all GPUs, which it would get where NVIDIA's runtime is the default one. */
    if (placed->gpu_count == 0)
        all[5] = (struct write_variable){"NVIDIA_VISIBLE_DEVICES", "void"};
    return all;
}

static const char *plain_name(const struct write_ask *ask, const char *name)
{
    char *out = arena_array(ask->arena, char, NAME_MAX_LEN + 1);
    size_t len = 0;

    for (; *name != '\0' && len < NAME_MAX_LEN; name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (good)
            out[len++] = c;
        else if (len > 0 && out[len - 1] != '-')
            out[len++] = '-';
    }
    while (len > 0 && out[len - 1] == '-')
        len--;
    out[len] = '\0';
    return len > 0 ? out : "engine";
}

/* Names that differ in what was dropped get a number, as long as that makes a new one. */
const char *write_name(const struct write_ask *ask, const struct plan_placed *placed)
{
    const struct plan *plan = ask->plan;
    const char **names = arena_array(ask->arena, const char *, plan->ask->item_count + 1);

    for (size_t i = 0; i < plan->ask->item_count; i++) {
        const char *plain = plain_name(ask, plan->placed[i].item->name);
        size_t number = 1;

        names[i] = plain;
        for (size_t k = 0; k < i;) {
            if (strcmp(names[k++], names[i]) != 0)
                continue;
            names[i] = str_format(ask->arena, "%.*s-%zu", (int)NAME_MAX_LEN - 4, plain, ++number);
            k = 0;
        }
        if (&plan->placed[i] == placed)
            return names[i];
    }
    return plain_name(ask, placed->item->name);
}

const size_t *write_order(const struct write_ask *ask, size_t *ret_count)
{
    static const enum memory_engine engines[] = {MEMORY_VLLM, MEMORY_SERVER, MEMORY_OLLAMA};
    const struct plan *plan = ask->plan;
    size_t *order = arena_array(ask->arena, size_t, plan->ask->item_count + 1);
    size_t count = 0;

    for (size_t e = 0; e < sizeof(engines) / sizeof(engines[0]); e++) {
        for (size_t i = 0; i < plan->ask->item_count; i++) {
            if (plan->placed[i].item->engine == engines[e] && fit_runs(plan->placed[i].verdict))
                order[count++] = i;
        }
    }
    *ret_count = count;
    return order;
}

bool write_in_container(const struct plan_placed *placed)
{
    enum memory_engine engine = placed->item->engine;

    return fit_runs(placed->verdict) &&
           (engine == MEMORY_OLLAMA || (engine == MEMORY_VLLM && placed->gpu_count > 0));
}

static bool has_gpu(const struct plan_placed *placed, size_t gpu)
{
    for (size_t i = 0; i < placed->gpu_count; i++) {
        if (placed->gpus[i] == gpu)
            return true;
    }
    return false;
}

/* The last one before it on this GPU. */
static const struct plan_placed *before_on(const struct write_ask *ask,
                                           const struct plan_placed *placed, size_t gpu)
{
    const struct plan_placed *last = NULL;
    size_t count;
    const size_t *order = write_order(ask, &count);

    for (size_t i = 0; i < count; i++) {
        const struct plan_placed *other = &ask->plan->placed[order[i]];

        if (other == placed)
            break;
        if (write_in_container(other) && has_gpu(other, gpu))
            last = other;
    }
    return last;
}

const struct plan_placed *const *write_after(const struct write_ask *ask,
                                             const struct plan_placed *placed)
{
    placed_list all = {0};

    for (size_t i = 0; i < placed->gpu_count; i++) {
        const struct plan_placed *before = before_on(ask, placed, placed->gpus[i]);
        bool known = before == NULL;

        for (size_t k = 0; k < all.len; k++)
            known |= all.at[k] == before;
        if (!known)
            vec_push(ask->arena, &all, before);
    }
    vec_push(ask->arena, &all, NULL);
    return all.at;
}

const char *write_gpu(const struct write_ask *ask, const struct plan_placed *placed, size_t i)
{
    return ask->plan->ask->gpus[placed->gpus[i]].gpu->uuid;
}

void write_comment(struct buf *out, const struct write_ask *ask, const char *fmt, ...)
{
    struct buf b = buf_new(ask->arena, (size_t)COMMENT_MAX * 4);
    char text[COMMENT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    escape_text(&b, str_from(text));
    buf_addf(out, "# %s\n", b.ptr);
}

static void left_out(struct buf *out, const struct write_ask *ask, const struct plan_placed *placed)
{
    const char *name = placed->item->name;
    unsigned long long mib = (unsigned long long)memory_mib(plan_need(placed));
    const char *files = served_name(ask, placed->model->ref);

    if (!fit_runs(placed->verdict))
        write_comment(out, ask, "%s is left out (%s): %s", name, fit_verdict_name(placed->verdict),
                      placed->reason_count > 0 ? placed->reasons[0].text : "no GPU takes it");
    else if (placed->item->engine == MEMORY_SERVER)
        write_comment(out, ask,
                      "%s is served by a program of yours, which needs %llu MiB %s%s; its "
                      "files: " WRITE_MOUNT "/vllm/%s",
                      name, mib, placed->gpu_count > 0 ? "of " : "on the CPU",
                      placed->gpu_count > 0 ? write_gpu(ask, placed, 0) : "", files);
    else
        write_comment(out, ask,
                      "%s is left out: on the CPU it takes a vLLM that is built for it, which this "
                      "image is not; its files: " WRITE_MOUNT "/vllm/%s",
                      name, files);
}

void write_left_out(struct buf *out, const struct write_ask *ask)
{
    for (size_t i = 0; i < ask->plan->ask->item_count; i++) {
        if (!write_in_container(&ask->plan->placed[i]))
            left_out(out, ask, &ask->plan->placed[i]);
    }
}

void write_host(struct buf *out, const struct write_ask *ask, const struct plan_placed *placed)
{
    const char *host = placed->gpu_count > 0 ? ask->plan->ask->gpus[placed->gpus[0]].host : NULL;

    if (host != NULL)
        write_comment(out, ask, "%s is for host %s", placed->item->name, host);
}

void write_shell(struct buf *out, const char *text)
{
    buf_addc(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buf_addz(out, "'\\''");
        else
            buf_addc(out, *text);
    }
    buf_addc(out, '\'');
}

/* What YAML does not take as it is, takes for the end of a line, or shows as something else. */
static bool is_plain(uint32_t c)
{
    return (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0x2000) || (c >= 0x3000 && c < 0xd800) ||
           (c >= 0xe000 && c < 0xfe00);
}

void write_yaml(struct buf *out, const char *text)
{
    struct str s = str_from(text);

    buf_addc(out, '"');
    while (s.len > 0) {
        uint32_t c = 0xfffd; /* for each byte that is not UTF-8 */
        size_t len = utf8_next(&c, s);

        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", (char)c);
        else if (is_plain(c))
            buf_add(out, (struct str){s.ptr, len});
        else
            buf_addf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
        len = len == 0 ? 1 : len;
        s.ptr += len;
        s.len -= len;
    }
    buf_addc(out, '"');
}

void write_list(struct buf *out, const char *const *words)
{
    buf_addc(out, '[');
    for (size_t i = 0; words[i] != NULL; i++) {
        if (i > 0)
            buf_addz(out, ", ");
        write_yaml(out, words[i]);
    }
    buf_addc(out, ']');
}
