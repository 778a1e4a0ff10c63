#include "file_flags.h"

#include "io.h"
#include "real.h"

#include <limits.h>

/* Which it takes is a matter of its version: it is asked, by a read of a socket that has nothing to read. */
bool egret_takes_file_flags(int flags, const struct iovec *iov, int count)
{
	char byte;
	struct iovec one = { &byte, 1 };
	if (flags == 0 || count <= 0 || count > IOV_MAX || egret_io_is_nothing(iov, count)) /* the kernel looks at the pieces first */
		return true;
	int fd = real.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	real.preadv2(fd, &one, 1, -1, flags);
	int error = errno;
	real.close(fd);
	errno = error;
	return error == ENOTCONN;
}
