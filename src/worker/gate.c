#include "worker/gate.h"

int gate_pass(const struct worker_gate *gate, struct str *ret_gpus, struct arena *a,
              const struct config *config, const struct catalog_worker *type, struct report *report,
              struct err *err)
{
    *ret_gpus = (struct str){0};
    if (gate->check != NULL)
        return gate->check(gate->ctx, ret_gpus, a, config, type, report, err);
    report_note(report, REPORT_DEBUG, "gate", NULL, "nothing of this host is asked for %s",
                type->name);
    return 0;
}
