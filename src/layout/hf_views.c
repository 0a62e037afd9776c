#include "layout/hf_views.h"

#include <string.h>

#include "layout/hf_ref.h"
#include "layout/hf_snapshot.h"
#include "layout/views.h"

#define VIEWS_MAX        ((size_t)5)
#define DEFAULT_REVISION "main"

/* Fills out and returns how many. */
static size_t list_views(struct view out[static VIEWS_MAX], const struct layout_place *p,
                         const struct manifest *m)
{
    const struct layout_config *c = p->config;
    const char *roots[] = {c->vllm_cache, c->transformers_cache};
    const char *folder = hf_state(p)->name;
    const char *snapshots = str_format(p->arena, "%s/snapshots", folder);
    char main_commit[HF_COMMIT_HEX + 1];
    struct view named;
    size_t n = 0;

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        if (roots[i] == NULL || roots[i][0] == '\0')
            continue;
        out[n++] =
            (struct view){.root = roots[i], .name = "blobs", .target = "blobs", .ours = "blobs"};
        out[n++] =
            (struct view){.root = roots[i], .name = folder, .target = folder, .ours = folder};
    }
    if (c->vllm_cache == NULL || c->vllm_cache[0] == '\0')
        return n;
    named = (struct view){.root = c->vllm_cache,
                          .name = m->ref.repo,
                          .target = str_format(p->arena, "%s/%s", snapshots, m->commit),
                          .ours = snapshots,
                          .with_commit = true};
    if (strcmp(m->ref.revision, DEFAULT_REVISION) != 0 &&
        hf_ref_read(main_commit, p, DEFAULT_REVISION, false))
        named.kept = str_format(p->arena, "%s/%s", snapshots, main_commit);
    out[n++] = named;
    return n;
}

bool hf_views_right(const struct layout_place *p, const struct manifest *m)
{
    struct view views[VIEWS_MAX];
    size_t n = list_views(views, p, m);

    for (size_t i = 0; i < n; i++) {
        /* Where there are no links in the store itself, there are none to be missed. */
        if (view_look(p, &views[i]) == VIEW_WRONG && !hf_snapshot_is_plain(p, m))
            return false;
    }
    return true;
}

int hf_views_mend(const struct layout_place *p, const struct manifest *m, struct err *err)
{
    struct view views[VIEWS_MAX];
    size_t n = list_views(views, p, m);

    for (size_t i = 0; i < n; i++) {
        if (view_mend(p, &views[i], err) == 0)
            continue;
        /* TRANSFORMERS_CACHE is often a leftover that leads nowhere: not worth a failure. */
        if (views[i].root == p->config->vllm_cache)
            return err_wrap(err, "the view %s in %s", views[i].name, views[i].root);
        layout_notice(p->config, "no view %s in %s (TRANSFORMERS_CACHE): %s", views[i].name,
                      views[i].root, err->msg);
        *err = (struct err){0};
    }
    return 0;
}
