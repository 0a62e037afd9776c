/*
 * The plan as Kubernetes Deployments. A pod gets whole GPUs, and which one nobody can say: who
 * shares a GPU needs time slicing or MPS, and its part of the memory is then upon its word.
 */
#include "plan/write_args.h"

#define CLAIM "hostler-models"

static void put_environment(struct buf *out, const struct write_ask *ask,
                            const struct plan_placed *placed)
{
    const struct write_variable *v = write_environment(ask, placed);

    buf_addz(out, "          env:\n");
    for (; v->name != NULL; v++) {
        buf_addf(out, "            - name: %s\n              value: ", v->name);
        write_yaml(out, v->value);
        buf_addc(out, '\n');
    }
}

/*
 * "nvidia.com/gpu", or of an instance "nvidia.com/mig-1g.10gb". NVIDIA's device plugin writes a dot
 * for the `+` of "1g.10gb+me"; other characters are in no profile and would not be taken.
 */
static const char *resource_of(const struct write_ask *ask, const struct plan_placed *placed)
{
    const struct gpu *gpu = ask->plan->ask->gpus[placed->gpus[0]].gpu;
    char *profile = str_dup(ask->arena, str_from(gpu->mig_profile));

    if (gpu->mig_parent[0] == '\0' || gpu->mig_profile[0] == '\0')
        return "nvidia.com/gpu";
    for (char *c = profile; *c != '\0'; c++) {
        if ((*c < '0' || *c > '9') && (*c < 'a' || *c > 'z') && *c != '-')
            *c = '.';
    }
    return str_format(ask->arena, "nvidia.com/mig-%s", profile);
}

static void put_resources(struct buf *out, const struct write_ask *ask,
                          const struct plan_placed *placed)
{
    if (placed->gpu_count == 0)
        return;
    buf_addz(out, "          resources:\n            limits:\n              ");
    write_yaml(out, resource_of(ask, placed));
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

    /* Kubernetes tells of a Service called vllm by VLLM_PORT, which vLLM takes for its own. */
    buf_addz(out, "      enableServiceLinks: false\n");
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

/* The first of its GPUs that another one has, too. */
static const char *shared_gpu(const struct write_ask *ask, const struct plan_placed *placed)
{
    for (size_t i = 0; i < placed->gpu_count; i++) {
        if (ask->plan->ask->gpus[placed->gpus[i]].given > placed->taken)
            return write_gpu(ask, placed, i);
    }
    return write_gpu(ask, placed, 0);
}

static void put_deployment(struct buf *out, const struct write_ask *ask,
                           const struct plan_placed *placed)
{
    const char *name = write_name(ask, placed);

    buf_addz(out, "---\n");
    write_host(out, ask, placed);
    if (placed->shared)
        write_comment(
            out, ask,
            "it shares %s with others of this plan: that takes time slicing or MPS, and a "
            "node with that GPU alone",
            shared_gpu(ask, placed));
    for (const struct plan_placed *const *after = write_after(ask, placed); *after != NULL; after++)
        write_comment(out, ask, "create it only when %s is ready", write_name(ask, *after));
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

        if (write_in_container(placed))
            put_deployment(out, ask, placed);
    }
}
