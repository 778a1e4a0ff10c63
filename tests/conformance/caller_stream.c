/* stdio over the socket. Bytes that a stream has read ahead or holds back are the same ones on both sides. */
#include "caller.h"

#include <stdio_ext.h>

#define RECORD_OF_ONE 100 /* bytes at most, with what it costs the kernel: without a buffer each byte is one */
#define UNBUFFERED 2 /* its _IO_UNBUFFERED */
#define PUTTING 0x800 /* glibc's _IO_CURRENTLY_PUTTING: there is nothing read ahead then */

size_t read_ahead(void)
{
	if (!it.stream || (it.stream->_flags & PUTTING))
		return 0;
	return (size_t)(it.stream->_IO_read_end - it.stream->_IO_read_ptr);
}

size_t held_back(void) { return it.stream ? __fpending(it.stream) : 0; }

bool any_held_back(void)
{
	int before = in_use;
	bool any = false;
	for (int i = 0; i < CONNECTIONS; i++) {
		use(i);
		any = any || held_back();
	}
	use(before);
	return any;
}

/* fdopen MODE BUFFER: over a copy of the descriptor, or ("own") over the descriptor itself. */
static void do_fdopen(const struct call *call)
{
	static char large[CONNECTIONS][20000]; /* longer-lived than the stream */
	const char *mode = call->argc > 1 ? call->argv[1] : "r+";
	if (it.fd < 0 || it.stream || it.moved)
		return skip("no descriptor, or a stream already");
	int fd = has_word(call, "own") ? it.fd : fcntl(it.fd, F_DUPFD, 70);
	it.stream = fdopen(fd, mode);
	if (!it.stream)
		return tell(-1);
	say("opened %d flags %x", fileno(it.stream) == fd, (unsigned)fcntl(fd, F_GETFL));
	if (has_word(call, "none"))
		say("%d", setvbuf(it.stream, NULL, _IONBF, 0));
	else if (has_word(call, "line") && !it.uneven)
		say("%d", setvbuf(it.stream, NULL, _IOLBF, 0));
	else if (has_word(call, "large"))
		say("%d", setvbuf(it.stream, large[in_use], _IOFBF, sizeof large[in_use]));
}

/* What a call did that gave PUT bytes to the stream or got GOT of it, where it had AHEAD and HELD before. */
static void account(size_t ahead, size_t held, size_t put, size_t got, bool failed)
{
	int error = errno;
	size_t taken = got + read_ahead() - ahead;
	it.owed -= taken < it.owed ? taken : it.owed;
	if (!failed) {
		size_t flushed = held + put - held_back();
		it.sent += flushed;
		it.unread += flushed;
	}
	say("ahead %zu held %zu", read_ahead(), held_back());
	if (failed)
		say("eof %d error %d %s", feof(it.stream) != 0, ferror(it.stream) != 0, ferror(it.stream) ? strerrorname_np(error) : "");
}

/* Between writing and reading a program must flush, fopen(3). */
static bool would_wait(size_t count)
{
	return held_back() || (!it.nonblocking && !it.peer_ended && !it.shut_rd && read_ahead() + it.owed < count);
}

static unsigned char lines[20000];

static void do_fread(const struct call *call)
{
	size_t size = (size_t)number(call, 1, 100), ahead = read_ahead(), held = held_back(), at = it.promised - it.owed - ahead;
	size = size < sizeof lines ? size : sizeof lines;
	settle();
	if (!it.stream || it.lowat > 1 || would_wait(size) || !__freadable(it.stream)) /* the libc reads at times what it must not */
		return skip("would wait");
	if (feof(it.stream) && it.owed) /* behind a SHUT_RD: the libc's own streams ask the socket again, fopencookie's say what they said */
		return skip("it has met the end");
	errno = 0;
	size_t n = fread(lines, 1, size, it.stream);
	say("= %zu %s", n, pattern_is(lines, at, n) ? "right" : "WRONG");
	account(ahead, held, 0, n, n < size);
}

/* Bytes from position AT to the next one that is BYTE, with it; MOST at most. */
static size_t until(size_t at, unsigned char byte, size_t most)
{
	for (size_t i = 0; i < most; i++)
		if (pattern_at(at + i) == byte)
			return i + 1;
	return most;
}

