/* Several processes that hold one connection, and a connection that comes back by SCM_RIGHTS. */
#include "caller.h"

#include <signal.h>
#include <stdio_ext.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static int ended(pid_t child)
{
	int status = -1;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool may_try(void)
{
	return it.fd >= 0 && it.connected && !it.moved && !it.stream && !it.peer_ended && !it.shut_wr && !it.shut_rd && !it.small && it.lowat <= 1;
}

/* What asks for nothing and changes nothing; over TCP always 0 and EAGAIN, or one byte where some wait. */
static void try(char *text, size_t size)
{
	char byte;
	ssize_t sent = send(it.fd, "", 0, MSG_NOSIGNAL);
	const char *send_error = sent < 0 ? strerrorname_np(errno) : "";
	ssize_t got = recv(it.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	snprintf(text, size, "send %zd %s recv %zd %s", sent, send_error, got, got < 0 ? strerrorname_np(errno) : "");
}

/* The parent has used the connection since the fork: it stays the parent's. The child's use is an error, its end changes nothing. */
static void fork_parent(const struct call *call)
{
	int go[2], told[2];
	char text[100] = "", byte = 0;
	size_t size = (size_t)number(call, 2, 10);
	if (!may_try() || it.unread + size > UNREAD_MOST)
		return skip("not now");
	if (pipe2(go, O_CLOEXEC) != 0 || pipe2(told, O_CLOEXEC) != 0)
		return tell(-1);
	pid_t child = fork();
	if (child == 0) {
		if (read(go[0], &byte, 1) == 1)
			try(text, sizeof text);
		_exit(write(told[1], text, sizeof text) == sizeof text ? 7 : 8);
	}
	pattern_fill(room, it.sent, size);
	ssize_t n = send(it.fd, room, size, MSG_NOSIGNAL);
	tell(n);
	it.sent += n > 0 ? (size_t)n : 0;
	it.unread += n > 0 ? (size_t)n : 0;
	if (write(go[1], "g", 1) != 1 || read(told[0], text, sizeof text) != sizeof text)
		say("no child");
	say("child: %s, %d", text, ended(child));
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(told[i]);
	}
}

/* Ends with the connection open. */
static _Noreturn void leave(const struct call *call, int status)
{
	if (has_word(call, "exit"))
		exit(status); /* what standard output holds was written before */
	if (has_word(call, "quick_exit"))
		quick_exit(status);
	_Exit(status);
}

/* A child that has a copy of everything and uses nothing of it: it closes its copy, or ends in one of several ways with it open. */
static void fork_idle(const struct call *call)
{
	pid_t child = fork();
	if (child == 0) {
		if (!has_word(call, "keep") && !has_word(call, "exit") && !has_word(call, "quick_exit"))
			close(it.fd);
		leave(call, 7);
	}
	say("child %d", ended(child));
}

/* The child uses the connection first: it is the child's then. The parent's use is an error; the peer sees what the child sent, and an end. */
static void fork_child(const struct call *call)
{
	char text[100], word[16];
	size_t size = (size_t)number(call, 2, 10), owed = it.owed;
	if (!may_try() || it.unread + size > UNREAD_MOST || it.kept_count)
		return skip("not now");
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		pattern_fill(room, it.sent, size);
		bool good = send(it.fd, room, size, MSG_NOSIGNAL) == (ssize_t)size;
		good = good && (!owed || recv(it.fd, room, owed, MSG_WAITALL) == (ssize_t)owed) && pattern_is(room, it.promised - owed, owed);
		leave(call, good ? 7 : 8);
	}
	say("child %d", ended(child));
	it.sent += size;
	try(text, sizeof text);
	say("parent: %s", text);
	tell(close(it.fd));
	it.fd = -1;
	it.shut_wr = true;
	it.owed = 0;
	size_t count = ask(word, "drain");
	say("peer %s %s", word, count == it.sent ? "all" : "not all");
}

static void do_fork(const struct call *call)
{
	settle();
	fflush(stdout);
	if (has_word(call, "exit") && any_held_back()) /* a child's exit would write it, and have the connection */
		return skip("a stream has something to write");
	if (has_word(call, "parent"))
		fork_parent(call);
	else if (has_word(call, "child"))
		fork_child(call);
	else
		fork_idle(call);
}

static bool is_copy;

/* The rest of the sequence is the child's, as after daemon(3); the parent has closed all it had, before the child used it or after. */
static void do_daemon(const struct call *call)
{
	int line[2];
	char byte;
	if (it.fd < 0 || it.stream || is_copy || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0)
		return skip("not now");
	fflush(stdout);
	pid_t child = fork();
	if (child != 0) {
		if (has_word(call, "late") && read(line[0], &byte, 1) != 1)
			abort();
		for (int fd = 4; fd < 100; fd++)
			if (fd != line[0])
				close(fd);
		close(line[0]);
		if (ended(child) != 7)
			abort();
		__fpurge(stdin); /* the child has read to the end of the sequence */
		hand_back();
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(line[0]);
	is_copy = true;
	if (has_word(call, "late")) {
		tell(send(it.fd, "", 0, MSG_NOSIGNAL)); /* which takes a reset's error, if there is one */
		if (write(line[1], "u", 1) != 1)
			abort();
	}
	if (read(line[1], &byte, 1) != 0) /* the end: the parent has closed its copies */
		abort();
	close(line[1]);
	say("continues");
}

void end_copy(void)
{
	if (!is_copy)
		return;
	puts(".");
	fflush(stdout);
	_exit(7);
}

/* The socket, sent to oneself. */
static void do_pass(const struct call *call)
{
	int pair[2], old = it.fd;
	char byte = 'x';
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room };
	if (it.fd < 0 || !it.connected || it.stream || it.kept_count || it.tiny || it.small || it.shut_rd || it.lowat > 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return skip("not now");
	settle();
	control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof old) };
	memcpy(CMSG_DATA(&control.head), &old, sizeof old);
	tell(sendmsg(pair[0], &message, 0));
	tell(close(old));
	tell(recvmsg(pair[1], &message, has_word(call, "cloexec") ? MSG_CMSG_CLOEXEC : 0));
	memcpy(&it.fd, CMSG_DATA(&control.head), sizeof it.fd);
	it.moved = true;
	close(pair[0]);
	close(pair[1]);
	say("%x %d", (unsigned)fcntl(it.fd, F_GETFL), fcntl(it.fd, F_GETFD));
	settle();
}

bool call_process(const struct call *call)
{
	static const struct row rows[] = { { "fork", do_fork }, { "daemon", do_daemon }, { "pass", do_pass } };
	return RUN_ROW(rows, call);
}
