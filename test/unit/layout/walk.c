#include "layout/walk.h"

#include "hub.h"
#include "text/buf.h"

/* What a walk met, as text: "path:type " and "path!code ". */
struct met {
    struct buf text;
    uint64_t left;
};

static char letter(mode_t type)
{
    return type == S_IFDIR ? 'd' : type == S_IFLNK ? 'l' : type == S_IFREG ? 'f' : '?';
}

static void meet(void *ctx, const struct walk_entry *e)
{
    struct met *met = ctx;

    buf_addf(&met->text, "%s:%c%u ", e->path, letter(e->type), e->depth);
}

static void trouble(void *ctx, const char *path, const struct err *err)
{
    struct met *met = ctx;

    buf_addf(&met->text, "%.20s!%u ", path, (unsigned)err->code);
}

static const char *walked(struct scratch *s, const char *name, unsigned depth, uint64_t left)
{
    struct met met = {buf_new(&s->arena, 1 << 20), left};
    struct walk w = {depth, &met.left, meet, trouble, &met};

    walk_folder(&w, s->fd, name);
    return buf_str(&met.text).ptr;
}

static void folders_are_entries_at_the_greatest_depth_and_links_always(void **state)
{
    struct scratch *s = *state;
    struct hub h;

    hub_init(&h, s);
    put(&h, "top/a/b/file", "x");
    put_link(&h, ".", "top/a/b/loop");
    assert_string_equal(walked(s, "top", 0, 100), "a:d0 ");
    assert_string_equal(walked(s, "top", 1, 100), "a/b:d1 ");
    assert_true(strcmp(walked(s, "top", 9, 100), "a/b/file:f2 a/b/loop:l2 ") == 0 ||
                strcmp(walked(s, "top", 9, 100), "a/b/loop:l2 a/b/file:f2 ") == 0);
    put_link(&h, "../top", "links/link");
    assert_string_equal(walked(s, "links/link", 9, 100), "");
    assert_string_equal(walked(s, "missing", 9, 100), "");
    assert_string_equal(walked(s, "top/a/b/file", 9, 100), "");
    put_link(&h, "/", "links/out");
    assert_string_equal(walked(s, "links/out/etc", 0, 100), "");
    hub_done(&h);
}

static void a_passed_limit_is_told_once_and_ends_the_walk(void **state)
{
    struct scratch *s = *state;
    struct hub h;

    hub_init(&h, s);
    put(&h, "top/a/b/c/file", "x");
    put(&h, "top/a/b/c/file2", "x");
    assert_string_equal(walked(s, "top", 9, 3),
                        str_format(h.arena, "a/b/c!%u ", (unsigned)ERR_LIMIT));
    hub_done(&h);
}

static void a_path_that_is_too_long_is_told(void **state)
{
    struct scratch *s = *state;
    char name[201];
    struct hub h;
    int at = dup(s->fd);

    hub_init(&h, s);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0; i <= WALK_PATH_MAX / sizeof(name) + 1; i++) {
        int next;

        assert_int_equal(mkdirat(at, name, 0777), 0);
        next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(at);
        at = next;
    }
    (void)close(at);
    assert_string_equal(walked(s, ".", WALK_DEPTH_MAX, 100),
                        str_format(h.arena, "nnnnnnnnnnnnnnnnnnnn!%u ", (unsigned)ERR_LIMIT));
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(folders_are_entries_at_the_greatest_depth_and_links_always),
        SCRATCH_TEST(a_passed_limit_is_told_once_and_ends_the_walk),
        SCRATCH_TEST(a_path_that_is_too_long_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
