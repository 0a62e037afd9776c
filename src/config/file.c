#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "config/file_catalog.h"
#include "config/log.h"
#include "config/option.h"
#include "config/schema.h"
#include "sys/fd.h"

/* The work of file_parse(). */
struct reading {
    struct schema_source source;
    struct file_settings settings;
    struct config_options options;
};

static int read_option(struct reading *r, const struct option_info *info,
                       const struct yaml_node *key, const struct yaml_node *value, struct err *err)
{
    bool list = info->type == OPTION_LIST && value->kind == YAML_LIST;
    struct option_place place = {.name =
                                     str_format(r->source.arena, "%s:%zu:%zu: %s", r->source.name,
                                                value->line, value->column, key->text.ptr)};

    if (!list && schema_want(&r->source, value, YAML_TEXT, key->text.ptr, err) < 0)
        return -1;
    if (!list)
        return option_set(&r->options, r->source.arena, info, value->text, &place, err);
    for (size_t i = 0; i < value->len; i++) {
        place.append = i > 0;
        if (schema_want(&r->source, value->at[i], YAML_TEXT, key->text.ptr, err) < 0 ||
            option_set(&r->options, r->source.arena, info, value->at[i]->text, &place, err) < 0)
            return -1;
    }
    return 0;
}

static int bad_log_value(const struct reading *r, const struct yaml_node *key,
                         const struct yaml_node *value, const char *takes, struct err *err)
{
    (void)err_set(err, ERR_USAGE, "%s: \"%.80s\" is not one of %s", key->text.ptr, value->text.ptr,
                  takes);
    return schema_at(&r->source, value, err);
}

static int read_default(struct reading *r, const struct yaml_node *key,
                        const struct yaml_node *value, struct err *err)
{
    const struct option_info *info = option_by_key(key->text);
    struct file_settings *s = &r->settings;
    struct nearest nearest = nearest_to(key->text);
    size_t count;
    const struct option_info *all = option_all(&count);

    if (info != NULL)
        return read_option(r, info, key, value, err);
    if (str_eqz(key->text, "log_level"))
        return schema_want(&r->source, value, YAML_TEXT, "log_level", err) < 0 ? -1
               : log_level_parse(&s->log_level, value->text)
                   ? 0
                   : bad_log_value(r, key, value, "DEBUG, INFO, WARN, ERROR", err);
    if (str_eqz(key->text, "log_format"))
        return schema_want(&r->source, value, YAML_TEXT, "log_format", err) < 0 ? -1
               : log_format_parse(&s->log_json, value->text)
                   ? 0
                   : bad_log_value(r, key, value, "text, json", err);
    if (str_eqz(key->text, "log_file")) {
        s->log_file = value->text.ptr;
        return schema_want(&r->source, value, YAML_TEXT, "log_file", err);
    }
    for (size_t i = 0; i < count; i++) {
        char name[OPTION_NAME];

        if (all[i].file)
            nearest_offer(&nearest, str_dup(r->source.arena, str_from(option_key(name, &all[i]))));
    }
    return schema_unknown(&r->source, key, nearest,
                          "options as hostler help pull has them, with _ for -", err);
}

static int read_defaults(struct reading *r, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *section = yaml_get(root, "defaults");

    if (section == NULL || (section->kind == YAML_TEXT && section->text.len == 0))
        return 0;
    if (schema_want(&r->source, section, YAML_MAP, "defaults", err) < 0)
        return -1;
    for (size_t i = 0; i < section->len; i++) {
        if (read_default(r, section->keys[i], section->at[i], err) < 0)
            return -1;
    }
    return 0;
}

static int read_root(struct reading *r, const struct yaml_node *root, struct err *err)
{
    static const char *const sections[] = {"models", "workers", "defaults"};

    if (schema_want(&r->source, root, YAML_MAP, "the file", err) < 0)
        return -1;
    for (size_t i = 0; i < root->len; i++) {
        struct nearest nearest = nearest_to(root->keys[i]->text);
        bool known = false;

        for (size_t k = 0; k < sizeof(sections) / sizeof(sections[0]); k++) {
            known = known || str_eqz(root->keys[i]->text, sections[k]);
            nearest_offer(&nearest, sections[k]);
        }
        if (!known)
            return schema_unknown(&r->source, root->keys[i], nearest, "models, workers, defaults",
                                  err);
    }
    if (file_catalog(&r->settings.catalog, &r->source, root, err) < 0)
        return -1;
    return read_defaults(r, root, err);
}

struct file_settings file_none(void)
{
    return (struct file_settings){.catalog = *catalog_builtin(), .log_level = REPORT_INFO};
}

int file_parse(struct file_settings *out, struct config_options *options, struct arena *a,
               struct str text, const char *name, struct err *err)
{
    struct reading r = {.source = {a, name}, .settings = file_none(), .options = *options};
    const struct yaml_node *root;

    if (yaml_parse(&root, a, text, name, err) < 0)
        return -1;
    if (root != NULL && read_root(&r, root, err) < 0)
        return -1;
    *out = r.settings;
    out->path = name;
    *options = r.options;
    return 0;
}

/* The whole file: a link is followed, a folder or a pipe is not read. */
static int read_text(struct str *out, struct arena *a, const char *path, const char *by,
                     struct err *err)
{
    FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text;
    size_t len = 0;
    ssize_t got = 0;
    struct stat st;
    size_t size;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, ERR_USAGE, "%s: %s", by, path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_USAGE, "%s: %s is not a file", by, path);
    if (st.st_size > (off_t)YAML_BYTES_MAX)
        return err_set(err, ERR_USAGE, "%s: %s is larger than %zu bytes", by, path, YAML_BYTES_MAX);
    size = (size_t)st.st_size;
    text = arena_array(a, char, size + 1);
    while (len < size && (got = read(fd, text + len, size - len)) > 0)
        len += (size_t)got;
    if (got < 0)
        return err_sys(err, ERR_USAGE, "%s: reading %s", by, path);
    *out = (struct str){text, len};
    return 0;
}

int file_load(struct file_settings *out, struct config_options *options, struct arena *a,
              const char *path, const char *by, struct err *err)
{
    struct err refused = {0};
    struct str text;

    if (read_text(&text, a, path, by == NULL ? "configuration" : by, &refused) == 0)
        return file_parse(out, options, a, text, path, err);
    if (by == NULL && (refused.sys == ENOENT || refused.sys == ENOTDIR)) {
        *out = file_none();
        return 0;
    }
    *err = refused;
    return -1;
}
