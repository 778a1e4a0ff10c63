#include "within.h"

#include "reach.h"

#include <errno.h>
#include <limits.h>

__thread __attribute__((tls_model("initial-exec"))) const struct egret_conn *egret_within_conn;

__thread __attribute__((tls_model("initial-exec"))) struct egret_conn *egret_within_left;

void egret_within_end(void)
{
	struct egret_conn *conn = egret_within_left;
	egret_within_left = NULL;
	egret_conn_put(conn);
}

/* Nothing is to be done for CONN but to encrypt and send. */
static bool is_at_rest(const struct egret_conn *conn)
{
	return conn->wrapped && !conn->observed && atomic_load(&conn->state) == EGRET_CONN_OPEN && atomic_load(conn->owner) == egret_known_pid() &&
	       !atomic_load(&conn->unspoken) && !atomic_load(&conn->asks) && atomic_load(&conn->prompt) != EGRET_PROMPT_DUE;
}

ssize_t egret_within_write(int fd, const struct iovec *iov, int count)
{
	const struct egret_conn *busy = egret_within_conn;
	if (!busy || egret_guard_depth != 1 || count < 0 || count > IOV_MAX || !egret_can_read(iov, (size_t)count * sizeof *iov))
		return -EAGAIN;
	egret_guard_enter();
	egret_within_conn = NULL;
	struct egret_conn *conn = egret_within_left ? NULL : egret_conn_get_as_is(fd);
	ssize_t n = conn && is_at_rest(conn) ? egret_wire_write_within(&conn->wire, iov, count) : -EAGAIN;
	if (n > 0) {
		atomic_store_explicit(&conn->wrote, true, memory_order_relaxed);
		atomic_fetch_add_explicit(&conn->bytes_sent, n, memory_order_relaxed);
	}
	if (conn && !egret_conn_put_unless_last(conn))
		egret_within_left = conn;
	egret_within_conn = busy;
	egret_guard_leave();
	return n;
}
