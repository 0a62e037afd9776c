#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "text/seen.h"
#include "text/utf8.h"

#define NAME_MAX_BYTES ((size_t)4096)
#define RANK_MAX       16
#define SHOWN          ((size_t)80)

/* Bits of one element. */
static const struct {
    const char *name;
    uint64_t bits;
} types[] = {
#define DTYPE(name, bits) {name, bits},
#include "model/safetensors.def"
#undef DTYPE
};

struct extent {
    uint64_t begin, end;
};

/* One tensor as the scanner has it. */
struct tensor {
    struct str name, dtype;
    uint64_t elements;
    struct extent extent;
    bool has_dtype, has_shape, has_extent;
};

struct scan {
    const char *at, *end;
    const char *what;
    struct arena *arena;
    struct err *err;
    struct model_facts facts;
    struct extent *extents;
    size_t count;
    struct seen names;
};

int safetensors_size(uint64_t *ret_bytes, struct str first, uint64_t file_bytes, const char *what,
                     struct err *err)
{
    uint64_t n = 0;

    if (first.len < SAFETENSORS_HEAD || file_bytes < SAFETENSORS_HEAD)
        return err_set(err, ERR_LIMIT, "%s: no safetensors file: it has %llu bytes", what,
                       (unsigned long long)file_bytes);
    for (size_t i = SAFETENSORS_HEAD; i > 0; i--)
        n = n << 8 | (unsigned char)first.ptr[i - 1];
    if (n > SAFETENSORS_HEADER_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: no safetensors file: its head would be %llu bytes, more than %llu",
                       what, (unsigned long long)n, (unsigned long long)SAFETENSORS_HEADER_MAX);
    if (n > file_bytes - SAFETENSORS_HEAD)
        return err_set(err, ERR_LIMIT,
                       "%s: its head is %llu bytes and the whole file %llu: it is cut off", what,
                       (unsigned long long)n, (unsigned long long)file_bytes);
    *ret_bytes = n + SAFETENSORS_HEAD;
    return 0;
}

/* ---- the scanner ---- */

static int bad(struct scan *s, const char *why)
{
    return err_set(s->err, ERR_LIMIT,
                   "%s: its head is no JSON of tensors: %s, %zu bytes before its end", s->what, why,
                   (size_t)(s->end - s->at));
}

static void blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool take(struct scan *s, char c)
{
    blanks(s);
    if (s->at >= s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static int want(struct scan *s, char c)
{
    char why[] = "a ? is missing";

    why[2] = c;
    return take(s, c) ? 0 : bad(s, why);
}

/*
 * A string as it is written, without its quotes; escapes stay as they are: two spellings of one
 * name would be two names, and no writer uses them for tensors.
 */
static int text(struct scan *s, struct str *out)
{
    const char *start;

    if (want(s, '"') < 0)
        return -1;
    start = s->at;
    for (; s->at < s->end && *s->at != '"'; s->at++) {
        if ((unsigned char)*s->at < 0x20)
            return bad(s, "a control character in a string");
        if (*s->at == '\\' && ++s->at >= s->end)
            break;
    }
    if (s->at >= s->end)
        return bad(s, "a string without an end");
    *out = (struct str){start, (size_t)(s->at++ - start)};
    return 0;
}

static int number(struct scan *s, uint64_t *out)
{
    uint64_t n = 0;
    const char *start;

    blanks(s);
    start = s->at;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*s->at - '0'), &n))
            return bad(s, "a number of more than 64 bits");
    }
    if (s->at == start || (*start == '0' && s->at - start > 1))
        return bad(s, "no whole number of 0 and more");
    if (s->at < s->end && (*s->at == '.' || *s->at == 'e' || *s->at == 'E'))
        return bad(s, "no whole number");
    *out = n;
    return 0;
}

/* "a,b]" of at most max numbers; each is given to the product. */
static int shape(struct scan *s, uint64_t *ret_elements)
{
    uint64_t elements = 1;

    if (want(s, '[') < 0)
        return -1;
    for (int rank = 0; !take(s, ']'); rank++) {
        uint64_t dim;

        if (rank == RANK_MAX)
            return bad(s, "a shape of more than 16 dimensions");
        if ((rank > 0 && want(s, ',') < 0) || number(s, &dim) < 0)
            return -1;
        if (__builtin_mul_overflow(elements, dim, &elements))
            return bad(s, "a shape of more than 2^64 elements");
    }
    *ret_elements = elements;
    return 0;
}

