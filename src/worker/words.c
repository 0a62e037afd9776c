#include "worker/words.h"

#include <string.h>

#include "text/num.h"
#include "text/vec.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One quoted part, *at behind its opening quote. Its end is where *at stands then. */
static bool take_quoted(char **to, const char **at, char quote)
{
    for (; **at != quote; (*at)++) {
        bool escaped = quote == '"' && **at == '\\' && ((*at)[1] == '"' || (*at)[1] == '\\');

        if (**at == '\0')
            return false;
        if (escaped)
            (*at)++;
        *(*to)++ = **at;
    }
    return true;
}

/* The next word, which begins at *at, with its end; *to stands behind that then. */
static bool take_word(char **to, const char **at)
{
    for (; **at != '\0' && !is_blank(**at); (*at)++) {
        if (**at == '\'' || **at == '"') {
            char quote = *(*at)++;

            if (!take_quoted(to, at, quote))
                return false;
            continue;
        }
        if (**at == '\\' && (*at)[1] != '\0')
            (*at)++;
        *(*to)++ = **at;
    }
    *(*to)++ = '\0';
    return true;
}

int words_cut(char *const **out, struct arena *a, const char *text, struct err *err)
{
    VEC(char *) words = {0};
    const char *at = text;
    /* No word is longer than what it is read from, and its end takes the place of a blank. */
    char *to = arena_array(a, char, strlen(text) + 1);

    for (;;) {
        char *word = to;

        while (is_blank(*at))
            at++;
        if (*at == '\0')
            break;
        if (words.len == WORDS_MOST)
            return err_set(err, ERR_USAGE, "more than %zu words", WORDS_MOST);
        if (!take_word(&to, &at))
            return err_set(err, ERR_USAGE, "\"%.80s\": a quote is not closed", text);
        vec_push(a, &words, word);
    }
    if (words.len == 0)
        return err_set(err, ERR_USAGE, "\"\": no command");
    vec_push(a, &words, NULL);
    *out = words.at;
    return 0;
}

/* What follows the flag in the word; NULL: it is another word. */
static const char *behind(const char *word, const char *flag)
{
    size_t len = strlen(flag);

    return strncmp(word, flag, len) == 0 && (word[len] == '\0' || word[len] == '=') ? word + len
                                                                                    : NULL;
}

const char *words_value(const char *const *words, const char *flag)
{
    const char *value = NULL;

    for (; *words != NULL; words++) {
        const char *rest = behind(*words, flag);

        if (rest != NULL && *rest == '=')
            value = rest + 1;
        else if (rest != NULL && words[1] != NULL)
            value = words[1];
    }
    return value;
}

uint64_t words_number(const char *const *words, const char *flag)
{
    const char *value = words_value(words, flag);
    uint64_t n;
    struct err ignored;

    return value != NULL && num_parse_u64(&n, str_from(value), UINT32_MAX, &ignored) == 0 ? n : 0;
}

bool words_have(const char *const *words, const char *flag)
{
    for (; *words != NULL; words++) {
        if (behind(*words, flag) != NULL)
            return true;
    }
    return false;
}
