#include "worker/start_refuse.h"

#include <errno.h>

#include "text/num.h"
#include "worker/child.h"

int start_late(const struct supervised *command, const char *reason, uint64_t timeout_ms,
               struct err *err)
{
    char took[NUM_TEXT];

    (void)err_set(err, ERR_WAIT, "%s was not ready within %s: %s", command->name,
                  num_format_duration(took, timeout_ms),
                  reason[0] != '\0' ? reason : "it said nothing");
    return err_hint(err, "--start-timeout gives it longer; --ready-http, --ready-tcp or "
                         "--ready-cmd say how its readiness is seen");
}

int start_cannot(const struct supervised *command, int cannot, struct err *err)
{
    errno = cannot;
    (void)err_sys(err, ERR_USAGE, "%s cannot be run", command->argv[0]);
    if (child_exit_of_errno(cannot) == child_exit_of_errno(ENOENT))
        return err_hint(err, "write its whole path, or install it in this image");
    return err_hint(err, "it must be a program that this user may execute (chmod +x)");
}