static void do_fgets(const struct call *call)
{
	size_t size = (size_t)number(call, 1, 100), ahead = read_ahead(), held = held_back(), at = it.promised - it.owed - ahead;
	size = size < 2 ? 2 : size < sizeof lines ? size : sizeof lines;
	settle();
	size_t line = until(at, '\n', size - 1), have = ahead + it.owed;
	if (!it.stream || it.lowat > 1 || would_wait(line))
		return skip("would wait");
	errno = 0;
	char *result = fgets((char *)lines, (int)size, it.stream);
	size_t n = result ? (line < have ? line : have) : 0;
	say("= %s %zu %s", result ? "line" : "none", n, pattern_is(lines, at, n) && (!result || lines[n] == '\0') ? "right" : "WRONG");
	/* Behind an error the libc's fgets does not give what it has taken. */
	bool dropped = !result && ferror(it.stream) && !feof(it.stream) && __freadable(it.stream);
	account(ahead, held, 0, dropped ? have : n, n < line);
}

/* May SIZE bytes be given to the stream with a result that does not depend on time? */
static bool may_put(size_t size)
{
	return it.stream && !it.small && !read_ahead() && it.unread + held_back() + size <= UNREAD_MOST && !it.peer_cut;
}

static void do_fwrite(const struct call *call)
{
	size_t size = (size_t)number(call, 1, 100), ahead = read_ahead(), held = held_back();
	settle();
	if (size > sizeof lines || !may_put(size))
		return skip("would not fit");
	pattern_fill(lines, it.sent + held, size);
	errno = 0;
	size_t n = fwrite(lines, 1, size, it.stream);
	say("= %zu", n);
	account(ahead, held, n, 0, n < size);
}

static void do_fprintf(const struct call *call)
{
	size_t size = (size_t)number(call, 1, 100), ahead = read_ahead(), held = held_back();
	settle();
	if (!may_put(it.stream && (it.stream->_flags & UNBUFFERED) ? RECORD_OF_ONE * size : size))
		return skip("would not fit");
	errno = 0;
	int n = 0, done = 1;
	for (size_t at = it.sent + held; n < (int)size && done > 0; n += done > 0 ? done : 0)
		done = fprintf(it.stream, "%c", pattern_at(at + (size_t)n));
	say("= %d", n);
	account(ahead, held, (size_t)n, 0, n < (int)size);
}

static void do_dprintf(const struct call *call)
{
	size_t size = (size_t)number(call, 1, 100);
	settle();
	if (it.fd < 0 || it.small || it.peer_cut || held_back() || it.unread + size + 4 > UNREAD_MOST)
		return skip("would not fit");
	const unsigned char one = pattern_at(it.sent), two = pattern_at(it.sent + 1);
	int n = dprintf(it.fd, "%c%c", one, two);
	tell(n);
	it.sent += n > 0 ? (size_t)n : 0;
	it.unread += n > 0 ? (size_t)n : 0;
}

static void do_fflush(const struct call *call)
{
	size_t ahead = read_ahead(), held = held_back();
	(void)call;
	settle();
	if (!it.stream || (held && !may_put(0)))
		return skip("no stream");
	errno = 0;
	int result = fflush(it.stream);
	say("= %d", result);
	account(ahead, held, 0, 0, result != 0);
}

static void do_clearerr(const struct call *call)
{
	(void)call;
	if (!it.stream)
		return skip("no stream");
	clearerr(it.stream);
}

/* A socket has no place to go to. */
static void do_fseek(const struct call *call)
{
	size_t ahead = read_ahead(), held = held_back();
	settle();
	if (!it.stream || (held && !may_put(0)))
		return skip("no stream");
	bool failed_before = ferror(it.stream);
	errno = 0;
	tell(has_word(call, "tell") ? ftell(it.stream) : fseek(it.stream, 0, SEEK_SET));
	account(ahead, held, 0, 0, ferror(it.stream) && !failed_before);
}

static void do_fclose(const struct call *call)
{
	(void)call;
	settle();
	if (!it.stream || (held_back() && !may_put(0)))
		return skip("no stream");
	bool own = fileno(it.stream) == it.fd;
	size_t held = held_back();
	int result = fclose(it.stream);
	it.stream = NULL;
	say("= %d", result);
	it.sent += result == 0 ? held : 0;
	it.unread += result == 0 ? held : 0;
	if (!own)
		return;
	tell(write(it.fd, "x", 1));
	closed();
}

bool call_stream(const struct call *call)
{
	static const struct row rows[] = { { "fdopen", do_fdopen }, { "fread", do_fread }, { "fgets", do_fgets }, { "fwrite", do_fwrite },
					   { "fprintf", do_fprintf }, { "dprintf", do_dprintf }, { "fflush", do_fflush }, { "fseek", do_fseek },
					   { "clearerr", do_clearerr }, { "fclose", do_fclose } };
	return RUN_ROW(rows, call);
}
