/* aliases HOST PORT: every alias and fortified form of a hooked call, as the dynamic linker binds it, against a server that echoes. Prints the
 * names of those that did not do what the call does, then "done". */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int fd;
static char got[64];
static const char word[] = "secret";
#define SIZE 6

/* The function NAME as a program that was linked with it gets it. */
#define FORM(type, name, ...) ((type(*)(__VA_ARGS__))form(name))

static void *form(const char *name)
{
	void *function = dlsym(RTLD_DEFAULT, name);

	if (!function) {
		printf("%s is missing\n", name);
		exit(1);
	}
	return function;
}

static void check(const char *name, int good)
{
	if (!good)
		printf("%s: %s\n", name, strerrorname_np(errno));
}

static int came(ssize_t size) { return size == SIZE && memcmp(got, word, SIZE) == 0; }

/* What NAME sent, SENT bytes of it, comes back. */
static void sent(const char *name, ssize_t size) { check(name, size == SIZE && came(recv(fd, got, SIZE, MSG_WAITALL))); }

static void ask(void)
{
	memset(got, 0, sizeof(got));
	if (write(fd, word, SIZE) != SIZE)
		exit(1);
}

/* The echo is there, so that a call that reads gets all of it. */
static void await(void)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	ask();
	while (recv(fd, got, sizeof(got), MSG_PEEK) < SIZE)
		poll(&ready, 1, 1000);
	memset(got, 0, sizeof(got));
}

static void open_connection(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;

	if (getaddrinfo(host, port, &hints, &list))
		exit(1);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	check("__connect", FORM(int, "__connect", int, const struct sockaddr *, socklen_t)(fd, list->ai_addr, list->ai_addrlen) == 0);
	((struct sockaddr_in *)(void *)list->ai_addr)->sin_port = htons(1);
	int other = socket(AF_INET, SOCK_STREAM, 0);
	check("__connect of what is denied",
	      FORM(int, "__connect", int, const struct sockaddr *, socklen_t)(other, list->ai_addr, list->ai_addrlen) < 0 && errno == EACCES);
	close(other);
	freeaddrinfo(list);
}

static void reading(void)
{
	socklen_t none = 0;

	await();
	check("__read", came(FORM(ssize_t, "__read", int, void *, size_t)(fd, got, SIZE)));
	await();
	check("__read_chk", came(FORM(ssize_t, "__read_chk", int, void *, size_t, size_t)(fd, got, SIZE, sizeof(got))));
	await();
	check("__recv_chk", came(FORM(ssize_t, "__recv_chk", int, void *, size_t, size_t, int)(fd, got, SIZE, sizeof(got), 0)));
	await();
	check("__recvfrom_chk",
	      came(FORM(ssize_t, "__recvfrom_chk", int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *)(fd, got, SIZE, sizeof(got), 0,
														   NULL, &none)));
	struct iovec part = { got, SIZE };
	await();
	check("preadv64v2", came(FORM(ssize_t, "preadv64v2", int, const struct iovec *, int, off64_t, int)(fd, &part, 1, -1, 0)));
}

static void print_list(int flag, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	sent("__vdprintf_chk", FORM(int, "__vdprintf_chk", int, int, const char *, va_list)(fd, flag, format, list));
	va_end(list);
}

static void writing(void)
{
	struct iovec part = { (void *)(size_t)word, SIZE };
	FILE *file = tmpfile();
	off64_t offset = 0;

	sent("__write", FORM(ssize_t, "__write", int, const void *, size_t)(fd, word, SIZE));
	sent("__send", FORM(ssize_t, "__send", int, const void *, size_t, int)(fd, word, SIZE, 0));
	sent("pwritev64v2", FORM(ssize_t, "pwritev64v2", int, const struct iovec *, int, off64_t, int)(fd, &part, 1, -1, 0));
	sent("__dprintf_chk", FORM(int, "__dprintf_chk", int, int, const char *, ...)(fd, 1, "%s", word));
	print_list(1, "%s", word);
	fputs(word, file);
	fflush(file);
	sent("sendfile64", FORM(ssize_t, "sendfile64", int, int, off64_t *, size_t)(fd, fileno(file), &offset, SIZE));
	fclose(file);
}

static void waiting(void)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct timespec long_enough = { 20, 0 };
	struct timeval as_long = { 20, 0 };
	fd_set set;

	ask();
	check("__poll", FORM(int, "__poll", struct pollfd *, nfds_t, int)(&ready, 1, 20000) == 1);
	check("__poll_chk", FORM(int, "__poll_chk", struct pollfd *, nfds_t, int, size_t)(&ready, 1, 20000, sizeof(ready)) == 1);
	check("__ppoll_chk", FORM(int, "__ppoll_chk", struct pollfd *, nfds_t, const struct timespec *, const sigset_t *,
				  size_t)(&ready, 1, &long_enough, NULL, sizeof(ready)) == 1);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	check("__select", FORM(int, "__select", int, fd_set *, fd_set *, fd_set *, struct timeval *)(fd + 1, &set, NULL, NULL, &as_long) == 1);
	check("what was waited for", came(recv(fd, got, SIZE, MSG_WAITALL)));
}

static void copies(void)
{
	int copy;

	check("__dup2", FORM(int, "__dup2", int, int)(fd, 50) == 50);
	sent("a copy by __dup2", write(50, word, SIZE));
	check("__close", FORM(int, "__close", int)(50) == 0 && fcntl(50, F_GETFD) < 0);
	copy = FORM(int, "__fcntl", int, int, ...)(fd, F_DUPFD, 60);
	sent("a copy by __fcntl", write(copy, word, SIZE));
	close(copy);
	copy = FORM(int, "fcntl64", int, int, ...)(fd, F_DUPFD_CLOEXEC, 70);
	sent("a copy by fcntl64", write(copy, word, SIZE));
	close(copy);
}

static void streams(void)
{
	FILE *stream = FORM(FILE *, "_IO_fdopen", int, const char *)(dup(fd), "r+");

	check("_IO_fdopen", stream && fprintf(stream, "%s\n", word) == SIZE + 1 && fflush(stream) == 0);
	check("a stream by _IO_fdopen", stream && fgets(got, sizeof(got), stream) && came((ssize_t)strlen(got) - 1));
	check("_IO_fclose", stream && FORM(int, "_IO_fclose", FILE *)(stream) == 0);
	stream = fdopen(dup(fd), "r+");
	stream = stream ? FORM(FILE *, "freopen64", const char *, const char *, FILE *)("/dev/null", "w", stream) : NULL;
	check("freopen64", stream && fputs("to nobody", stream) >= 0 && fclose(stream) == 0);
	sent("the connection after freopen64", write(fd, word, SIZE));
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	open_connection(argv[1], argv[2]);
	reading();
	writing();
	waiting();
	copies();
	streams();
	puts("done");
	return 0;
}
