/*
 * config.json of a model of the Hub: its shape, and how its weights are packed.
 *
 * Families that name their fields otherwise, or whose cache is no plain attention, are rows of the
 * table in config_json.c; what is not in it is read by the names that llama uses, and where those
 * are missing too the shape is `guessed`: then the weights alone are sure. A model that sees has
 * the numbers of its text in text_config. Nothing of a repository is ever run: that it wants its
 * own code (auto_map) is noted. Numbers are positive and below 2^31; others are noted and dropped.
 * A text that is no JSON object is ERR_LIMIT.
 * Source: transformers' configuration classes, and their defaults.
 */
#ifndef MODEL_CONFIG_JSON_H
#define MODEL_CONFIG_JSON_H

#include "err/err.h"
#include "model/facts.h"
#include "text/str.h"

#define CONFIG_JSON_MAX ((size_t)4 << 20)

/* Fills in shape, dtype and quant of facts, before its tensors are read. */
int config_json_read(struct model_facts *facts, struct arena *a, struct str text, const char *what,
                     struct err *err) MUST_CHECK;

/* quantize_config.json, which older GPTQ models have in place of config.json's part. */
int config_json_read_quant(struct model_facts *facts, struct arena *a, struct str text,
                           const char *what, struct err *err) MUST_CHECK;

/*
 * Once the tensors are read: parameters of the model as if nothing were packed. Of packed weights
 * by the shape of dense models of llama's build, else 0.
 */
void config_json_params(struct model_facts *facts);

#endif
