#include "worker/runtime.h"

#include <string.h>

#include "../store/scratch.h"
#include "text/str.h"

static void a_status_is_named_by_the_worker_and_never_leads_elsewhere(void **state)
{
    char longest[202];
    const struct {
        const char *id;
        const char *name; /* NULL: refused */
    } rows[] = {
        {NULL, "worker.status"},
        {"gpu-3", "gpu-3.status"},
        {"a.b_C-9", "a.b_C-9.status"},

        {".", NULL},
        {"..", NULL},
        {".hidden", NULL},
        {"a/b", NULL},
        {"../x", NULL},
        {"a b", NULL},
        {"a\nb", NULL},
        {"\xc3\xa4", NULL},
        {longest, NULL},
    };
    struct scratch *s = *state;

    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct config config = {.worker_id = rows[i].id};
        const char *name = "untouched";
        struct err err = {0};
        int r = runtime_status_name(&name, &s->arena, &config, &err);

        if ((r == 0) != (rows[i].name != NULL))
            fail_msg("\"%s\": %s", rows[i].id, r == 0 ? name : err.msg);
        assert_string_equal(name, r == 0 ? rows[i].name : "untouched");
        assert_int_equal(err.code, r == 0 ? ERR_NONE : ERR_USAGE);
    }
}

static void the_folder_that_is_named_is_made_and_is_everybody_s_to_read(void **state)
{
    struct scratch *s = *state;
    const struct config config = {.runtime_dir = str_format(&s->arena, "%s/run", s->path)};
    struct runtime r = {.fd = -1};
    struct stat st;

    (void)umask(022);
    assert_int_equal(runtime_open(&r, &s->arena, &config, false, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NOT_FOUND);
    assert_false(scratch_has(s, "run"));
    assert_int_equal(runtime_open(&r, &s->arena, &config, true, &s->err), 0);
    assert_string_equal(r.path, config.runtime_dir);
    assert_int_equal(fstat(r.fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    runtime_close(&r);
    assert_int_equal(r.fd, -1);
    assert_int_equal(runtime_open(&r, &s->arena, &config, false, &s->err), 0);
    runtime_close(&r);
}

static void a_folder_that_everybody_may_write_is_refused_unless_it_is_sticky(void **state)
{
    struct scratch *s = *state;
    const struct config config = {.runtime_dir = s->path};
    struct runtime r = {.fd = -1};

    assert_int_equal(fchmod(s->fd, 0777), 0);
    assert_int_equal(runtime_open(&r, &s->arena, &config, true, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, "HOSTLER_RUNTIME_DIR: "));
    assert_non_null(strstr(s->err.msg, "can be written by everybody"));
    assert_non_null(strstr(s->err.hint, "chmod o-w "));
    assert_int_equal(r.fd, -1);
    assert_int_equal(fchmod(s->fd, 01777), 0);
    assert_int_equal(runtime_open(&r, &s->arena, &config, true, &s->err), 0);
    runtime_close(&r);
}

static void what_is_no_folder_is_refused(void **state)
{
    struct scratch *s = *state;
    const struct config config = {.runtime_dir = str_format(&s->arena, "%s/file", s->path)};
    struct runtime r = {.fd = -1};

    scratch_write(s, "file", "x", 1);
    assert_int_equal(runtime_open(&r, &s->arena, &config, false, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_int_equal(runtime_open(&r, &s->arena, &config, true, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_status_is_named_by_the_worker_and_never_leads_elsewhere),
        SCRATCH_TEST(the_folder_that_is_named_is_made_and_is_everybody_s_to_read),
        SCRATCH_TEST(a_folder_that_everybody_may_write_is_refused_unless_it_is_sticky),
        SCRATCH_TEST(what_is_no_folder_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
