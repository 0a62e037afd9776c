#include "gpu/cards.h"

#include <string.h>

#include "../check.h"

static struct gpu_inventory named(struct arena *a, const char *spec)
{
    struct gpu_inventory inventory;
    struct err err;

    if (cards_inventory(&inventory, a, &spec, 1, &err) < 0)
        fail_msg("%s: %s", spec, err.msg);
    return inventory;
}

static void cards_have_what_cuda_has_of_them(void **state)
{
    static const struct {
        const char *spec;
        uint64_t cuda_mib;
        const char *sm;
    } rows[] = {
        {"L4", 22579, "8.9"},        {"l4", 22579, "8.9"},
        {"NVIDIA L4", 22579, "8.9"}, {"T4", 14931, "7.5"},
        {"Tesla T4", 14931, "7.5"},  {"H100", 81008, "9.0"},
        {"A100-40", 40438, "8.0"},   {"A100 80GB", 81228, "8.0"},
        {"A100", 40438, "8.0"},      {"RTX 4090", 24124, "8.9"},
        {"4090", 24124, "8.9"},      {"GeForce RTX 4090", 24124, "8.9"},
        {"24GB", 22477, ""},         {"24", 22477, ""},
        {"7.5GiB", 7330, ""},        {"RTX 4060 Ti", 15950, "8.9"},
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gpu_inventory inventory = named(&a, rows[i].spec);

        assert_int_equal(inventory.count, 1);
        assert_int_equal(inventory.gpus[0].cuda_total_mib, rows[i].cuda_mib);
        assert_int_equal(inventory.gpus[0].free_mib, rows[i].cuda_mib);
        assert_string_equal(inventory.gpus[0].sm, rows[i].sm);
    }
    arena_free(&a);
}

static void several_are_counted_on_and_named_apart(void **state)
{
    static const char *const specs[] = {"2xL4", "12GB"};
    struct gpu_inventory inventory;
    struct arena a = {0};
    struct err err;

    (void)state;
    assert_int_equal(cards_inventory(&inventory, &a, specs, 2, &err), 0);
    assert_int_equal(inventory.count, 3);
    assert_string_equal(inventory.gpus[1].uuid, "GPU-2");
    assert_string_equal(inventory.gpus[2].name, "12GB");
    assert_int_equal(inventory.gpus[2].index, 2);
    arena_free(&a);
}

static void what_is_neither_a_size_nor_a_card_is_refused_with_the_list(void **state)
{
    static const char *const bad[] = {
        "",  "x",   "0x",    "2x",         "L9",
        "0", "1MB", "-24GB", "99999999GB", "a name that is longer than any card's could ever be"};
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct gpu_inventory inventory;
        struct err err;

        assert_int_equal(cards_inventory(&inventory, &a, &bad[i], 1, &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
        assert_non_null(strstr(err.hint, "RTX 4090"));
    }
    arena_free(&a);
}

static void every_card_of_the_table_is_found_by_its_own_name(void **state)
{
    struct arena a = {0};
    struct str names = str_from(cards_names(&a));
    struct str name;

    (void)state;
    while (names.len > 0) {
        (void)str_cut(&names, ',', &name);
        name = str_trim(name);
        assert_string_equal(named(&a, str_dup(&a, name)).gpus[0].name, str_dup(&a, name));
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_have_what_cuda_has_of_them),
        cmocka_unit_test(several_are_counted_on_and_named_apart),
        cmocka_unit_test(what_is_neither_a_size_nor_a_card_is_refused_with_the_list),
        cmocka_unit_test(every_card_of_the_table_is_found_by_its_own_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
