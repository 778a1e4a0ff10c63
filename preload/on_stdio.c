/* glibc's stdio calls the kernel by itself: a stream over a governed connection is a cookie stream that calls the hooks, fopencookie(3). */
#include "hooks.h"
#include "io.h"
#include "policy/raw.h"
#include "real.h"
#include "unconnected.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static ssize_t cookie_read(void *cookie, char *buf, size_t size)
{
	return egret_on_read((int)(intptr_t)cookie, buf, size);
}

/* fopencookie(3): 0 for an error, never -1. */
static ssize_t cookie_write(void *cookie, const char *buf, size_t size)
{
	size_t done = 0;
	while (done < size) {
		ssize_t n = egret_on_write((int)(intptr_t)cookie, buf + done, size - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* As lseek(2) answers a socket. */
static int cookie_seek(void *cookie, off64_t *offset, int whence)
{
	(void)cookie;
	(void)offset;
	(void)whence;
	errno = ESPIPE;
	return -1;
}

static int cookie_close(void *cookie)
{
	return egret_on_close((int)(intptr_t)cookie);
}

/* glibc keeps a stream's functions behind it (its struct _IO_FILE_plus), and in its flags what it may not do. */
static const void *functions_of(const FILE *stream) { return *(void *const *)(stream + 1); }
#define NO_READS 4
#define NO_WRITES 8

static _Atomic(const void *) cookie_functions; /* those of our streams; NULL: there was none yet */

#define BUFFER 4096 /* bytes: st_blksize of a socket. A cookie stream would get BUFSIZ, and read ahead twice as far */

/* As the libc allocates one: it is freed with the stream, and setvbuf(3) may replace it. */
static void give_buffer(FILE *stream)
{
	char *buffer = malloc(BUFFER);
	if (!buffer)
		return;
	stream->_IO_buf_base = buffer;
	stream->_IO_buf_end = buffer + BUFFER;
}

static bool needs_cookie(int fd)
{
	int saved = errno;
	struct egret_conn *conn = egret_conn_get(fd);
	bool needed = conn ? egret_conn_takes_writes(conn) : egret_is_unconnected(fd);
	egret_conn_put(conn);
	errno = saved;
	return needed;
}

FILE *egret_on_fdopen(int fd, const char *mode)
{
	static const cookie_io_functions_t functions = { cookie_read, cookie_write, cookie_seek, cookie_close };
	if (!needs_cookie(fd))
		return real.fdopen(fd, mode);
	FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);
	if (stream) {
		stream->_fileno = fd; /* so that fileno(3) answers; the cookie's functions stay in charge */
		atomic_store(&cookie_functions, functions_of(stream));
		give_buffer(stream);
	}
	if (stream && mode[0] == 'a') /* as fdopen does it */
		real.fcntl(fd, F_SETFL, real.fcntl(fd, F_GETFL) | O_APPEND);
	return stream;
}

/* open(2)'s flags for a mode of fopen(3), -1: none. */
static int flags_of(const char *mode)
{
	int flags = strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
	if (mode[0] != 'r' && mode[0] != 'w' && mode[0] != 'a')
		return -1;
	flags |= mode[0] == 'w' ? O_CREAT | O_TRUNC : mode[0] == 'a' ? O_CREAT | O_APPEND : 0;
	return flags | (strchr(mode, 'x') ? O_EXCL : 0) | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

/* The libc's freopen takes a cookie stream for a file of its own and crashes. The stream keeps its cookie, which reads and writes
 * whatever its number means; a failure closes it, as freopen(3) does. */
FILE *egret_on_freopen(const char *path, const char *mode, FILE *stream)
{
	if (functions_of(stream) != atomic_load(&cookie_functions) || stream->_fileno < 0)
		return real.freopen(path, mode, stream);
	int fd = stream->_fileno, flags = flags_of(mode);
	fflush(stream);
	long file = !path ? -ENXIO : flags < 0 ? -EINVAL : egret_raw_open(path, flags, 0666);
	if (file < 0 || egret_on_dup3((int)file, fd, flags & O_CLOEXEC) != fd) {
		int error = file < 0 ? (int)-file : errno;
		if (file >= 0)
			real.close((int)file);
		real.fclose(stream);
		errno = error;
		return NULL;
	}
	real.close((int)file);
	clearerr(stream);
	stream->_flags &= ~(NO_READS | NO_WRITES);
	stream->_flags |= (flags & O_ACCMODE) == O_RDONLY ? NO_WRITES : (flags & O_ACCMODE) == O_WRONLY ? NO_READS : 0;
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