static int offsets(struct scan *s, struct extent *out)
{
    if (want(s, '[') < 0 || number(s, &out->begin) < 0 || want(s, ',') < 0 ||
        number(s, &out->end) < 0 || want(s, ']') < 0)
        return -1;
    return 0;
}

static int tensor_member(struct scan *s, struct tensor *t)
{
    struct str key;
    bool *has;

    if (text(s, &key) < 0 || want(s, ':') < 0)
        return -1;
    has = str_eqz(key, "dtype")          ? &t->has_dtype
          : str_eqz(key, "shape")        ? &t->has_shape
          : str_eqz(key, "data_offsets") ? &t->has_extent
                                         : NULL;
    if (has == NULL || *has)
        return bad(s, has == NULL ? "a tensor with a member that is not known"
                                  : "a tensor with a member twice");
    *has = true;
    if (has == &t->has_dtype)
        return text(s, &t->dtype);
    return has == &t->has_shape ? shape(s, &t->elements) : offsets(s, &t->extent);
}

static int metadata(struct scan *s)
{
    struct str ignored;

    if (want(s, '{') < 0)
        return -1;
    for (bool first = true; !take(s, '}'); first = false) {
        if ((!first && want(s, ',') < 0) || text(s, &ignored) < 0 || want(s, ':') < 0 ||
            text(s, &ignored) < 0)
            return -1;
    }
    return 0;
}

/* ---- what a tensor must be ---- */

static const char *shown(struct scan *s, struct str name)
{
    return str_printable(s->arena, name, SHOWN);
}

static uint64_t bits_of(struct str dtype)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_eqz(dtype, types[i].name))
            return types[i].bits;
    }
    return 0;
}

static int check_size(struct scan *s, const struct tensor *t)
{
    uint64_t bits = bits_of(t->dtype);
    uint64_t total;

    if (t->extent.end < t->extent.begin)
        return err_set(s->err, ERR_LIMIT, "%s: tensor %s ends before it begins", s->what,
                       shown(s, t->name));
    if (bits == 0) {
        facts_odd(&s->facts, s->arena, "%s: tensor %s is of a type that is not known: %s", s->what,
                  shown(s, t->name), shown(s, t->dtype));
        return 0;
    }
    if (__builtin_mul_overflow(t->elements, bits, &total))
        return err_set(s->err, ERR_LIMIT, "%s: tensor %s has more than 2^64 bits", s->what,
                       shown(s, t->name));
    if (total / 8 + (total % 8 != 0) != t->extent.end - t->extent.begin)
        return err_set(s->err, ERR_LIMIT,
                       "%s: tensor %s has %llu bytes, and by its type and shape %llu", s->what,
                       shown(s, t->name), (unsigned long long)(t->extent.end - t->extent.begin),
                       (unsigned long long)(total / 8 + (total % 8 != 0)));
    return 0;
}

static int check_name(struct scan *s, struct str name)
{
    if (name.len > NAME_MAX_BYTES)
        return err_set(s->err, ERR_LIMIT, "%s: the name of a tensor has %zu bytes, more than %zu",
                       s->what, name.len, NAME_MAX_BYTES);
    if (!seen_add(&s->names, name))
        return err_set(s->err, ERR_LIMIT, "%s: tensor %s is there twice", s->what, shown(s, name));
    return 0;
}

static int add(struct scan *s, const struct tensor *t)
{
    if (!t->has_dtype || !t->has_shape || !t->has_extent)
        return err_set(s->err, ERR_LIMIT, "%s: tensor %s has no dtype, shape or data_offsets",
                       s->what, shown(s, t->name));
    if (check_name(s, t->name) < 0 || check_size(s, t) < 0)
        return -1;
    s->extents[s->count++] = t->extent;
    if (!facts_add_tensor(&s->facts, str_printable(s->arena, t->dtype, SHOWN), t->elements,
                          t->extent.end - t->extent.begin))
        return err_set(s->err, ERR_LIMIT, "%s: its tensors have more than 2^64 bytes", s->what);
    return 0;
}

