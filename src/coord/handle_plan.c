/* What a plan of one host's workers would do, beside what they hold: a picture for the page. */
#include "coord/coordinator.h"

/* The picture's own style, and nothing else. */
#define PICTURE_POLICY "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

static struct fleet_listed *workers_of(struct exchange *x, struct str host, size_t *ret_count)
{
    const struct view *view = registry_view(x->coordinator->registry);
    size_t count;
    const struct worker **all = view_sorted(view, &x->arena, &count);
    struct fleet_listed *found = arena_array(&x->arena, struct fleet_listed, count + 1);

    *ret_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (str_eqz(host, all[i]->record.host))
            found[(*ret_count)++] = view_listed(view, all[i]);
    }
    return found;
}

void handle_plan(struct exchange *x)
{
    const struct coordinator *c = x->coordinator;
    struct fleet_listed *workers;
    struct err err = {0};
    size_t count;

    workers = workers_of(x, x->param, &count);
    if (c->picture(c->picture_ctx, &x->text, &x->arena, workers, count, &err) < 0) {
        exchange_refuse(x, 422, "no_plan", err.msg, NULL);
        return;
    }
    x->status = 200;
    x->type = "image/svg+xml";
    x->policy = PICTURE_POLICY;
}
