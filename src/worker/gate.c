#include "worker/gate.h"

int gate_pass(const struct worker_gate *gate, struct str *ret_gpus, struct arena *a,
              const struct gate_ask *ask, struct err *err)
{
    *ret_gpus = (struct str){0};
    if (gate->check != NULL)
        return gate->check(gate->ctx, ret_gpus, a, ask, err);
    report_note(ask->report, REPORT_DEBUG, "gate", NULL, "nothing of this host is asked for %s",
                ask->type->name);
    return 0;
}
