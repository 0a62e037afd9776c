/* The plan as docker run lines, in the order in which they are to be given. */
#include "plan/write_args.h"

/* docker reads some values as a line of CSV: in quotes what has commas or quotes in it. */
static void put_csv(struct buf *out, const char *text)
{
    buf_addc(out, '"');
    for (; *text != '\0'; text++) {
        buf_addc(out, *text);
        if (*text == '"')
            buf_addc(out, '"');
    }
    buf_addc(out, '"');
}

static void put_gpus(struct buf *out, const struct write_ask *ask, const struct plan_placed *placed)
{
    struct buf list = buf_new(ask->arena, PLACE_TP_MAX * (GPU_TEXT + 1) + 16);
    struct buf value = buf_new(ask->arena, 2 * list.limit + 2);

    if (placed->gpu_count == 0)
        return;
    buf_addz(&list, "device=");
    for (size_t i = 0; i < placed->gpu_count; i++)
        buf_addf(&list, "%s%s", i > 0 ? "," : "", write_gpu(ask, placed, i));
    put_csv(&value, list.ptr);
    buf_addz(out, " --gpus ");
    write_shell(out, value.ptr);
}

/* A colon in the path would be taken for the end of it by the shorter -v. */
static void put_volume(struct buf *out, const struct write_ask *ask)
{
    struct buf value = buf_new(ask->arena, PLAN_TEXT_MAX);

    buf_addz(&value, "type=bind,");
    put_csv(&value, str_format(ask->arena, "source=%s", ask->volume));
    buf_addz(&value, ",target=" WRITE_MOUNT);
    buf_addz(out, " --mount ");
    write_shell(out, value.ptr);
}

static void put_common(struct buf *out, const struct write_ask *ask,
                       const struct plan_placed *placed)
{
    const struct write_variable *v = write_environment(ask, placed);

    buf_addf(out, "docker run -d --name %s", write_name(ask, placed));
    put_gpus(out, ask, placed);
    if (placed->gpu_count > 1)
        buf_addz(out, " --ipc host");
    put_volume(out, ask);
    for (; v->name != NULL; v++) {
        buf_addz(out, " -e ");
        write_shell(out, str_format(ask->arena, "%s=%s", v->name, v->value));
    }
}

static void put_item(struct buf *out, const struct write_ask *ask, const struct plan_placed *placed)
{
    if (!write_in_container(placed))
        return;
    write_host(out, ask, placed);
    for (const struct plan_placed *const *after = write_after(ask, placed); *after != NULL; after++)
        write_comment(out, ask, "only when %s answers: they share a GPU", write_name(ask, *after));
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
