#include "coord/rates.h"

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "../check.h"

static const struct rate_bucket *bucket(const struct rates *r, const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};

    if (strchr(text, ':') == NULL) {
        assert_int_equal(inet_pton(AF_INET, text, &four.sin_addr), 1);
        return rates_bucket(r, (const struct sockaddr *)&four);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return rates_bucket(r, (const struct sockaddr *)&six);
}

static void an_address_has_the_same_bucket_however_it_comes(void **state)
{
    ARENA_SCOPED a = {0};
    struct rates r;

    (void)state;
    rates_init(&r, &a, 10, 10);
    assert_ptr_equal(bucket(&r, "10.0.0.7"), bucket(&r, "::ffff:10.0.0.7"));
    assert_ptr_not_equal(bucket(&r, "::ffff:10.0.0.7"), bucket(&r, "::ffff:10.0.0.8"));
    assert_ptr_equal(bucket(&r, "2001:db8:1:2::1"), bucket(&r, "2001:db8:1:2::2"));
    assert_ptr_not_equal(bucket(&r, "2001:db8:1:2::1"), bucket(&r, "2001:db8:1:3::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_the_same_bucket_however_it_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
