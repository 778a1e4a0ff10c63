#include "answer.h"

#include "observed.h"
#include "policy/raw.h"
#include "ready.h"
#include "real.h"

#include <fcntl.h>
#include <poll.h>

bool egret_answer_due(const struct egret_conn *conn)
{
	return conn->observed && egret_observed_due(conn->observed);
}

int egret_own_thread(void)
{
	static __thread __attribute__((tls_model("initial-exec"))) long asked_in;
	static __thread __attribute__((tls_model("initial-exec"))) int number;
	long pid = egret_own_pid();
	if (asked_in != pid) {
		number = (int)egret_raw(SYS_gettid, 0, 0, 0, 0);
		asked_in = pid;
	}
	return number;
}

/* The number is noted before the look, the answer noted before the numbers are looked at: one of both sees the other. A thread that was here before
 * and never came back, by a handler's jump, finds its number. */
static void note_waiter(struct egret_conn *conn)
{
	int own = egret_own_thread();
	for (int i = 0; i < EGRET_WAITERS; i++) {
		int nobody = 0;
		if (atomic_load(&conn->waiters[i]) == own || atomic_compare_exchange_strong(&conn->waiters[i], &nobody, own))
			return;
	}
	atomic_store(&conn->crowded, true);
}

bool egret_answer_wait(struct egret_conn *conn)
{
	if (conn->observed)
		note_waiter(conn);
	return !egret_answer_due(conn);
}

void egret_answer_waited(struct egret_conn *conn)
{
	for (int i = 0; conn->observed && i < EGRET_WAITERS; i++) {
		int own = egret_own_thread();
		atomic_compare_exchange_strong(&conn->waiters[i], &own, 0);
	}
}

/* Does another thread wait? One that was cancelled in its wait is gone, and this one, should it be noted, has left its own. */
static bool others_wait(struct egret_conn *conn)
{
	bool others = atomic_load(&conn->crowded);
	for (int i = 0; i < EGRET_WAITERS && !others; i++) {
		int number = atomic_load(&conn->waiters[i]);
		others = number && number != egret_own_thread() && egret_raw(SYS_tgkill, egret_own_pid(), number, 0, 0) == 0;
		if (number && !others)
			atomic_compare_exchange_strong(&conn->waiters[i], &number, 0);
	}
	return others;
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
	return !others_wait(conn) && atomic_load(&conn->fd_count) == 1 && egret_lines_alone(&conn->lines) && !wants_signals(fd) &&
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
