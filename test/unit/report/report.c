#include "report/report.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../check.h"
#include "text/buf.h"

static uint64_t now_ms;

static uint64_t fake_now(const struct clock *c)
{
    (void)c;
    return now_ms;
}

static uint64_t fake_unix(const struct clock *c)
{
    (void)c;
    return UINT64_C(1795422662114);
}

static const struct clock hands = {.now_ms = fake_now, .unix_ms = fake_unix};

#define TS "2026-11-23T08:31:02.114Z "

/* A report whose stdout and stderr are pipes, or a terminal for stderr. */
struct fixture {
    struct arena arena;
    int out[2];
    int err[2]; /* reading end first */
    char text[65536];
    struct report_options options;
    struct report *report;
};

static void open_pipes(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    now_ms = 1000;
    assert_int_equal(pipe2(f->out, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(pipe2(f->err, O_NONBLOCK | O_CLOEXEC), 0);
    f->options = (struct report_options){
        .clock = &hands, .level = REPORT_INFO, .out_fd = f->out[1], .err_fd = f->err[1]};
}

static void begin(struct fixture *f)
{
    f->report = report_new(&f->arena, &f->options);
}

static void end(struct fixture *f)
{
    report_free(&f->report);
    assert_null(f->report);
    for (size_t i = 0; i < 2; i++) {
        (void)close(f->out[i]);
        (void)close(f->err[i]);
    }
    arena_free(&f->arena);
}

/* What can be read there now. */
static const char *said(struct fixture *f, int fd)
{
    size_t len = 0;
    ssize_t got;

    while ((got = read(fd, f->text + len, sizeof(f->text) - 1 - len)) > 0)
        len += (size_t)got;
    f->text[len] = '\0';
    return f->text;
}

static void emit_progress(struct fixture *f, const char *model, uint64_t bytes)
{
    report_emit(f->report,
                &(struct report_event){
                    .kind = REPORT_PROGRESS, .model = model, .bytes = bytes, .total = 100});
}

static void the_log_goes_to_stderr_and_stdout_stays_empty(void **state)
{
    struct fixture f;

    (void)state;
    open_pipes(&f);
    begin(&f);
    report_note(f.report, REPORT_INFO, NULL, NULL, "hello %d", 7);
    report_note(f.report, REPORT_DEBUG, NULL, NULL, "not this");
    assert_string_equal(said(&f, f.err[0]), TS "INFO hello 7\n");
    assert_string_equal(said(&f, f.out[0]), "");
    end(&f);
}

static void progress_of_a_model_is_told_every_five_seconds(void **state)
{
    struct fixture f;

    (void)state;
    open_pipes(&f);
    begin(&f);
    emit_progress(&f, "a", 1);
    emit_progress(&f, "b", 1);
    now_ms += 4999;
    emit_progress(&f, "a", 2);
    now_ms += 1;
    emit_progress(&f, "a", 3);
    assert_string_equal(said(&f, f.err[0]), TS "INFO Downloading model=a 1% 1 of 100 B\n" TS
                                               "INFO Downloading model=b 1% 1 of 100 B\n" TS
                                               "INFO Downloading model=a 3% 3 of 100 B\n");
    end(&f);
}

static void a_turn_from_progress_to_waiting_is_told_at_once(void **state)
{
    const struct report_event waiting = {.kind = REPORT_WAITING, .model = "m", .holder = "gpu-7"};
    struct fixture f;

    (void)state;
    open_pipes(&f);
    begin(&f);
    emit_progress(&f, "m", 1);
    (void)said(&f, f.err[0]);
    report_emit(f.report, &waiting);
    report_emit(f.report, &waiting);
    assert_string_equal(said(&f, f.err[0]), TS "INFO Waiting model=m holder=gpu-7\n");
    end(&f);
}

static void commands_without_data_log_to_stdout_and_err_on_both(void **state)
{
    struct fixture f;
    struct err err = {0};

    (void)state;
    open_pipes(&f);
    f.options.log_to_stdout = true;
    begin(&f);
    (void)err_set(&err, ERR_VOLUME, "broken");
    report_note(f.report, REPORT_INFO, NULL, NULL, "hello");
    report_emit(f.report, &(struct report_event){.kind = REPORT_FAILED, .err = &err});
    assert_string_equal(said(&f, f.out[0]), TS "INFO hello\n" TS "ERROR broken\n");
    assert_string_equal(said(&f, f.err[0]), "hostler: broken\n");
    end(&f);
}

static void json_events_go_to_stdout_and_progress_twice_a_second(void **state)
{
    struct fixture f;

    (void)state;
    open_pipes(&f);
    f.options.json_events = true;
    f.options.log_to_stdout = true; /* gives way: stdout is for the events */
    f.options.quiet = true;
    begin(&f);
    emit_progress(&f, "a", 1);
    now_ms += 499;
    emit_progress(&f, "a", 2);
    now_ms += 1;
    emit_progress(&f, "a", 3);
    report_note(f.report, REPORT_DEBUG, NULL, NULL, "not this");
    said(&f, f.out[0]);
    assert_non_null(strstr(f.text, "\"event\":\"progress\",\"model\":\"a\",\"bytes\":1,"));
    assert_null(strstr(f.text, "\"bytes\":2,"));
    assert_non_null(strstr(f.text, "\"bytes\":3,"));
    assert_null(strstr(f.text, "not this"));
    assert_string_equal(said(&f, f.err[0]), "");
    end(&f);
}

static void quiet_says_errors_only_but_the_file_has_all(void **state)
{
    char path[] = "/tmp/hostler-log-XXXXXX";
    int file = mkostemp(path, O_CLOEXEC | O_APPEND);
    struct err err = {0};
    struct fixture f;

    (void)state;
    assert_true(file >= 0);
    open_pipes(&f);
    f.options.quiet = true;
    f.options.log_file = path;
    begin(&f);
    report_note(f.report, REPORT_WARN, NULL, NULL, "careful");
    (void)err_set(&err, ERR_NOT_FOUND, "no such model");
    (void)err_hint(&err, "name another");
    report_emit(f.report, &(struct report_event){.kind = REPORT_FAILED, .model = "m", .err = &err});
    assert_string_equal(said(&f, f.err[0]), "hostler: no such model\nhint: name another\n");
    assert_string_equal(said(&f, file), TS "WARN careful\n" TS
                                           "ERROR no such model model=m hint=\"name another\"\n");
    end(&f);
    (void)close(file);
    (void)unlink(path);
}

static void a_log_file_that_cannot_be_had_is_a_warning_only_if_it_was_named(void **state)
{
    struct fixture f;

    (void)state;
    open_pipes(&f);
    f.options.log_file = "/nowhere/x.log";
    begin(&f);
    assert_string_equal(said(&f, f.err[0]), "");
    report_free(&f.report);
    f.options.log_file_named = true;
    begin(&f);
    assert_string_equal(said(&f, f.err[0]),
                        TS "WARN LOG_FILE /nowhere/x.log cannot be written: No such file or "
                           "directory\n");
    end(&f);
}

static void the_json_log_is_one_object_a_line_errors_too(void **state)
{
    struct err err = {0};
    struct fixture f;

    (void)state;
    open_pipes(&f);
    f.options.json_log = true;
    begin(&f);
    (void)err_set(&err, ERR_BUG, "oh");
    report_emit(f.report, &(struct report_event){.kind = REPORT_FAILED, .err = &err});
    assert_string_equal(said(&f, f.err[0]),
                        "{\"ts\":\"2026-11-23T08:31:02.114Z\",\"level\":\"error\",\"event\":"
                        "\"error\",\"code\":\"BUG\",\"exit\":70,\"message\":\"oh\",\"hint\":"
                        "\"this is a bug, please report it\"}\n");
    end(&f);
}

static void debug_domains_are_shown_beside_the_level(void **state)
{
    static const char *const domains[] = {"net", NULL};
    struct fixture f;

    (void)state;
    open_pipes(&f);
    f.options.debug = domains;
    begin(&f);
    report_note(f.report, REPORT_DEBUG, "net", NULL, "one");
    report_note(f.report, REPORT_DEBUG, "net-retry", NULL, "two");
    report_note(f.report, REPORT_DEBUG, "network", NULL, "three");
    report_note(f.report, REPORT_DEBUG, NULL, NULL, "four");
    assert_string_equal(said(&f, f.err[0]), TS "DEBUG one\n" TS "DEBUG two\n");
    end(&f);
}

static void the_last_error_stands_in_the_termination_log_if_there_is_one(void **state)
{
    char path[] = "/tmp/hostler-term-XXXXXX";
    int file = mkostemp(path, O_CLOEXEC);
    struct err err = {0};
    struct fixture f;

    (void)state;
    open_pipes(&f);
    f.options.termination_log = path;
    begin(&f);
    (void)err_set(&err, ERR_VOLUME, "the first, which is longer");
    report_emit(f.report, &(struct report_event){.kind = REPORT_FAILED, .err = &err});
    (void)err_set(&err, ERR_VOLUME, "the last");
    report_emit(f.report, &(struct report_event){.kind = REPORT_FAILED, .err = &err});
    assert_string_equal(said(&f, file), "hostler: the last\n");
    (void)close(file);
    (void)unlink(path);
    report_emit(f.report, &(struct report_event){.kind = REPORT_FAILED, .err = &err});
    assert_int_equal(access(path, F_OK), -1);
    end(&f);
}

static void a_closed_stdout_or_full_pipe_ends_nothing(void **state)
{
    struct fixture f;

    (void)state;
    open_pipes(&f);
    f.options.json_events = true;
    begin(&f);
    (void)close(f.out[0]);
    f.out[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    report_note(f.report, REPORT_WARN, NULL, NULL, "one");
    report_note(f.report, REPORT_WARN, NULL, NULL, "two");
    assert_string_equal(said(&f, f.err[0]), TS "WARN one\n" TS "WARN two\n");
    end(&f);
}

/* ---- on a terminal ---- */

static void open_terminal(struct fixture *f, unsigned short columns, unsigned short rows)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};

    open_pipes(f);
    (void)close(f->err[0]);
    (void)close(f->err[1]);
    assert_int_equal(openpty(&f->err[0], &f->err[1], NULL, NULL, &size), 0);
    assert_int_equal(fcntl(f->err[0], F_SETFL, O_NONBLOCK), 0);
    f->options.err_fd = f->err[1];
    (void)setenv("TERM", "xterm", 1);
}

static void emit_parts(struct fixture *f, size_t count)
{
    static const struct report_part parts[] = {
        {"model-00001-of-00002.safetensors", 50, 100, false},
        {"done.json", 5, 5, true},
        {"tokenizer.json", 0, 100, false},
        {"c", 1, 100, false},
        {"d", 1, 100, false},
        {"e", 1, 100, false},
    };

    report_emit(f->report, &(struct report_event){.kind = REPORT_PROGRESS,
                                                  .model = "hf:org/name",
                                                  .bytes = 50,
                                                  .total = 200,
                                                  .bps = 25,
                                                  .parts = parts,
                                                  .part_count = count});
}

/* The terminal turns "\n" into "\r\n". */
#define NL "\x1b[K\r\n"

static void bars_take_the_place_of_progress_lines(void **state)
{
    struct fixture f;

    (void)state;
    open_terminal(&f, 100, 24);
    begin(&f);
    emit_parts(&f, 3);
    assert_string_equal(
        said(&f, f.err[0]),
        "  model-00001-of-00002.safetensors                 [==========>         ]  50% 50 of 100 "
        "B" NL "  tokenizer.json                                   [>                   ]   0% 0 "
        "of 100 B" NL "hf:org/name 25% 50 of 200 B 25 B/s eta 6s" NL "\x1b[J");
    end(&f);
}

static void a_frame_moves_over_our_own_lines_only_and_not_too_often(void **state)
{
    struct fixture f;

    (void)state;
    open_terminal(&f, 100, 24);
    begin(&f);
    emit_parts(&f, 3);
    (void)said(&f, f.err[0]);
    now_ms += 99;
    emit_parts(&f, 3);
    assert_string_equal(said(&f, f.err[0]), "");
    now_ms += 1;
    emit_parts(&f, 1);
    said(&f, f.err[0]);
    assert_int_equal(strncmp(f.text, "\r\x1b[3A", 5), 0);
    assert_non_null(strstr(f.text, "\x1b[J"));
    report_pause(f.report);
    assert_string_equal(said(&f, f.err[0]), "\r\x1b[2A\x1b[J");
    end(&f);
}

static void a_line_of_the_log_stands_above_the_bars_in_one_frame(void **state)
{
    struct fixture f;

    (void)state;
    open_terminal(&f, 100, 24);
    begin(&f);
    emit_parts(&f, 1);
    (void)said(&f, f.err[0]);
    report_note(f.report, REPORT_WARN, NULL, NULL, "look");
    said(&f, f.err[0]);
    assert_ptr_equal(strstr(f.text, "\r\x1b[2A\x1b[J" TS "WARN look\r\n  model"), f.text);
    end(&f);
}

static void the_end_of_a_model_takes_its_bars_away(void **state)
{
    struct fixture f;

    (void)state;
    open_terminal(&f, 100, 24);
    begin(&f);
    emit_parts(&f, 1);
    (void)said(&f, f.err[0]);
    report_emit(f.report, &(struct report_event){
                              .kind = REPORT_PUBLISHED, .model = "hf:org/name", .path = "/p"});
    assert_string_equal(said(&f, f.err[0]),
                        "\r\x1b[2A\x1b[J" TS "INFO Published model=hf:org/name path=/p\r\n");
    end(&f);
}

static void a_start_of_unknown_size_is_a_line_and_no_bar(void **state)
{
    struct fixture f;

    (void)state;
    open_terminal(&f, 100, 24);
    begin(&f);
    report_emit(f.report, &(struct report_event){
                              .kind = REPORT_START, .model = "ollama:m", .text = "by another"});
    assert_string_equal(said(&f, f.err[0]), TS "INFO Downloading model=ollama:m by another\r\n");
    end(&f);
}

/* The longest visible line of what was said. */
static size_t longest_line(const char *text)
{
    size_t longest = 0;
    size_t at = 0;

    for (; *text != '\0'; text++) {
        if (*text == '\x1b') {
            while (*text != '\0' && (*text < 'A' || *text > 'Z'))
                text++;
        } else if (*text == '\n' || *text == '\r') {
            at = 0;
        } else if (((unsigned char)*text & 0xc0) != 0x80 && ++at > longest) {
            longest = at;
        }
    }
    return longest;
}

static void no_line_is_wider_than_the_terminal_nor_the_frame_higher(void **state)
{
    static const unsigned short widths[] = {20, 21, 30, 40, 52, 53, 60, 75, 80, 100, 200};

    (void)state;
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        struct fixture f;
        size_t lines = 0;

        open_terminal(&f, widths[i], 5);
        begin(&f);
        emit_parts(&f, 6);
        said(&f, f.err[0]);
        assert_in_range(longest_line(f.text), 10, widths[i] - 1);
        for (const char *c = f.text; (c = strchr(c, '\n')) != NULL; c++)
            lines++;
        assert_in_range(lines, 3, 4);
        assert_non_null(strstr(f.text, "and 3 more"));
        end(&f);
    }
}

