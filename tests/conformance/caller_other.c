/* What a program asks of a descriptor beside reading, writing and waiting: most of it is refused to a socket, in words of its own. */
#include "caller.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static void told(const char *what, long result)
{
	say("%s %ld %s", what, result, result < 0 ? strerrorname_np(errno) : "");
}

/* A socket has no position, no size, and is no terminal. */
static void ask_place(void)
{
	struct iovec iov = { room, 10 };
	told("lseek", lseek(it.fd, 0, SEEK_CUR));
	told("pread", pread(it.fd, room, 10, 0));
	told("pwrite", pwrite(it.fd, room, 10, 0));
	told("preadv", preadv(it.fd, &iov, 1, 0));
	told("pwritev", pwritev(it.fd, &iov, 1, 0));
	told("preadv2", preadv2(it.fd, &iov, 1, 5, 0));
	told("pwritev2", pwritev2(it.fd, &iov, 1, 5, 0));
	told("ftruncate", ftruncate(it.fd, 0));
	told("fallocate", fallocate(it.fd, 0, 0, 10));
	told("fadvise", posix_fadvise(it.fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	told("fsync", fsync(it.fd));
	told("fdatasync", fdatasync(it.fd));
}

static void ask_kind(void)
{
	struct stat status;
	told("fstat", fstat(it.fd, &status));
	say("%o %ld %ld", status.st_mode, (long)status.st_size, (long)status.st_blksize);
	told("isatty", isatty(it.fd));
	say("%s", ttyname(it.fd) ? "terminal" : strerrorname_np(errno));
	told("fchdir", fchdir(it.fd));
	say("%x", (unsigned)fcntl(it.fd, F_GETFL));
	told("odd", fcntl(it.fd, 4711, 0));
	told("odd", ioctl(it.fd, 0x5401, room)); /* TCGETS */
	told("pipe", fcntl(it.fd, F_GETPIPE_SZ));
	told("seals", fcntl(it.fd, F_GET_SEALS));
}

/* A connected socket cannot be made into one that listens. */
static void ask_listener(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	told("listen", listen(it.fd, 1));
	told("accept", accept(it.fd, NULL, NULL));
	told("accept4", accept4(it.fd, NULL, NULL, SOCK_CLOEXEC));
	if (!it.shut_wr) /* once TCP's own end has come it can be bound */
		told("bind", bind(it.fd, (struct sockaddr *)&any, sizeof any));
	told("socketpair", socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0 }));
}

/* Who gets SIGIO, and whether: asked for while nothing comes. */
static void ask_owner(void)
{
	int on = 1, off = 0, owner = -1;
	told("F_SETOWN", fcntl(it.fd, F_SETOWN, getpid()));
	say("%d", fcntl(it.fd, F_GETOWN) == getpid());
	told("F_SETSIG", fcntl(it.fd, F_SETSIG, 0));
	told("F_GETSIG", fcntl(it.fd, F_GETSIG));
	told("FIOASYNC", ioctl(it.fd, FIOASYNC, &on));
	say("%x", (unsigned)fcntl(it.fd, F_GETFL));
	told("FIOASYNC", ioctl(it.fd, FIOASYNC, &off));
	told("FIOGETOWN", ioctl(it.fd, FIOGETOWN, &owner));
	fcntl(it.fd, F_SETOWN, 0);
}

/* No urgent data has come. */
static void ask_mark(void)
{
	int mark = -1;
	told("SIOCATMARK", ioctl(it.fd, SIOCATMARK, &mark));
	say("%d", mark);
	told("sockatmark", sockatmark(it.fd));
}

static void ask_options(void)
{
	static const struct {
		int level, option, value;
	} list[] = { { SOL_SOCKET, SO_KEEPALIVE, 1 }, { SOL_SOCKET, SO_REUSEADDR, 1 }, { SOL_SOCKET, SO_OOBINLINE, 1 }, { SOL_SOCKET, SO_OOBINLINE, 0 },
		     { SOL_SOCKET, SO_PRIORITY, 3 }, { SOL_SOCKET, SO_BROADCAST, 1 }, { SOL_SOCKET, SO_DONTROUTE, 0 },
		     { IPPROTO_TCP, TCP_KEEPIDLE, 100 }, { IPPROTO_TCP, TCP_KEEPINTVL, 10 }, { IPPROTO_TCP, TCP_KEEPCNT, 4 },
		     { IPPROTO_TCP, TCP_USER_TIMEOUT, 60000 }, { IPPROTO_TCP, TCP_SYNCNT, 4 }, { IPPROTO_TCP, TCP_LINGER2, 20 },
		     { IPPROTO_IP, IP_TOS, 8 }, { IPPROTO_IP, IP_TTL, 60 }, { IPPROTO_TCP, 4711, 1 }, { 4711, 1, 1 }, { SOL_SOCKET, 4711, 1 } };
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		int value = list[i].value;
		socklen_t size = sizeof value;
		told("set", setsockopt(it.fd, list[i].level, list[i].option, &value, size));
		value = -1;
		told("get", getsockopt(it.fd, list[i].level, list[i].option, &value, &size));
		say("%d %u", value, size);
	}
}

