#include "sys/limits.h"

#include <sys/resource.h>

int limits_check(struct err *err)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= LIMITS_FILES)
        return 0;
    (void)err_set(err, ERR_USAGE, "the limit of open files is %llu, and %u are needed",
                  (unsigned long long)files.rlim_cur, LIMITS_FILES);
    return err_hint(err, "raise it: ulimit -n %u", LIMITS_FILES);
}
