#include "config/config.h"
#include "config/environment.h"
#include "config/option.h"

/* Where the explanations begin, and where lines end. */
#define HELP_COLUMN 30
#define HELP_WIDTH  100

/* Puts text word by word from the column on; the cursor is at `at`. */
static void put_wrapped(struct buf *out, const char *text, size_t at, size_t column)
{
    struct str words = str_from(text);
    struct str word;
    bool fresh = true;

    if (at + 1 > column) {
        buf_addc(out, '\n');
        at = 0;
    }
    buf_addf(out, "%*s", (int)(column - at), "");
    at = column;
    while (words.len > 0) {
        (void)str_cut(&words, ' ', &word);
        if (!fresh && at + 1 + word.len > HELP_WIDTH) {
            buf_addf(out, "\n%*s", (int)column, "");
            at = column;
            fresh = true;
        }
        buf_addf(out, "%s%.*s", fresh ? "" : " ", (int)word.len, word.ptr);
        at += word.len + !fresh;
        fresh = false;
    }
    buf_addc(out, '\n');
}

static void put_option(struct buf *out, const struct option_info *info)
{
    size_t start = out->len;
    struct buf text = buf_new(out->arena, 1024);

    if (info->letter != 0)
        buf_addf(out, "  -%c, ", info->letter);
    else
        buf_addz(out, "      ");
    buf_addf(out, "--%s", info->flag);
    if (info->argument != NULL)
        buf_addf(out, " %s", info->argument);
    buf_addz(&text, info->help);
    if (info->preset != NULL)
        buf_addf(&text, " (default: %s)", info->preset);
    put_wrapped(out, text.ptr, out->len - start, HELP_COLUMN);
}

static void put_options(struct buf *out, const char *command, bool common)
{
    size_t count;
    const struct option_info *all = option_all(&count);

    for (size_t i = 0; i < count; i++) {
        if ((all[i].commands[0] == '\0') == common && option_is_for(&all[i], command))
            put_option(out, &all[i]);
    }
}

void config_print_help(struct buf *out, const char *command)
{
    size_t count;
    const struct option_info *all = option_all(&count);
    bool own = false;

    for (size_t i = 0; i < count; i++)
        own = own || (all[i].commands[0] != '\0' && option_is_for(&all[i], command));
    if (own) {
        buf_addz(out, "Options:\n");
        put_options(out, command, false);
        buf_addc(out, '\n');
    }
    buf_addz(out, "Options of all commands:\n");
    put_options(out, command, true);
    buf_addz(out, "  -h, --help");
    put_wrapped(out, "show this", sizeof("  -h, --help") - 1, HELP_COLUMN);
    buf_addz(out, "\nEvery option can also be set as HOSTLER_<OPTION>: HOSTLER_LIMIT_RATE=5M.\n");
}

void config_print_environment(struct buf *out)
{
    for (size_t v = 0; v < VARIABLES; v++) {
        const struct variable_info *info = variable_info((enum variable)v);
        struct buf text = buf_new(out->arena, 1024);
        size_t start = out->len;

        buf_addf(out, "  %s", info->name);
        buf_addz(&text, info->meaning);
        if (info->preset != NULL)
            buf_addf(&text, " (default: %s)", info->preset);
        put_wrapped(out, text.ptr, out->len - start, HELP_COLUMN);
    }
}

void config_print_flags(struct buf *out, const char *command)
{
    size_t count;
    const struct option_info *all = option_all(&count);

    for (size_t i = 0; i < count; i++) {
        if (option_is_for(&all[i], command))
            buf_addf(out, "--%s ", all[i].flag);
    }
    buf_addz(out, "--help");
}
