#include "coord/filter.h"

#include "coord/names.h"

bool filter_add_label(struct filter *f, struct str label)
{
    if (f->label_count == FILTER_LABELS_MAX)
        return false;
    f->labels[f->label_count++] = label;
    return true;
}

bool filter_state_is_known(const struct filter *f)
{
    enum fleet_state ignored;

    return f->state.ptr == NULL || str_eqz(f->state, FLEET_LOST) ||
           fleet_state_parse(&ignored, f->state);
}

static bool serves(const struct filter *f, const struct fleet_record *r)
{
    for (size_t i = 0; i < r->model_count; i++) {
        if (names_same(f->catalog, f->model, str_from(r->models[i].name)))
            return true;
    }
    return false;
}

static bool has_label(const struct fleet_record *r, struct str wanted)
{
    struct str value = wanted;
    struct str key;
    bool valued = str_cut(&value, '=', &key);

    for (size_t i = 0; i < r->label_count; i++) {
        if (str_eqz(key, r->labels[i].key))
            return !valued || str_eqz(value, r->labels[i].value);
    }
    return false;
}

bool filter_passes(const struct filter *f, const struct fleet_listed *listed)
{
    if ((f->type.ptr != NULL && !str_eqz(f->type, listed->record.type)) ||
        (f->state.ptr != NULL && !str_eqz(f->state, fleet_listed_state(listed))) ||
        (f->model != NULL && !serves(f, &listed->record)))
        return false;
    for (size_t i = 0; i < f->label_count; i++) {
        if (!has_label(&listed->record, f->labels[i]))
            return false;
    }
    return true;
}
