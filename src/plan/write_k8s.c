/*
 * The plan as Kubernetes Deployments. A pod gets whole GPUs, and which one nobody can say: who
 * shares a GPU needs time slicing or MPS, and its part of the memory is then upon its word.
 */
#include <string.h>

#include "json/json.h"
#include "plan/write_args.h"

#define CLAIM "hostler-models"

static void put_environment(struct buf *out, const struct write_ask *ask,
                            const struct plan_placed *placed)
{
    const struct write_variable *v = write_environment(ask, placed);

    buf_addz(out, "          env:\n");
    for (; v->name != NULL; v++) {
        buf_addf(out, "            - name: %s\n              value: ", v->name);
        json_put_str(out, str_from(v->value));
        buf_addc(out, '\n');
    }
}

/* "nvidia.com/gpu", or of an instance "nvidia.com/mig-1g.10gb". */
static const char *resource_of(const struct write_ask *ask, const struct plan_placed *placed)
{
    const struct gpu *gpu = ask->plan->ask->gpus[placed->gpus[0]].gpu;

    if (gpu->mig_parent[0] == '\0' || gpu->mig_profile[0] == '\0')
        return "nvidia.com/gpu";
    return str_format(ask->arena, "nvidia.com/mig-%s", gpu->mig_profile);
}

static void put_resources(struct buf *out, const struct write_ask *ask,
                          const struct plan_placed *placed)
{
    if (placed->gpu_count == 0)
        return;
    buf_addz(out, "          resources:\n            limits:\n              ");
    json_put_str(out, str_from(resource_of(ask, placed)));
    buf_addf(out, ": \"%zu\"\n", placed->gpu_count);
}

static void put_probe(struct buf *out, const struct plan_placed *placed)
{
    bool vllm = placed->item->engine == MEMORY_VLLM;

    buf_addf(out,
             "          readinessProbe:\n            httpGet:\n              path: %s\n"
             "              port: %d\n            periodSeconds: 10\n",
             vllm ? "/health" : "/api/version", vllm ? 8000 : 11434);
}

static void put_container(struct buf *out, const struct write_ask *ask,
                          const struct plan_placed *placed)
{
    bool vllm = placed->item->engine == MEMORY_VLLM;

    buf_addf(out, "      containers:\n        - name: engine\n          image: %s\n",
             vllm ? WRITE_VLLM_IMAGE : WRITE_OLLAMA_IMAGE);
    if (vllm) {
        buf_addz(out, "          command: [\"vllm\", \"serve\"]\n          args: ");
        write_list(out, write_vllm_args(ask, placed));
        buf_addc(out, '\n');
    }
    put_environment(out, ask, placed);
    put_resources(out, ask, placed);
    put_probe(out, placed);
    buf_addz(out, "          volumeMounts:\n            - name: models\n"
                  "              mountPath: " WRITE_MOUNT "\n");
    if (placed->gpu_count > 1)
        buf_addz(out, "            - name: shm\n              mountPath: /dev/shm\n");
    buf_addz(out, "      volumes:\n        - name: models\n          persistentVolumeClaim:\n"
                  "            claimName: " CLAIM "\n");
    if (placed->gpu_count > 1)
        buf_addz(out, "        - name: shm\n          emptyDir:\n            medium: Memory\n");
}

static void put_deployment(struct buf *out, const struct write_ask *ask,
                           const struct plan_placed *placed)
{
    const char *name = write_name(ask, placed);

    buf_addz(out, "---\n");
    if (placed->shared)
        write_comment(
            out, ask,
            "it shares %s with others of this plan: that takes time slicing or MPS, and a "
            "node with that GPU alone",
            write_gpu(ask, placed, 0));
    buf_addf(out,
             "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\nspec:\n  replicas: 1\n"
             "  strategy:\n    type: Recreate\n  selector:\n    matchLabels:\n      app: %s\n"
             "  template:\n    metadata:\n      labels:\n        app: %s\n    spec:\n",
             name, name, name);
    put_container(out, ask, placed);
}

void plan_write_k8s(struct buf *out, const struct write_ask *ask)
{
    size_t count;
    const size_t *order = write_order(ask, &count);

    write_comment(out, ask, "the volume is the PersistentVolumeClaim " CLAIM);
    write_left_out(out, ask);
    for (size_t i = 0; i < count; i++) {
        const struct plan_placed *placed = &ask->plan->placed[order[i]];

        if (placed->item->engine != MEMORY_SERVER)
            put_deployment(out, ask, placed);
    }
}
