/*
 * The commands of a worker, with what stands in their words for a model put in: those of --with, in
 * their order, and CMD as the last.
 */
#ifndef WORKER_COMMANDS_H
#define WORKER_COMMANDS_H

#include "config/config.h"
#include "worker/planned.h"
#include "worker/supervise.h"

struct commands_of {
    const struct config *config;
    const struct catalog_choice *choice;
    char *const *command;          /* CMD, ends NULL */
    const struct planned *planned; /* NULL: nobody plans; not filled in before it is for_real */
    bool for_real; /* false: only to see that they can be made, before the models are there */
};

/* In the arena. ERR_USAGE for words that cannot be read or name no model of the worker. */
int commands_make(struct supervised **out, size_t *ret_count, struct arena *a,
                  const struct commands_of *of, struct err *err) MUST_CHECK;

#endif
