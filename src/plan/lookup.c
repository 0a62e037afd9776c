#include "plan/lookup.h"

#include <string.h>

#include "model/known.h"
#include "plan/at_origin.h"
#include "plan/on_volume.h"
#include "worker/model_path.h"

void lookup_begin(struct lookup *lookup, struct arena *a, const struct config *config,
                  struct report *report)
{
    *lookup = (struct lookup){.arena = a, .config = config, .report = report};
}

static bool is_offline(const struct config *config, const struct model_ref *ref)
{
    return config->offline_all || (config->offline_hf && strcmp(ref->source, "hf") == 0);
}

/* What earlier starts of it on this volume have shown, at the revision that is there. */
static void add_learned(struct lookup *l, struct plan_model *out, const struct model_ref *ref)
{
    const struct catalog_want want = {.ref = *ref, .name = ref->text};
    struct learned_list list;
    const char *revision;
    struct volume volume;
    struct err ignored;
    size_t kept = 0;

    if (volume_open(&volume, l->arena, l->config->volume_path, false, &ignored) < 0)
        return;
    learned_read(&list, l->arena, &volume, ref->text);
    volume_close(&volume);
    if (list.count == 0)
        return;
    revision = model_revision(l->arena, l->config, &want);
    for (size_t i = 0; i < list.count; i++) {
        if (revision == NULL || strcmp(list.at[i].revision, revision) == 0)
            list.at[kept++] = list.at[i];
    }
    out->learned = list.at;
    out->learned_count = kept;
}

static int find_facts(struct lookup *l, struct plan_model *out, const struct model_ref *ref,
                      struct err *err)
{
    struct model_facts *facts = arena_new(l->arena, struct model_facts);
    const struct model_facts *known = known_facts(ref->text);
    const char *path;

    if (on_volume_facts(facts, &path, l->arena, l->config, ref, err) == 0) {
        out->facts = facts;
        out->from = str_format(l->arena, "its headers on the volume: %s", path);
        return 0;
    }
    if (err->code == ERR_LIMIT || err->code == ERR_INTERRUPTED)
        return -1;
    if (known != NULL) {
        out->facts = known;
        out->from = "the catalog";
        return 0;
    }
    if (is_offline(l->config, ref)) {
        (void)err_set(err, ERR_NOT_FOUND,
                      "%s: it is not on the volume, and its headers are not fetched: offline",
                      ref->text);
        return err_hint(err, "without --offline a few MB of it are read");
    }
    *facts = (struct model_facts){0};
    if (at_origin_facts(facts, l->arena, l->config, l->report, ref, err) < 0)
        return -1;
    out->facts = facts;
    out->from = "its headers at the origin";
    return 0;
}

int lookup_facts(void *ctx, struct plan_model *out, const struct model_ref *ref, struct err *err)
{
    if (find_facts(ctx, out, ref, err) < 0)
        return -1;
    add_learned(ctx, out, ref);
    return 0;
}