static void ask_identity(void)
{
	static const int options[] = { SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_TYPE };
	struct linger linger = { 0, 7 };
	struct timeval tv = { 7, 7 };
	struct sockaddr_storage name = { 0 };
	socklen_t size;
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		int value = -1;
		size = sizeof value;
		told("get", getsockopt(it.fd, SOL_SOCKET, options[i], &value, &size));
		say("%d", value);
	}
	size = sizeof linger;
	told("linger", getsockopt(it.fd, SOL_SOCKET, SO_LINGER, &linger, &size));
	say("%d %d", linger.l_onoff, linger.l_linger);
	size = sizeof tv;
	told("timeout", getsockopt(it.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &size));
	say("%ld %ld", (long)tv.tv_sec, (long)tv.tv_usec);
	size = sizeof(struct sockaddr_in);
	told("peer", half_gone() ? 0 : getsockopt(it.fd, SOL_SOCKET, SO_PEERNAME, &name, &size));
}

/* TCP's own state, as far as no acknowledgement decides it. */
static void ask_state(void)
{
	struct tcp_info info;
	socklen_t size = sizeof info;
	if (it.moved || half_gone() || it.notified || it.shut_wr)
		return skip("it changes by itself");
	told("TCP_INFO", getsockopt(it.fd, IPPROTO_TCP, TCP_INFO, &info, &size));
	say("%u", info.tcpi_state);
}

/* What moves bytes between descriptors without a program's help: a connection is not among those. */
static void ask_movers(void)
{
	int file = memfd_create("other", MFD_CLOEXEC), pair[2];
	struct iovec iov = { room, 10 };
	if (ftruncate(file, 100) != 0 || pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0)
		abort();
	told("copy", copy_file_range(file, NULL, it.fd, NULL, 10, 0));
	told("copy", copy_file_range(it.fd, NULL, file, NULL, 10, 0));
	told("tee", tee(it.fd, pair[1], 10, 0));
	told("tee", tee(pair[0], it.fd, 10, 0));
	told("vmsplice", vmsplice(it.fd, &iov, 1, 0));
	told("sendfile", sendfile(file, it.fd, NULL, 10));
	told("sendfile", sendfile(file, it.fd, &(off_t){ 0 }, 10));
	told("splice", splice(it.fd, &(off_t){ 0 }, pair[1], NULL, 10, SPLICE_F_NONBLOCK));
	told("splice", splice(file, NULL, it.fd, NULL, 10, SPLICE_F_NONBLOCK));
	close(file);
	close(pair[0]);
	close(pair[1]);
}

/* sendfile from what it cannot send, or of nothing. */
static void ask_files(void)
{
	int file = memfd_create("other", MFD_CLOEXEC), pair[2], directory = open("/", O_RDONLY | O_CLOEXEC);
	off_t at = -5, far = 1000, end = 100;
	if (ftruncate(file, 100) != 0 || pipe2(pair, O_CLOEXEC) != 0)
		abort();
	told("pipe", sendfile(it.fd, pair[0], NULL, 10));
	told("pipe", sendfile(it.fd, pair[0], &end, 10));
	told("itself", sendfile(it.fd, it.fd, NULL, 10));
	told("negative", sendfile(it.fd, file, &at, 10));
	told("beyond", sendfile(it.fd, file, &far, 10));
	told("end", sendfile(it.fd, file, &end, 10));
	told("none", sendfile(it.fd, file, NULL, 0));
	told("directory", sendfile(it.fd, directory, NULL, 10));
	told("written", sendfile(it.fd, pair[1], NULL, 10));
	told("closed", sendfile(it.fd, -1, NULL, 10));
	told("closed", sendfile(it.fd, -1, NULL, 0));
	told("none", sendfile(it.fd, pair[0], NULL, 0));
	say("%ld %ld %ld", (long)at, (long)far, (long)end);
	close(file);
	close(directory);
	close(pair[0]);
	close(pair[1]);
}

/* What no wrapped socket can keep is refused before anything depends on it. */
static void ask_refused(void)
{
	int on = 1, off = 0, none = -1, pair[2];
	if (it.owed || it.peer_ended || pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0)
		return skip("not now");
	told("SO_PEEK_OFF", setsockopt(it.fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off));
	setsockopt(it.fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof none);
	told("SO_ZEROCOPY", setsockopt(it.fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on));
	setsockopt(it.fd, SOL_SOCKET, SO_ZEROCOPY, &off, sizeof off);
	if (it.nonblocking) {
		told("splice", splice(it.fd, NULL, pair[1], NULL, 10, SPLICE_F_NONBLOCK));
		told("sendfile", sendfile(pair[1], it.fd, NULL, 10));
	}
	close(pair[0]);
	close(pair[1]);
}

static void do_ask(const struct call *call)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} list[] = { { "place", ask_place }, { "kind", ask_kind }, { "listener", ask_listener }, { "owner", ask_owner }, { "mark", ask_mark },
		     { "options", ask_options }, { "identity", ask_identity }, { "state", ask_state }, { "movers", ask_movers }, { "files", ask_files },
		     { "refused", ask_refused } };
	settle();
	if (it.fd < 0 || !it.connected || it.moved)
		return skip("not now");
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (strcmp(list[i].name, call->argc > 1 ? call->argv[1] : "") == 0)
			list[i].run();
}

bool call_other(const struct call *call)
{
	static const struct row rows[] = { { "ask", do_ask } };
	return RUN_ROW(rows, call);
}
