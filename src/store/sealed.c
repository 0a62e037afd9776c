#include "store/sealed.h"

#include <errno.h>
#include <string.h>

#include "digest/digest.h"
#include "sys/file.h"
#include "sys/obstacle.h"

#define END_LINE (sizeof("end 01234567\n") - 1)

/* How often a file may be swept away by another while it is written. */
#define WRITE_TRIES 16

const char *sealed_path(struct arena *a, const char *folder, const char *name)
{
    return str_format(a, ".hostler/receipts/%s/%s", folder, name);
}

bool sealed_check(struct str *ret_body, struct str text, const char *kind, unsigned format)
{
    ARENA_SCOPED a = {0};
    struct str body = {text.ptr, text.len < END_LINE ? 0 : text.len - END_LINE};
    struct str first = str_from(str_format(&a, "hostler-%s %u\n", kind, format));
    const char *end =
        str_format(&a, "end %08x\n", digest_crc32c(0, body.len > 0 ? body.ptr : "", body.len));

    if (text.len < END_LINE || memcmp(text.ptr + body.len, end, END_LINE) != 0 ||
        !str_starts(body, first))
        return false;
    *ret_body = (struct str){body.ptr + first.len, body.len - first.len};
    return true;
}

bool sealed_read(struct str *ret_body, struct arena *a, const struct volume *v, const char *path,
                 const char *kind, unsigned format)
{
    struct err ignored;
    struct str text;

    return file_read_all(&text, a, v->fd, path, SEALED_BYTES_MAX, &ignored) == 0 &&
           sealed_check(ret_body, text, kind, format);
}

struct buf sealed_begin(struct arena *a, const char *kind, unsigned format)
{
    struct buf b = buf_new(a, SEALED_BYTES_MAX);

    buf_addf(&b, "hostler-%s %u\n", kind, format);
    return b;
}

int sealed_write(struct buf *b, const struct volume *v, const char *path, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct str folder = str_from(path);
    struct str name;

    buf_addf(b, "end %08x\n", digest_crc32c(0, b->ptr, b->len));
    if (b->cut)
        return err_set(err, ERR_LIMIT, "%s: more than %zu bytes", path, SEALED_BYTES_MAX);
    (void)str_rcut(&folder, '/', &name);
    for (int i = 1;; i++) {
        struct err why = {0};

        if (file_mkdirs(v->fd, str_dup(&a, folder), &v->root, &why) == 0 &&
            file_replace(v->fd, path, str_dup(&a, folder), buf_str(b), 0666 & ~file_umask(),
                         &why) == 0)
            return 0;
        /* Who has the lease of another model with files here may have swept ours for a leftover. */
        if (why.sys == ENOENT && i < WRITE_TRIES)
            continue;
        if (obstacle_is_met(&why))
            return obstacle_err(err, v->fd, v->path, str_dup(&a, folder));
        *err = why;
        return err_wrap(err, "%s", v->path);
    }
}

void sealed_put(struct buf *b, struct str s)
{
    if (s.len == 0) {
        buf_addc(b, '-');
    } else if (str_eqz(s, "-")) {
        buf_addz(b, "%2D");
    } else {
        for (size_t i = 0; i < s.len; i++) {
            unsigned char c = (unsigned char)s.ptr[i];

            if (c <= ' ' || c == 0x7f || c == '%')
                buf_addf(b, "%%%02X", c);
            else
                buf_addc(b, (char)c);
        }
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sealed_word(struct str *out, struct arena *a, struct str *line)
{
    struct str word;
    char *text;
    size_t len = 0;

    (void)str_cut(line, ' ', &word);
    if (word.len == 0)
        return false;
    if (str_eqz(word, "-"))
        word.len = 0;
    text = arena_array(a, char, word.len + 1);
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '%') {
            int high = i + 2 < word.len ? hex_value(word.ptr[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_value(word.ptr[i + 2]);

            if (low < 0)
                return false;
            text[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            text[len++] = word.ptr[i];
        }
    }
    if (memchr(text, '\0', len) != NULL)
        return false;
    *out = (struct str){text, len};
    return true;
}

bool sealed_number(uint64_t *out, struct str *line)
{
    uint64_t value = 0;
    struct str word;

    (void)str_cut(line, ' ', &word);
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9' ||
            __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(word.ptr[i] - '0'), &value))
            return false;
    }
    *out = value;
    return word.len > 0;
}
