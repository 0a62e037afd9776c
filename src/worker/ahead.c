#include "worker/ahead.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sys/fd.h"
#include "text/num.h"
#include "worker/model_path.h"
#include "worker/read_budget.h"
#include "worker/read_order.h"

static int order_of_ollama(struct read_order *out, struct arena *a, const struct config *config,
                           const struct catalog_want *want, struct err *err)
{
    struct layout_config look = config->layout;
    struct volume volume;
    int r;

    if (volume_open(&volume, a, config->volume_path, false, err) < 0)
        return -1;
    look.volume = &volume;
    r = read_order_ollama(out, a, &look, &want->ref, err);
    volume_close(&volume);
    return r;
}

static int order_of(struct read_order *out, struct arena *a, const struct config *config,
                    const struct catalog_want *want, struct err *err)
{
    const char *path;

    if (strcmp(want->ref.source, "ollama") == 0)
        return order_of_ollama(out, a, config, want, err);
    path = model_path(a, config, want, err);
    return path == NULL ? -1 : read_order_folder(out, a, path, err);
}

void ahead_start(struct ahead *ahead, struct arena *a, const struct config *config,
                 struct report *report, const struct catalog_choice *choice, int runtime_fd)
{
    FD_SCOPED root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct read_order all = {0};
    struct read_budget budget;
    char size[NUM_TEXT];
    struct err err = {0};

    *ahead = (struct ahead){.report = report};
    if (config->options.read_ahead == 0 || root < 0)
        return;
    for (size_t i = 0; i < choice->count; i++) {
        struct read_order one;

        if (order_of(&one, a, config, &choice->wants[i], &err) == 0)
            read_order_join(&all, a, &one);
    }
    budget = read_budget_find(root, config->options.read_ahead);
    if (all.files.len == 0 || budget.bytes == 0)
        return;
    report_note(report, REPORT_DEBUG, "read_ahead", NULL, "reading ahead %s of weights; at most %s",
                num_format_size(size, all.bytes), budget.why);
    ahead->reading = read_ahead_start(&(struct read_ahead_options){.files = all.files.at,
                                                                   .count = all.files.len,
                                                                   .budget_bytes = budget.bytes,
                                                                   .runtime_fd = runtime_fd,
                                                                   .clock = clock_real()},
                                      &err);
}

void ahead_look(struct ahead *ahead)
{
    struct read_ahead_result result;
    char line[READ_AHEAD_LINE];

    if (ahead->reading == NULL || ahead->told)
        return;
    read_ahead_result(&result, ahead->reading);
    if (!read_ahead_is_slow(line, &result))
        return;
    ahead->told = true;
    report_note(ahead->report, REPORT_WARN, "slow_volume", NULL, "%s", line);
}

void ahead_stop(struct ahead *ahead)
{
    ahead_look(ahead);
    if (ahead->reading != NULL)
        read_ahead_stop(&ahead->reading, NULL);
}
