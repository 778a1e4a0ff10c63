/* stdio over a connection, one way of using it a run: streams MODE HOST. What the server answers goes to standard error. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REQUEST "GET /secret HTTP/1.0\r\n\r\n"

static FILE *late; /* what an exit handler writes to */

static void check(int good, const char *what)
{
	if (!good) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		_exit(1);
	}
}

static struct addrinfo *look_up(const char *host)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list = NULL;
	check(getaddrinfo(host, "80", &hints, &list) == 0, "getaddrinfo");
	return list;
}

static int connected(const char *host)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct addrinfo *list = look_up(host);
	check(connect(fd, list->ai_addr, list->ai_addrlen) == 0, "connect");
	return fd;
}

static void show(FILE *stream)
{
	char line[256];
	while (fgets(line, sizeof line, stream))
		fputs(line, stderr);
}

static void show_descriptor(int fd)
{
	char text[4096];
	for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;)
		fwrite(text, 1, (size_t)n, stderr);
}

static void use_fdopen(const char *host)
{
	int fd = connected(host);
	FILE *stream = fdopen(fd, "r+");
	check(stream && fileno(stream) == fd, "fileno");
	fprintf(stream, REQUEST);
	fflush(stream);
	show(stream);
	check(fclose(stream) == 0, "fclose");
	check(fcntl(fd, F_GETFD) < 0 && errno == EBADF, "closed by fclose");
}

static void use_before_connect(const char *host)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	FILE *out = fdopen(fd, "w");
	struct addrinfo *list = look_up(host);
	check(connect(fd, list->ai_addr, list->ai_addrlen) == 0, "connect");
	fputs(REQUEST, out);
	fflush(out);
	show_descriptor(fd);
	fclose(out);
}

static void use_unbuffered(const char *host)
{
	FILE *stream = fdopen(connected(host), "r+");
	setvbuf(stream, NULL, _IONBF, 0);
	for (const char *at = REQUEST; *at; at++)
		fputc(*at, stream);
	show(stream);
}

static void use_dprintf(const char *host)
{
	int fd = connected(host);
	dprintf(fd, "%s", REQUEST);
	show_descriptor(fd);
}

static void use_stdout(const char *host)
{
	int fd = connected(host);
	check(dup2(fd, 1) == 1, "dup2");
	close(fd);
	printf(REQUEST);
	fflush(stdout);
	show_descriptor(1);
}

static void use_other_stream(const char *host)
{
	FILE *log = fopen("/dev/null", "w");
	int fd = connected(host);
	check(dup2(fd, fileno(log)) == fileno(log), "dup2");
	fputs(REQUEST, log);
	fflush(log);
	show_descriptor(fd);
}

static void use_freopen(const char *host)
{
	int fd = connected(host);
	FILE *stream = fdopen(fd, "w");
	check(freopen("file", "w+", stream) == stream && fileno(stream) == fd, "freopen");
	char line[64] = "";
	fputs("secret for a file", stream);
	rewind(stream);
	check(fclose(stream) == 0, "fclose");
	stream = fopen("file", "r");
	check(fgets(line, sizeof line, stream) && strcmp(line, "secret for a file") == 0, "read again");
	fputs("still running\n", stderr);
}

static void use_at_exit(const char *host)
{
	fputs(REQUEST, fdopen(connected(host), "w")); /* the libc flushes it, after every handler */
	exit(0);
}

static void write_late(void) { fputs("late\r\n\r\n", late); }

static void use_exit_handler(const char *host)
{
	late = fdopen(connected(host), "w");
	fputs("GET /secret HTTP/1.0\r\nX: ", late);
	atexit(write_late);
	exit(0);
}

static void use_fcloseall(const char *host)
{
	fputs(REQUEST, fdopen(connected(host), "w"));
	fcloseall();
	_exit(0);
}

static void use_memory(const char *host)
{
	char *text;
	size_t size;
	int fd = connected(host);
	FILE *stream = open_memstream(&text, &size);
	fputs("in memory", stream);
	errno = 0;
	check(fclose(stream) == 0 && errno == 0 && size == 9, "fclose of a stream in memory");
	dprintf(fd, REQUEST);
	show_descriptor(fd);
}

static long raw_close(int fd)
{
	long result;
#if defined(__x86_64__)
	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_close), "D"(fd) : "rcx", "r11", "memory");
#else
	result = close(fd);
#endif
	return result;
}

/* The number of a connection that was closed past the libc becomes a file, then a socket: neither is taken for the connection. */
static void use_number_again(const char *host)
{
	char text[8] = "";
	int pair[2], fd = connected(host);
	check(raw_close(fd) == 0 && open("file", O_RDWR | O_CREAT | O_TRUNC, 0600) == fd, "open");
	check(write(fd, "plain", 5) == 5 && lseek(fd, 0, SEEK_SET) == 0 && read(fd, text, 5) == 5 && !strcmp(text, "plain"), "a file");
	close(fd);
	fd = connected(host);
	check(raw_close(fd) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == fd, "socketpair");
	check(write(fd, "plain", 5) == 5 && read(pair[1], text, 5) == 5 && !strcmp(text, "plain"), "a socket");
	fputs("both plain\n", stderr);
}

static const struct {
	const char *name;
	void (*use)(const char *host);
} modes[] = {
	{ "fdopen", use_fdopen },         { "before_connect", use_before_connect }, { "unbuffered", use_unbuffered },
	{ "dprintf", use_dprintf },       { "stdout", use_stdout },
	{ "other_stream", use_other_stream }, { "freopen", use_freopen },           { "at_exit", use_at_exit },
	{ "exit_handler", use_exit_handler }, { "fcloseall", use_fcloseall },       { "memory", use_memory },
	{ "number_again", use_number_again },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof modes / sizeof *modes; i++)
		if (strcmp(argv[1], modes[i].name) == 0) {
			modes[i].use(argv[2]);
			return 0;
		}
	return 2;
}
