/* The descriptor: flags, copies, close. */
#include "caller.h"

#include <sys/ioctl.h>
#include <sys/wait.h>

static void do_nonblock(const struct call *call)
{
	bool on = number(call, 1, 1) != 0;
	int value = on, flags = fcntl(it.fd, F_GETFL);
	if (has_word(call, "ioctl"))
		tell(ioctl(it.fd, FIONBIO, &value));
	else
		tell(fcntl(it.fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
	it.nonblocking = on;
	say("%x", (unsigned)fcntl(it.fd, F_GETFL));
}

static void do_cloexec(const struct call *call)
{
	tell(fcntl(it.fd, F_SETFD, number(call, 1, 1) ? FD_CLOEXEC : 0));
	say("%x", (unsigned)fcntl(it.fd, F_GETFD));
}

/* The copy is used from now on; the old one is closed at once, or kept until the end ("keep"). */
static void do_copy(const struct call *call)
{
	int old = it.fd, copy;
	const char *how = call->argc > 1 ? call->argv[1] : "dup";
	if (strcmp(how, "dup2") == 0)
		copy = dup2(old, old == 40 ? 41 : 40);
	else if (strcmp(how, "dup3") == 0)
		copy = dup3(old, old == 50 ? 51 : 50, O_CLOEXEC);
	else if (strcmp(how, "dupfd") == 0)
		copy = fcntl(old, F_DUPFD, 60);
	else if (strcmp(how, "cloexec") == 0)
		copy = fcntl(old, F_DUPFD_CLOEXEC, 60);
	else
		copy = dup(old);
	say("%s", copy >= 0 ? "copied" : strerrorname_np(errno));
	if (copy < 0)
		return;
	say("%x", (unsigned)fcntl(copy, F_GETFD));
	it.fd = copy;
	if (!has_word(call, "keep")) {
		tell(close(old));
		tell(read(old, room, 1));
	}
}

/* A child that has a copy of everything and does nothing with it. */
static void do_fork(const struct call *call)
{
	int status = -1;
	(void)call;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		close(it.fd);
		_exit(7);
	}
	waitpid(child, &status, 0);
	say("child %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void do_close(const struct call *call)
{
	(void)call;
	settle();
	tell(close(it.fd));
	tell(write(it.fd, "x", 1));
	it.fd = -1;
	it.shut_wr = true;
}

bool call_fd(const struct call *call)
{
	static const struct row rows[] = { { "nonblock", do_nonblock }, { "cloexec", do_cloexec }, { "copy", do_copy }, { "fork", do_fork },
					   { "close", do_close } };
	return RUN_ROW(rows, call);
}
