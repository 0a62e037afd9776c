#include "plan/lookup.h"

#include <string.h>

#include "model/known.h"
#include "plan/at_origin.h"
#include "plan/on_volume.h"

void lookup_begin(struct lookup *lookup, struct arena *a, const struct config *config)
{
    *lookup = (struct lookup){.arena = a, .config = config};
}

static bool is_offline(const struct config *config, const struct model_ref *ref)
{
    return config->offline_all || (config->offline_hf && strcmp(ref->source, "hf") == 0);
}

int lookup_facts(void *ctx, struct plan_model *out, const struct model_ref *ref, struct err *err)
{
    struct lookup *l = ctx;
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
    if (at_origin_facts(facts, l->arena, l->config, ref, err) < 0)
        return -1;
    out->facts = facts;
    out->from = "its headers at the origin";
    return 0;
}
