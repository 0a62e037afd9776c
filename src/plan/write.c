#include "plan/write.h"

static const struct plan_format formats[] = {
    {"table", plan_write_table, false},  {"json", plan_write_json, false},
    {"svg", plan_write_svg, false},      {"env", plan_write_env, true},
    {"docker", plan_write_docker, true}, {"compose", plan_write_compose, true},
    {"k8s", plan_write_k8s, true},       {NULL, NULL, false},
};

const struct plan_format *plan_formats(void)
{
    return formats;
}

const struct plan_format *plan_format(struct str name)
{
    for (size_t i = 0; formats[i].name != NULL; i++) {
        if (str_eqz(name, formats[i].name))
            return &formats[i];
    }
    return NULL;
}

void plan_put_share(struct buf *out, uint32_t thousandths)
{
    uint32_t rest = thousandths % 1000;

    if (rest % 10 == 0)
        buf_addf(out, "%u.%02u", thousandths / 1000, rest / 10);
    else
        buf_addf(out, "%u.%03u", thousandths / 1000, rest);
}
