/* The descriptor: flags, copies, close. */
#include "caller.h"

#include <sys/ioctl.h>

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

static bool streams_on_it(void) { return it.stream && fileno(it.stream) == it.fd; }

/* A number for dup2, of no descriptor that is in use: one more than the last. */
static int free_from(int number)
{
	while (fcntl(number, F_GETFD) >= 0)
		number++;
	return number;
}

/* The copy is used from now on; the old one is closed at once, or kept ("keep"). */
static void do_copy(const struct call *call)
{
	int old = it.fd, copy;
	const char *how = call->argc > 1 ? call->argv[1] : "dup";
	if (it.kept_count == KEPT || streams_on_it())
		return skip("not now");
	if (strcmp(how, "dup2") == 0)
		copy = dup2(old, free_from(40));
	else if (strcmp(how, "dup3") == 0)
		copy = dup3(old, free_from(50), O_CLOEXEC);
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
	if (has_word(call, "keep")) {
		it.kept[it.kept_count++] = old;
	} else {
		tell(close(old));
		tell(read(old, room, 1));
	}
}

/* Other descriptors of the connection are used, or closed, in any order. */
static void do_switch(const struct call *call)
{
	if (it.kept_count == 0 || streams_on_it())
		return skip("no other descriptor");
	int i = (int)(number(call, 1, 0) % it.kept_count), fd = it.kept[i];
	it.kept[i] = it.fd;
	it.fd = fd;
}

static void do_drop(const struct call *call)
{
	settle();
	if (it.kept_count == 0)
		return skip("no other descriptor");
	int i = (int)(number(call, 1, 0) % it.kept_count);
	tell(close(it.kept[i]));
	it.kept[i] = it.kept[--it.kept_count];
}

void closed(void)
{
	it.fd = it.kept_count ? it.kept[--it.kept_count] : -1;
	if (it.fd >= 0 || it.stream)
		return;
	it.shut_wr = true;
	it.peer_cut = it.peer_cut || it.owed; /* with something unread a close is a reset */
}

static void do_close(const struct call *call)
{
	(void)call;
	settle();
	if (streams_on_it())
		return skip("it is the stream's");
	int old = it.fd;
	tell(close(old));
	tell(write(old, "x", 1));
	closed();
}

/* A close that ends in a reset: the peer must not take it for an end. */
static void do_abort(const struct call *call)
{
	struct linger now = { 1, 0 };
	char word[16];
	(void)call;
	settle();
	if (it.fd < 0 || !it.connected || it.moved || it.stream || it.kept_count || it.shut_wr || it.peer_cut)
		return skip("not now");
	tell(setsockopt(it.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
	tell(close(it.fd));
	closed();
	ask(word, "drain");
	it.peer_cut = true;
	say("peer %s", word);
}

bool call_fd(const struct call *call)
{
	static const struct row rows[] = { { "nonblock", do_nonblock }, { "cloexec", do_cloexec }, { "copy", do_copy }, { "switch", do_switch },
					   { "drop", do_drop }, { "close", do_close }, { "abort", do_abort } };
	return RUN_ROW(rows, call);
}
