#include "worker/log.h"

#include <stdio.h>

void worker_log_observe(void *ctx, enum news_kind kind, const struct worker_news *now)
{
    const struct worker_log *log = ctx;
    char text[2 * NEWS_REASON];
    struct report_event event = {
        .kind = REPORT_NOTE,
        .level = now->state == FLEET_FAILED ? REPORT_ERROR : REPORT_INFO,
        .event = "state",
        .worker = fleet_state_name(now->state),
        .model = now->model[0] != '\0' ? now->model : NULL,
        .text = text,
    };

    if (kind != NEWS_MOVED)
        return;
    (void)snprintf(text, sizeof(text), "Worker %.200s: %s -> %s%s%s", log->type,
                   fleet_state_name(now->before), event.worker, now->reason[0] != '\0' ? ": " : "",
                   now->reason);
    report_emit(log->report, &event);
}
