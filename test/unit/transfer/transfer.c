/* The engine without a network: what is on disk already, being cancelled, a disk that hangs. */
#include "transfer/transfer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scripted.h"
#include "sys/stop.h"

#define SIZE ((size_t)3000000)

static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_moves = PTHREAD_COND_INITIALIZER;
static bool disk_hangs;

/* In place of libc's: reads hang as long as disk_hangs says so. */
ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset)
{
    (void)pthread_mutex_lock(&disk_lock);
    while (disk_hangs)
        (void)pthread_cond_wait(&disk_moves, &disk_lock);
    (void)pthread_mutex_unlock(&disk_lock);
    return (ssize_t)syscall(SYS_pread64, fd, buf, nbytes, offset);
}

static void hang(bool hangs)
{
    (void)pthread_mutex_lock(&disk_lock);
    disk_hangs = hangs;
    (void)pthread_cond_broadcast(&disk_moves);
    (void)pthread_mutex_unlock(&disk_lock);
}

struct fixture {
    struct arena arena;
    char folder[32];
    int dirfd;
    int fd;
    char *content;
    struct digest digest;
    struct transfer *t;
    struct transfer_origin origin;
};

static int set_up(void **state)
{
    struct arena a = {0};
    struct fixture *f = arena_new(&a, struct fixture);
    struct err err;
    struct net_config net = {.clock = clock_real(), .give_up_ms = 300};

    f->arena = a;
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/transfer-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->dirfd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->fd = openat(f->dirfd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    f->content = arena_array(&f->arena, char, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        f->content[i] = (char)(i * 7 + i / 251);
    assert_int_equal(pwrite(f->fd, f->content, SIZE, 0), SIZE);
    assert_int_equal(digest_fd(&f->digest, DIGEST_SHA256, f->fd, SIZE, &err), 0);
    /* Nobody listens on port 1: who asks the network fails. */
    assert_int_equal(url_parse(&f->origin.url, &f->arena, STR("http://127.0.0.1:1/file"), &err), 0);
    f->t = transfer_new(&net, &err);
    assert_non_null(f->t);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct arena a = f->arena;

    transfer_free(&f->t);
    (void)unlinkat(f->dirfd, "file", 0);
    (void)unlinkat(f->dirfd, "journal", 0);
    (void)rmdir(f->folder);
    (void)close(f->dirfd);
    (void)close(f->fd);
    arena_free(&a);
    return 0;
}

static struct transfer_target target(struct fixture *f)
{
    return (struct transfer_target){.name = "org/m: file",
                                    .size = SIZE,
                                    .want = f->digest,
                                    .fd = f->fd,
                                    .origin = &f->origin,
                                    .user = f};
}

static void add(struct fixture *f, const struct transfer_target *target)
{
    struct err err;

    assert_int_equal(transfer_add(f->t, target, &err), 0);
}

static struct transfer_event next(struct fixture *f)
{
    struct transfer_event event;

    do
        event = transfer_next(f->t, 500);
    while (event.kind == TRANSFER_TICK);
    return event;
}

static void expect_failure(struct fixture *f, enum err_code code, const char *part)
{
    struct transfer_event event = next(f);

    assert_int_equal(event.kind, TRANSFER_FAILED);
    assert_ptr_equal(event.user, f);
    assert_int_equal(event.err.code, code);
    if (strstr(event.err.msg, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, event.err.msg);
}

static void expect_done(struct fixture *f)
{
    struct transfer_event event = next(f);

    if (event.kind == TRANSFER_FAILED)
        fail_msg("%s", event.err.msg);
    assert_int_equal(event.kind, TRANSFER_DONE);
    assert_ptr_equal(event.user, f);
    assert_int_equal(next(f).kind, TRANSFER_IDLE);
    assert_int_equal(transfer_progress(f->t, NULL).received_bytes, 0);
}

static void nothing_to_do_is_idle(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(transfer_next(f->t, 10000).kind, TRANSFER_IDLE);
}

static void a_file_that_is_right_is_verified_without_a_request(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);

    file.verify_only = true;
    add(f, &file);
    expect_done(f);
    assert_int_equal(transfer_progress(f->t, NULL).hashed_bytes, SIZE);
}

static void a_file_that_is_wrong_is_named_with_both_digests(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);
    char want[DIGEST_HEX + 1];

    assert_int_equal(pwrite(f->fd, "X", 1, SIZE / 2), 1);
    file.verify_only = true;
    add(f, &file);
    expect_failure(f, ERR_DIGEST, digest_format(&f->digest, want));
}

static void a_file_that_is_too_short_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);

    assert_int_equal(ftruncate(f->fd, SIZE - 1), 0);
    file.verify_only = true;
    add(f, &file);
    expect_failure(f, ERR_DIGEST, "org/m: file");
}

