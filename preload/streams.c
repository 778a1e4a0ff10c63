#include "streams.h"

#include <stdio.h>

/* glibc's list of open streams and its lock: exported, though no header tells of them. */
extern FILE *_IO_list_all;
extern void _IO_list_lock(void);
extern void _IO_list_unlock(void);

bool egret_stdio_has(int fd)
{
	bool found = fd >= 0 && fd <= 2;
	if (found || fd < 0)
		return found;
	_IO_list_lock();
	for (FILE *it = _IO_list_all; it && !found; it = it->_chain)
		found = it->_fileno == fd;
	_IO_list_unlock();
	return found;
}
