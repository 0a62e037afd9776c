/*
 * The head of a safetensors file: which tensors it has, of which types and sizes. Nothing of their
 * bytes is looked at.
 *
 *     u64 N, little endian; N bytes of JSON; the tensors, one after the other
 *     {"name": {"dtype": "BF16", "shape": [32, 64], "data_offsets": [0, 4096]}, ...,
 *      "__metadata__": {"key": "text"}}
 *
 * Hostile until read: what the reference implementation refuses is refused (a head of more than
 * 100,000,000 bytes, names that come twice, holes, overlaps, sizes that are not what type and shape
 * say, bytes after the last tensor), and beyond that more than a million tensors, names of more
 * than 4 KiB and shapes of more than 16 dimensions. A type that is not known is taken by its bytes
 * and noted. Memory: 24 bytes a tensor. All errors are ERR_LIMIT and name the file and the tensor.
 * Source of the format: huggingface/safetensors.
 */
#ifndef MODEL_SAFETENSORS_H
#define MODEL_SAFETENSORS_H

#include "err/err.h"
#include "model/facts.h"
#include "text/str.h"

#define SAFETENSORS_HEAD        ((size_t)8) /* bytes that tell how long the head is */
#define SAFETENSORS_HEADER_MAX  ((uint64_t)100000000)
#define SAFETENSORS_TENSORS_MAX ((size_t)1000000)

/* How many bytes of the file its head is, from the first SAFETENSORS_HEAD of them. */
int safetensors_size(uint64_t *ret_bytes, struct str first, uint64_t file_bytes, const char *what,
                     struct err *err) MUST_CHECK;

/*
 * Adds the tensors of a file to facts, of which header is the whole head. Files of one model are
 * added one after the other. On failure facts are untouched.
 */
int safetensors_read(struct model_facts *facts, struct arena *a, struct str header,
                     uint64_t file_bytes, const char *what, struct err *err) MUST_CHECK;

/*
 * Once all files are read: load_bytes, what vLLM holds. A float model is loaded in 16 bits, so its
 * F32 tensors are halved; of packed weights F32 are scales, and stay.
 */
void safetensors_load_bytes(struct model_facts *facts);

#endif
