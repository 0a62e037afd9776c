#include "config/option.h"

#include <assert.h>

#include "text/buf.h"
#include "text/num.h"
#include "text/vec.h"

#define LIST_MAX     ((size_t)1000)
#define RESTARTS_MAX UINT64_C(1000000)

static const struct option_info table[] = {
#define OPTION(flag, field, type, letter, commands, argument, preset, most, file, help) \
    {flag,   OPTION_##type, letter, commands, argument,                                 \
     preset, most,          file,   help,     offsetof(struct config_options, field)},
#include "config/options.def"
#undef OPTION
};

const struct option_info *option_all(size_t *ret_count)
{
    *ret_count = sizeof(table) / sizeof(table[0]);
    return table;
}

bool option_is_for(const struct option_info *info, const char *command)
{
    struct str words = str_from(info->commands);
    struct str word;

    while (words.len > 0) {
        (void)str_cut(&words, ' ', &word);
        if (str_eqz(word, command))
            return true;
    }
    return info->commands[0] == '\0';
}

const struct option_info *option_by_key(struct str key)
{
    char name[OPTION_NAME];

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].file && str_eqz(key, option_key(name, &table[i])))
            return &table[i];
    }
    return NULL;
}

const char *option_key(char out[static OPTION_NAME], const struct option_info *info)
{
    size_t len = strlen(info->flag);

    assert(len < OPTION_NAME);
    for (size_t i = 0; i <= len; i++)
        out[i] = info->flag[i] == '-' ? '_' : info->flag[i];
    return out;
}

const char *option_variable(char out[static OPTION_NAME], const struct option_info *info)
{
    static const char head[] = "HOSTLER_";
    size_t len = strlen(info->flag);
    char *next = out + sizeof(head) - 1;

    assert(len + sizeof(head) <= OPTION_NAME);
    memcpy(out, head, sizeof(head));
    for (size_t i = 0; i <= len; i++) {
        char c = info->flag[i];

        next[i] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return out;
}

/* One of the words of a list with blanks between, whose places are an enum's values. */
static int parse_word(unsigned *out, struct str value, const char *words, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct buf list = buf_new(&a, strlen(words) * 2);
    struct str rest = str_from(words);
    struct str word;

    for (unsigned i = 0; rest.len > 0; i++) {
        (void)str_cut(&rest, ' ', &word);
        if (str_eq(value, word)) {
            *out = i;
            return 0;
        }
        buf_addf(&list, "%s" STR_FMT, i == 0 ? "" : ", ", STR_ARG(word));
    }
    return err_set(err, ERR_USAGE, "\"%.40s\": not one of %s", value.ptr, list.ptr);
}

/* One of the words that have | between in the option's argument; the word itself is the value. */
static int parse_one_of(const char **out, struct arena *a, struct str value, const char *argument,
                        struct err *err)
{
    char *words = str_dup(a, str_from(argument));
    unsigned at;

    for (char *c = words; *c != '\0'; c++)
        *c = *c == '|' ? ' ' : *c;
    if (parse_word(&at, value, words, err) < 0)
        return -1;
    *out = value.ptr;
    return 0;
}

static int parse_progress(enum report_progress_mode *out, struct str value, struct err *err)
{
    unsigned at;

    if (parse_word(&at, value, "auto bar plain none", err) < 0)
        return -1;
    *out = (enum report_progress_mode)at;
    return 0;
}

static int parse_via(enum ollama_via *out, struct str value, struct err *err)
{
    unsigned at;

    if (parse_word(&at, value, "auto store api", err) < 0)
        return -1;
    *out = (enum ollama_via)at;
    return 0;
}

static int parse_read_ahead(uint64_t *out, struct str value, struct err *err)
{
    if (str_eqz(value, "auto")) {
        *out = UINT64_MAX;
        return 0;
    }
    if (str_eqz(value, "off")) {
        *out = 0;
        return 0;
    }
    if (num_parse_size(out, value, err) < 0)
        return err_set(err, ERR_USAGE, "\"%.40s\": not one of auto, off, or a size like 20G",
                       value.ptr);
    return 0;
}

/* "no", "on-failure" or "on-failure:N": how often at most. */
static int parse_restart(uint64_t *out, struct str value, struct err *err)
{
    struct str policy;
    bool counted = str_cut(&value, ':', &policy);

    if (str_eqz(policy, "no") && !counted) {
        *out = 0;
        return 0;
    }
    if (!str_eqz(policy, "on-failure"))
        return err_set(err, ERR_USAGE, "\"%.40s\": not one of no, on-failure, on-failure:N",
                       policy.ptr);
    if (counted)
        return num_parse_u64(out, value, RESTARTS_MAX, err);
    *out = UINT64_MAX;
    return 0;
}

static int set_list(struct config_list *out, struct arena *a, struct str value, bool cut,
                    bool append, struct err *err)
{
    VEC(const char *) all = {0};
    struct str item = value;

    for (size_t i = 0; append && i < out->len; i++)
        vec_push(a, &all, out->at[i]);
    do {
        if (cut)
            (void)str_cut(&value, ',', &item);
        item = str_trim(item);
        if (item.len > 0)
            vec_push(a, &all, str_dup(a, item));
    } while (cut && value.len > 0);
    if (all.len == 0)
        return err_set(err, ERR_USAGE, "\"\": nothing is named");
    if (all.len > LIST_MAX)
        return err_set(err, ERR_USAGE, "more than %zu values", LIST_MAX);
    vec_push(a, &all, NULL);
    *out = (struct config_list){.at = all.at, .len = all.len - 1};
    return 0;
}

static int set_value(void *field, struct arena *a, const struct option_info *info, struct str value,
                     const struct option_place *place, struct err *err)
{
    switch (info->type) {
    case OPTION_FLAG: return num_parse_bool(field, value, err);
    case OPTION_TEXT:
        if (value.len == 0)
            return err_set(err, ERR_USAGE, "\"\": nothing is named");
        *(const char **)field = str_dup(a, value);
        return 0;
    case OPTION_LIST: return set_list(field, a, value, !place->command_line, place->append, err);
    case OPTION_WORDS: return set_list(field, a, value, true, place->append, err);
    case OPTION_ONE_OF: return parse_one_of(field, a, value, info->argument, err);
    case OPTION_SHARE: return num_parse_share(field, value, err);
    case OPTION_PROGRESS: return parse_progress(field, value, err);
    case OPTION_VIA: return parse_via(field, value, err);
    case OPTION_READ_AHEAD: return parse_read_ahead(field, value, err);
    case OPTION_RESTART: return parse_restart(field, value, err);
    case OPTION_COUNT: return num_parse_u64(field, value, info->most, err);
    case OPTION_SIZE: return num_parse_size(field, value, err);
    case OPTION_DURATION: return num_parse_duration(field, value, err);
    }
    assert(false && "every type is handled above");
    return -1;
}

int option_set(struct config_options *options, struct arena *a, const struct option_info *info,
               struct str value, const struct option_place *place, struct err *err)
{
    struct str text = str_from(str_dup(a, value));

    if (set_value((char *)options + info->offset, a, info, text, place, err) < 0)
        return err_wrap(err, "%s", place->name);
    return 0;
}
