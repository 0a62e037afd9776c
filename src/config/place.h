/* Where the stores lie: the paths that environment and --volume name, made whole. */
#ifndef CONFIG_PLACE_H
#define CONFIG_PLACE_H

#include "config/environment.h"

/*
 * `~` and `~/x` by HOME, `$NAME` and `${NAME}` by the environment (unknown ones stay), as
 * huggingface_hub expands its paths; relative paths from the current folder; no `/` at the end.
 * name is what errors call it.
 */
int place_expand(const char **out, struct arena *a, char *const *variables, const char *path,
                 const char *name, struct err *err) MUST_CHECK;

struct places {
    const char *volume;
    bool volume_named;
    const char *hf_home;
    const char *hf_hub;
    const char *vllm;
    const char *transformers; /* NULL: no view */
    const char *ollama;
};

/* volume: what --volume says, or NULL; then all lies beneath it. */
int place_all(struct places *out, struct arena *a, char *const *variables,
              const struct environment *e, const char *volume, struct err *err) MUST_CHECK;

#endif
