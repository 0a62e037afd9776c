#include "worker/log.h"

void worker_log_observe(void *ctx, enum news_kind kind, const struct worker_news *now)
{
    const struct worker_log *log = ctx;
    enum report_level level = now->state == FLEET_FAILED ? REPORT_ERROR : REPORT_INFO;

    if (kind != NEWS_MOVED)
        return;
    report_note(log->report, level, "state", now->model[0] != '\0' ? now->model : NULL,
                "Worker %s: %s -> %s%s%s", log->type, fleet_state_name(now->before),
                fleet_state_name(now->state), now->reason[0] != '\0' ? ": " : "", now->reason);
}
