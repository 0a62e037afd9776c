/* What a worker says: register, beat, report, leave. */
#include <assert.h>

#include "coord/coordinator.h"
#include "json/json.h"

#define ANSWER_MAX ((size_t)256)
/* Beats in a time to live, so that two may be lost. */
#define BEATS_IN_TTL 3
/* So often a message is taken anew, when another coordinator was quicker each time. */
#define TRIES 4

static void answer_times(struct exchange *x)
{
    uint64_t ttl_ms = registry_ttl_ms(x->coordinator->registry);
    struct buf b = buf_new(&x->arena, ANSWER_MAX);

    buf_addc(&b, '{');
    json_put_member_u64(&b, "ttl_ms", ttl_ms);
    json_put_member_u64(&b, "beat_ms", ttl_ms / BEATS_IN_TTL);
    buf_addz(&b, "}\n");
    exchange_answer(x, 200, buf_str(&b));
}

static void conclude(struct exchange *x, enum registry_answer answer, const struct err *err)
{
    switch (answer) {
    case REGISTRY_OK: answer_times(x); return;
    case REGISTRY_UNKNOWN:
        exchange_refuse(x, 404, FLEET_UNKNOWN, "no worker of that id and instance is registered",
                        "register, then beat");
        return;
    case REGISTRY_SUPERSEDED:
        exchange_refuse(x, 409, FLEET_SUPERSEDED,
                        "a newer instance has registered under this worker's id",
                        "end one of the two, or give each a WORKER_ID of its own");
        return;
    case REGISTRY_FULL:
        x->retry_after_s = 60;
        exchange_refuse(x, 507, "full", "the registry holds as many workers as it may",
                        "raise --max-workers");
        return;
    case REGISTRY_CHANGED:
        x->retry_after_s = 1;
        exchange_refuse(x, 503, "unavailable", "other coordinators keep changing this worker",
                        "is one WORKER_ID used by several workers?");
        return;
    case REGISTRY_FAILED: exchange_refuse_err(x, err); return;
    }
}

void handle_register(struct exchange *x)
{
    struct fleet_record record = fleet_record_new();
    struct err err = {0};
    JSON_SCOPED *doc = json_parse(buf_str(&x->body), FLEET_MESSAGE_MAX, "the body", &err);
    enum registry_answer answer = REGISTRY_CHANGED;

    if (doc == NULL || fleet_record_read(&record, &x->arena, doc, &err) < 0 ||
        fleet_record_check(&record, &err) < 0) {
        exchange_refuse_err(x, &err);
        return;
    }
    for (int i = 0; i < TRIES && answer == REGISTRY_CHANGED; i++)
        answer = registry_register(x->coordinator->registry, &record, &err);
    conclude(x, answer, &err);
}

/*
 * Reads a message of a registered worker over what is known of it. False: it was refused. What it
 * may not change, its id and instance, is as it was.
 */
static bool read_message(struct worker **ret_worker, struct fleet_record *said, struct exchange *x,
                         struct json *doc)
{
    struct fleet_record head = fleet_record_new();
    struct err err = {0};
    enum registry_answer answer;

    if (fleet_record_read(&head, &x->arena, doc, &err) < 0) {
        exchange_refuse_err(x, &err);
        return false;
    }
    if (head.instance[0] == '\0') {
        exchange_refuse(x, 400, "bad_request", "\"instance\" is missing", NULL);
        return false;
    }
    answer = registry_find(ret_worker, x->coordinator->registry, x->param, head.instance);
    if (answer != REGISTRY_OK) {
        conclude(x, answer, &err);
        return false;
    }
    *said = (*ret_worker)->record;
    if (fleet_record_read(said, &x->arena, doc, &err) < 0) {
        exchange_refuse_err(x, &err);
        return false;
    }
    said->id = (*ret_worker)->record.id;
    if (said->host[0] == '\0')
        said->host = (*ret_worker)->record.host;
    return true;
}

typedef enum registry_answer message_fn(struct registry *r, struct worker *w,
                                        const struct fleet_record *said, struct err *err);

static void handle_message(struct exchange *x, message_fn *take, bool final)
{
    struct fleet_record said;
    struct worker *w;
    struct err err = {0};
    JSON_SCOPED *doc = json_parse(buf_str(&x->body), FLEET_MESSAGE_MAX, "the body", &err);
    enum registry_answer answer = REGISTRY_CHANGED;

    if (doc == NULL) {
        exchange_refuse_err(x, &err);
        return;
    }
    for (int i = 0; i < TRIES && answer == REGISTRY_CHANGED; i++) {
        if (!read_message(&w, &said, x, doc))
            return;
        if (final && json_get(doc, "state") == NULL)
            said.state = FLEET_STOPPED;
        if (final && !fleet_state_invariant(said.state)->final) {
            exchange_refuse(x, 400, "bad_request", "\"state\" should be stopped or failed", NULL);
            return;
        }
        answer = take(x->coordinator->registry, w, &said, &err);
    }
    conclude(x, answer, &err);
}

void handle_beat(struct exchange *x)
{
    handle_message(x, registry_beat, false);
}

void handle_report(struct exchange *x)
{
    handle_message(x, registry_report, false);
}

void handle_leave(struct exchange *x)
{
    handle_message(x, registry_report, true);
}
