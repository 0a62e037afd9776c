#include "source/challenge.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line each is one header: nothing that is read may be longer than what was said. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct http_header headers[8];
    struct http_answer answer = {.status = 401, .headers = headers};
    struct str rest = {(const char *)data, size};
    struct challenge c;
    bool more = true;

    while (more && answer.header_count < 8) {
        struct http_header *h = &headers[answer.header_count++];

        h->name = STR("www-authenticate");
        more = str_cut(&rest, '\n', &h->value);
    }
    c = challenge_read(&a, &answer);
    if (c.realm.len > size || c.service.len > size || c.scope.len > size)
        abort();
    if (c.scheme == CHALLENGE_NONE && c.realm.len + c.service.len + c.scope.len > 0)
        abort();
    return 0;
}