static int member(struct scan *s)
{
    struct arena_mark mark = arena_mark(s->arena);
    struct tensor t = {0};
    size_t odd = s->facts.odd_count;
    int r;

    if (text(s, &t.name) < 0 || want(s, ':') < 0)
        return -1;
    if (str_eqz(t.name, "__metadata__"))
        return metadata(s);
    if (s->count >= SAFETENSORS_TENSORS_MAX)
        return err_set(s->err, ERR_LIMIT, "%s: more than %zu tensors", s->what,
                       SAFETENSORS_TENSORS_MAX);
    if (want(s, '{') < 0)
        return -1;
    for (bool first = true; !take(s, '}'); first = false) {
        if ((!first && want(s, ',') < 0) || tensor_member(s, &t) < 0)
            return -1;
    }
    r = add(s, &t);
    if (s->facts.odd_count == odd) /* what is noted stays */
        arena_rewind(s->arena, mark);
    return r;
}

static int by_begin(const void *x, const void *y)
{
    const struct extent *a = x, *b = y;

    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

/* No hole, no overlap, nothing behind. */
static int check_extents(struct scan *s, uint64_t data_bytes)
{
    uint64_t at = 0;

    qsort(s->extents, s->count, sizeof(*s->extents), by_begin);
    for (size_t i = 0; i < s->count; i++) {
        if (s->extents[i].begin != at)
            return err_set(s->err, ERR_LIMIT, "%s: %s between two tensors at byte %llu", s->what,
                           s->extents[i].begin > at ? "a hole" : "an overlap",
                           (unsigned long long)at);
        at = s->extents[i].end;
    }
    if (at != data_bytes)
        return err_set(s->err, ERR_LIMIT,
                       at > data_bytes ? "%s: its tensors end at %llu and the file at %llu: it is "
                                         "cut off"
                                       : "%s: its tensors end at %llu and the file at %llu",
                       s->what, (unsigned long long)at, (unsigned long long)data_bytes);
    return 0;
}

/* Room for every tensor that so long a head can hold. */
static void make_room(struct scan *s, size_t len)
{
    /* The shortest tensor: "":{"dtype":"","shape":[],"data_offsets":[0,0]} */
    size_t most = len / 48 + 1;

    if (most > SAFETENSORS_TENSORS_MAX)
        most = SAFETENSORS_TENSORS_MAX;
    s->names = seen_new(s->arena, most);
    s->extents = arena_array(s->arena, struct extent, most + 1);
}

static int scan(struct scan *s, uint64_t data_bytes)
{
    make_room(s, (size_t)(s->end - s->at));
    if (want(s, '{') < 0)
        return -1;
    for (bool first = true; !take(s, '}'); first = false) {
        if ((!first && want(s, ',') < 0) || member(s) < 0)
            return -1;
    }
    blanks(s);
    if (s->at != s->end)
        return bad(s, "something behind it");
    return check_extents(s, data_bytes);
}

int safetensors_read(struct model_facts *facts, struct arena *a, struct str header,
                     uint64_t file_bytes, const char *what, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct scan s = {.what = what, .arena = &scratch, .err = err, .facts = *facts};
    uint64_t size;

    if (safetensors_size(&size, header, file_bytes, what, err) < 0)
        return -1;
    if (size != header.len)
        return err_set(err, ERR_LIMIT, "%s: %zu bytes of a head of %llu were read", what,
                       header.len, (unsigned long long)size);
    s.at = header.ptr + SAFETENSORS_HEAD;
    s.end = header.ptr + header.len;
    if (s.at == s.end || *s.at != '{')
        return bad(&s, "it does not begin with {");
    if (!utf8_is_valid((struct str){s.at, (size_t)(s.end - s.at)}))
        return bad(&s, "it is no UTF-8");
    if (scan(&s, file_bytes - size) < 0)
        return -1;
    for (size_t i = facts->odd_count; i < s.facts.odd_count && i < FACTS_ODD_MAX; i++)
        s.facts.odd[i] = str_dup(a, str_from(s.facts.odd[i]));
    *facts = s.facts;
    facts_sort_dtypes(facts);
    return 0;
}

void safetensors_load_bytes(struct model_facts *facts)
{
    facts->load_bytes = facts->tensor_bytes;
    for (size_t i = 0; i < facts->dtype_count && facts->quant.method[0] == '\0'; i++) {
        if (strcmp(facts->dtypes[i].name, "F32") == 0)
            facts->load_bytes -= facts->dtypes[i].bytes / 2;
    }
}