static void an_empty_file_is_done_without_a_request(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);
    struct err err;

    file.size = 0;
    assert_int_equal(
        digest_parse(&file.want, STR("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"), &err), 0);
    add(f, &file);
    expect_done(f);
}

static void what_is_staged_whole_is_done_without_a_request(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);

    file.claims_all = true;
    add(f, &file);
    expect_done(f);
}

static void what_a_journal_proves_is_done_without_a_request(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);
    struct journal_range at[3];
    uint64_t offset = 0;
    struct err err;

    for (size_t i = 0; i < 3; i++) {
        at[i] = (struct journal_range){.offset = offset, .len = 1000000};
        at[i].crc = digest_crc32c(0, f->content + offset, at[i].len);
        offset += at[i].len;
    }
    file.claims = (struct journal_claims){at, 3};
    file.journal = journal_open(&(struct journal_claims){0}, &f->arena, f->dirfd, "journal",
                                &(struct journal_file){f->digest, SIZE}, &err);
    assert_non_null(file.journal);
    add(f, &file);
    expect_done(f);
    journal_close(&file.journal);
}

static void a_lie_of_the_journal_is_found_and_asked_for(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);
    struct journal_range at = {.offset = 0, .len = 1000000, .crc = 4711};

    file.claims = (struct journal_claims){&at, 1};
    add(f, &file);
    expect_failure(f, ERR_NET, "127.0.0.1:1: cannot connect: Connection refused");
    assert_int_equal(transfer_progress(f->t, NULL).staged_bytes, 0);
}

/* Lets the file come from a server that plays the answers. */
static void serve(struct fixture *f, struct scripted *server, const char *const *answers)
{
    struct err err;

    scripted_start(server, answers);
    assert_int_equal(
        url_parse(&f->origin.url, &f->arena,
                  str_from(str_format(&f->arena, "http://127.0.0.1:%u/file", server->port)), &err),
        0);
}

static void hello(struct fixture *f, struct transfer_target *file)
{
    struct err err;

    *file = target(f);
    file->size = 5;
    assert_int_equal(
        digest_parse(&file->want,
                     STR("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"), &err),
        0);
}

static void a_small_file_comes_in_one_request_and_leaves_no_journal(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 200 O\r\nContent-Length: 5\r\n\r\nhello", NULL};
    struct fixture *f = *state;
    struct transfer_target file;
    struct scripted server;
    char back[5];
    struct err err;

    hello(f, &file);
    file.journal = journal_open(&(struct journal_claims){0}, &f->arena, f->dirfd, "journal",
                                &(struct journal_file){file.want, 5}, &err);
    assert_non_null(file.journal);
    serve(f, &server, answers);
    add(f, &file);
    assert_int_equal(next(f).kind, TRANSFER_DONE);
    assert_null(strstr(server.requests[0], "Range:"));
    assert_int_equal(pread(f->fd, back, 5, 0), 5);
    assert_memory_equal(back, "hello", 5);
    assert_int_equal(faccessat(f->dirfd, "journal", F_OK, 0), -1);
    journal_close(&file.journal);
    scripted_stop(&server);
}