static void a_terminal_made_narrower_is_cleaned_of_what_wrapped(void **state)
{
    struct winsize narrow = {.ws_row = 24, .ws_col = 40};
    struct fixture f;

    (void)state;
    open_terminal(&f, 100, 24);
    begin(&f);
    emit_parts(&f, 1);
    (void)said(&f, f.err[0]);
    assert_int_equal(ioctl(f.err[1], TIOCSWINSZ, &narrow), 0);
    report_pause(f.report);
    /* The file's line of 89 columns stands on three rows now, the sum's of 41 on two. */
    assert_string_equal(said(&f, f.err[0]), "\r\x1b[5A\x1b[J");
    end(&f);
}

static void a_dumb_terminal_a_json_log_and_plain_have_no_bars(void **state)
{
    struct fixture f;

    (void)state;
    open_terminal(&f, 100, 24);
    (void)setenv("TERM", "dumb", 1);
    begin(&f);
    emit_parts(&f, 1);
    assert_null(strchr(said(&f, f.err[0]), '\x1b'));
    assert_non_null(strstr(f.text, "INFO Downloading model=hf:org/name"));
    report_free(&f.report);
    (void)setenv("TERM", "xterm", 1);
    f.options.progress = REPORT_PROGRESS_PLAIN;
    begin(&f);
    emit_parts(&f, 1);
    assert_null(strchr(said(&f, f.err[0]), '\x1b'));
    report_free(&f.report);
    f.options.progress = REPORT_PROGRESS_AUTO;
    f.options.json_log = true;
    begin(&f);
    emit_parts(&f, 1);
    assert_null(strchr(said(&f, f.err[0]), '\x1b'));
    end(&f);
}

