#include "worker/in_use.h"

#include "worker/model_path.h"

/* A mark is renewed by a thread of its own; that it was lost is looked at as often. */
#define LOOK_MS UINT64_C(5000)

const char *in_use_name(struct arena *a, const struct config *config,
                        const struct catalog_want *want)
{
    const char *commit =
        strcmp(want->ref.source, "hf") == 0 ? model_revision(a, config, want) : NULL;

    if (commit == NULL)
        return want->ref.text;
    return str_format(a, "hf:%s@%s", want->ref.repo, commit);
}

static int begin(struct in_use *in_use, struct arena *a, const struct config *config,
                 const struct catalog_choice *choice, struct err *err)
{
    const char **what = arena_array(a, const char *, choice->count + 1);
    const struct use_options options = {
        .volume = &in_use->volume,
        .clock = in_use->clock,
        .host = config->host,
        .takeover_ms = config->options.takeover_ms,
        .what = what,
        .count = choice->count,
    };

    if (volume_open(&in_use->volume, a, config->volume_path, false, err) < 0)
        return -1;
    for (size_t i = 0; i < choice->count; i++)
        what[i] = in_use_name(a, config, &choice->wants[i]);
    return use_begin(&in_use->use, a, &options, err);
}

void in_use_begin(struct in_use *in_use, struct arena *a, const struct config *config,
                  struct report *report, const struct catalog_choice *choice)
{
    struct err err = {0};

    *in_use = (struct in_use){.volume = {.fd = -1}, .clock = clock_real()};
    if (choice->count > 0 && begin(in_use, a, config, choice, &err) < 0)
        report_note(report, REPORT_INFO, "not_marked", NULL,
                    "the models cannot be marked in use on the volume: %s", err.msg);
    in_use->looked_ms = clock_now_ms(in_use->clock);
}

void in_use_gpus(struct in_use *in_use, const struct use_gpu *gpus, size_t count)
{
    if (in_use->use != NULL)
        use_gpus(in_use->use, gpus, count);
}

void in_use_observe(void *ctx, enum news_kind kind, const struct worker_news *now)
{
    struct in_use *in_use = ctx;
    uint64_t now_ms = clock_now_ms(in_use->clock);

    (void)kind;
    (void)now;
    if (in_use->use == NULL || now_ms - in_use->looked_ms < LOOK_MS)
        return;
    in_use->looked_ms = now_ms;
    use_look(in_use->use);
}

void in_use_end(struct in_use *in_use)
{
    use_end(&in_use->use);
    if (in_use->clock != NULL)
        volume_close(&in_use->volume);
}
