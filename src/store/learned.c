#include "store/learned.h"

#include <stdio.h>
#include <string.h>

#include "store/formats.h"
#include "store/sealed.h"

#define KIND       "learned"
#define FOLDER     "learned"
#define BYTES_MOST (UINT64_C(1) << 50)

static const char *path_of(struct arena *a, const char *model)
{
    return sealed_path(
        a, FOLDER, str_format(a, "model-%016llx", (unsigned long long)str_hash(str_from(model))));
}

static bool word(char *out, size_t size, struct arena *a, struct str *line)
{
    struct str text;

    if (!sealed_word(&text, a, line) || text.len >= size)
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool flag(bool *out, struct str *line)
{
    uint64_t n;

    if (!sealed_number(&n, line) || n > 1)
        return false;
    *out = n == 1;
    return true;
}

bool learned_parse(struct learned *out, struct arena *a, struct str line)
{
    struct learned one = {0};

    if (!word(one.engine, sizeof(one.engine), a, &line) ||
        !word(one.version, sizeof(one.version), a, &line) ||
        !word(one.revision, sizeof(one.revision), a, &line) ||
        !word(one.gpu, sizeof(one.gpu), a, &line) || !sealed_number(&one.tp, &line) ||
        !sealed_number(&one.seqs, &line) || !sealed_number(&one.batch_tokens, &line) ||
        !flag(&one.eager, &line) || !flag(&one.kv_fp8, &line) || !flag(&one.weights_fp8, &line) ||
        !sealed_number(&one.weights, &line) || !sealed_number(&one.working, &line))
        return false;
    if (line.len > 0 || one.weights > BYTES_MOST || one.working > BYTES_MOST)
        return false;
    *out = one;
    return true;
}

static void put(struct buf *b, const struct learned *one)
{
    sealed_put(b, str_from(one->engine));
    buf_addc(b, ' ');
    sealed_put(b, str_from(one->version));
    buf_addc(b, ' ');
    sealed_put(b, str_from(one->revision));
    buf_addc(b, ' ');
    sealed_put(b, str_from(one->gpu));
    buf_addf(b, " %llu %llu %llu %d %d %d %llu %llu\n", (unsigned long long)one->tp,
             (unsigned long long)one->seqs, (unsigned long long)one->batch_tokens, one->eager,
             one->kv_fp8, one->weights_fp8, (unsigned long long)one->weights,
             (unsigned long long)one->working);
}

/* The first line names the model, since a hash alone may be that of another. */
void learned_read(struct learned_list *out, struct arena *a, const struct volume *v,
                  const char *model)
{
    struct str body, line, name;

    *out = (struct learned_list){.at = arena_array(a, struct learned, LEARNED_MAX + 1)};
    if (!sealed_read(&body, a, v, path_of(a, model), KIND, LEARNED_FORMAT))
        return;
    (void)str_cut(&body, '\n', &line);
    if (!sealed_word(&name, a, &line) || !str_eqz(name, model))
        return;
    while (body.len > 0 && out->count < LEARNED_MAX) {
        (void)str_cut(&body, '\n', &line);
        if (!learned_parse(&out->at[out->count], a, line)) {
            out->count = 0;
            return;
        }
        out->count++;
    }
}

static bool is_same_start(const struct learned *x, const struct learned *y)
{
    return strcmp(x->engine, y->engine) == 0 && strcmp(x->version, y->version) == 0 &&
           strcmp(x->revision, y->revision) == 0 && strcmp(x->gpu, y->gpu) == 0 && x->tp == y->tp &&
           x->seqs == y->seqs && x->batch_tokens == y->batch_tokens && x->eager == y->eager &&
           x->kv_fp8 == y->kv_fp8 && x->weights_fp8 == y->weights_fp8;
}

int learned_write(const struct volume *v, const char *model, const struct learned *one,
                  struct err *err)
{
    ARENA_SCOPED a = {0};
    struct learned_list list;
    struct buf b = sealed_begin(&a, KIND, LEARNED_FORMAT);
    size_t kept = 0;

    learned_read(&list, &a, v, model);
    sealed_put(&b, str_from(model));
    buf_addc(&b, '\n');
    for (size_t i = 0; i < list.count; i++)
        kept += !is_same_start(&list.at[i], one);
    for (size_t i = 0; i < list.count; i++) {
        if (is_same_start(&list.at[i], one))
            continue;
        if (kept-- >= LEARNED_MAX)
            continue;
        put(&b, &list.at[i]);
    }
    put(&b, one);
    return sealed_write(&b, v, path_of(&a, model), err);
}
