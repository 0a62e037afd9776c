#include "fleet/state.h"

#include <string.h>

#include "../check.h"

static void a_final_state_has_no_moves_and_every_other_can_end(void **state)
{
    (void)state;
    for (enum fleet_state from = 0; from < FLEET_STATES; from++) {
        bool final = fleet_state_invariant(from)->final;
        unsigned moves = 0;

        for (enum fleet_state to = 0; to < FLEET_STATES; to++)
            moves += fleet_state_may_move(from, to);
        assert_int_equal(final, moves == 0);
        assert_int_equal(!final, fleet_state_may_move(from, FLEET_FAILED));
        assert_int_equal(!final, fleet_state_may_move(from, FLEET_STOPPED));
        assert_false(fleet_state_may_move(from, FLEET_STARTING));
        assert_false(fleet_state_may_move(from, FLEET_STATES));
        assert_false(fleet_state_may_move(FLEET_STATES, from));
    }
}

static void ready_is_running_and_an_engine_is_there_from_launching_on(void **state)
{
    (void)state;
    for (enum fleet_state s = 0; s < FLEET_STATES; s++) {
        const struct fleet_invariant *holds = fleet_state_invariant(s);

        assert_int_equal(holds->ready, s == FLEET_RUNNING);
        assert_int_equal(holds->engine, s == FLEET_LAUNCHING || s == FLEET_RUNNING);
        assert_int_equal(holds->progress, !holds->final);
    }
}

static void nothing_runs_that_was_not_launched_and_a_restart_launches_again(void **state)
{
    (void)state;
    for (enum fleet_state s = 0; s < FLEET_STATES; s++)
        assert_int_equal(fleet_state_may_move(s, FLEET_RUNNING), s == FLEET_LAUNCHING);
    assert_true(fleet_state_may_move(FLEET_RUNNING, FLEET_LAUNCHING));
    assert_true(fleet_state_may_move(FLEET_GATING, FLEET_LAUNCHING));
    assert_false(fleet_state_may_move(FLEET_STARTING, FLEET_DOWNLOADING));
    assert_false(fleet_state_may_move(FLEET_DRAINING, FLEET_LAUNCHING));
}

static void names_are_read_back_and_others_are_none(void **state)
{
    enum fleet_state got = FLEET_STATES;

    (void)state;
    for (enum fleet_state s = 0; s < FLEET_STATES; s++) {
        assert_true(fleet_state_parse(&got, str_from(fleet_state_name(s))));
        assert_int_equal(got, s);
    }
    assert_false(fleet_state_parse(&got, str_from("lost")));
    assert_false(fleet_state_parse(&got, str_from("Running")));
    assert_false(fleet_state_parse(&got, str_from("")));
    assert_int_equal(got, FLEET_FAILED);
}

static void the_table_has_a_line_for_each_state(void **state)
{
    struct arena a = {0};
    struct buf b = buf_new(&a, 8192);
    size_t lines = 0;

    (void)state;
    fleet_state_table(&b);
    for (size_t i = 0; i < b.len; i++)
        lines += b.ptr[i] == '\n';
    assert_int_equal(lines, FLEET_STATES + 2);
    assert_non_null(strstr(b.ptr, "\n| draining | stopped, failed |  |  | yes |\n"));
    assert_false(b.cut);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_final_state_has_no_moves_and_every_other_can_end),
        cmocka_unit_test(ready_is_running_and_an_engine_is_there_from_launching_on),
        cmocka_unit_test(nothing_runs_that_was_not_launched_and_a_restart_launches_again),
        cmocka_unit_test(names_are_read_back_and_others_are_none),
        cmocka_unit_test(the_table_has_a_line_for_each_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
