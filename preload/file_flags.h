/* Flags of preadv2(2) and pwritev2(2), RWF_*: does the kernel take them of a TCP socket, for what IOV asks for? Else errno says what it says. */
#ifndef EGRET_FILE_FLAGS_H
#define EGRET_FILE_FLAGS_H

#include <stdbool.h>

struct iovec;

bool egret_takes_file_flags(int flags, const struct iovec *iov, int count);

#endif
