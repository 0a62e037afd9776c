#include "worker/commands.h"

#include <string.h>

#include "worker/model_path.h"
#include "worker/substitute.h"
#include "worker/words.h"

static const char *text_of(const void *ctx, struct arena *a, enum substitute_kind kind,
                           const struct catalog_want *want, struct err *err)
{
    const struct config *config = ctx;

    return kind == SUBSTITUTE_NAME ? model_name(a, want) : model_path(a, config, want, err);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

int commands_make(struct supervised **out, size_t *ret_count, struct arena *a,
                  const struct commands_of *of, struct err *err)
{
    const struct config_list *with = &of->config->options.with;
    struct supervised *all = arena_array(a, struct supervised, with->len + 1);
    const struct substitution s = {
        .catalog = &of->config->catalog,
        .wants = of->choice->wants,
        .count = of->choice->count,
        .planned = of->for_real ? of->planned : NULL,
        .will_plan = of->planned != NULL,
        .text = of->for_real ? text_of : NULL,
        .ctx = of->config,
    };

    for (size_t i = 0; i <= with->len; i++) {
        char *const *words = of->command;

        if (i < with->len && words_cut(&words, a, with->at[i], err) < 0)
            return err_wrap(err, "--with");
        if (substitute(&all[i].argv, a, words, &s, err) < 0)
            return -1;
        all[i].name = last_part(all[i].argv[0]);
    }
    *out = all;
    *ret_count = with->len + 1;
    return 0;
}
