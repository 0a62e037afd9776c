/*
 * The inventory as one JSON document, and back: `hostler gpus --json`, --gpus-from FILE.
 *
 * doc/gpus.md has the fields. A reader takes any part of them: each GPU needs `uuid`, and
 * `total_mib` or `cuda_total_mib`, from which the other sizes are reckoned where they are missing.
 * Sizes that contradict each other are refused, with the place of the GPU in the list: a part that
 * is larger than the whole, used and free that are together more than CUDA's total (less is taken:
 * the driver keeps some back). Nobody could tell which one is true, and a worker would be started
 * into memory that is not there. What is not known is null, and unknown members are passed over, so
 * that files of newer versions can be read.
 */
#ifndef GPU_INVENTORY_H
#define GPU_INVENTORY_H

#include "gpu/gpu.h"
#include "text/buf.h"
#include "text/str.h"

/* The most bytes of a document that are read or written. */
#define INVENTORY_MAX ((size_t)4 << 20)

/* One line, with its end. */
void inventory_write(struct buf *out, const struct gpu_inventory *inventory);

/* One GPU's object: workers report theirs to the coordinator. */
void inventory_write_gpu(struct buf *out, const struct gpu *gpu);

/* what names the text in errors. ERR_USAGE, or ERR_LIMIT where a limit is passed. */
int inventory_read(struct gpu_inventory *out, struct arena *a, struct str text, const char *what,
                   struct err *err) MUST_CHECK;

/* The same from a file. */
int inventory_read_file(struct gpu_inventory *out, struct arena *a, const char *path,
                        struct err *err) MUST_CHECK;

#endif
