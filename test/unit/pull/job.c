#include "pull/job.h"

#include <string.h>

#include "../check.h"

/* The table of doc and header, written once more by hand: a move that is added must be added here.
 */
static const struct {
    enum job_state from;
    enum job_state to;
} allowed[] = {
    {JOB_CHECKING, JOB_DONE},          {JOB_CHECKING, JOB_WAITING},
    {JOB_CHECKING, JOB_DOWNLOADING},   {JOB_CHECKING, JOB_FAILED},
    {JOB_WAITING, JOB_CHECKING},       {JOB_WAITING, JOB_FAILED},
    {JOB_DOWNLOADING, JOB_PUBLISHING}, {JOB_DOWNLOADING, JOB_WAITING},
    {JOB_DOWNLOADING, JOB_FAILED},     {JOB_PUBLISHING, JOB_DONE},
    {JOB_PUBLISHING, JOB_WAITING},     {JOB_PUBLISHING, JOB_FAILED},
};

static bool is_allowed(enum job_state from, enum job_state to)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (allowed[i].from == from && allowed[i].to == to)
            return true;
    }
    return false;
}

static void moves_are_those_of_the_table_and_no_others(void **state)
{
    (void)state;
    for (int from = 0; from < JOB_STATES; from++) {
        for (int to = 0; to < JOB_STATES; to++)
            assert_int_equal(job_may_move((enum job_state)from, (enum job_state)to),
                             is_allowed((enum job_state)from, (enum job_state)to));
    }
}

static void nothing_leaves_done_or_failed(void **state)
{
    (void)state;
    for (int to = 0; to < JOB_STATES; to++) {
        assert_false(job_may_move(JOB_DONE, (enum job_state)to));
        assert_false(job_may_move(JOB_FAILED, (enum job_state)to));
    }
}

static void every_state_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < JOB_STATES; i++) {
        assert_non_null(job_state_name((enum job_state)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(job_state_name((enum job_state)i),
                                    job_state_name((enum job_state)j));
    }
}

static void a_move_changes_the_state(void **state)
{
    struct job job;

    (void)state;
    job_init(&job, NULL, NULL);
    assert_int_equal(job.state, JOB_CHECKING);
    job_move(&job, JOB_WAITING);
    assert_int_equal(job.state, JOB_WAITING);
    job_move(&job, JOB_CHECKING);
    job_move(&job, JOB_DOWNLOADING);
    job_move(&job, JOB_PUBLISHING);
    job_move(&job, JOB_DONE);
    assert_int_equal(job.state, JOB_DONE);
    job_done(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_are_those_of_the_table_and_no_others),
        cmocka_unit_test(nothing_leaves_done_or_failed),
        cmocka_unit_test(every_state_has_a_name_of_its_own),
        cmocka_unit_test(a_move_changes_the_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
