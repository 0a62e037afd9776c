/*
 * The head of a GGUF file: its keys, and which tensors it has. Nothing of their bytes is looked at.
 *
 *     "GGUF", u32 version, i64 tensors, i64 keys; the keys; the tensors; padding; their bytes
 *
 * How long the head is stands nowhere, so it is read as far as it is there and more is asked for:
 *
 *     file.head = the first GGUF_FIRST bytes of the file
 *     while (gguf_read(&facts, a, &need, &file, err) == 0 && need > 0)
 *         file.head = the first need bytes of the file
 *
 * Hostile until read, with llama.cpp's checks (keys and names that come once, known types, whole
 * blocks, offsets that are the running sum of padded sizes) and limits of our own: keys of 64 KiB,
 * strings of 16 MiB, 65,536 keys, a million tensors, a head of 256 MiB. Lists are passed over
 * without a copy. All errors are ERR_LIMIT and name the file. Source of the format: ggml's gguf.md.
 */
#ifndef MODEL_GGUF_H
#define MODEL_GGUF_H

#include "err/err.h"
#include "model/facts.h"
#include "text/str.h"

#define GGUF_FIRST       ((size_t)1 << 20)
#define GGUF_HEADER_MAX  ((size_t)256 << 20)
#define GGUF_TENSORS_MAX ((uint64_t)1000000)
#define GGUF_KEYS_MAX    ((uint64_t)65536)

struct gguf_file {
    const char *what; /* names it in errors */
    uint64_t bytes;   /* of the whole */
    struct str head;  /* as much of its start as is there */
};

/*
 * *ret_need: 0, facts have it; else so many bytes from the start of the file are needed, and facts
 * are untouched. Parts of one model are read one after the other, as is its projector (general.
 * architecture "clip"), whose tensors count as projector_bytes and which changes no shape of text.
 */
int gguf_read(struct model_facts *facts, struct arena *a, uint64_t *ret_need,
              const struct gguf_file *file, struct err *err) MUST_CHECK;

#endif
