/* What a program asks of the socket itself: shutdown, options, ioctl. */
#include "addressed.h"
#include "conn_log.h"
#include "connect.h"
#include "guard.h"
#include "hooks.h"
#include "io.h"
#include "linger.h"
#include "moved.h"
#include "passthrough.h"
#include "reach.h"
#include "ready.h"
#include "real.h"
#include "relay.h"
#include "unconnected.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

/* The program has written its last. Where no memory is left for the end of TLS a relay sees to it: a FIN now would cut off what the program
 * believes sent. False: errno is set, nothing was ended. */
static bool finish(struct egret_conn *conn)
{
	egret_guard_enter();
	int result = egret_io_finish(conn);
	if (result == -EAGAIN || result == -ENOMEM)
		errno = result = egret_relay_move(conn);
	else
		result = 0;
	egret_guard_leave();
	return result == 0;
}

/* Both halves are shut now. Does the kernel hold bytes that it cannot send yet? Its FIN waits, see egret_wire_owes_fin. */
static bool keeps_fin(struct egret_conn *conn, bool writes)
{
	struct egret_wire *wire = &conn->wire;
	bool open = conn->wrapped && atomic_load(&conn->state) == EGRET_CONN_OPEN && egret_conn_own(conn);
	if (open && writes && wire->read_shut && wire->write_closed && egret_relay_is_needed(conn, false))
		wire->fin_due = true;
	return egret_wire_owes_fin(wire);
}

static int shutdown_wrapped(struct egret_conn *conn, int fd, int how)
{
	bool writes = !conn->wire.write_closed, read_before = conn->wire.read_shut;
	if (how == SHUT_RD || how == SHUT_RDWR)
		conn->wire.read_shut = true; /* first: others that wait must not see one half shut without the other */
	if ((how == SHUT_WR || how == SHUT_RDWR) && atomic_load(&conn->state) == EGRET_CONN_OPEN && egret_conn_own(conn) && !finish(conn)) {
		conn->wire.read_shut = read_before;
		return -1;
	}
	if (atomic_load(&conn->state) == EGRET_CONN_OPEN)
		atomic_store(&conn->reported, true); /* the kernel, too, takes the connection for told now: connect is EISCONN, inet_shutdown */
	egret_guard_enter();
	egret_wire_make_news(&conn->wire);
	egret_guard_leave();
	bool keeps = keeps_fin(conn, writes);
	int result = real.shutdown(fd, keeps ? SHUT_RD : how); /* whoever waits wakes */
	if (keeps)
		egret_ready_both_shut(conn);
	if (result != 0 && how != SHUT_WR) /* nothing is shut: a reset came before, and is still to be told */
		conn->wire.read_shut = read_before;
	return result;
}

int egret_on_shutdown(int fd, int how)
{
	struct egret_conn *conn = how == SHUT_RD || how == SHUT_WR || how == SHUT_RDWR ? egret_conn_get(fd) : NULL;
	if (!conn)
		return real.shutdown(fd, how);
	bool carried = conn->wrapped || conn->observed;
	if (!carried && how != SHUT_RD)
		egret_passthrough_end(conn, fd);
	int result = carried ? shutdown_wrapped(conn, fd, how) : real.shutdown(fd, how);
	egret_conn_put(conn);
	return result;
}

static int give_int(int number, void *value, socklen_t *len)
{
	socklen_t size = egret_can_write(len, sizeof *len) && *len < sizeof number ? *len : sizeof number;
	if (!egret_can_write(len, sizeof *len) || !egret_can_write(value, size)) {
		errno = EFAULT;
		return -1;
	}
	memcpy(value, &number, size);
	*len = size;
	return 0;
}

/* What the kernel says of these is not what the program would know of a TCP socket. */
static bool is_ours_to_tell(int level, int option)
{
	return (level == SOL_SOCKET && (option == SO_ERROR || option == SO_RCVLOWAT)) ||
	       (level == IPPROTO_TCP && (option == TCP_NODELAY || option == TCP_ZEROCOPY_RECEIVE));
}

/* Has a connect begun since FD was found to be no connection? What the kernel said is for that one. */
static bool is_dialled_now(int fd)
{
	struct egret_conn *conn = egret_io_wrapped(fd);
	egret_conn_put(conn);
	return conn != NULL;
}

