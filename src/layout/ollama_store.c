/*
 * Ollama's store: blobs of all models in one folder, and a manifest for each tag, as
 * doc/layout-ollama.md has it. This file is the driver's table; the parts are beside it.
 */
#include "layout/ollama_find.h"
#include "layout/ollama_list.h"
#include "layout/ollama_place.h"
#include "layout/ollama_publish.h"
#include "layout/ollama_stage.h"
#include "layout/ollama_tag.h"

const struct layout layout_ollama_store = {
    .name = "ollama_store",
    .source = "ollama",
    .open = ollama_place_open,
    .close = ollama_place_close,
    .complete = ollama_complete,
    .find = ollama_find,
    .take = ollama_take,
    .open_staging = ollama_open_staging,
    .leave_staging = ollama_leave_staging,
    .publish_blobs = ollama_publish_blobs,
    .publish_model = ollama_publish_model,
    .local_commit = ollama_local_commit,
    .local_manifest = ollama_local_manifest,
    .list = ollama_list_all,
};
