#include "store/lease_text.h"

#include <stdio.h>
#include <string.h>

#include "digest/digest.h"
#include "store/sealed.h"
#include "text/num.h"

#define FIRST    "hostler-lease "
#define END_LINE (sizeof("end 01234567\n") - 1)
#define NEWER    "a newer hostler"

static char plain(char c)
{
    return c > ' ' && c < 0x7f ? c : '?';
}

void lease_plain(char *out, size_t size, const char *text)
{
    size_t len = 0;

    for (; text[len] != '\0' && len + 1 < size; len++)
        out[len] = plain(text[len]);
    if (len == 0 && size > 1)
        out[len++] = '-';
    out[len] = '\0';
}

void lease_format(char out[static LEASE_TEXT], const struct lease_state *state)
{
    char end[END_LINE + 1];
    int len =
        snprintf(out, LEASE_TEXT - END_LINE,
                 FIRST "%u\ntoken %s\nhost %s\nboot %s\npid %ju\nwhat %s\nbeat %ju\n"
                       "done %ju\ntotal %ju\nbps %ju\npad ",
                 LEASE_FORMAT, state->token, state->host, state->boot_id, (uintmax_t)state->pid,
                 state->what, (uintmax_t)state->beat, (uintmax_t)state->done_bytes,
                 (uintmax_t)state->total_bytes, (uintmax_t)state->bps);

    /* The longest of all values leave room: 65 + 129 + 40 + 16 + 5 numbers of 20 digits. */
    memset(out + len, '.', LEASE_TEXT - END_LINE - (size_t)len);
    out[LEASE_TEXT - END_LINE - 1] = '\n';
    (void)snprintf(end, sizeof(end), "end %08x\n", digest_crc32c(0, out, LEASE_TEXT - END_LINE));
    memcpy(out + LEASE_TEXT - END_LINE, end, END_LINE);
}

/* "<key> <value>" into out of size bytes, by what may be shown on a terminal. */
static bool take_text(char *out, size_t size, struct str *body, const char *key)
{
    struct str line;
    struct str word;

    (void)str_cut(body, '\n', &line);
    if (!str_cut(&line, ' ', &word) || !str_eqz(word, key) || line.len == 0 || line.len >= size)
        return false;
    for (size_t i = 0; i < line.len; i++)
        out[i] = plain(line.ptr[i]);
    out[line.len] = '\0';
    return true;
}

static bool take_number(uint64_t *out, struct str *body, const char *key)
{
    struct str line;
    struct str word;

    (void)str_cut(body, '\n', &line);
    return str_cut(&line, ' ', &word) && str_eqz(word, key) && sealed_number(out, &line);
}

/* One of another format is known by its first line alone. */
static bool is_newer(unsigned *ret_format, struct str text)
{
    struct err ignored;
    struct str line;
    uint64_t format;

    if (!str_starts(text, STR(FIRST)) || !str_cut(&text, '\n', &line))
        return false;
    line = (struct str){line.ptr + sizeof(FIRST) - 1, line.len - (sizeof(FIRST) - 1)};
    if (num_parse_u64(&format, line, UINT32_MAX, &ignored) < 0 || format == LEASE_FORMAT)
        return false;
    *ret_format = (unsigned)format;
    return true;
}

bool lease_parse(struct lease_state *out, struct str text)
{
    struct lease_state s = {.format = LEASE_FORMAT};
    struct str body;

    if (is_newer(&s.format, text)) {
        memcpy(s.host, NEWER, sizeof(NEWER));
        *out = s;
        return true;
    }
    if (text.len != LEASE_TEXT || !sealed_check(&body, text, "lease", LEASE_FORMAT) ||
        !take_text(s.token, sizeof(s.token), &body, "token") ||
        !take_text(s.host, sizeof(s.host), &body, "host") ||
        !take_text(s.boot_id, sizeof(s.boot_id), &body, "boot") ||
        !take_number(&s.pid, &body, "pid") || !take_text(s.what, sizeof(s.what), &body, "what") ||
        !take_number(&s.beat, &body, "beat") || !take_number(&s.done_bytes, &body, "done") ||
        !take_number(&s.total_bytes, &body, "total") || !take_number(&s.bps, &body, "bps"))
        return false;
    if (strlen(s.token) != LEASE_TOKEN || strspn(s.token, "0123456789abcdef") != LEASE_TOKEN)
        return false;
    *out = s;
    return true;
}
