#include "answer.h"

#include "observed.h"
#include "ready.h"
#include "real.h"

#include <fcntl.h>
#include <poll.h>

bool egret_answer_due(const struct egret_conn *conn)
{
	return conn->observed && egret_observed_due(conn->observed);
}

/* The count is raised before the look, the answer noted before the count is looked at: one of both sees the other. */
bool egret_answer_wait(struct egret_conn *conn)
{
	atomic_fetch_add(&conn->waiting, 1);
	return !egret_answer_due(conn);
}

void egret_answer_waited(struct egret_conn *conn)
{
	atomic_fetch_sub(&conn->waiting, 1);
}

/* Registrations for "writable" report at once, and behind the server's end all that wait for anything do. */
static bool would_report(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT | POLLRDHUP };
	return real.poll(&pfd, 1, 0) > 0;
}

static bool wants_signals(int fd)
{
	int flags = real.fcntl(fd, F_GETFL);
	return flags < 0 || (flags & O_ASYNC);
}

bool egret_answer_can_tell(void *data)
{
	struct egret_conn *conn = data;
	int fd = conn->wire.fd;
	return atomic_load(&conn->waiting) == 0 && atomic_load(&conn->fd_count) == 1 && egret_lines_alone(&conn->lines) && !wants_signals(fd) &&
	       would_report(fd) && egret_ready_can_answer(fd);
}

bool egret_answer_tell(void *data, bool due)
{
	struct egret_conn *conn = data;
	if (due && !egret_answer_can_tell(conn))
		return false;
	egret_ready_answer(conn->wire.fd, due);
	return true;
}
