#include "store/copy.h"

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/stop.h"

/* So much at a time between two looks at the wish to stop. */
#define PIECE_BYTES  ((uint64_t)16 << 20)
#define BUFFER_BYTES ((size_t)64 << 10)

/* Through a buffer; as copy_file_range(2): the bytes copied, 0 at the end of from, -1 with errno.
 */
static ssize_t copy_plain(int to, int from, off_t offset, size_t len)
{
    char buffer[BUFFER_BYTES];
    ssize_t got = pread(from, buffer, len < sizeof(buffer) ? len : sizeof(buffer), offset);

    return got <= 0 ? got : pwrite(to, buffer, (size_t)got, offset);
}

static bool is_unsupported(int sys)
{
    return sys == ENOSYS || sys == EOPNOTSUPP || sys == EXDEV || sys == EINVAL || sys == EPERM;
}

int copy_range(int to, int from, uint64_t offset, uint64_t len, struct err *err)
{
    bool plain = false;

    while (len > 0) {
        size_t piece = (size_t)(len < PIECE_BYTES ? len : PIECE_BYTES);
        off_t in = (off_t)offset;
        off_t out = (off_t)offset;
        ssize_t n = plain ? copy_plain(to, from, in, piece)
                          : copy_file_range(from, &in, to, &out, piece, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 && !plain && (n == 0 || is_unsupported(errno))) {
            plain = true; /* 0 also from filesystems that only claim to support it */
            continue;
        }
        if (n < 0)
            return file_err(err, "cannot copy");
        if (n == 0)
            return err_set(err, ERR_VOLUME, "cannot copy: the file is shorter than it was");
        offset += (uint64_t)n;
        len -= (uint64_t)n;
        if (stop_wanted())
            return stop_err(err);
    }
    return 0;
}
