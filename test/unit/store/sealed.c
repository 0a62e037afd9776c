#include "store/sealed.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "sys/file.h"

static struct volume opened(struct scratch *s)
{
    struct volume v = {.fd = -1};

    assert_int_equal(volume_open(&v, &s->arena, s->path, false, &s->err), 0);
    return v;
}

static void a_text_comes_back_without_its_seal(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    const char *path = sealed_path(&s->arena, "a/b", "c");
    struct buf b = sealed_begin(&s->arena, "kind", 3);
    struct str body;

    assert_false(sealed_read(&body, &s->arena, &v, path, "kind", 3));
    buf_addz(&b, "one\ntwo\n");
    assert_int_equal(sealed_write(&b, &v, path, &s->err), 0);
    assert_true(sealed_read(&body, &s->arena, &v, path, "kind", 3));
    assert_true(str_eqz(body, "one\ntwo\n"));
    assert_false(sealed_read(&body, &s->arena, &v, path, "kind", 4));
    assert_false(sealed_read(&body, &s->arena, &v, path, "kinds", 3));
    volume_close(&v);
}

static void words_of_any_bytes_come_back(void **state)
{
    static const char *const words[] = {"plain", "-",    "",    "a b",
                                        "\n",    "100%", "%41", "\x7f\xc3\xa4"};
    struct scratch *s = *state;
    struct buf b = buf_new(&s->arena, 1000);
    struct str line;
    struct str word;

    for (size_t i = 0; i < 8; i++) {
        if (i > 0)
            buf_addc(&b, ' ');
        sealed_put(&b, str_from(words[i]));
    }
    line = buf_str(&b);
    assert_null(memchr(line.ptr, '\n', line.len));
    for (size_t i = 0; i < 8; i++) {
        assert_true(sealed_word(&word, &s->arena, &line));
        assert_string_equal(word.ptr, words[i]);
        assert_int_equal(word.len, strlen(words[i]));
    }
    assert_false(sealed_word(&word, &s->arena, &line));
}

static void bad_words_and_numbers_are_refused(void **state)
{
    static const char *const words[] = {"", " a", "%", "%4", "a%4", "%4g", "%g4", "%00", "%2d%"};
    static const char *const numbers[] = {"", "x", "1x", "-1", "+1", " 1", "18446744073709551616"};
    struct scratch *s = *state;
    struct str line;
    struct str word;
    uint64_t number;

    for (size_t i = 0; i < 9; i++) {
        line = str_from(words[i]);
        assert_false(sealed_word(&word, &s->arena, &line));
    }
    for (size_t i = 0; i < 7; i++) {
        line = str_from(numbers[i]);
        assert_false(sealed_number(&number, &line));
    }
    line = STR("18446744073709551615 7");
    assert_true(sealed_number(&number, &line));
    assert_true(number == UINT64_MAX);
    assert_true(sealed_number(&number, &line));
    assert_int_equal(number, 7);
}

static void what_is_too_long_is_not_written(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct buf b = buf_new(&s->arena, 20);

    buf_addz(&b, "0123456789");
    assert_int_equal(sealed_write(&b, &v, "a/b", &s->err), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
    assert_false(scratch_has(s, "a"));
    volume_close(&v);
}

#define SWEPT 8

/* As the holder of the lease of another model with files in the folder: so often, then it ends. */
static void sweep_away(int root)
{
    int dies = prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = openat(root, ".hostler/receipts/f", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;

    for (int swept = 0; dir != NULL && swept < SWEPT;) {
        rewinddir(dir);
        while ((entry = readdir(dir)) != NULL) {
            if (strncmp(entry->d_name, "tmp-", 4) == 0 && unlinkat(fd, entry->d_name, 0) == 0)
                swept++;
        }
    }
    _exit(dies == 0 && dir != NULL ? 0 : 1);
}

static void what_another_sweeps_away_on_its_way_is_written_all_the_same(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    int status = -1;
    pid_t sweeper;

    assert_int_equal(file_mkdirs(s->fd, ".hostler/receipts/f", NULL, &s->err), 0);
    (void)fflush(NULL);
    sweeper = fork();
    if (sweeper == 0)
        sweep_away(s->fd);
    while (waitpid(sweeper, &status, WNOHANG) == 0) {
        struct buf b = sealed_begin(&s->arena, "test", 1);

        if (sealed_write(&b, &v, ".hostler/receipts/f/a", &s->err) < 0)
            fail_msg("%s", s->err.msg);
    }
    assert_int_equal(status, 0);
    volume_close(&v);
}

static void what_cannot_be_written_names_the_volume(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct buf b = sealed_begin(&s->arena, "kind", 3);

    scratch_write(s, "a", "", 0);
    assert_int_equal(sealed_write(&b, &v, "a/b", &s->err), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
    assert_string_equal(s->err.msg, str_format(&s->arena,
                                               "%s/a should be a directory of its own, "
                                               "and is not",
                                               s->path));
    assert_int_equal(mkdirat(s->fd, "c", 0755), 0);
    assert_int_equal(mkdirat(s->fd, "c/b", 0755), 0);
    assert_int_equal(sealed_write(&b, &v, "c/b", &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, s->path));
    volume_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_text_comes_back_without_its_seal),
        SCRATCH_TEST(words_of_any_bytes_come_back),
        SCRATCH_TEST(bad_words_and_numbers_are_refused),
        SCRATCH_TEST(what_is_too_long_is_not_written),
        SCRATCH_TEST(what_another_sweeps_away_on_its_way_is_written_all_the_same),
        SCRATCH_TEST(what_cannot_be_written_names_the_volume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
