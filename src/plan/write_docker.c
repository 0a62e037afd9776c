/* The plan as docker run lines, in the order in which they are to be given. */
#include "plan/write_args.h"

static void put_gpus(struct buf *out, const struct write_ask *ask, const struct plan_placed *placed)
{
    struct buf list = buf_new(ask->arena, PLACE_TP_MAX * (GPU_TEXT + 1) + 16);

    if (placed->gpu_count == 0)
        return;
    /* docker reads the value as CSV: more than one device needs quotes of its own. */
    buf_addz(&list, "\"device=");
    for (size_t i = 0; i < placed->gpu_count; i++)
        buf_addf(&list, "%s%s", i > 0 ? "," : "", write_gpu(ask, placed, i));
    buf_addc(&list, '"');
    buf_addz(out, " --gpus ");
    write_shell(out, list.ptr);
}

static void put_common(struct buf *out, const struct write_ask *ask,
                       const struct plan_placed *placed)
{
    const struct write_variable *v = write_environment(ask, placed);

    buf_addf(out, "docker run -d --name %s", write_name(ask, placed));
    put_gpus(out, ask, placed);
    if (placed->gpu_count > 1)
        buf_addz(out, " --ipc host");
    buf_addz(out, " -v ");
    write_shell(out, str_format(ask->arena, "%s:" WRITE_MOUNT, ask->volume));
    for (; v->name != NULL; v++) {
        buf_addz(out, " -e ");
        write_shell(out, str_format(ask->arena, "%s=%s", v->name, v->value));
    }
}

static void put_item(struct buf *out, const struct write_ask *ask, const struct plan_placed *placed)
{
    const struct plan_placed *after = write_after(ask, placed);

    if (placed->item->engine == MEMORY_SERVER)
        return;
    if (after != NULL)
        write_comment(out, ask, "only when %s answers: they share a GPU", write_name(ask, after));
    put_common(out, ask, placed);
    if (placed->item->engine == MEMORY_OLLAMA) {
        buf_addz(out, " " WRITE_OLLAMA_IMAGE "\n");
        return;
    }
    buf_addz(out, " --entrypoint vllm " WRITE_VLLM_IMAGE " serve");
    for (const char *const *word = write_vllm_args(ask, placed); *word != NULL; word++) {
        buf_addc(out, ' ');
        write_shell(out, *word);
    }
    buf_addc(out, '\n');
}

void plan_write_docker(struct buf *out, const struct write_ask *ask)
{
    size_t count;
    const size_t *order = write_order(ask, &count);

    for (size_t i = 0; i < count; i++)
        put_item(out, ask, &ask->plan->placed[order[i]]);
    write_left_out(out, ask);
}
