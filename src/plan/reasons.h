/* Why an item is planned as it is, or is not: codes for programs, sentences for people. */
#ifndef PLAN_REASONS_H
#define PLAN_REASONS_H

#include "plan/options.h"

/* Adds a reason, by printf; those beyond PLAN_REASONS_MAX are dropped. */
void reasons_add(struct arena *a, struct plan_placed *placed, const char *code, const char *fmt,
                 ...) PRINTF_LIKE(4, 5);

/* Of an item that has its place: what is not as it was asked for. */
void reasons_of_way(struct arena *a, struct plan_placed *placed, const struct plan_way *way,
                    const struct plan_ask *ask);

/* Of one that has none: what is missing where it comes closest. May make its verdict worse. */
void reasons_of_failure(struct arena *a, struct plan_placed *placed,
                        const struct plan_frame *frame);

/* Of one that runs on the CPU. */
void reasons_of_cpu(struct arena *a, struct plan_placed *placed, const struct plan_ask *ask);

/* "15.4 GiB", as memory is told to people; below 1 GiB "143 MiB". */
const char *reasons_size(struct arena *a, uint64_t bytes);

#endif
