#include "layout/ollama_links.h"

#include <errno.h>

#include "ollama.h"

#define LINK "ollama/models/llava/7b"

static const char *target(const struct hub *h)
{
    return str_format(h->arena, "../../blobs/sha256-%s", hex_of(h, llava[1].bytes, true));
}

static void a_link_that_dangles_or_was_ours_is_mended(void **state)
{
    struct hub h;
    struct manifest m;
    const char *texts[] = {
        "nowhere", "../../blobs/sha256-" XET,
        str_format(&((struct scratch *)*state)->arena, "../../blobs/sha256-%064d", 7)};

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    put(&h, "ollama/blobs/sha256-" XET, "an older one");
    for (size_t i = 0; i < 3; i++) {
        put_link(&h, texts[i], LINK);
        assert_false(hub_complete(&h, &m, true));
        assert_pulled(&h, &m, llava, true);
        assert_string_equal(link_of(&h, LINK), target(&h));
        assert_true(hub_complete(&h, &m, true));
        remove_all(&h, LINK);
    }
    hub_done(&h);
}

static void what_somebody_else_put_there_stays_and_is_named(void **state)
{
    static const char *const texts[] = {"../../precious", "../../blobs/sha256-precious", "."};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    put(&h, "ollama/precious", "stays");
    put(&h, "ollama/blobs/sha256-precious", "stays too");
    for (size_t i = 0; i < 3; i++) {
        put_link(&h, texts[i], LINK);
        assert_pulled(&h, &m, llava, true);
        assert_string_equal(link_of(&h, LINK), texts[i]);
        assert_string_equal(h.notices,
                            str_format(h.arena,
                                       "%s is not ours to change and was left alone: no link to "
                                       "ollama:llava:7b\n",
                                       hub_path(&h, LINK)));
        assert_true(hub_complete(&h, &m, true));
        remove_all(&h, LINK);
    }
    put(&h, LINK,
        "a file of somebody's own, longer than any text of a link that we would write "
        "into a file where there are no links at all");
    assert_pulled(&h, &m, llava, true);
    assert_true(strstr(h.notices, "was left alone") != NULL);
    remove_all(&h, "ollama/models");
    put(&h, "ollama/models", "in the way");
    assert_pulled(&h, &m, llava, true);
    assert_string_equal(text_of(&h, "ollama/models"), "in the way");
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_folder_of_links_that_leads_elsewhere_is_not_followed(void **state)
{
    static const char *const links[][2] = {
        {"../precious", "ollama/models"},
        {"../../precious/llava", "ollama/models/llava"},
        {"../within", "ollama/models/llava"},
    };
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    make_dirs(&h, "precious/llava");
    make_dirs(&h, "ollama/within");
    for (size_t i = 0; i < 3; i++) {
        put_link(&h, links[i][0], links[i][1]);
        assert_pulled(&h, &m, llava, true);
        assert_true(strstr(h.notices, "was left alone") != NULL);
        assert_false(scratch_has(*state, "precious/llava/7b"));
        assert_false(scratch_has(*state, "ollama/within/7b"));
        assert_true(hub_complete(&h, &m, true));
        remove_all(&h, links[i][1]);
    }
    hub_done(&h);
}

static void a_model_without_weights_of_its_own_has_no_link(void **state)
{
    static const struct content contents[] = {
        {"config", "{}", true}, {"adapter", "GGUF adapter", true}, {0}};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", contents);
    assert_pulled(&h, &m, contents, true);
    assert_true(hub_complete(&h, &m, true));
    assert_false(scratch_has(*state, "ollama/models"));
    hub_done(&h);
}

/* On vfat, say: then a small file tells where the weights are, and the next start is content. */
static bool without_symlinks(void *ctx)
{
    struct hub *h = ctx;
    struct manifest m = model_of(h, "ollama:llava:7b", llava);
    char *text;

    if (!deny(SYS_symlinkat, EPERM) || hub_pull(h, &m, llava, true) < 0 ||
        strstr(h->notices, "/ollama/models/llava/7b is a file that holds a path: links are not "
                           "possible there (Operation not permitted)") == NULL)
        return false;
    text = text_of(h, LINK);
    if (strcmp(text, target(h)) != 0 || !hub_complete(h, &m, true))
        return false;
    /* another's weights */
    text[strlen(text) - 1] ^= 1;
    put(h, LINK, text);
    return !hub_complete(h, &m, true) && hub_pull(h, &m, llava, true) == 0 &&
           strcmp(text_of(h, LINK), target(h)) == 0;
}

static void where_there_are_no_links_a_file_says_where_the_weights_are(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    in_child(without_symlinks, &h);
    /* and where they are possible again it is right as it is */
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

/* A folder that we may not write is nothing to try again at each start. */
static bool without_rights(void *ctx)
{
    struct hub *h = ctx;
    struct manifest m = model_of(h, "ollama:llava:7b", llava);
    bool complete;

    if (chmod(hub_path(h, "ollama/models/llava"), 0555) < 0 ||
        (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0))
        return false;
    complete = hub_complete(h, &m, true);
    return complete;
}

static void a_link_that_cannot_be_made_is_not_missed(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    layout_close(&h.place);
    remove_all(&h, LINK);
    assert_false(hub_complete(&h, &m, true));
    assert_int_equal(chmod(h.scratch->path, 0755), 0);
    in_child(without_rights, &h);
    assert_int_equal(chmod(hub_path(&h, "ollama/models/llava"), 0755), 0);
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_link_that_dangles_or_was_ours_is_mended),
        SCRATCH_TEST(what_somebody_else_put_there_stays_and_is_named),
        SCRATCH_TEST(a_folder_of_links_that_leads_elsewhere_is_not_followed),
        SCRATCH_TEST(a_model_without_weights_of_its_own_has_no_link),
        SCRATCH_TEST(where_there_are_no_links_a_file_says_where_the_weights_are),
        SCRATCH_TEST(a_link_that_cannot_be_made_is_not_missed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
