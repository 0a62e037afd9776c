#include "worker/read_claim.h"

#include "../check.h"
#include "../store/scratch.h"
#include "sys/fd.h"

static int open_claims(void **state)
{
    struct scratch *s = *state;
    int fd = read_claim_open(s->fd, &s->err);

    assert_true(fd >= 0);
    return fd;
}

static void of_two_one_has_the_claim_until_it_drops_it(void **state)
{
    FD_SCOPED one = open_claims(state);
    FD_SCOPED other = open_claims(state);

    assert_true(read_claim_take(one, 7, 100));
    assert_true(read_claim_take(one, 7, 100));
    assert_false(read_claim_take(other, 7, 100));
    assert_true(read_claim_take(other, 7, 101));
    assert_true(read_claim_take(other, 8, 100));
    read_claim_drop(one, 7, 100);
    assert_true(read_claim_take(other, 7, 100));
}

static void a_claim_ends_with_its_descriptor(void **state)
{
    int one = open_claims(state);
    FD_SCOPED other = open_claims(state);

    assert_true(read_claim_take(one, UINT64_MAX, UINT64_MAX));
    assert_false(read_claim_take(other, UINT64_MAX, UINT64_MAX));
    (void)close(one);
    assert_true(read_claim_take(other, UINT64_MAX, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_two_one_has_the_claim_until_it_drops_it, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_claim_ends_with_its_descriptor, scratch_setup,
                                        scratch_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
