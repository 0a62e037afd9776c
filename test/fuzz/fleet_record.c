/* Reads any text as a worker's record and as a listing; what was taken is within its limits, is
 * written as JSON that is read back, and then written as the same. */
#include <stdlib.h>
#include <string.h>

#include "fleet/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool claim)
{
    if (!claim)
        abort();
}

static void check_limits(const struct fleet_record *r)
{
    need(fleet_text_ok(str_from(r->id), FLEET_ID_MAX));
    need(fleet_text_ok(str_from(r->type), FLEET_TYPE_MAX));
    need(fleet_text_ok(str_from(r->host), FLEET_HOST_MAX));
    need(fleet_text_ok(str_from(r->reason), FLEET_REASON_MAX));
    need(fleet_text_ok(str_from(r->url), FLEET_URL_MAX));
    need(strlen(r->instance) <= FLEET_INSTANCE_MAX);
    need(r->state < FLEET_STATES);
    need(r->model_count <= FLEET_MODELS_MAX);
    need(r->label_count <= FLEET_LABELS_MAX);
    need(r->gpus.len <= FLEET_GPUS_BYTES);
    need(r->hold_count <= FLEET_HOLDS_MAX);
}

static void check_again(const struct fleet_record *r)
{
    ARENA_SCOPED a = {0};
    struct buf first = buf_new(&a, FLEET_MESSAGE_MAX);
    struct buf second = buf_new(&a, FLEET_MESSAGE_MAX);
    struct fleet_record again = fleet_record_new();
    struct fleet_record copied;
    struct err err = {0};
    JSON_SCOPED *doc = NULL;

    buf_addc(&first, '{');
    fleet_record_put(&first, r);
    buf_addc(&first, '}');
    need(!first.cut);
    doc = json_parse(buf_str(&first), FLEET_MESSAGE_MAX, "again", &err);
    need(doc != NULL && fleet_record_read(&again, &a, doc, &err) == 0);
    fleet_record_copy(&copied, &a, &again);
    buf_addc(&second, '{');
    fleet_record_put(&second, &copied);
    buf_addc(&second, '}');
    need(str_eq(buf_str(&first), buf_str(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct fleet_record r = fleet_record_new();
    struct fleet_listed listed;
    struct err err = {0};
    JSON_SCOPED *doc =
        json_parse((struct str){(const char *)data, size}, FLEET_MESSAGE_MAX, "input", &err);

    if (doc == NULL)
        return 0;
    if (fleet_record_read(&r, &a, doc, &err) == 0) {
        check_limits(&r);
        check_again(&r);
    }
    if (fleet_listed_read(&listed, &a, doc, &err) == 0) {
        check_limits(&listed.record);
        check_again(&listed.record);
    }
    return 0;
}