static void wrong_bytes_are_asked_for_once_more_and_then_named(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 200 O\r\nContent-Length: 5\r\n\r\nhallo",
                                          "HTTP/1.1 200 O\r\nContent-Length: 5\r\n\r\nhallo",
                                          "HTTP/1.1 200 O\r\nContent-Length: 5\r\n\r\nhello", NULL};
    struct fixture *f = *state;
    struct transfer_target file;
    struct scripted server;

    hello(f, &file);
    serve(f, &server, answers);
    add(f, &file);
    expect_failure(f, ERR_DIGEST, "it should be 2cf24dba5fb0a30e26e83b2ac5b9e29e");
    assert_int_equal(server.asked, 2);
    scripted_stop(&server);
}

static void what_an_earlier_run_left_wrong_is_no_fault_of_the_origin(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 200 O\r\nContent-Length: 5\r\n\r\nhallo",
                                          "HTTP/1.1 200 O\r\nContent-Length: 5\r\n\r\nhello", NULL};
    struct fixture *f = *state;
    struct transfer_target file;
    struct scripted server;

    hello(f, &file);
    file.claims_all = true;
    serve(f, &server, answers);
    add(f, &file);
    assert_int_equal(next(f).kind, TRANSFER_DONE);
    assert_int_equal(server.asked, 2);
    scripted_stop(&server);
}

static void a_volume_that_cannot_be_written_is_named(void **state)
{
    static const char *const small[] = {"HTTP/1.1 200 O\r\nContent-Length: 5\r\n\r\nhello", NULL};
    static char large[400] = "HTTP/1.1 200 O\r\nContent-Length: 3000000\r\n\r\n";
    const char *const cut[] = {large, NULL};
    struct fixture *f = *state;
    struct transfer_target file;
    struct scripted server;

    hello(f, &file);
    file.fd = f->dirfd;
    serve(f, &server, small);
    add(f, &file);
    expect_failure(f, ERR_VOLUME, "org/m: file: writing");
    scripted_stop(&server);

    file = target(f);
    file.fd = f->dirfd;
    memset(large + strlen(large), 'x', 300);
    serve(f, &server, cut);
    add(f, &file);
    expect_failure(f, ERR_VOLUME, "org/m: file: writing at 0");
    scripted_stop(&server);
}

static void a_file_that_cannot_be_read_back_is_named(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);

    file.fd = f->dirfd;
    file.verify_only = true;
    add(f, &file);
    expect_failure(f, ERR_VOLUME, "org/m: file: reading back at 0");
}

static int refuses(const void *ctx, const struct http_answer *answer, struct err *err)
{
    return answer->status == 302 ? err_set(err, ERR_AUTH, "%s", (const char *)ctx) : 0;
}

static void the_source_judges_what_its_origin_says(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", NULL};
    struct fixture *f = *state;
    struct transfer_target file;
    struct scripted server;

    hello(f, &file);
    f->origin.judge = refuses;
    f->origin.judge_ctx = "it is gated";
    serve(f, &server, answers);
    add(f, &file);
    expect_failure(f, ERR_AUTH, "it is gated");
    scripted_stop(&server);
}

/* The token of a session, which is renewed between two requests. */
struct token {
    const char *text;
    int refused;
};

static const char *token_now(const void *ctx)
{
    struct token *const *token = ctx;

    return (*token)->text;
}

static int renews(const void *ctx, const struct http_answer *answer, struct err *err)
{
    struct token *const *token = ctx;

    (void)err;
    if (answer->status != 401)
        return 0;
    (*token)->refused++;
    (*token)->text = "Bearer new";
    return 1;
}

static void a_refused_token_is_asked_for_anew_and_the_file_goes_on(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 401 U\r\nContent-Length: 0\r\n\r\n",
                                          "HTTP/1.1 200 O\r\nContent-Length: 5\r\n\r\nhello", NULL};
    struct token token = {.text = "Bearer old"};
    struct token *ctx = &token;
    struct fixture *f = *state;
    struct transfer_target file;
    struct scripted server;

    hello(f, &file);
    f->origin.authorization = "Bearer never";
    f->origin.authorize = token_now;
    f->origin.judge = renews;
    f->origin.judge_ctx = &ctx;
    serve(f, &server, answers);
    add(f, &file);
    assert_int_equal(next(f).kind, TRANSFER_DONE);
    assert_int_equal(token.refused, 1);
    assert_non_null(strstr(server.requests[0], "\r\nAuthorization: Bearer old\r\n"));
    assert_non_null(strstr(server.requests[1], "\r\nAuthorization: Bearer new\r\n"));
    scripted_stop(&server);
}

