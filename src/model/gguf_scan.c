#include "model/gguf_scan.h"

#include <stdarg.h>
#include <stdio.h>

#define STRING_MAX ((uint64_t)16 << 20)
#define LIST_MAX   ((uint64_t)64 << 20)

static const uint8_t sizes[GGUF_TYPES] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,   [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,
    [GGUF_F32] = 4, [GGUF_BOOL] = 1, [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

enum gguf_step gguf_bad(struct gguf_scan *s, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)err_set(s->err, ERR_LIMIT, "%s: no GGUF file that can be read: %s", s->what, text);
    return GGUF_BAD;
}

/* So many bytes must be there. */
static enum gguf_step need(struct gguf_scan *s, uint64_t bytes)
{
    if (bytes <= (uint64_t)(s->end - s->at))
        return GGUF_OK;
    s->need = (uint64_t)(s->at - s->start) + bytes;
    return GGUF_MORE;
}

/* A number of so many bytes, the least first. */
static uint64_t little(const char *at, unsigned bytes)
{
    uint64_t n = 0;

    for (unsigned i = bytes; i > 0; i--)
        n = n << 8 | (unsigned char)at[i - 1];
    return n;
}

enum gguf_step gguf_u32(struct gguf_scan *s, uint32_t *out)
{
    enum gguf_step r = need(s, 4);

    if (r == GGUF_OK) {
        *out = (uint32_t)little(s->at, 4);
        s->at += 4;
    }
    return r;
}

enum gguf_step gguf_u64(struct gguf_scan *s, uint64_t *out)
{
    enum gguf_step r = need(s, 8);

    if (r == GGUF_OK) {
        *out = little(s->at, 8);
        s->at += 8;
    }
    return r;
}

enum gguf_step gguf_string(struct gguf_scan *s, struct str *out, uint64_t max)
{
    uint64_t len;
    enum gguf_step r = gguf_u64(s, &len);

    if (r != GGUF_OK)
        return r;
    if (len > max)
        return gguf_bad(s, "a text of %llu bytes, more than %llu", (unsigned long long)len,
                        (unsigned long long)max);
    r = need(s, len);
    if (r == GGUF_OK) {
        *out = (struct str){s->at, (size_t)len};
        s->at += len;
    }
    return r;
}

/* The number at `at`; false for one below 0, and for what is no whole number. */
static bool whole(uint64_t *out, const char *at, enum gguf_type type)
{
    unsigned size = sizes[type];

    *out = little(at, size);
    switch (type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
    case GGUF_BOOL: return true;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64: return (*out >> (size * 8 - 1)) == 0;
    case GGUF_F32:
    case GGUF_F64:
    case GGUF_STRING:
    case GGUF_ARRAY:
    case GGUF_TYPES: break;
    }
    return false;
}

static enum gguf_step list_of_texts(struct gguf_scan *s, uint64_t count)
{
    struct str text;

    for (uint64_t i = 0; i < count; i++) {
        enum gguf_step r = gguf_string(s, &text, STRING_MAX);

        if (r != GGUF_OK)
            return r;
    }
    return GGUF_OK;
}

static enum gguf_step list_of_numbers(struct gguf_scan *s, struct gguf_value *out, uint32_t type)
{
    enum gguf_step r = need(s, out->count * sizes[type]);

    if (r != GGUF_OK)
        return r;
    out->is_number = out->count > 0;
    out->least = UINT64_MAX;
    for (uint64_t i = 0; i < out->count; i++) {
        uint64_t n;

        if (!whole(&n, s->at + i * sizes[type], (enum gguf_type)type)) {
            out->is_number = false;
            break;
        }
        out->number = n > out->number ? n : out->number;
        out->least = n < out->least ? n : out->least;
    }
    s->at += out->count * sizes[type];
    return GGUF_OK;
}

static enum gguf_step list(struct gguf_scan *s, struct gguf_value *out)
{
    uint32_t type;
    enum gguf_step r = gguf_u32(s, &type);

    if (r == GGUF_OK)
        r = gguf_u64(s, &out->count);
    if (r != GGUF_OK)
        return r;
    if (type >= GGUF_TYPES || type == GGUF_ARRAY)
        return gguf_bad(s, "a list of type %u", type);
    if (out->count > LIST_MAX)
        return gguf_bad(s, "a list of %llu values, more than %llu", (unsigned long long)out->count,
                        (unsigned long long)LIST_MAX);
    out->is_list = true;
    if (type == GGUF_STRING)
        return list_of_texts(s, out->count);
    return list_of_numbers(s, out, type);
}

enum gguf_step gguf_value(struct gguf_scan *s, struct gguf_value *out)
{
    uint32_t type;
    enum gguf_step r = gguf_u32(s, &type);

    *out = (struct gguf_value){0};
    if (r != GGUF_OK)
        return r;
    if (type >= GGUF_TYPES)
        return gguf_bad(s, "a value of type %u", type);
    if (type == GGUF_ARRAY)
        return list(s, out);
    if (type == GGUF_STRING) {
        out->is_text = true;
        return gguf_string(s, &out->text, STRING_MAX);
    }
    r = need(s, sizes[type]);
    if (r != GGUF_OK)
        return r;
    out->is_number = whole(&out->number, s->at, (enum gguf_type)type);
    out->least = out->number;
    s->at += sizes[type];
    return GGUF_OK;
}
