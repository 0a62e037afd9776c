/* The gate of `run`: what src/gpu says of this host, asked as the configuration wants it. */
#ifndef CMD_GATE_H
#define CMD_GATE_H

#include "config/config.h"
#include "worker/gate.h"
#include "worker/planned.h"

/* What the gate is asked about; choice->most_bytes is set to what this host can hold; with a
 * plan its wants become the forms that were planned. */
struct gate {
    struct catalog_choice *choice;
    char *const *command;    /* CMD; ends NULL */
    struct planned *planned; /* filled in by the plan of this type; NULL: nobody plans */
    bool optional;           /* its optional models too */
};

/* Fits struct worker_gate; ctx is a struct gate. */
int gate_check(void *ctx, struct str *ret_gpus, struct arena *a, const struct gate_ask *asked,
               struct err *err) MUST_CHECK;

/* Fits its look. */
int gate_look(struct str *ret_gpus, struct arena *a, const struct config *config,
              struct err *err) MUST_CHECK;

#endif
