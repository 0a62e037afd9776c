/*
 * What a running Ollama says when it fails, and what it means: one table of its words, each with a
 * code, a message and a way out. Pure. Its words are printed with what is odd in them escaped.
 */
#ifndef SOURCE_OLLAMA_SERVER_REFUSE_H
#define SOURCE_OLLAMA_SERVER_REFUSE_H

#include "err/err.h"
#include "text/str.h"

/*
 * Sets err by the words of an error; base is the server's URL, model the reference that was asked
 * for. ERR_NET may pass when it is asked again, ERR_DIGEST too (it deletes what is wrong); all else
 * is final. Returns -1.
 */
int ollama_server_refuse(const char *base, const char *model, struct str words, struct err *err);

/*
 * The same for an answer of another status than 200, whose body may be {"error":"..."}, or that of
 * something before the Ollama. Returns -1.
 */
int ollama_server_refuse_status(const char *base, const char *model, int status, struct str body,
                                struct err *err);

#endif
