#include "transfer/retry.h"

#include <string.h>

#include "../check.h"

#define MIDDLE (UINT32_MAX / 2) /* jitter of none */

static struct retry_plan plan(struct retry_case c)
{
    if (c.attempt == 0)
        c.attempt = 1;
    if (c.same == 0)
        c.same = 1;
    c.random = MIDDLE;
    c.longest_wait_ms = 360000;
    return retry_plan(&c);
}

static void each_failure_has_its_answer(void **state)
{
    static const struct {
        const char *name;
        struct retry_case c;
        enum retry_next next;
    } rows[] = {
        {"no such name", {.what = RETRY_DNS, .canonical = true}, RETRY_AGAIN},
        {"no such name of a link", {.what = RETRY_DNS}, RETRY_RESOLVE},
        {"refused", {.what = RETRY_CONNECT, .canonical = true}, RETRY_AGAIN},
        {"refused by the link's host", {.what = RETRY_CONNECT}, RETRY_RESOLVE},
        {"a bad certificate", {.what = RETRY_CERTIFICATE, .canonical = true}, RETRY_FINAL},
        {"a bad certificate of the link's host", {.what = RETRY_CERTIFICATE}, RETRY_FINAL},
        {"TLS that breaks", {.what = RETRY_TLS, .canonical = true}, RETRY_AGAIN},
        {"a cut body", {.what = RETRY_CUT}, RETRY_AGAIN},
        {"the ninth cut body", {.what = RETRY_CUT, .attempt = 9, .same = 9}, RETRY_AGAIN},
        {"a stall", {.what = RETRY_STALL}, RETRY_RESOLVE},
        {"no first byte", {.what = RETRY_FIRST_BYTE}, RETRY_RESOLVE},
        {"500", {.what = RETRY_STATUS, .status = 500}, RETRY_AGAIN},
        {"502", {.what = RETRY_STATUS, .status = 502, .canonical = true}, RETRY_AGAIN},
        {"503", {.what = RETRY_STATUS, .status = 503}, RETRY_AGAIN},
        {"429", {.what = RETRY_STATUS, .status = 429}, RETRY_AGAIN},
        {"408", {.what = RETRY_STATUS, .status = 408}, RETRY_AGAIN},
        {"403 of a link", {.what = RETRY_STATUS, .status = 403}, RETRY_RESOLVE},
        {"401 of a link", {.what = RETRY_STATUS, .status = 401}, RETRY_RESOLVE},
        {"410 of a link", {.what = RETRY_STATUS, .status = 410}, RETRY_RESOLVE},
        {"400 of a link", {.what = RETRY_STATUS, .status = 400}, RETRY_RESOLVE},
        {"404 of a link", {.what = RETRY_STATUS, .status = 404}, RETRY_RESOLVE},
        {"403 of a fresh link, alone",
         {.what = RETRY_STATUS, .status = 403, .fresh = true},
         RETRY_RESOLVE},
        {"403 of a fresh link beside other ranges",
         {.what = RETRY_STATUS, .status = 403, .fresh = true, .ranged = 3},
         RETRY_SINGLE},
        {"403 of an old link beside other ranges",
         {.what = RETRY_STATUS, .status = 403, .ranged = 3},
         RETRY_RESOLVE},
        {"403 of the origin",
         {.what = RETRY_STATUS, .status = 403, .canonical = true},
         RETRY_FINAL},
        {"404 of the origin",
         {.what = RETRY_STATUS, .status = 404, .canonical = true},
         RETRY_FINAL},
        {"416", {.what = RETRY_STATUS, .status = 416, .canonical = true}, RETRY_AGAIN},
        {"416 of a link", {.what = RETRY_STATUS, .status = 416}, RETRY_RESOLVE},
        {"416 twice", {.what = RETRY_STATUS, .status = 416, .same = 2}, RETRY_FINAL},
        {"407", {.what = RETRY_STATUS, .status = 407}, RETRY_FINAL},
        {"an odd status", {.what = RETRY_STATUS, .status = 204, .canonical = true}, RETRY_AGAIN},
        {"an odd status again and again",
         {.what = RETRY_STATUS, .status = 204, .same = 4},
         RETRY_FINAL},
        {"a portal", {.what = RETRY_PORTAL}, RETRY_RESOLVE},
        {"a portal for long", {.what = RETRY_PORTAL, .same = 50}, RETRY_RESOLVE},
        {"compression", {.what = RETRY_ENCODED, .canonical = true}, RETRY_AGAIN},
        {"compression thrice", {.what = RETRY_ENCODED, .same = 3}, RETRY_FINAL},
        {"another range", {.what = RETRY_RANGE}, RETRY_RESOLVE},
        {"another range again and again", {.what = RETRY_RANGE, .same = 4}, RETRY_FINAL},
        {"another total", {.what = RETRY_TOTAL}, RETRY_RESOLVE},
        {"another total twice", {.what = RETRY_TOTAL, .same = 2}, RETRY_FINAL},
        {"all for a part", {.what = RETRY_WHOLE}, RETRY_SINGLE},
        {"a loop", {.what = RETRY_REDIRECT, .canonical = true}, RETRY_FINAL},
        {"a proxy without our password", {.what = RETRY_PROXY_AUTH}, RETRY_FINAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (plan(rows[i].c).next != rows[i].next)
            fail_msg("%s: %d, not %d", rows[i].name, plan(rows[i].c).next, rows[i].next);
}

static void waits_grow_to_thirty_seconds_and_jitter_by_a_quarter(void **state)
{
    (void)state;
    assert_in_range(retry_backoff_ms(1, MIDDLE), 249, 250);
    assert_in_range(retry_backoff_ms(2, MIDDLE), 499, 500);
    assert_in_range(retry_backoff_ms(4, MIDDLE), 1999, 2000);
    assert_in_range(retry_backoff_ms(9, MIDDLE), 29999, 30000);
    assert_in_range(retry_backoff_ms(4000000000U, MIDDLE), 29999, 30000);
    assert_int_equal(retry_backoff_ms(9, 0), 22500);
    assert_int_equal(retry_backoff_ms(9, UINT32_MAX), 37500);
}

static void an_expired_link_is_renewed_without_a_wait(void **state)
{
    struct retry_plan p = plan((struct retry_case){.what = RETRY_STATUS, .status = 403});

    (void)state;
    assert_int_equal(p.wait_ms, 0);
    p = plan((struct retry_case){.what = RETRY_STATUS, .status = 403, .fresh = true});
    assert_true(p.wait_ms > 0);
}

static void waits_that_the_server_names_are_obeyed(void **state)
{
    /* 2015-10-21 07:28:00 */
    static const uint64_t then_ms = UINT64_C(1445412480000);
    static const struct {
        const char *retry_after;
        const char *rate_limit;
        int status;
        bool named;
        uint64_t wait_ms;
    } rows[] = {
        {"7", NULL, 429, true, 7000},
        {" 0 ", NULL, 503, true, 0},
        {"12", NULL, 500, true, 12000},
        {"12", NULL, 408, true, 12000},
        {NULL, "\"resolvers\";r=0;t=172", 429, true, 173000},
        {"5", "\"resolvers\";r=0;t=9", 429, true, 10000},
        {"5", "\"resolvers\";r=17;t=9", 429, true, 5000},
        {NULL, "\"resolvers\";r=17;t=9", 429, false, 0},
        {NULL, "\"resolvers\";r=0", 429, false, 0},
        {NULL, "", 429, false, 0},
        {"Wed, 21 Oct 2015 07:28:30 GMT", NULL, 429, true, 30000},
        {"Wed, 21 Oct 2015 07:27:30 GMT", NULL, 429, true, 0},
        {"Wed, 21 Oct 2015 07:28:30 EST", NULL, 429, false, 0},
        {"Wed, 21 Okt 2015 07:28:30 GMT", NULL, 429, false, 0},
        {"Wed, 21 anF 2015 07:28:30 GMT", NULL, 429, false, 0},
        {"soon", NULL, 429, false, 0},
        {"-5", NULL, 429, false, 0},
        {"99999999999", NULL, 429, false, 0},
        {NULL, NULL, 429, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_case c = {.what = RETRY_STATUS, .status = rows[i].status, .unix_ms = then_ms};
        struct retry_plan p;

        if (rows[i].retry_after != NULL)
            c.retry_after = str_from(rows[i].retry_after);
        if (rows[i].rate_limit != NULL)
            c.rate_limit = str_from(rows[i].rate_limit);
        p = plan(c);
        if (p.named != rows[i].named || p.next != RETRY_AGAIN)
            fail_msg("row %zu: named %d, next %d", i, p.named, p.next);
        if (p.named && (p.wait_ms < rows[i].wait_ms || p.wait_ms > rows[i].wait_ms + 500))
            fail_msg("row %zu: waits %llu", i, (unsigned long long)p.wait_ms);
    }
}

static void a_named_wait_that_is_too_long_is_final(void **state)
{
    struct retry_case c = {.what = RETRY_STATUS, .status = 429, .retry_after = STR("361")};

    (void)state;
    assert_int_equal(plan(c).next, RETRY_FINAL);
    c.retry_after = STR("359");
    assert_int_equal(plan(c).next, RETRY_AGAIN);
}

static void a_wait_named_by_an_answer_that_is_no_refusal_is_not_obeyed(void **state)
{
    struct retry_case c = {.what = RETRY_PORTAL, .retry_after = STR("300")};

    (void)state;
    assert_false(plan(c).named);
    assert_true(plan(c).wait_ms < 1000);
}

static void what_ails_the_host_makes_all_its_requests_wait(void **state)
{
    (void)state;
    assert_true(plan((struct retry_case){.what = RETRY_CONNECT}).whole_host);
    assert_true(plan((struct retry_case){.what = RETRY_STATUS, .status = 429}).whole_host);
    assert_true(plan((struct retry_case){.what = RETRY_STATUS, .status = 503}).whole_host);
    assert_false(plan((struct retry_case){.what = RETRY_STATUS, .status = 500}).whole_host);
    assert_false(plan((struct retry_case){.what = RETRY_CUT}).whole_host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_has_its_answer),
        cmocka_unit_test(waits_grow_to_thirty_seconds_and_jitter_by_a_quarter),
        cmocka_unit_test(an_expired_link_is_renewed_without_a_wait),
        cmocka_unit_test(waits_that_the_server_names_are_obeyed),
        cmocka_unit_test(a_named_wait_that_is_too_long_is_final),
        cmocka_unit_test(a_wait_named_by_an_answer_that_is_no_refusal_is_not_obeyed),
        cmocka_unit_test(what_ails_the_host_makes_all_its_requests_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