static void without_progress_only_starts_and_ends_are_said(void **state)
{
    struct fixture f;

    (void)state;
    open_pipes(&f);
    f.options.progress = REPORT_PROGRESS_NONE;
    begin(&f);
    report_emit(f.report,
                &(struct report_event){.kind = REPORT_START, .model = "m", .bytes = 1, .files = 1});
    emit_progress(&f, "m", 1);
    assert_string_equal(said(&f, f.err[0]), TS "INFO Downloading model=m 1 B in 1 file\n");
    end(&f);
}

static void who_waits_shows_whom_for(void **state)
{
    struct fixture f;

    (void)state;
    open_terminal(&f, 100, 24);
    begin(&f);
    report_emit(f.report, &(struct report_event){.kind = REPORT_WAITING,
                                                 .model = "hf:org/name",
                                                 .holder = "gpu-7",
                                                 .bytes = 1,
                                                 .total = 4});
    assert_string_equal(said(&f, f.err[0]),
                        "hf:org/name waits for gpu-7, which has 25% 1 of 4 B" NL "\x1b[J");
    end(&f);
}

static void names_on_the_bars_are_escaped_and_keep_their_end(void **state)
{
    static const struct report_part part[] = {
        {"a/very/long/path/of/folders/that/nobody/reads/\x1b[2J/model.safetensors", 1, 2, false}};
    struct fixture f;

    (void)state;
    open_terminal(&f, 80, 24);
    begin(&f);
    report_emit(
        f.report,
        &(struct report_event){
            .kind = REPORT_PROGRESS, .model = "m", .total = 2, .parts = part, .part_count = 1});
    said(&f, f.err[0]);
    assert_null(strstr(f.text, "\x1b[2J"));
    assert_non_null(strstr(f.text, "/\\x1b[2J/model.safetensors ["));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_goes_to_stderr_and_stdout_stays_empty),
        cmocka_unit_test(progress_of_a_model_is_told_every_five_seconds),
        cmocka_unit_test(a_turn_from_progress_to_waiting_is_told_at_once),
        cmocka_unit_test(commands_without_data_log_to_stdout_and_err_on_both),
        cmocka_unit_test(json_events_go_to_stdout_and_progress_twice_a_second),
        cmocka_unit_test(quiet_says_errors_only_but_the_file_has_all),
        cmocka_unit_test(a_log_file_that_cannot_be_had_is_a_warning_only_if_it_was_named),
        cmocka_unit_test(the_json_log_is_one_object_a_line_errors_too),
        cmocka_unit_test(debug_domains_are_shown_beside_the_level),
        cmocka_unit_test(the_last_error_stands_in_the_termination_log_if_there_is_one),
        cmocka_unit_test(a_closed_stdout_or_full_pipe_ends_nothing),
        cmocka_unit_test(bars_take_the_place_of_progress_lines),
        cmocka_unit_test(a_frame_moves_over_our_own_lines_only_and_not_too_often),
        cmocka_unit_test(a_line_of_the_log_stands_above_the_bars_in_one_frame),
        cmocka_unit_test(the_end_of_a_model_takes_its_bars_away),
        cmocka_unit_test(a_start_of_unknown_size_is_a_line_and_no_bar),
        cmocka_unit_test(no_line_is_wider_than_the_terminal_nor_the_frame_higher),
        cmocka_unit_test(a_terminal_made_narrower_is_cleaned_of_what_wrapped),
        cmocka_unit_test(a_dumb_terminal_a_json_log_and_plain_have_no_bars),
        cmocka_unit_test(without_progress_only_starts_and_ends_are_said),
        cmocka_unit_test(who_waits_shows_whom_for),
        cmocka_unit_test(names_on_the_bars_are_escaped_and_keep_their_end),
    };

    /* A pipe whose reader is gone shall be an error of write(2), as in the program. */
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
