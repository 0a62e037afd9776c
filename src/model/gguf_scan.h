/* Reading the parts of a GGUF head one after the other; of gguf.c alone. */
#ifndef MODEL_GGUF_SCAN_H
#define MODEL_GGUF_SCAN_H

#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

/* How a step of reading ended. */
enum gguf_step {
    GGUF_BAD = -1, /* the error is set */
    GGUF_OK = 0,
    GGUF_MORE = 1, /* the head goes on behind what is there */
};

struct gguf_scan {
    const char *start, *at, *end;
    uint64_t need; /* with GGUF_MORE: bytes from the start, at the least */
    const char *what;
    struct arena *arena; /* for messages */
    struct err *err;
};

enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES,
};

/* A key's value, as far as it is of use here. */
struct gguf_value {
    bool is_number;  /* of 0 and more, whole */
    uint64_t number; /* of a list of numbers the largest */
    uint64_t least;  /* of a list the smallest */
    bool is_text;
    struct str text;
    bool is_list;
    uint64_t count;
};

enum gguf_step gguf_u32(struct gguf_scan *s, uint32_t *out);
enum gguf_step gguf_u64(struct gguf_scan *s, uint64_t *out);

/* Of at most max bytes; the slice is of the head. */
enum gguf_step gguf_string(struct gguf_scan *s, struct str *out, uint64_t max);

enum gguf_step gguf_value(struct gguf_scan *s, struct gguf_value *out);

/* ERR_LIMIT by printf, with the file's name in front. Returns GGUF_BAD. */
enum gguf_step gguf_bad(struct gguf_scan *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
