/* glibc's stdio calls the kernel by itself: a stream over a governed connection is a cookie stream that calls the hooks, fopencookie(3). */
#include "hooks.h"
#include "io.h"
#include "real.h"

#include <stdlib.h>
#include <string.h>

static ssize_t cookie_read(void *cookie, char *buf, size_t size)
{
	return egret_on_recv((int)(intptr_t)cookie, buf, size, 0);
}

/* fopencookie(3): 0 for an error, never -1. */
static ssize_t cookie_write(void *cookie, const char *buf, size_t size)
{
	size_t done = 0;
	while (done < size) {
		ssize_t n = egret_on_send((int)(intptr_t)cookie, buf + done, size - done, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int cookie_close(void *cookie)
{
	return egret_on_close((int)(intptr_t)cookie);
}

FILE *egret_on_fdopen(int fd, const char *mode)
{
	static const cookie_io_functions_t functions = { cookie_read, cookie_write, NULL, cookie_close };
	struct egret_conn *conn = egret_conn_get(fd);
	bool governed = conn && egret_conn_takes_writes(conn);
	egret_conn_put(conn);
	if (!governed)
		return real.fdopen(fd, mode);
	FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);
	if (stream)
		stream->_fileno = fd; /* so that fileno(3) answers; the cookie's functions stay in charge */
	return stream;
}

/* A cookie stream closes through cookie_close; a plain one is closed by the libc itself, behind the hooks' back: its connection ends here. */
int egret_on_fclose(FILE *stream)
{
	int fd = stream ? fileno(stream) : -1;
	bool governed = fd >= 0 && egret_conn_has(fd);
	int copy = governed ? real.fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	int result = real.fclose(stream);
	int error = errno;
	if (governed && egret_conn_has(fd)) {
		if (copy >= 0)
			real.dup3(copy, fd, O_CLOEXEC); /* the number again, for as long as the goodbye takes */
		egret_on_close(fd);
	}
	if (copy >= 0)
		real.close(copy);
	errno = error;
	return result;
}

static int print(int fd, const char *format, va_list list)
{
	char *text = NULL;
	int length = vasprintf(&text, format, list);
	if (length < 0)
		return -1;
	ssize_t n = cookie_write((void *)(intptr_t)fd, text, (size_t)length);
	free(text);
	return n == length ? length : -1;
}

int egret_on_vdprintf(int fd, const char *format, va_list list)
{
	return egret_conn_has(fd) ? print(fd, format, list) : real.vdprintf(fd, format, list);
}

int egret_on_vdprintf_chk(int fd, int flag, const char *format, va_list list)
{
	return egret_conn_has(fd) ? print(fd, format, list) : real.__vdprintf_chk(fd, flag, format, list);
}
