#include "source/hf_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"
#include "text/str.h"

/* A home in /tmp with files made by put(). */
struct home {
    struct arena arena;
    char path[64];
};

static const char *at(struct home *h, const char *name)
{
    return str_format(&h->arena, "%s/%s", h->path, name);
}

static void put(struct home *h, const char *name, const char *text, size_t len)
{
    char *path = str_format(&h->arena, "%s/%s", h->path, name);
    FILE *f;

    for (char *slash = strchr(path + strlen(h->path) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int make_home(void **state)
{
    struct home *h = test_calloc(1, sizeof(*h));

    (void)snprintf(h->path, sizeof(h->path), "/tmp/hf_token.XXXXXX");
    assert_non_null(mkdtemp(h->path));
    *state = h;
    return 0;
}

static int remove_home(void **state)
{
    static const char *const names[] = {"token", "secret", ".cache/huggingface/token", "hf/token",
                                        "xdg/huggingface/token"};
    static const char *const folders[] = {
        ".cache/huggingface", ".cache", "hf", "xdg/huggingface", "xdg", "folder", "."};
    struct home *h = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(at(h, names[i]));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        (void)rmdir(at(h, folders[i]));
    (void)rmdir(h->path);
    arena_free(&h->arena);
    test_free(h);
    return 0;
}

static void check(struct home *h, struct hf_token_env env, const char *token, const char *from)
{
    struct err err = {0};
    const char *got = "untouched";
    const char *got_from = "untouched";

    if (hf_token_find(&got, &got_from, &h->arena, &env, &err) < 0)
        fail_msg("%s", err.msg);
    if (token == NULL) {
        assert_null(got);
        assert_null(got_from);
        return;
    }
    assert_non_null(got);
    assert_string_equal(got, token);
    assert_string_equal(got_from, from);
}

static void check_refused(struct home *h, struct hf_token_env env, const char *msg)
{
    struct err err = {0};
    const char *got = "untouched";
    const char *from = "untouched";

    assert_int_equal(hf_token_find(&got, &from, &h->arena, &env, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.msg, msg);
    assert_string_equal(got, "untouched");
}

static void the_variables_come_first_and_empty_ones_fall_through(void **state)
{
    struct home *h = *state;

    put(h, "hf/token", "hf_file\n", 8);
    check(h, (struct hf_token_env){.hf_token = "hf_a", .hugging_face_hub_token = "hf_b"}, "hf_a",
          "HF_TOKEN");
    check(h, (struct hf_token_env){.hf_token = "", .hugging_face_hub_token = "hf_b"}, "hf_b",
          "HUGGING_FACE_HUB_TOKEN");
    check(h,
          (struct hf_token_env){
              .hf_token = " \r\n", .hugging_face_hub_token = "", .hf_home = at(h, "hf")},
          "hf_file", at(h, "hf/token"));
    check(h, (struct hf_token_env){0}, NULL, NULL);
}

static void a_token_is_cleaned(void **state)
{
    struct home *h = *state;

    check(h, (struct hf_token_env){.hf_token = "  hf_\r\nabc\t\n"}, "hf_abc", "HF_TOKEN");
}

static void the_file_is_found_where_the_client_keeps_it(void **state)
{
    struct home *h = *state;

    put(h, "secret", "hf_secret\r\n", 11);
    put(h, "hf/token", "hf_home", 7);
    put(h, "xdg/huggingface/token", "hf_xdg", 6);
    put(h, ".cache/huggingface/token", "hf_default", 10);
    check(h,
          (struct hf_token_env){
              .hf_token_path = at(h, "secret"), .hf_home = at(h, "hf"), .home = h->path},
          "hf_secret", at(h, "secret"));
    check(h,
          (struct hf_token_env){
              .hf_home = at(h, "hf"), .xdg_cache_home = at(h, "xdg"), .home = h->path},
          "hf_home", at(h, "hf/token"));
    check(h, (struct hf_token_env){.xdg_cache_home = at(h, "xdg"), .home = h->path}, "hf_xdg",
          at(h, "xdg/huggingface/token"));
    check(h, (struct hf_token_env){.home = h->path}, "hf_default",
          at(h, ".cache/huggingface/token"));
    check(h, (struct hf_token_env){.hf_home_preset = at(h, "hf"), .home = h->path}, "hf_home",
          at(h, "hf/token"));
    check(h, (struct hf_token_env){.hf_home_preset = at(h, "none"), .home = h->path}, "hf_default",
          at(h, ".cache/huggingface/token"));
    check(h, (struct hf_token_env){.hf_home = at(h, "none"), .home = h->path}, NULL, NULL);
    check(h, (struct hf_token_env){.hf_token_path = "~/secret", .home = h->path}, "hf_secret",
          at(h, "secret"));
}

static void a_file_that_is_not_there_or_empty_is_no_token(void **state)
{
    struct home *h = *state;

    put(h, "secret", "\n", 1);
    check(h, (struct hf_token_env){.hf_token_path = at(h, "secret")}, NULL, NULL);
    check(h, (struct hf_token_env){.hf_token_path = at(h, "absent"), .home = h->path}, NULL, NULL);
    check(h, (struct hf_token_env){.hf_token_path = at(h, "secret/below")}, NULL, NULL);
}

static void a_switch_turns_tokens_off(void **state)
{
    struct home *h = *state;
    struct hf_token_env env = {.hf_token = "hf_a", .disable_implicit = "1"};

    check(h, env, NULL, NULL);
    env.disable_implicit = "YES";
    check(h, env, NULL, NULL);
    env.disable_implicit = "0";
    check(h, env, "hf_a", "HF_TOKEN");
}

static void what_no_token_holds_is_refused_with_its_place(void **state)
{
    struct home *h = *state;
    char *big = arena_array(&h->arena, char, 9000);

    memset(big, 'x', 8999);
    check_refused(h, (struct hf_token_env){.hf_token = "hf_a # mine"},
                  "HF_TOKEN: the token holds a blank or another character that none has");
    check_refused(h, (struct hf_token_env){.hugging_face_hub_token = "hf_\xc3\xa9"},
                  "HUGGING_FACE_HUB_TOKEN: the token holds a blank or another character that none "
                  "has");
    put(h, "secret", "hf\0x", 4);
    check_refused(h, (struct hf_token_env){.hf_token_path = at(h, "secret")},
                  str_format(&h->arena,
                             "%s: the token holds a blank or another character that none has",
                             at(h, "secret")));
    big[4096] = '\0';
    check(h, (struct hf_token_env){.hf_token = big}, big, "HF_TOKEN");
    big[4096] = 'x';
    big[4097] = '\0';
    check_refused(h, (struct hf_token_env){.hf_token = big},
                  "HF_TOKEN: a token of 4097 bytes, at most 4096 are taken");
    big[4097] = 'x';
    put(h, "secret", big, 8999);
    check_refused(h, (struct hf_token_env){.hf_token_path = at(h, "secret")},
                  str_format(&h->arena, "%s: a token of 8192 bytes, at most 4096 are taken",
                             at(h, "secret")));
}

static void a_named_file_that_cannot_be_read_is_refused(void **state)
{
    struct home *h = *state;

    assert_int_equal(mkdir(at(h, "folder"), 0700), 0);
    check_refused(h, (struct hf_token_env){.hf_token_path = at(h, "folder")},
                  str_format(&h->arena, "the token's file %s cannot be read: Is a directory",
                             at(h, "folder")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_variables_come_first_and_empty_ones_fall_through,
                                        make_home, remove_home),
        cmocka_unit_test_setup_teardown(a_token_is_cleaned, make_home, remove_home),
        cmocka_unit_test_setup_teardown(the_file_is_found_where_the_client_keeps_it, make_home,
                                        remove_home),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_there_or_empty_is_no_token, make_home,
                                        remove_home),
        cmocka_unit_test_setup_teardown(a_switch_turns_tokens_off, make_home, remove_home),
        cmocka_unit_test_setup_teardown(what_no_token_holds_is_refused_with_its_place, make_home,
                                        remove_home),
        cmocka_unit_test_setup_teardown(a_named_file_that_cannot_be_read_is_refused, make_home,
                                        remove_home),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
