/*
 * The token of Hugging Face, found and cleaned as huggingface_hub does: HF_TOKEN, else
 * HUGGING_FACE_HUB_TOKEN, else the file of HF_TOKEN_PATH, else $HF_HOME/token. Carriage returns and
 * newlines are removed, blanks trimmed; what is empty then counts as not given. Looked for when the
 * Hub is first asked: a start that asks nothing is not stopped by a bad token.
 */
#ifndef SOURCE_HF_TOKEN_H
#define SOURCE_HF_TOKEN_H

#include "err/err.h"
#include "mem/arena.h"

/* Values of the environment; NULL: not set. */
struct hf_token_env {
    const char *hf_token;
    const char *hugging_face_hub_token;
    const char *hf_token_path;
    const char *hf_home;
    const char *hf_home_preset; /* looked into where hf_home is unset; then the client's default: */
    const char *xdg_cache_home; /* huggingface/ in it, */
    const char *home;           /* else .cache/huggingface/ in it */
    const char *disable_implicit; /* HF_HUB_DISABLE_IMPLICIT_TOKEN */
};

/*
 * *ret_token and *ret_from (the variable's name or the file's path) are NULL where there is none; a
 * file that does not exist is none. A token of more than 4 KiB or of other than visible ASCII is
 * ERR_USAGE with its place and without itself; so is a file that cannot be read, but for one that
 * we may not read in a place that nobody named.
 */
int hf_token_find(const char **ret_token, const char **ret_from, struct arena *a,
                  const struct hf_token_env *env, struct err *err) MUST_CHECK;

#endif
