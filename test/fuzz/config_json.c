#include "model/config_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct model_facts facts = {0};
    struct str text = {(const char *)data, size};
    struct err err = {0};

    if (config_json_read(&facts, &a, text, "f", &err) < 0) {
        if (err.code != ERR_LIMIT)
            abort();
        return 0;
    }
    config_json_params(&facts);
    if (facts.shape.layers >= FACTS_NUMBER || facts.shape.heads >= FACTS_NUMBER ||
        facts.shape.window_layers > facts.shape.layers + FACTS_NUMBER ||
        strlen(facts.quant.method) >= FACTS_WORD || strlen(facts.shape.architecture) >= FACTS_WORD)
        abort();
    if (config_json_read_quant(&facts, &a, text, "f", &err) < 0)
        abort();
    return 0;
}
