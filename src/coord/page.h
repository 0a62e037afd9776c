/*
 * The coordinator's page: `/` with its style sheet and its script, from the program itself.
 *
 * Where everyone may read, the page comes with the workers as a table, for who has no script; the
 * script follows /v1/events and draws what is in sight. Where tokens are asked for it comes empty
 * and asks for one, which the browser keeps for the tab. Nothing on it comes from elsewhere, and
 * PAGE_POLICY has the browser hold it to that. Names and texts of workers are escaped.
 */
#ifndef COORD_PAGE_H
#define COORD_PAGE_H

#include <stddef.h>

#include "text/buf.h"
#include "text/str.h"

/* Content-Security-Policy: this origin's own script, style and requests, nothing else. */
#define PAGE_POLICY                                                                 \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " \
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct page_file {
    const unsigned char *bytes;
    size_t len;
};

/* src/coord/page/, at the time of the build */
extern const struct page_file page_css;
extern const struct page_file page_js;

/* Text for HTML, in an element or a quoted attribute. */
void page_escape(struct buf *out, struct str text);

#endif
