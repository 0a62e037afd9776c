#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_nvml.h"
#include "text/num.h"
#include "text/str.h"

static uint64_t number(struct str *line)
{
    struct err ignored;
    struct str word;
    uint64_t value = 0;

    (void)str_cut(line, ' ', &word);
    if (num_parse_u64(&value, word, UINT64_MAX, &ignored) < 0)
        abort();
    return value;
}

static void text(char *out, size_t size, struct str value)
{
    if (value.len >= size)
        abort();
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
}

/* The card that was named last. */
static int last_card(const struct fake_nvml *fake)
{
    int i = fake->count - 1;

    while (i > 0 && fake->devices[i].is_instance)
        i--;
    if (i < 0)
        abort();
    return i;
}

/* UUID, [SM,] TOTAL RESERVED FREE NAME. */
static void add_device(struct fake_nvml *fake, struct str line, bool is_instance)
{
    struct nvml_device_opaque d = {.is_instance = is_instance};
    struct str word;
    struct str major;

    if (fake->count == FAKE_DEVICES)
        abort();
    (void)str_cut(&line, ' ', &word);
    text(d.uuid, sizeof(d.uuid), word);
    if (is_instance) {
        d.parent = last_card(fake);
        d.place = fake->devices[d.parent].places++;
    } else {
        (void)str_cut(&line, ' ', &word);
        (void)str_cut(&word, '.', &major);
        d.major = (int)number(&major);
        d.minor = (int)number(&word);
    }
    d.total = number(&line);
    d.reserved = number(&line);
    d.free = number(&line);
    text(d.name, sizeof(d.name), line);
    fake->devices[fake->count++] = d;
}

static void add_pair(struct fake_nvml *fake, struct str line, bool nvlink)
{
    struct fake_pair pair = {.nvlink = nvlink};

    if (fake->pair_count == FAKE_PAIRS)
        abort();
    pair.first = (unsigned)number(&line);
    pair.second = (unsigned)number(&line);
    pair.level = nvlink ? 0 : (int)number(&line);
    fake->pairs[fake->pair_count++] = pair;
}

/* What is said of the whole library; false: it is none of these. */
static bool read_whole(struct fake_nvml *fake, struct str word, struct str line)
{
    if (str_eqz(word, "gpu") || str_eqz(word, "instance"))
        add_device(fake, line, str_eqz(word, "instance"));
    else if (str_eqz(word, "hole"))
        fake->devices[last_card(fake)].places++;
    else if (str_eqz(word, "nvlink") || str_eqz(word, "topology"))
        add_pair(fake, line, str_eqz(word, "nvlink"));
    else if (str_eqz(word, "init"))
        fake->init_code = (int)number(&line);
    else if (str_eqz(word, "hang"))
        text(fake->hang, sizeof(fake->hang), line);
    else if (str_eqz(word, "crash"))
        text(fake->crash, sizeof(fake->crash), line);
    else
        return false;
    return true;
}

static bool read_health(struct nvml_device_opaque *last, struct str word, struct str line)
{
    if (str_eqz(word, "recovery")) {
        last->recovery = (unsigned)number(&line);
    } else if (str_eqz(word, "ecc")) {
        last->ecc_told = true;
        last->ecc = number(&line);
    } else if (str_eqz(word, "pages")) {
        last->pages_told = true;
        last->pages = (int)number(&line);
    } else if (str_eqz(word, "rows")) {
        last->rows_told = true;
        last->rows_pending = (unsigned)number(&line);
        last->rows_failed = (unsigned)number(&line);
    } else {
        return false;
    }
    return true;
}

static bool read_device(struct nvml_device_opaque *last, struct str word, struct str line)
{
    if (str_eqz(word, "handle")) {
        last->handle = (int)number(&line);
    } else if (str_eqz(word, "memory")) {
        last->memory = (int)number(&line);
    } else if (str_eqz(word, "mode")) {
        last->mode = (int)number(&line);
    } else if (str_eqz(word, "process")) {
        last->pid = (unsigned)number(&line);
        last->pid_mib = number(&line);
    } else if (str_eqz(word, "crowd")) {
        for (size_t i = 0; i < sizeof(last->crowd) / sizeof(last->crowd[0]); i++)
            last->crowd[i] = (unsigned)number(&line);
    } else if (str_eqz(word, "v1")) {
        last->v1 = true;
    } else {
        return read_health(last, word, line);
    }
    return true;
}

bool fake_nvml_read(struct fake_nvml *out, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[256];

    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL) {
        struct str rest;
        struct str word;

        line[strcspn(line, "\n")] = '\0';
        rest = str_from(line);
        (void)str_cut(&rest, ' ', &word);
        if (!read_whole(out, word, rest) &&
            (out->count == 0 || !read_device(&out->devices[out->count - 1], word, rest)))
            abort();
    }
    (void)fclose(file);
    return true;
}
