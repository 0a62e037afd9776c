#include "gpu/nvml.h"

static const struct {
    int code;
    const char *meaning;
    const char *way_out;
} codes[] = {
#define NVML_CODE(number, name, meaning, way_out) {number, meaning, way_out},
#include "gpu/nvml_code.def"
#undef NVML_CODE
};

const char *nvml_code_meaning(int code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].code == code)
            return codes[i].meaning;
    }
    return "an error that we do not know";
}

const char *nvml_code_way_out(int code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].code == code)
            return codes[i].way_out;
    }
    return "";
}
