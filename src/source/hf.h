/*
 * The Hugging Face Hub and its mirrors (HF_ENDPOINT). A revision becomes a commit by one request,
 * the commit's listing comes page by page, and every file of it is known with size and digest; its
 * bytes come from the canonical /resolve/ URL, which redirects to a signed one.
 */
#ifndef SOURCE_HF_H
#define SOURCE_HF_H

#include "source/source.h"

extern const struct source source_hf;

#endif
