/*
 * JSON from outside, and JSON that we print.
 *
 * Reading is jansson behind a limit of bytes and depth (jansson is opened at first use). A document
 * is freed as a whole by json_free(). The getters are strict: a wrong type is an error that names
 * the key and what it should be; an absent key is only an error where the name says `need`.
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/buf.h"
#include "text/str.h"

#define JSON_DEPTH 64

struct json; /* a value; owned by its document */

/*
 * what names the document in errors. More than limit bytes or JSON_DEPTH levels is ERR_LIMIT,
 * broken JSON ERR_NET (an answer that cannot be parsed may be better the second time), duplicate
 * keys are broken. NUL in strings is refused.
 */
struct json *json_parse(struct str text, size_t limit, const char *what,
                        struct err *err) MUST_CHECK;
void json_free(struct json **doc);
#define JSON_SCOPED __attribute__((cleanup(json_free))) struct json

bool json_is_object(const struct json *v);
bool json_is_array(const struct json *v);
size_t json_len(const struct json *array); /* 0 if it is no array */
const struct json *json_at(const struct json *array, size_t i);
const struct json *json_get(const struct json *object,
                            const char *key); /* NULL if absent or null */

/* Calls fn for each member in document order until it returns non-zero, which is returned. */
int json_each(const struct json *object,
              int (*fn)(void *ctx, struct str key, const struct json *value), void *ctx);

/* Absent or null: *out keeps its value and 0 is returned; the wrong type is ERR_NET. */
int json_str(struct str *out, const struct json *object, const char *key,
             struct err *err) MUST_CHECK;
int json_u64(uint64_t *out, const struct json *object, const char *key, struct err *err) MUST_CHECK;
int json_bool(bool *out, const struct json *object, const char *key, struct err *err) MUST_CHECK;
/* Absent is an error too. */
int json_need_str(struct str *out, const struct json *object, const char *key,
                  struct err *err) MUST_CHECK;
int json_need_u64(uint64_t *out, const struct json *object, const char *key,
                  struct err *err) MUST_CHECK;
/*
 * A value that is itself a string or number; false if it is not. A number is whole by its value:
 * 1.0 is one, as it is for JSON Schema.
 */
bool json_as_str(struct str *out, const struct json *v);
bool json_as_u64(uint64_t *out, const struct json *v);

/* Writing needs no library: quotes and escapes into b (invalid UTF-8 becomes U+FFFD). */
void json_put_str(struct buf *b, struct str s);

/* ,"key":"value" and ,"key":123; the comma is left out after an opening brace or bracket. */
void json_put_member(struct buf *b, const char *key, struct str value);
void json_put_member_u64(struct buf *b, const char *key, uint64_t value);
void json_put_key(struct buf *b, const char *key); /* comma as needed, "key": */

/* ,"key":["a","b"] of so many texts. */
void json_put_member_list(struct buf *b, const char *key, const char *const *texts, size_t count);

/* A value of a document as it stands there, without blanks. */
void json_put_value(struct buf *b, const struct json *v);

#endif
