/*
 * Views: folders in which another reader of the same store looks, made of links into the store, so
 * that no weight lies twice.
 *
 * A link is relative wherever both its folder and the store lie on the volume, which may then be
 * mounted anywhere; a store outside of the volume is led to by its absolute path. A link that
 * dangles, or that was ours and leads to another place than it should, is mended. What somebody
 * else put in the way stays, and is named in a notice.
 */
#ifndef LAYOUT_VIEWS_H
#define LAYOUT_VIEWS_H

#include <stdbool.h>

#include "err/err.h"
#include "layout/layout.h"

struct view {
    const char *root;   /* the folder of views, as configured */
    const char *name;   /* beneath it, one or two segments: "models--org--name", "org/name" */
    const char *target; /* beneath the store: where it shall lead */
    const char *kept;   /* another place beneath the store where it may lead; NULL: none */
    /*
     * What the texts of our own links end in: this, then (with_commit) a slash and 40 digits. Such
     * a link is ours to change.
     */
    const char *ours;
    bool with_commit;
};

enum view_state {
    VIEW_RIGHT,
    VIEW_WRONG,   /* missing, dangling, or ours and leading elsewhere */
    VIEW_BLOCKED, /* something of somebody else is in its way */
};

/* Makes nothing. A root that is the store itself needs no views: right. */
enum view_state view_look(const struct layout_place *p, const struct view *v);

/* Makes it right, unless it is or is blocked. A filesystem without symbolic links: a notice. */
int view_mend(const struct layout_place *p, const struct view *v, struct err *err) MUST_CHECK;

#endif
