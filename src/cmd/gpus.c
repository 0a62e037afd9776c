/* gpus: the GPUs of this host, which of them are ours, and what is wrong with the others. */
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/host_gpus.h"
#include "gpu/inventory.h"
#include "report/escape.h"
#include "text/buf.h"
#include "text/num.h"

#define MIB        ((uint64_t)1 << 20)
#define COLUMN_MAX 60

enum column {
    COLUMN_INDEX,
    COLUMN_GPU,
    COLUMN_NAME,
    COLUMN_SM,
    COLUMN_TOTAL,
    COLUMN_USED,
    COLUMN_FREE,
    COLUMN_STATE,
    COLUMNS,
};

/* One line of the table, as text. */
struct line {
    const char *at[COLUMNS];
};

static const char *escaped(struct arena *a, const char *text)
{
    struct buf b = buf_new(a, 8 * GPU_REASON);

    escape_text(&b, str_from(text));
    return b.len > 0 ? b.ptr : "-";
}

static const char *size_text(struct arena *a, const struct gpu *gpu, uint64_t mib)
{
    if (gpu->total_mib == 0 && gpu->cuda_total_mib == 0)
        return "-";
    return num_format_size(arena_array(a, char, NUM_TEXT), mib * MIB);
}

static struct line line_of(struct arena *a, const struct gpu *gpu)
{
    struct line line = {{
        [COLUMN_INDEX] = str_format(a, "%u", gpu->index),
        [COLUMN_GPU] = escaped(a, gpu_short_name(a, gpu)),
        [COLUMN_NAME] = escaped(a, gpu->name),
        [COLUMN_SM] = escaped(a, gpu->sm),
        [COLUMN_TOTAL] = size_text(a, gpu, gpu->total_mib),
        [COLUMN_USED] = size_text(a, gpu, gpu->used_mib),
        [COLUMN_FREE] = size_text(a, gpu, gpu->free_mib),
        [COLUMN_STATE] = gpu_state_name(gpu->state),
    }};

    if (gpu->mig_parent[0] != '\0' && strstr(gpu->name, gpu->mig_profile) == NULL)
        line.at[COLUMN_NAME] = escaped(a, str_format(a, "%s MIG %s", gpu->name, gpu->mig_profile));
    return line;
}

static void put_lines(struct buf *out, const struct line *lines, size_t count)
{
    int widths[COLUMNS] = {0};

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < COLUMNS; k++) {
            size_t len = strlen(lines[i].at[k]);

            if (len > (size_t)widths[k])
                widths[k] = (int)(len < COLUMN_MAX ? len : COLUMN_MAX);
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < COLUMN_STATE; k++) {
            bool number = k >= COLUMN_TOTAL;

            buf_addf(out, "%*s  ", number ? widths[k] : -widths[k], lines[i].at[k]);
        }
        buf_addf(out, "%s\n", lines[i].at[COLUMN_STATE]);
    }
}

static void put_note(struct buf *out, const char *what, const char *hint)
{
    ARENA_SCOPED a = {0};

    buf_addf(out, "%s\n", escaped(&a, what));
    if (hint[0] != '\0')
        buf_addf(out, "  hint: %s\n", escaped(&a, hint));
}

/* Of each GPU what is not as one would wish, and of those that are too small for this host's rule.
 */
static void put_gpu_notes(struct buf *out, struct arena *a, const struct gpu *gpu,
                          const struct gpu_ask *ask)
{
    const char *name = gpu_short_name(a, gpu);
    const char *small = gpu->state == GPU_OK ? gpu_gate_memory(a, gpu, ask) : NULL;

    if (gpu->reason[0] != '\0')
        put_note(out,
                 str_format(a, gpu->state == GPU_OK ? "%s: %s%s" : "%s is %s: %s", name,
                            gpu->state == GPU_OK ? "" : gpu_state_name(gpu->state), gpu->reason),
                 gpu->hint);
    if (small != NULL)
        put_note(out, small, "");
}

