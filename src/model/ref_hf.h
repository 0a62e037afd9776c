/* The Hub's half of the grammar of names: ids of repositories and revisions. Used by ref.c. */
#ifndef MODEL_REF_HF_H
#define MODEL_REF_HF_H

#include "model/ref.h"

/* org/name[@revision], or name[@revision]. */
int ref_hf_parse(struct model_ref *out, struct arena *a, struct str text,
                 struct err *err) MUST_CHECK;

/* The same of parts; revision with ptr NULL is the default branch. */
int ref_hf_make(struct model_ref *out, struct arena *a, struct str repo, struct str revision,
                struct err *err) MUST_CHECK;

/* What a browser shows: the path of a page of the Hub, without its leading slash. */
int ref_hf_page(struct model_ref *out, struct arena *a, struct str path,
                struct err *err) MUST_CHECK;

#endif
