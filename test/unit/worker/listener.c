#include "worker/listener.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"

#define HEARD_MAX 4096

/* What came by; written on the listener's thread, read once that has ended. */
struct heard {
    char text[HEARD_MAX];
    size_t len;
};

static void hear(void *ctx, struct str bytes)
{
    struct heard *heard = ctx;
    size_t room = HEARD_MAX - heard->len;
    size_t n = bytes.len < room ? bytes.len : room;

    memcpy(heard->text + heard->len, bytes.ptr, n);
    heard->len += n;
}

struct pipes {
    int ours[2]; /* what stands for a stream of ours */
    struct heard heard;
    struct listener *listener;
};

static int setup(void **state)
{
    static struct pipes p;
    struct err err;

    p = (struct pipes){0};
    *state = &p;
    /* As in the program: who writes where nobody reads is told by EPIPE. */
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (pipe2(p.ours, O_CLOEXEC) < 0)
        return -1;
    return listener_new(
        &p.listener, &(struct listener_options){.stream = p.ours[1], .hear = hear, .ctx = &p.heard},
        &err);
}

static int teardown(void **state)
{
    struct pipes *p = *state;

    listener_end(&p->listener);
    (void)close(p->ours[0]);
    (void)close(p->ours[1]);
    return 0;
}

/* The child's end, as it has it after a fork. */
static int childs_end(struct pipes *p)
{
    int fd = dup(listener_fd(p->listener));

    listener_begin(p->listener);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void expect(int fd, const char *text)
{
    char got[256];
    size_t len = 0;

    while (len < strlen(text)) {
        ssize_t n = read(fd, got + len, sizeof(got) - len);

        assert_true(n > 0);
        len += (size_t)n;
    }
    got[len] = '\0';
    assert_string_equal(got, text);
}

static void what_a_child_writes_is_heard_and_handed_on(void **state)
{
    struct pipes *p = *state;
    int child = childs_end(p);

    say(child, "Model loading took 13.5 GiB\n");
    expect(p->ours[0], "Model loading took 13.5 GiB\n");
    (void)close(child);
    listener_end(&p->listener);
    assert_null(p->listener);
    p->heard.text[p->heard.len] = '\0';
    assert_string_equal(p->heard.text, "Model loading took 13.5 GiB\n");
}

static void a_deaf_one_hands_on_and_hears_nothing(void **state)
{
    struct pipes *p = *state;
    int child = childs_end(p);

    listener_deaf(p->listener);
    say(child, "token\n");
    expect(p->ours[0], "token\n");
    (void)close(child);
    listener_end(&p->listener);
    assert_int_equal(p->heard.len, 0);
}

static void what_was_written_before_the_end_comes_though_another_keeps_the_pipe(void **state)
{
    struct pipes *p = *state;
    int child = childs_end(p);

    say(child, "last words\n");
    listener_end(&p->listener);
    expect(p->ours[0], "last words\n");
    /* A grandchild writes into nothing. */
    assert_int_equal(write(child, "x", 1), -1);
    (void)close(child);
}

static void our_stream_that_is_closed_closes_the_pipe(void **state)
{
    struct pipes *p = *state;
    int child = childs_end(p);
    ssize_t n;

    (void)close(p->ours[0]);
    p->ours[0] = -1;
    do
        n = write(child, "y\n", 2);
    while (n == 2);
    assert_int_equal(n, -1);
    (void)close(child);
}

/* A stream that takes nothing for a second at the end is given up. */
static void our_stream_that_is_stuck_holds_the_end_up_for_no_longer_than_a_second(void **state)
{
    struct pipes *p = *state;
    int child = childs_end(p);
    static const char block[4096];

    assert_int_equal(fcntl(p->ours[1], F_SETFL, O_NONBLOCK), 0);
    while (write(p->ours[1], block, sizeof(block)) > 0)
        ;
    assert_int_equal(fcntl(p->ours[1], F_SETFL, 0), 0);
    say(child, "nobody takes this\n");
    listener_end(&p->listener);
    assert_null(p->listener);
    (void)close(child);
}

static void one_that_was_never_begun_ends(void **state)
{
    struct pipes *p = *state;

    listener_end(&p->listener);
    assert_null(p->listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_child_writes_is_heard_and_handed_on),
        TEST(a_deaf_one_hands_on_and_hears_nothing),
        TEST(what_was_written_before_the_end_comes_though_another_keeps_the_pipe),
        TEST(our_stream_that_is_closed_closes_the_pipe),
        TEST(our_stream_that_is_stuck_holds_the_end_up_for_no_longer_than_a_second),
        TEST(one_that_was_never_begun_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
