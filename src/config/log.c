#include "config/log.h"

#include "config/config.h"
#include "config/environment.h"
#include "text/num.h"

bool log_level_parse(enum report_level *out, struct str text)
{
    static const struct {
        const char *name;
        enum report_level level;
    } levels[] = {
        {"debug", REPORT_DEBUG},  {"info", REPORT_INFO},   {"warn", REPORT_WARN},
        {"warning", REPORT_WARN}, {"error", REPORT_ERROR},
    };

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (str_eq_nocase(text, str_from(levels[i].name))) {
            *out = levels[i].level;
            return true;
        }
    }
    return false;
}

bool log_format_parse(bool *ret_json, struct str text)
{
    bool json = str_eq_nocase(text, STR("json"));

    if (!json && !str_eq_nocase(text, STR("text")))
        return false;
    *ret_json = json;
    return true;
}

void config_report(struct report_options *out, const struct config *config)
{
    out->level = config->log_level;
    out->json_log = config->log_json;
    out->json_events = config->options.json && !config->options.dry_run;
    out->events = config->options.events;
    out->quiet = config->options.quiet;
    out->progress = config->options.progress;
    out->debug = config->options.debug.at;
    out->log_file = config->log_file;
    out->log_file_named = config->log_file_named;
}

static bool has_word(const struct config_input *input, const char *word)
{
    for (int i = 0; i < input->argc && strcmp(input->argv[i], "--") != 0; i++) {
        if (strcmp(input->argv[i], word) == 0)
            return true;
    }
    return false;
}

/* The value of a variable, or a harmless one where it is unset or has a comment in it. */
static struct str variable_or(struct arena *a, const struct config_input *input, const char *name,
                              const char *fallback)
{
    const char *value = environment_get(a, input->environ, name);

    return str_from(value == NULL || strchr(value, '#') != NULL ? fallback : value);
}

void config_report_anyway(struct report_options *out, struct arena *a,
                          const struct config_input *input)
{
    struct err ignored = {0};
    bool json = false;

    out->level = REPORT_INFO;
    if (num_parse_bool(&json, variable_or(a, input, "HOSTLER_JSON", "no"), &ignored) < 0)
        json = false;
    out->json_events = json || has_word(input, "--json");
    (void)log_format_parse(&out->json_log, variable_or(a, input, "LOG_FORMAT", "text"));
    out->log_file = variable_or(a, input, "LOG_FILE", LOG_FILE_DEFAULT).ptr;
}
