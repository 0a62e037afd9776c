#include "source/refusal.h"

#include "json/json.h"

#define SHOWN_MAX ((size_t)160)
#define CODE_MAX  ((size_t)40)
#define BODY_MAX  ((size_t)64 << 10)

bool refusal_is_page(struct str body)
{
    return str_starts(str_trim(body), STR("<"));
}

/* {"error":"..."}, {"error":["..."]} or {"errors":[{"code":"...","message":"..."}]}. */
static void read_json(struct str *code, struct str *words, const struct json *doc)
{
    const struct json *error = json_get(doc, "error");
    const struct json *first = json_at(json_get(doc, "errors"), 0);

    if (json_is_array(error))
        error = json_at(error, 0);
    if (error == NULL && json_is_object(first)) {
        error = json_get(first, "message");
        (void)json_as_str(code, json_get(first, "code"));
    }
    (void)json_as_str(words, error);
}

struct refusal refusal_read(struct arena *a, struct str header, struct str body)
{
    JSON_SCOPED *doc = NULL;
    struct err ignored = {0};
    struct str words = {0};
    struct str code = STR("");

    if (str_starts(str_trim(body), STR("{"))) {
        doc = json_parse(body, BODY_MAX, "", &ignored);
        if (doc != NULL)
            read_json(&code, &words, doc);
    } else if (!refusal_is_page(body)) {
        words = body;
    }
    if (str_trim(header).len > 0)
        words = header;
    return (struct refusal){str_printable(a, code, CODE_MAX),
                            str_printable(a, str_trim(words), SHOWN_MAX)};
}
