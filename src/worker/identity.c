#include "worker/identity.h"

#include "sys/file.h"

#define INSTANCE_DIGITS ((size_t)32)

static int set_url(struct fleet_record *r, struct arena *a, const char *text, struct err *err)
{
    struct url url;

    if (text == NULL)
        return 0;
    if (strlen(text) > FLEET_URL_MAX)
        return err_set(err, ERR_USAGE, "--advertise: longer than %zu bytes", FLEET_URL_MAX);
    if (url_parse(&url, a, str_from(text), err) < 0) {
        err->code = ERR_USAGE;
        (void)err_wrap(err, "--advertise");
        return err_hint(err, "it takes an address like http://10.0.0.7:8000");
    }
    r->url = text;
    return 0;
}

static int read_label(struct fleet_label *out, struct arena *a, const char *text, struct err *err)
{
    struct str value = str_from(text);
    struct str key;
    bool has_value = str_cut(&value, '=', &key);

    if (has_value && key.len > 0 && fleet_text_ok(key, FLEET_KEY_MAX) &&
        fleet_text_ok(value, FLEET_VALUE_MAX)) {
        *out = (struct fleet_label){.key = str_dup(a, key), .value = str_dup(a, value)};
        return 0;
    }
    return err_set(err, ERR_USAGE,
                   "--label: \"%s\" is not K=V with a key of 1 to %zu bytes and a value of at most "
                   "%zu, without control characters",
                   str_printable(a, str_from(text), 80), FLEET_KEY_MAX, FLEET_VALUE_MAX);
}

static int set_labels(struct fleet_record *r, struct arena *a, const struct config_list *list,
                      struct err *err)
{
    struct fleet_label *all = arena_array(a, struct fleet_label, list->len);

    if (list->len > FLEET_LABELS_MAX)
        return err_set(err, ERR_USAGE, "--label: more than %zu of them", FLEET_LABELS_MAX);
    for (size_t i = 0; i < list->len; i++) {
        if (read_label(&all[i], a, list->at[i], err) < 0)
            return -1;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(all[i].key, all[j].key) == 0)
                return err_set(err, ERR_USAGE, "--label: \"%s\" is there twice",
                               str_printable(a, str_from(all[i].key), FLEET_KEY_MAX));
        }
    }
    r->labels = all;
    r->label_count = list->len;
    return 0;
}

int identity_record(struct fleet_record *out, struct arena *a, const struct config *config,
                    const char *type, struct err *err)
{
    struct fleet_record r = fleet_record_new();
    char *instance = arena_array(a, char, INSTANCE_DIGITS + 1);

    file_random_hex(instance, INSTANCE_DIGITS);
    r.id = config->worker_id != NULL ? config->worker_id : config->host;
    r.instance = instance;
    r.host = config->host;
    r.type = type != NULL ? type : "";
    r.version = HOSTLER_VERSION;
    if (!fleet_text_ok(str_from(r.id), FLEET_ID_MAX))
        return err_set(err, ERR_USAGE,
                       "WORKER_ID: longer than %zu bytes, or a control character is in it",
                       FLEET_ID_MAX);
    if (!fleet_text_ok(str_from(r.host), FLEET_HOST_MAX))
        return err_set(err, ERR_USAGE, "HOSTLER_HOST: a control character is in it");
    if (set_url(&r, a, config->options.advertise, err) < 0 ||
        set_labels(&r, a, &config->options.label, err) < 0)
        return -1;
    *out = r;
    return 0;
}

int identity_coordinators(struct coordinators *out, const char **ret_warning, struct arena *a,
                          const struct config *config, struct err *err)
{
    struct coordinators c;
    const struct url *plain;
    const char *token = config->coordinator.token;
    const char *file = config->coordinator.token_file;

    if (coordinators_parse(&c, a, &config->coordinator.urls, err) < 0)
        return -1;
    if (c.count > 0 && token != NULL) {
        if (coordinators_check_token(token, "COORDINATOR_TOKEN", err) < 0)
            return -1;
    } else if (c.count > 0 && file != NULL) {
        if (coordinators_read_token(&token, a, file, err) < 0)
            return -1;
        c.token_file = file;
    }
    c.token = token;
    plain = coordinators_in_plain_text(&c);
    *ret_warning = plain == NULL ? NULL
                                 : str_format(a,
                                              "the coordinator's token goes to %s in plain text: "
                                              "who can listen in between has it; https keeps it",
                                              plain->text.ptr);
    *out = c;
    return 0;
}
