/* The plan as a compose file: device_ids, list form, every setting written out. */
#include "plan/write_args.h"

static void put_environment(struct buf *out, const struct write_ask *ask,
                            const struct plan_placed *placed)
{
    const struct write_variable *v = write_environment(ask, placed);

    buf_addz(out, "    environment:\n");
    for (; v->name != NULL; v++) {
        buf_addf(out, "      %s: ", v->name);
        write_yaml(out, v->value);
        buf_addc(out, '\n');
    }
}

static void put_devices(struct buf *out, const struct write_ask *ask,
                        const struct plan_placed *placed)
{
    const char **ids = arena_array(ask->arena, const char *, placed->gpu_count + 1);

    if (placed->gpu_count == 0)
        return;
    for (size_t i = 0; i < placed->gpu_count; i++)
        ids[i] = write_gpu(ask, placed, i);
    buf_addz(out, "    deploy:\n      resources:\n        reservations:\n          devices:\n"
                  "            - driver: nvidia\n              device_ids: ");
    write_list(out, ids);
    buf_addz(out, "\n              capabilities: [gpu]\n");
}

static void put_health(struct buf *out, const struct plan_placed *placed)
{
    buf_addz(out, "    healthcheck:\n      test: ");
    if (placed->item->engine == MEMORY_OLLAMA)
        buf_addz(out, "[\"CMD\", \"ollama\", \"list\"]\n");
    else
        buf_addz(out, "[\"CMD\", \"python3\", \"-c\", \"import urllib.request as u; "
                      "u.urlopen('http://127.0.0.1:8000/health')\"]\n");
    buf_addz(out, "      interval: 10s\n      start_period: 600s\n");
}

static void put_service(struct buf *out, const struct write_ask *ask,
                        const struct plan_placed *placed)
{
    const struct plan_placed *const *after = write_after(ask, placed);
    bool vllm = placed->item->engine == MEMORY_VLLM;

    buf_addf(out, "  %s:\n    image: %s\n", write_name(ask, placed),
             vllm ? WRITE_VLLM_IMAGE : WRITE_OLLAMA_IMAGE);
    if (vllm) {
        buf_addz(out, "    entrypoint: [\"vllm\", \"serve\"]\n    command: ");
        write_list(out, write_vllm_args(ask, placed));
        buf_addc(out, '\n');
    }
    put_environment(out, ask, placed);
    buf_addz(out, "    volumes:\n      - type: bind\n        source: ");
    write_yaml(out, ask->volume);
    buf_addz(out, "\n        target: " WRITE_MOUNT "\n");
    if (placed->gpu_count > 1)
        buf_addz(out, "    ipc: host\n");
    put_devices(out, ask, placed);
    put_health(out, placed);
    buf_addz(out, *after != NULL ? "    depends_on:\n" : "");
    for (; *after != NULL; after++)
        buf_addf(out, "      %s:\n        condition: service_healthy\n", write_name(ask, *after));
}

/* compose puts variables in for each $ that is not doubled. */
static void put_literal(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        buf_addc(out, text.ptr[i]);
        if (text.ptr[i] == '$')
            buf_addc(out, '$');
    }
}

void plan_write_compose(struct buf *out, const struct write_ask *ask)
{
    struct buf service = buf_new(ask->arena, PLAN_TEXT_MAX);
    size_t count, put = 0;
    const size_t *order = write_order(ask, &count);

    write_left_out(out, ask);
    buf_addz(out, "services:");
    for (size_t i = 0; i < count; i++) {
        const struct plan_placed *placed = &ask->plan->placed[order[i]];

        if (!write_in_container(placed))
            continue;
        buf_addz(out, put++ == 0 ? "\n" : "");
        write_host(out, ask, placed);
        put_service(&service, ask, placed);
        put_literal(out, buf_str(&service));
        buf_truncate(&service, 0);
    }
    if (put == 0)
        buf_addz(out, " {}\n");
}
