#include "worker/fill.h"

#include "pull/pull.h"

static void watch(void *ctx, const struct report_event *event)
{
    struct news *news = ctx;
    enum fleet_state to;

    if (event->kind == REPORT_PROGRESS) {
        news_progress(news, event->model, event->bytes, event->total, event->bps);
        return;
    }
    /* That one model of several failed is not the end yet. */
    if (event->state == NULL || !fleet_state_parse(&to, str_from(event->state)) ||
        fleet_state_invariant(to)->final || to == news_state(news))
        return;
    news_progress(news, event->model, 0, 0, 0);
    news_move(news, to, NULL);
}

int fill_volume(struct arena *a, const struct config *config, struct report *report,
                const struct catalog_choice *choice, struct news *news, struct err *err)
{
    int r;

    if (choice->count == 0)
        return 0;
    news_move(news, FLEET_CHECKING, NULL);
    report_set_watch(report, watch, news);
    news_pulse_start(news);
    r = pull_run(a, config, report, choice, err);
    news_pulse_stop(news);
    report_set_watch(report, NULL, NULL);
    return r;
}
