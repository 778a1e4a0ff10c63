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

/* A TCP socket that may still be connected: the stream is made first, the connection later. */
static bool is_unconnected(int fd)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof domain;
	struct sockaddr_storage ss;
	if (real.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || (domain != AF_INET && domain != AF_INET6))
		return false;
	size = sizeof type;
	if (real.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
		return false;
	size = sizeof ss;
	return real.getpeername(fd, (struct sockaddr *)&ss, &size) != 0 && errno == ENOTCONN;
}

static bool needs_cookie(int fd)
{
	int saved = errno;
	struct egret_conn *conn = egret_conn_get(fd);
	bool needed = conn ? egret_conn_takes_writes(conn) : is_unconnected(fd);
	egret_conn_put(conn);
	errno = saved;
	return needed;
}

FILE *egret_on_fdopen(int fd, const char *mode)
{
	static const cookie_io_functions_t functions = { cookie_read, cookie_write, NULL, cookie_close };
	if (!needs_cookie(fd))
		return real.fdopen(fd, mode);
	FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);
	if (stream)
		stream->_fileno = fd; /* so that fileno(3) answers; the cookie's functions stay in charge */
	return stream;
}

/* A cookie stream closes through cookie_close. Any other is closed by the libc itself: its number means nothing any more. */
int egret_on_fclose(FILE *stream)
{
	int fd = stream ? stream->_fileno : -1; /* fileno(3) would set errno at a stream in memory */
	int result = real.fclose(stream), saved = errno;
	struct egret_conn *conn = fd >= 0 ? egret_conn_get(fd) : NULL;
	if (conn)
		egret_conn_drop_stale(conn, fd);
	egret_conn_put(conn);
	errno = saved;
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