int egret_on_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	struct egret_conn *conn = is_ours_to_tell(level, option) ? egret_io_wrapped(fd) : NULL;
	if (conn && level == IPPROTO_TCP && option == TCP_ZEROCOPY_RECEIVE) {
		egret_conn_put(conn); /* it would take ciphertext */
		errno = ENOPROTOOPT;
		return -1;
	}
	bool is_error = level == SOL_SOCKET && option == SO_ERROR;
	int number;
	if (conn && level == IPPROTO_TCP && atomic_load(&conn->prompt) != EGRET_PROMPT_SET) {
		egret_conn_put(conn);
		conn = NULL;
	}
	if (!conn) {
		int result = real.getsockopt(fd, level, option, value, len);
		if (is_error && result == 0 && is_dialled_now(fd))
			memset(value, 0, *len);
		egret_moved_getsockopt(fd, level, option, value, len, &result);
		return result;
	}
	bool under_way = is_error && (egret_connect_step(conn) == -EAGAIN || egret_connect_dials_on(conn)); /* then the kernel's error is the connect's */
	if (level == IPPROTO_TCP) {
		number = 0; /* TCP_NODELAY, which the program has not set */
	} else if (option == SO_RCVLOWAT) {
		number = atomic_load(&conn->lowat);
	} else {
		number = atomic_exchange(&conn->connect_errno, 0);
		number = number ? number : egret_wire_take_error(&conn->wire);
	}
	bool asks_kernel = is_error && number == 0 && !under_way && !egret_wire_hides_reset(&conn->wire);
	int result = asks_kernel ? real.getsockopt(fd, level, option, value, len) : give_int(number, value, len);
	if (is_error && result == 0 && *len == sizeof number) {
		memcpy(&number, value, sizeof number);
		egret_conn_log_outcome(conn, number);
	}
	egret_conn_put(conn);
	return result;
}

/* The program has set an option of which the wire must know. */
static void note_option(struct egret_conn *conn, int fd, int level, int option)
{
	bool size = level == SOL_SOCKET && (option == SO_SNDBUF || option == SO_SNDBUFFORCE), unsent = level == IPPROTO_TCP && option == TCP_NOTSENT_LOWAT;
	if (level == SOL_SOCKET && option == SO_RCVLOWAT)
		egret_io_take_over_lowat(conn, fd);
	else if (size)
		conn->wire.resized = true;
	else if (level == IPPROTO_TCP && option == TCP_NODELAY)
		atomic_store(&conn->prompt, EGRET_PROMPT_NOT);
	else if (level == IPPROTO_TCP && option == TCP_INQ)
		atomic_store(&conn->tells_rest, -1);
	else if (unsent)
		conn->wire.careful = true;
	if (size || unsent)
		conn->wire.hunger++; /* the kernel reports "writable" anew */
}

/* What the program would be promised, and no wrapped socket can keep, refused in the words of kernels that do not know it: notices of sends
 * without a copy; looks (MSG_PEEK) from an offset on, which would be the library's own looks, too. Switching it off is none. */
static bool is_beyond_us(int fd, int level, int option, const void *value, socklen_t len)
{
	int number = -1;
	if (level != SOL_SOCKET || (option != SO_ZEROCOPY && option != SO_PEEK_OFF) || len < sizeof number || !egret_can_read(value, sizeof number))
		return false;
	memcpy(&number, value, sizeof number);
	if (option == SO_ZEROCOPY ? number == 0 : number < 0)
		return false;
	struct egret_conn *conn = egret_io_wrapped(fd);
	egret_conn_put(conn);
	return conn || (option == SO_PEEK_OFF && egret_is_unconnected(fd));
}

int egret_on_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	if (is_beyond_us(fd, level, option, value, len)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (egret_addressed_option_strays(level, option, len)) {
		errno = EPERM;
		return -1;
	}
	if (level == IPPROTO_TCP && option == TCP_FASTOPEN_CONNECT) {
		errno = ENOPROTOOPT; /* data would leave before the verdict; programs go on without it */
		return -1;
	}
	if (level == SOL_SOCKET && option == SO_LINGER)
		egret_linger_set();
	struct egret_conn *conn = egret_io_wrapped(fd);
	int result = conn || !egret_moved_keeps(fd, level, option) ? real.setsockopt(fd, level, option, value, len) : 0;
	if (conn && result == 0 && len >= sizeof(int))
		note_option(conn, fd, level, option);
	egret_conn_put(conn);
	if (!conn)
		egret_moved_setsockopt(fd, level, option, &result);
	return result;
}

int egret_on_ioctl(int fd, unsigned long request, void *arg)
{
	if (request == FIOCLEX || request == FIONCLEX) /* as a flag of fcntl, whose hook keeps it */
		return egret_on_fcntl(fd, F_SETFD, (void *)(intptr_t)(request == FIOCLEX ? FD_CLOEXEC : 0));
	struct egret_conn *conn = request == FIONREAD ? egret_io_wrapped(fd) : NULL;
	if (!conn)
		return real.ioctl(fd, request, arg);
	egret_guard_enter();
	bool open = egret_io_await_open(&conn, fd, MSG_DONTWAIT) == 0;
	int amount = open ? (int)egret_io_available(conn) : 0;
	egret_guard_leave();
	egret_conn_put(conn);
	if (!egret_can_write(arg, sizeof amount)) {
		errno = EFAULT;
		return -1;
	}
	*(int *)arg = amount;
	return 0;
}
