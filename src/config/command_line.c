#include "config/command_line.h"

#include <getopt.h>

#include "config/nearest.h"
#include "text/vec.h"

/* What getopt_long() gives for a long flag: this and its index; no letter is as large. */
#define LONG_BASE 1000

/* The tables that getopt_long() wants, made of ours. */
struct getopt_tables {
    struct option *longs;
    char *letters;
};

static int argument_of(const struct option_info *info)
{
    /* A flag can be taken back: --offline=no. */
    return info->type == OPTION_FLAG ? optional_argument : required_argument;
}

static struct getopt_tables make_tables(struct arena *a, const char *command)
{
    size_t count;
    const struct option_info *all = option_all(&count);
    struct getopt_tables t = {.longs = arena_array(a, struct option, count + 2)};
    struct buf letters = buf_new(a, 256);
    size_t n = 0;

    /* What follows the command of `run` is its own, whether there is a `--` or not. */
    if (strcmp(command, "run") == 0)
        buf_addc(&letters, '+');
    buf_addz(&letters, ":h");
    for (size_t i = 0; i < count; i++) {
        if (!option_is_for(&all[i], command))
            continue;
        t.longs[n++] = (struct option){
            .name = all[i].flag, .has_arg = argument_of(&all[i]), .val = LONG_BASE + (int)i};
        if (all[i].letter != 0)
            buf_addf(&letters, "%c%s", all[i].letter, all[i].type == OPTION_FLAG ? "" : ":");
    }
    t.longs[n] = (struct option){.name = "help", .val = 'h'};
    t.letters = letters.ptr;
    return t;
}

static const struct option_info *option_of(int got)
{
    size_t count;
    const struct option_info *all = option_all(&count);

    if (got >= LONG_BASE)
        return &all[got - LONG_BASE];
    for (size_t i = 0; i < count; i++) {
        if (all[i].letter == got)
            return &all[i];
    }
    return NULL;
}

static int unknown_flag(const char *command, const char *word, int letter, struct err *err)
{
    size_t count;
    const struct option_info *all = option_all(&count);
    struct str written = str_from(word);
    struct nearest nearest;
    struct str value;

    if (letter != 0) {
        (void)err_set(err, ERR_USAGE, "%s does not know -%c", command, letter);
        return err_hint(err, "see hostler help %s", command);
    }
    while (written.len > 0 && written.ptr[0] == '-')
        written = (struct str){written.ptr + 1, written.len - 1};
    value = written;
    (void)str_cut(&value, '=', &written);
    nearest = nearest_to(written);
    for (size_t i = 0; i < count; i++) {
        if (option_is_for(&all[i], command))
            nearest_offer(&nearest, all[i].flag);
    }
    (void)err_set(err, ERR_USAGE, "%s does not know --%.*s", command, (int)written.len,
                  written.ptr);
    if (nearest.best != NULL)
        return err_hint(err, "did you mean --%s? See hostler help %s", nearest.best, command);
    return err_hint(err, "see hostler help %s", command);
}

/* getopt_long() says no more than ':' or '?'; the word it stopped at says what is wrong. */
static int refuse(const char *command, int got, char *const *argv, struct err *err)
{
    const char *word = argv[optind - 1];
    bool is_long = word[0] == '-' && word[1] == '-';

    if (got == ':') {
        if (is_long)
            return err_set(err, ERR_USAGE, "%s needs a value", word);
        return err_set(err, ERR_USAGE, "-%c needs a value", optopt);
    }
    if (is_long && optopt == 'h')
        return err_set(err, ERR_USAGE, "--help takes no value");
    return unknown_flag(command, word, is_long ? 0 : optopt, err);
}

static struct flag_given flag_given(struct arena *a, const struct option_info *info)
{
    return (struct flag_given){
        .info = info,
        .value = optarg != NULL ? str_from(optarg) : STR("true"),
        .name = str_format(a, "--%s", info->flag),
    };
}

static struct config_list rest_of(struct arena *a, char *const *argv, int argc)
{
    VEC(const char *) rest = {0};

    for (int i = optind; i < argc; i++)
        vec_push(a, &rest, argv[i]);
    vec_push(a, &rest, NULL);
    return (struct config_list){.at = rest.at, .len = rest.len - 1};
}

int command_line_parse(struct command_line *out, struct arena *a, const struct config_input *input,
                       struct err *err)
{
    struct getopt_tables t = make_tables(a, input->command);
    int argc = input->argc + 1;
    char **argv = arena_array(a, char *, (size_t)argc + 1);
    VEC(struct flag_given) flags = {0};
    struct command_line line = {0};
    int got;

    argv[0] = str_dup(a, STR("hostler"));
    for (int i = 0; i < input->argc; i++)
        argv[i + 1] = input->argv[i];
    optind = 0; /* glibc: start anew */
    opterr = 0;
    while ((got = getopt_long(argc, argv, t.letters, t.longs, NULL)) != -1) {
        if (got == '?' || got == ':')
            return refuse(input->command, got, argv, err);
        if (got == 'h')
            line.help = true;
        else
            vec_push(a, &flags, flag_given(a, option_of(got)));
    }
    line.flags = flags.at;
    line.flag_count = flags.len;
    line.args = rest_of(a, argv, argc);
    *out = line;
    return 0;
}

static bool was_given_before(const struct command_line *line, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (line->flags[k].info == line->flags[i].info)
            return true;
    }
    return false;
}

int command_line_apply(struct config_options *options, struct arena *a,
                       const struct command_line *line, struct err *err)
{
    for (size_t i = 0; i < line->flag_count; i++) {
        const struct flag_given *flag = &line->flags[i];
        struct option_place place = {
            .name = flag->name, .command_line = true, .append = was_given_before(line, i)};

        if (option_set(options, a, flag->info, flag->value, &place, err) < 0)
            return -1;
    }
    return 0;
}

struct str command_line_value(const struct command_line *line, const char *flag)
{
    struct str value = {0};

    for (size_t i = 0; i < line->flag_count; i++) {
        if (strcmp(line->flags[i].info->flag, flag) == 0)
            value = line->flags[i].value;
    }
    return value;
}
