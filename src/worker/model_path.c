#include "worker/model_path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"
#include "source/ollama_server.h"

static bool is_ollama(const struct catalog_want *want)
{
    return strcmp(want->ref.source, "ollama") == 0;
}

/* What the repository's own refs say; a commit stands for itself. */
const char *model_revision(struct arena *a, const struct config *config,
                           const struct catalog_want *want)
{
    struct layout_config look = config->layout;
    struct err ignored = {0};
    struct layout_place place;
    const char *commit = NULL;
    struct volume volume;

    if (ref_is_commit(want->ref.revision))
        return want->ref.revision;
    if (volume_open(&volume, a, config->volume_path, false, &ignored) < 0)
        return NULL;
    look.volume = &volume;
    look.read_only = true;
    if (layout_open(&place, a, &look, &want->ref, &ignored) == 0) {
        const char *there = place.layout->local_commit(&place, want->ref.revision);

        if (there != NULL)
            commit = str_dup(a, str_from(there));
        layout_close(&place);
    }
    volume_close(&volume);
    return commit;
}

static bool is_same_place(const char *view, const char *snapshot)
{
    char one[PATH_MAX];
    char other[PATH_MAX];

    return realpath(view, one) != NULL && realpath(snapshot, other) != NULL &&
           strcmp(one, other) == 0;
}

/* "models--org--name" */
static const char *folder_of(struct arena *a, const char *repo)
{
    const char *slash = strchr(repo, '/');

    if (slash == NULL)
        return str_format(a, "models--%s", repo);
    return str_format(a, "models--%.*s--%s", (int)(slash - repo), repo, slash + 1);
}

const char *model_path(struct arena *a, const struct config *config,
                       const struct catalog_want *want, struct err *err)
{
    const struct layout_config *layout = &config->layout;
    const char *repo = want->ref.repo;
    const char *commit;
    const char *snapshot;

    if (is_ollama(want))
        return model_name(a, want);
    commit = model_revision(a, config, want);
    if (commit == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "%s: %s has no revision %s of it", want->ref.text,
                      layout->hf_hub, want->ref.revision);
        return NULL;
    }
    snapshot = str_format(a, "%s/%s/snapshots/%s", layout->hf_hub, folder_of(a, repo), commit);
    if (layout->vllm_cache != NULL) {
        const char *view = str_format(a, "%s/%s", layout->vllm_cache, repo);

        if (is_same_place(view, snapshot))
            return view;
    }
    return snapshot;
}

/* ollama_server_name() adds the tag that is meant where none is written, which clients do not. */
const char *model_name(struct arena *a, const struct catalog_want *want)
{
    struct str name;

    if (!is_ollama(want))
        return want->ref.repo;
    name = str_from(ollama_server_name(a, &want->ref));
    if (!want->ref.revision_named && str_ends(name, STR(":latest")))
        name.len -= sizeof(":latest") - 1;
    return str_dup(a, name);
}
