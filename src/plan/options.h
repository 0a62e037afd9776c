/*
 * The ways of running one item: which form of the model, which context, over how many GPUs, with
 * which batch; for each class of GPUs, since a share of one GPU's total is not the same of another.
 * Best first, as the search of gpu/place.h wants them.
 */
#ifndef PLAN_OPTIONS_H
#define PLAN_OPTIONS_H

#include "plan/room.h"

/* A way, before anybody knows where. */
struct plan_way {
    const struct plan_model *model;
    struct memory_settings settings;
    const struct plan_class *on; /* NULL: the CPU */
    struct place_option place;
    bool context_less; /* than was asked for */
    bool tuned;        /* smaller batches or no graphs, to save memory */
};

/* What every item is told by. */
struct plan_frame {
    const struct plan_ask *ask;
    const struct plan_class *classes;
    size_t class_count;
};

/* Puts at most PLACE_OPTIONS_MAX ways into out; their number is returned. */
size_t options_of(struct plan_way out[static PLACE_OPTIONS_MAX], struct arena *a,
                  const struct plan_frame *frame, const struct plan_item *item);

/* The settings in which an item is judged where no way works: as asked, in the engine's defaults.
 */
struct memory_settings options_plain(const struct plan_frame *frame, const struct plan_item *item,
                                     const struct plan_model *model, const struct plan_class *on);

/* The one of Ollama's models that needs most at its context. */
const struct plan_model *options_heaviest(const struct plan_frame *frame,
                                          const struct plan_item *item);

#endif
