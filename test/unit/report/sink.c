#include "report/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"

static void a_line_is_written_whole_and_appended(void **state)
{
    char path[] = "/tmp/hostler-sink-XXXXXX";
    char text[16] = {0};
    int fd = mkostemp(path, O_CLOEXEC);
    struct sink s = sink_open(path);

    (void)state;
    assert_int_equal(write(fd, "one\n", 4), 4);
    sink_write(&s, STR("two\n"));
    assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), 8);
    assert_string_equal(text, "one\ntwo\n");
    sink_close(&s);
    sink_write(&s, STR("three\n"));
    assert_int_equal(lseek(fd, 0, SEEK_END), 8);
    (void)close(fd);
    (void)unlink(path);
}

static void a_full_disk_may_have_room_again(void **state)
{
    struct sink s = sink_open("/dev/full");

    (void)state;
    sink_write(&s, STR("x"));
    assert_false(s.broken);
    assert_int_equal(s.lost, ENOSPC);
    sink_close(&s);
}

static void who_went_away_is_not_written_to_again(void **state)
{
    int pipe_fds[2];
    struct sink s;

    (void)state;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    s = sink_of(pipe_fds[1]);
    (void)close(pipe_fds[0]);
    sink_write(&s, STR("x"));
    assert_true(s.broken);
    assert_int_equal(s.lost, EPIPE);
    sink_close(&s); /* not ours: stays open */
    assert_int_equal(close(pipe_fds[1]), 0);
}

/* The reader takes nothing: after our patience the rest of the line is dropped. */
static void who_does_not_read_holds_nobody_up(void **state)
{
    static char much[1 << 20];
    int pipe_fds[2];
    struct sink s;

    (void)state;
    memset(much, 'x', sizeof(much));
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    s = sink_of(pipe_fds[1]);
    sink_write(&s, (struct str){much, sizeof(much)});
    assert_false(s.broken);
    assert_int_equal(s.lost, EAGAIN);
    assert_int_equal(read(pipe_fds[0], much, sizeof(much)), 65536);
    sink_write(&s, STR("more"));
    assert_int_equal(read(pipe_fds[0], much, sizeof(much)), 4);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static void a_pipe_without_a_reader_is_not_waited_for(void **state)
{
    char folder[] = "/tmp/hostler-sink-XXXXXX";
    char path[64];
    struct sink s;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    s = sink_open(path);
    assert_int_equal(s.fd, -1);
    (void)unlink(path);
    (void)rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_written_whole_and_appended),
        cmocka_unit_test(a_full_disk_may_have_room_again),
        cmocka_unit_test(who_went_away_is_not_written_to_again),
        cmocka_unit_test(who_does_not_read_holds_nobody_up),
        cmocka_unit_test(a_pipe_without_a_reader_is_not_waited_for),
    };

    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