/* "GPU-5c3f2a1b is joined to GPU-00ab34cd (nvlink), ..."; nothing where nothing is told. */
static void put_links(struct buf *out, struct arena *a, const struct gpu *gpu)
{
    for (size_t i = 0; i < gpu->link_count; i++) {
        struct gpu other = {0};

        memcpy(other.uuid, gpu->links[i].to, sizeof(other.uuid));
        if (i == 0)
            buf_addf(out, "%s is joined to", escaped(a, gpu_short_name(a, gpu)));
        buf_addf(out, "%s %s (%s)", i > 0 ? "," : "", escaped(a, gpu_short_name(a, &other)),
                 gpu_link_name(gpu->links[i].kind));
    }
    if (gpu->link_count > 0)
        buf_addc(out, '\n');
}

static void put_table(struct buf *out, struct arena *a, const struct gpu_inventory *inventory,
                      const struct gpu_ask *ask)
{
    struct line *lines = arena_array(a, struct line, inventory->count + 1);

    if (inventory->count == 0) {
        put_note(out, inventory->reason[0] != '\0' ? inventory->reason : "no GPU is here",
                 inventory->hint);
        return;
    }
    lines[0] = (struct line){{"INDEX", "GPU", "NAME", "SM", "MEMORY", "USED", "FREE", "STATE"}};
    for (size_t i = 0; i < inventory->count; i++)
        lines[i + 1] = line_of(a, &inventory->gpus[i]);
    put_lines(out, lines, inventory->count + 1);
    if (inventory->driver_version[0] != '\0')
        buf_addf(out, "\ndriver %s%s%s\n", escaped(a, inventory->driver_version),
                 inventory->cuda_version[0] != '\0' ? ", CUDA " : "",
                 inventory->cuda_version[0] != '\0' ? escaped(a, inventory->cuda_version) : "");
    if (inventory->reason[0] != '\0')
        put_note(out, inventory->reason, inventory->hint);
    for (size_t i = 0; i < inventory->count; i++)
        put_gpu_notes(out, a, &inventory->gpus[i], ask);
    for (size_t i = 0; i < inventory->count; i++)
        put_links(out, a, &inventory->gpus[i]);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    const struct gpu_ask ask = {.min_named = ctx->config->gpu.min_named,
                                .min_bytes = ctx->config->gpu.min_memory_bytes};
    struct buf out = buf_new(ctx->arena, INVENTORY_MAX);
    struct gpu_inventory inventory;

    if (ctx->args.len > 0)
        return err_set(err, ERR_USAGE, "gpus takes no argument, but \"%.80s\" is given",
                       ctx->args.at[0]);
    if (inventory_of_host(&inventory, ctx->arena, ctx->config, err) < 0)
        return -1;
    if (ctx->config->options.json)
        inventory_write(&out, &inventory);
    else
        put_table(&out, ctx->arena, &inventory, &ask);
    if (out.cut)
        return err_set(err, ERR_LIMIT, "more than %zu bytes are to be told of the GPUs",
                       INVENTORY_MAX);
    return cmd_print(buf_str(&out), err);
}

const struct cmd cmd_gpus = {
    .name = "gpus",
    .args = "",
    .summary = "the GPUs that are ours, their memory, what is wrong with the others",
    .details =
        "MEMORY is what the driver calls the total, by which cards are sold; FREE is what a\n"
        "program can have of it now. A state is one of\n\n"
        "  ok             can be used; a line below may still warn\n"
        "  lost           fell off the bus\n"
        "  faulty         must not be used as it is\n"
        "  no-permission  may not be used by us\n"
        "  hidden         is not ours: NVIDIA_VISIBLE_DEVICES, CUDA_VISIBLE_DEVICES\n"
        "  mig-parent     is cut into MIG instances, which stand below it\n\n"
        "How two GPUs are joined, where the driver tells, from fast to slow: nvlink, pix (one\n"
        "PCIe switch), pxb (several), phb (the host bridge), node, sys.\n\n"
        "No GPU at all is no error: a line says what was looked for.\n",
    .run = run,
};
