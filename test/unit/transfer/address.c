#include <string.h>

#include "../check.h"
#include "sys/stop.h"
#include "transfer/engine.h"

static char told[256];

static void notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)snprintf(told, sizeof(told), "%s", text);
}

static struct transfer *engine(struct arena *a)
{
    struct transfer *t = arena_new(a, struct transfer);
    struct err err;

    t->net = net_config_defaults(&(struct net_config){.clock = clock_real(), .notice = notice});
    t->curl = curl_api(&err);
    assert_non_null(t->curl);
    return t;
}

static void wait_for_lookup(struct host *h)
{
    for (int i = 0; i < 1000 && h->lookup != NULL; i++) {
        address_poll(h);
        (void)stop_wait_ms(5);
    }
    assert_null(h->lookup);
}

/* 127.0.0.1 is an address that resolves without a server, to itself. */
static void a_host_that_collapses_is_tried_at_another_address(void **state)
{
    ARENA_SCOPED a = {0};
    struct transfer *t = engine(&a);
    struct host h = {
        .t = t, .name = "far.example", .url = {.host = STR("127.0.0.1"), .port = 8080}};
    struct pace *first;

    (void)state;
    address_init(&h);
    first = h.pace;
    address_seen(&h, "192.0.2.7");
    address_seen(&h, "192.0.2.8"); /* the first that was seen counts */
    address_collapsed(&h);
    wait_for_lookup(&h);
    assert_non_null(h.connect_to);
    assert_string_equal(h.connect_to->data, "127.0.0.1:8080:127.0.0.1:8080");
    assert_ptr_not_equal(h.pace, first);
    assert_non_null(strstr(told, "far.example has become slow; trying its address 127.0.0.1"));
    address_done(&h);
    arena_free(&t->arena);
}

static void a_host_of_one_address_stays_there(void **state)
{
    ARENA_SCOPED a = {0};
    struct transfer *t = engine(&a);
    struct host h = {
        .t = t, .name = "far.example", .url = {.host = STR("127.0.0.1"), .port = 8080}};
    struct pace *first;

    (void)state;
    address_init(&h);
    first = h.pace;
    address_seen(&h, "127.0.0.1");
    address_collapsed(&h);
    wait_for_lookup(&h);
    address_collapsed(&h);
    assert_null(h.connect_to);
    assert_ptr_equal(h.pace, first);
    address_done(&h);
    arena_free(&t->arena);
}

static void a_lookup_that_nobody_waits_for_frees_itself(void **state)
{
    ARENA_SCOPED a = {0};
    struct transfer *t = engine(&a);
    struct host h = {
        .t = t, .name = "far.example", .url = {.host = STR("127.0.0.1"), .port = 8080}};

    (void)state;
    address_init(&h);
    address_collapsed(&h);
    address_done(&h); /* ASan sees what is left */
    assert_null(h.lookup);
    arena_free(&t->arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_collapses_is_tried_at_another_address),
        cmocka_unit_test(a_host_of_one_address_stays_there),
        cmocka_unit_test(a_lookup_that_nobody_waits_for_frees_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