static void who_cancels_gets_every_file_back_as_interrupted(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);
    int failed = 0;

    for (int i = 0; i < 100; i++)
        add(f, &file);
    transfer_cancel(f->t, NULL, NULL);
    for (struct transfer_event e = next(f); e.kind != TRANSFER_IDLE; e = next(f)) {
        assert_int_equal(e.kind, TRANSFER_FAILED);
        assert_int_equal(e.err.code, ERR_INTERRUPTED);
        failed++;
    }
    assert_int_equal(failed, 100);
}

static bool is_second(const void *user, void *ctx)
{
    return user == ctx;
}

static void only_what_is_picked_is_cancelled(void **state)
{
    struct fixture *f = *state;
    struct transfer_target first = target(f);
    struct transfer_target second = target(f);
    int other = 0;

    first.verify_only = true;
    second.user = &other;
    add(f, &second);
    transfer_cancel(f->t, is_second, &other);
    add(f, &first);
    assert_ptr_equal(next(f).user, &other);
    expect_done(f);
}

static void a_disk_that_hangs_holds_up_nobody_for_more_than_a_second(void **state)
{
    static const struct transfer *left; /* the hanging thread may look at it for ever */
    struct fixture *f = *state;
    struct transfer_target file = target(f);
    uint64_t began_ms = clock_now_ms(clock_real());

    left = f->t;
    assert_non_null(left);
    hang(true);
    file.verify_only = true;
    add(f, &file);
    assert_int_equal(transfer_next(f->t, 50).kind, TRANSFER_TICK);
    transfer_cancel(f->t, NULL, NULL);
    expect_failure(f, ERR_INTERRUPTED, "cancelled");
    transfer_free(&f->t);
    assert_true(clock_now_ms(clock_real()) - began_ms < 1500);
    hang(false);
}

static void a_wish_to_stop_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    struct transfer_target file = target(f);
    uint64_t began_ms;
    struct err err;

    assert_int_equal(stop_install(&err), 0);
    add(f, &file);
    stop_request(SIGTERM);
    began_ms = clock_now_ms(clock_real());
    assert_int_equal(transfer_next(f->t, 10000).kind, TRANSFER_TICK);
    assert_true(clock_now_ms(clock_real()) - began_ms < 400);
    stop_request(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_to_do_is_idle),
        TEST(a_file_that_is_right_is_verified_without_a_request),
        TEST(a_file_that_is_wrong_is_named_with_both_digests),
        TEST(a_file_that_is_too_short_is_wrong),
        TEST(an_empty_file_is_done_without_a_request),
        TEST(what_is_staged_whole_is_done_without_a_request),
        TEST(what_a_journal_proves_is_done_without_a_request),
        TEST(a_lie_of_the_journal_is_found_and_asked_for),
        TEST(a_small_file_comes_in_one_request_and_leaves_no_journal),
        TEST(wrong_bytes_are_asked_for_once_more_and_then_named),
        TEST(what_an_earlier_run_left_wrong_is_no_fault_of_the_origin),
        TEST(a_volume_that_cannot_be_written_is_named),
        TEST(a_file_that_cannot_be_read_back_is_named),
        TEST(the_source_judges_what_its_origin_says),
        TEST(a_refused_token_is_asked_for_anew_and_the_file_goes_on),
        TEST(who_cancels_gets_every_file_back_as_interrupted),
        TEST(only_what_is_picked_is_cancelled),
        TEST(a_disk_that_hangs_holds_up_nobody_for_more_than_a_second),
        TEST(a_wish_to_stop_is_told_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
