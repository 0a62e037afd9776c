/*
 * A compose file that people wrote, as far as engines and GPUs go. What compose itself would refuse
 * is its own business; here only what is understood is taken, each with its line.
 */
#ifndef PLAN_COMPOSE_READ_H
#define PLAN_COMPOSE_READ_H

#include "config/yaml.h"
#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

#define COMPOSE_MAX      YAML_BYTES_MAX
#define COMPOSE_SERVICES ((size_t)500)

struct compose_pair {
    struct str name, value;
    size_t line;
};

/* A reservation of GPUs: an entry of deploy.resources.reservations.devices. */
struct compose_device {
    struct str count; /* "1", "all"; empty: not there */
    size_t count_line;
    struct str ids[64];
    size_t id_count;
    bool has_ids;
    bool is_gpu; /* its capabilities say so */
    size_t line;
};

struct compose_service {
    struct str name;
    size_t line;
    struct str image, runtime;
    const char *const *words; /* entrypoint and command, as a shell would cut them; ends NULL */
    size_t command_line;
    bool command_text; /* one text, and not a list */
    struct compose_pair *environment;
    size_t environment_count;
    struct compose_pair *volumes; /* what is mounted, and where */
    size_t volume_count;
    struct compose_device *devices;
    size_t device_count;
    bool has_gpus;            /* gpus: */
    bool ipc, shm;            /* shares memory with the host; has named a size */
    size_t memory_limit_line; /* deploy.resources.limits.memory; 0: none */
};

struct compose {
    struct str text; /* of the file */
    struct compose_service *services;
    size_t count;
    struct compose_pair *volumes; /* of the project: value is its own `name:`, if it has one */
    size_t volume_count;
};

/* A file without services has none. ERR_USAGE as yaml_parse(). */
int compose_read(struct compose *out, struct arena *a, struct str text, const char *name,
                 struct err *err) MUST_CHECK;

/* The value of a variable of the service; NULL where it is not set. */
const struct compose_pair *compose_variable(const struct compose_service *service,
                                            const char *name);

/* --gpu-memory-utilization in thousandths; 0: not said, or none. */
uint32_t compose_share(const struct compose_service *service);

/* The line, from `from` on, that has the text; `from` if none has. */
size_t compose_line(const struct compose *compose, size_t from, const char *text);

#endif
