/* flock(2). Its own header, <sys/file.h>, cannot be reached: "sys/file.h" beside this one hides it.
 */
#ifndef SYS_FLOCK_H
#define SYS_FLOCK_H

#include <fcntl.h> /* LOCK_EX and its kin */

int flock(int fd, int operation);

#endif
