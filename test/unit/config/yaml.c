#include "config/yaml.h"

#include <string.h>

#include "../check.h"
#include "text/buf.h"

static const struct yaml_node *parse(struct arena *a, const char *text)
{
    const struct yaml_node *root = NULL;
    struct err err = {0};

    if (yaml_parse(&root, a, str_from(text), "f", &err) < 0)
        fail_msg("%s", err.msg);
    return root;
}

static void assert_refused(struct str text, const char *expected)
{
    ARENA_SCOPED a = {0};
    const struct yaml_node *root = NULL;
    struct err err = {0};

    assert_int_equal(yaml_parse(&root, &a, text, "f", &err), -1);
    assert_string_equal(err.msg, expected);
    assert_null(root);
}

static void every_leaf_is_a_text_with_its_place(void **state)
{
    ARENA_SCOPED a = {0};
    const struct yaml_node *root = parse(&a, "a: 5M\nb:\n  - yes\n  - 'two words'\nc: {d: ~}\n");
    const struct yaml_node *b = yaml_get(root, "b");

    (void)state;
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->len, 3);
    assert_string_equal(yaml_get(root, "a")->text.ptr, "5M");
    assert_int_equal(yaml_get(root, "a")->column, 4);
    assert_int_equal(b->kind, YAML_LIST);
    assert_string_equal(b->at[0]->text.ptr, "yes");
    assert_string_equal(b->at[1]->text.ptr, "two words");
    assert_int_equal(b->at[1]->line, 4);
    assert_int_equal(yaml_get(yaml_get(root, "c"), "d")->text.len, 0);
    assert_null(yaml_get(root, "d"));
}

static void what_configuration_needs_not_is_refused(void **state)
{
    (void)state;
    assert_refused(STR("a: &x 1\nb: *x\n"), "f:1:4: anchors are not taken here");
    assert_refused(STR("b: *x\n"), "f:1:4: aliases are not taken here");
    assert_refused(STR("a: !!int 1\n"), "f:1:4: tags are not taken here");
    assert_refused(STR("a: 1\n---\nb: 1\n"), "f:2:1: a second document begins here");
    assert_refused(STR("a: 1\na: 2\n"), "f:2:1: the key \"a\" is there already, in line 1");
    assert_refused(STR("? [x]\n: 1\n"), "f:1:3: a key must be a text");
    assert_refused(STR("? {x: 1}\n: 1\n"), "f:1:3: a key must be a text");
    assert_refused(STR("'': 1\n"), "f:1:1: a key must be a text");
    assert_refused(STR("a: \"x\\0y\"\n"), "f:1:4: a NUL is in this text");
}

static void broken_yaml_has_a_place_too(void **state)
{
    (void)state;
    assert_refused(STR("a: [1, 2\n"), "f:2:1: did not find expected ',' or ']'");
    assert_refused(STR("a: 1\n\tb: 2\n"), "f:2:1: found a tab character that violates indentation");
}

static void depth_count_and_size_have_limits(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf deep = buf_new(&a, 1024);
    struct buf many = buf_new(&a, YAML_BYTES_MAX + 2);

    (void)state;
    for (size_t i = 0; i <= YAML_DEPTH_MAX; i++)
        buf_addc(&deep, '[');
    assert_refused(buf_str(&deep), "f:1:17: too many levels");
    buf_addc(&many, '[');
    for (size_t i = 0; i < YAML_NODES_MAX; i++)
        buf_addz(&many, "1,");
    assert_refused(buf_str(&many), "f:1:40000: too many values");
    while (!many.cut)
        buf_addc(&many, ' ');
    assert_refused((struct str){many.ptr, YAML_BYTES_MAX + 1}, "f: larger than 1048576 bytes");
}

static const struct yaml_node *parse_aliased(struct arena *a, const char *text, struct err *err)
{
    const struct yaml_node *root = NULL;

    *err = (struct err){0};
    return yaml_parse_aliased(&root, a, str_from(text), "f", err) < 0 ? NULL : root;
}

static void an_alias_is_what_its_last_anchor_before_it_is(void **state)
{
    ARENA_SCOPED a = {0};
    struct err err;
    const struct yaml_node *root =
        parse_aliased(&a, "a: &x 1\nb: *x\nc: &x [1, 2]\nlast: {e: *x}\n", &err);

    (void)state;
    assert_non_null(root);
    assert_string_equal(yaml_get(root, "b")->text.ptr, "1");
    assert_int_equal(yaml_get(root, "b")->line, 1);
    assert_int_equal(yaml_get(yaml_get(root, "last"), "e")->len, 2);
    assert_null(parse_aliased(&a, "a: *x\n", &err));
    assert_string_equal(err.msg, "f:1:4: an alias of no anchor that comes before it");
    assert_null(parse_aliased(&a, "a: &x [*x]\n", &err));
    assert_string_equal(err.msg, "f:1:8: an alias of no anchor that comes before it");
}

static void what_is_merged_gives_way_to_what_is_there(void **state)
{
    ARENA_SCOPED a = {0};
    struct err err;
    const struct yaml_node *root = parse_aliased(&a,
                                                 "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n"
                                                 "one: {<<: *x, b: 9}\nall: {<<: [*x, *y]}\n",
                                                 &err);
    const struct yaml_node *one;

    (void)state;
    assert_non_null(root);
    one = yaml_get(root, "one");
    assert_int_equal(one->len, 2);
    assert_string_equal(yaml_get(one, "a")->text.ptr, "1");
    assert_string_equal(yaml_get(one, "b")->text.ptr, "9");
    assert_int_equal(yaml_get(root, "all")->len, 3);
    assert_string_equal(yaml_get(yaml_get(root, "all"), "b")->text.ptr, "2");
    assert_null(parse_aliased(&a, "x: {<<: [1]}\n", &err));
    assert_string_equal(err.msg, "f:1:5: only mappings can be merged");
}

/* Each is ten of the one before. */
static void what_aliases_stand_for_counts_each_time(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf text = buf_new(&a, 4096);
    struct err err;

    (void)state;
    buf_addz(&text, "a0: &a0 [1]\n");
    for (int i = 1; i < 9; i++) {
        buf_addf(&text, "a%d: &a%d [*a%d", i, i, i - 1);
        for (int k = 1; k < 10; k++)
            buf_addf(&text, ",*a%d", i - 1);
        buf_addz(&text, "]\n");
    }
    assert_null(parse_aliased(&a, text.ptr, &err));
    assert_string_equal(err.msg, "f:5:42: too many values");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_leaf_is_a_text_with_its_place),
        cmocka_unit_test(what_configuration_needs_not_is_refused),
        cmocka_unit_test(broken_yaml_has_a_place_too),
        cmocka_unit_test(depth_count_and_size_have_limits),
        cmocka_unit_test(an_alias_is_what_its_last_anchor_before_it_is),
        cmocka_unit_test(what_is_merged_gives_way_to_what_is_there),
        cmocka_unit_test(what_aliases_stand_for_counts_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
