/* What differs between two records of a worker: what a report tells. */
#include <string.h>

#include "fleet/record.h"

static bool same_models(const struct fleet_record *a, const struct fleet_record *b)
{
    if (a->model_count != b->model_count)
        return false;
    for (size_t i = 0; i < a->model_count; i++) {
        if (strcmp(a->models[i].name, b->models[i].name) != 0 ||
            strcmp(a->models[i].revision, b->models[i].revision) != 0)
            return false;
    }
    return true;
}

static bool same_labels(const struct fleet_record *a, const struct fleet_record *b)
{
    if (a->label_count != b->label_count)
        return false;
    for (size_t i = 0; i < a->label_count; i++) {
        if (strcmp(a->labels[i].key, b->labels[i].key) != 0 ||
            strcmp(a->labels[i].value, b->labels[i].value) != 0)
            return false;
    }
    return true;
}

static bool same_holds(const struct fleet_record *a, const struct fleet_record *b)
{
    if (a->hold_count != b->hold_count)
        return false;
    for (size_t i = 0; i < a->hold_count; i++) {
        if (strcmp(a->holds[i].uuid, b->holds[i].uuid) != 0 || a->holds[i].mib != b->holds[i].mib ||
            a->holds[i].planned_mib != b->holds[i].planned_mib)
            return false;
    }
    return true;
}

static bool same_progress(const struct fleet_progress *a, const struct fleet_progress *b)
{
    return a->bytes == b->bytes && a->total == b->total && a->bps == b->bps;
}

unsigned fleet_record_changes(const struct fleet_record *a, const struct fleet_record *b)
{
    const struct {
        bool same;
        enum fleet_member member;
    } all[] = {
        {strcmp(a->id, b->id) == 0, FLEET_ID},
        {strcmp(a->instance, b->instance) == 0, FLEET_INSTANCE},
        {strcmp(a->type, b->type) == 0, FLEET_TYPE},
        {strcmp(a->host, b->host) == 0, FLEET_HOST},
        {strcmp(a->version, b->version) == 0, FLEET_VERSION},
        {a->state == b->state, FLEET_STATE},
        {strcmp(a->reason, b->reason) == 0, FLEET_REASON},
        {same_models(a, b), FLEET_MODELS},
        {strcmp(a->url, b->url) == 0, FLEET_URL},
        {same_labels(a, b), FLEET_LABELS},
        {str_eq(a->gpus, b->gpus), FLEET_GPUS},
        {same_holds(a, b), FLEET_HOLDS},
        {same_progress(&a->progress, &b->progress), FLEET_PROGRESS},
    };
    unsigned members = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        members |= all[i].same ? 0 : all[i].member;
    return members;
}
