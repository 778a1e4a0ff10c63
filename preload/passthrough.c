#include "passthrough.h"

#include "connect.h"
#include "guard.h"
#include "hooks.h"
#include "io.h"
#include "policy/raw.h"
#include "real.h"
#include "runtime.h"
#include "say.h"
#include "send_plain.h"
#include "sni.h"
#include "waits.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_LOOK 16  /* bytes that tell most plaintext from TLS; no more of it is copied */
#define LOOK 4096
#define RECORD_HANDSHAKE 0x16 /* RFC 8446 5.1 */

struct egret_passthrough {
	struct egret_sni *sni; /* owned; holds what was written */
	size_t accepted;       /* bytes of it that the program was told are sent */
	size_t sent;           /* bytes of it that are */
	bool judged;           /* it may pass, as it is held: a program that changes its mind after EAGAIN is refused */
};

static bool prepare(struct egret_conn *conn)
{
	struct egret_passthrough *hello = calloc(1, sizeof *hello);
	if (hello && !(hello->sni = egret_sni_new())) {
		free(hello);
		hello = NULL;
	}
	conn->hello = hello;
	return hello != NULL;
}

bool egret_passthrough_begin(struct egret_conn *conn)
{
	atomic_store(&conn->passthrough, true);
	return prepare(conn);
}

void egret_passthrough_free(struct egret_passthrough *hello)
{
	if (hello)
		egret_sni_free(hello->sni);
	free(hello);
}

/* ---- reading what is written ---- */

static size_t length_of(const struct msghdr *message)
{
	size_t total = 0;
	for (size_t i = 0; i < message->msg_iovlen; i++)
		total += message->msg_iov[i].iov_len;
	return total;
}

/* Feeds what is needed of the bytes, and no more. */
static enum egret_sni_state look(struct egret_sni *sni, const struct iovec *iov, size_t count)
{
	enum egret_sni_state state = egret_sni_feed(sni, NULL, 0);
	size_t most = FIRST_LOOK;
	for (size_t i = 0; i < count; i++)
		for (size_t at = 0; at < iov[i].iov_len && state == EGRET_SNI_NEED_MORE; most = LOOK) {
			size_t step = iov[i].iov_len - at < most ? iov[i].iov_len - at : most;
			state = egret_sni_feed(sni, (const char *)iov[i].iov_base + at, step);
			at += step;
		}
	return state;
}

/* Do the bytes go on as those did that were judged? */
static bool goes_on(const struct egret_passthrough *it, const struct msghdr *message)
{
	size_t len, at = it->accepted;
	const uint8_t *held = egret_sni_held(it->sni, &len);
	for (size_t i = 0; i < message->msg_iovlen && at < len; i++) {
		const struct iovec *iov = &message->msg_iov[i];
		size_t count = iov->iov_len < len - at ? iov->iov_len : len - at;
		if (count && memcmp(held + at, iov->iov_base, count) != 0)
			return false;
		at += count;
	}
	return true;
}

/* ---- the verdict ---- */

static void tell(const struct egret_conn *conn, const struct egret_verdict *verdict, const struct egret_hello *hello)
{
	struct egret_event event;
	char address[EGRET_ADDR_TEXT], name[EGRET_NAME_MAX];
	egret_event_init(&event, EGRET_EVENT_TLS);
	if (hello->name) {
		egret_escape(hello->name, hello->len, name, sizeof name);
		event.server_name = name;
	}
	event.verdict = verdict;
	event.protocol = "tls";
	event.host = conn->host[0] ? conn->host : NULL;
	event.port = conn->asked_port;
	event.address = egret_addr_format(&conn->dialled, conn->dialled_port, address);
	egret_runtime_log(conn->policy, &event);
	if (!verdict->allow)
		egret_say_hello_denied(conn->host, &conn->dialled, conn->asked_port, verdict, event.server_name);
}

static struct egret_verdict verdict_on(const struct egret_conn *conn, const struct egret_hello *hello)
{
	struct egret_verdict connected = { .allow = true, .by_host = conn->by_host, .reason = EGRET_REASON_ENTRY, .entry = conn->entry };
	return egret_decide_hello(conn->policy, &connected, &conn->asked, hello, egret_runtime.mode);
}

bool egret_passthrough_is_unjudged(const struct egret_conn *conn)
{
	const struct egret_hello none = { 0 };
	return !conn->wrapped && atomic_load(&conn->passthrough) && conn->entry->protocol == EGRET_TLS &&
	       atomic_load(conn->owner) != EGRET_OWNER_KERNEL && !verdict_on(conn, &none).allow;
}

static bool allows(const struct egret_conn *conn, const struct egret_hello *hello)
{
	struct egret_verdict verdict = verdict_on(conn, hello);
	if (!verdict.allow || hello->kind == EGRET_HELLO_TLS)
		tell(conn, &verdict, hello);
	return verdict.allow;
}

/* Nothing is left to do: the descriptors are plain ones. A conn that knows another peer than the kernel stays, for getpeername. */
static void let_go(struct egret_conn *conn, int fd)
{
	bool redirected = conn->dialled_port != conn->asked_port || !egret_addr_equal(&conn->dialled, &conn->asked);
	atomic_store(&conn->passthrough, false);
	atomic_store(conn->owner, EGRET_OWNER_KERNEL);
	egret_passthrough_free(conn->hello);
	conn->hello = NULL;
	if (!redirected && egret_conn_registry_is_ours())
		egret_conn_forget(conn, fd);
}

/* The connection is reset, connect(2) with AF_UNSPEC; the socket can be connected again, which is judged again. */
static ssize_t refuse(struct egret_conn *conn, int fd)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int error = egret_policy_defaults(conn->policy)->deny_errno;
	if (real.connect(fd, &nobody, sizeof nobody) != 0)
		real.shutdown(fd, SHUT_RDWR);
	let_go(conn, fd);
	errno = error;
	return -1;
}

/* ---- sending ---- */

/* What was held goes out before anything else. True: it has; false: errno says why not yet. */
static bool send_held(struct egret_passthrough *it, int fd, int flags)
{
	size_t len;
	const uint8_t *held = egret_sni_held(it->sni, &len);
	while (it->sent < it->accepted) {
		ssize_t n = real.send(fd, held + it->sent, it->accepted - it->sent, flags);
		if (n < 0)
			return false;
		it->sent += (size_t)n;
	}
	return true;
}

/* Behind what was held, as much as there is room for. */
static ssize_t pass_on(struct egret_conn *conn, int fd, const struct msghdr *message, int flags)
{
	struct egret_passthrough *it = conn->hello;
	size_t held;
	egret_sni_held(it->sni, &held);
	if (!send_held(it, fd, flags | MSG_MORE))
		return -1;
	bool plain = egret_sni_feed(it->sni, NULL, 0) == EGRET_SNI_NOT_TLS;
	ssize_t n = plain ? 0 : real.sendmsg(fd, message, flags);
	if (n > 0)
		it->sent = it->accepted += (size_t)n;
	if (it->accepted >= held || plain) {
		int error = errno;
		let_go(conn, fd);
		errno = error;
	}
	return n;
}

/* A count, or -1; where the connection was let go the rest is the kernel's. */
static ssize_t send_locked(struct egret_conn *conn, int fd, const struct msghdr *message, int flags)
{
	struct egret_passthrough *it = conn->hello;
	if (!it)
		return 0; /* judged meanwhile */
	if (!it->judged) {
		enum egret_sni_state state = look(it->sni, message->msg_iov, message->msg_iovlen);
		if (state == EGRET_SNI_NEED_MORE) {
			size_t total = length_of(message);
			it->accepted += total;
			return (ssize_t)total;
		}
		struct egret_hello hello = egret_sni_hello(it->sni, state);
		it->judged = allows(conn, &hello);
		if (!it->judged)
			return refuse(conn, fd);
	} else if (!goes_on(it, message)) {
		struct egret_hello other = { 0 };
		if (!allows(conn, &other))
			return refuse(conn, fd);
	}
	return pass_on(conn, fd, message, flags);
}

/* Another process that has the connection judged it, or is at it. 0: go on here; EIO: it is theirs; EGRET_OWNER_KERNEL: it was judged. */
static int whose(struct egret_conn *conn)
{
	if (atomic_load(conn->owner) == EGRET_OWNER_KERNEL)
		return EGRET_OWNER_KERNEL;
	if (egret_conn_own(conn))
		return 0;
	return atomic_load(conn->owner) == EGRET_OWNER_KERNEL ? EGRET_OWNER_KERNEL : EIO;
}

/* Judges MESSAGE, and sends of it what there is room for as long as its bytes matter: nothing waits here. */
static ssize_t send_judged(struct egret_conn *conn, int fd, const struct msghdr *message, int flags)
{
	int other = whose(conn);
	if (other == EIO) {
		errno = EIO;
		return -1;
	}
	int cancels = egret_guard_enter_whole();
	pthread_mutex_lock(&conn->step_lock);
	if (other == EGRET_OWNER_KERNEL && conn->hello)
		let_go(conn, fd);
	ssize_t n = send_locked(conn, fd, message, flags | MSG_DONTWAIT);
	pthread_mutex_unlock(&conn->step_lock);
	egret_guard_leave_whole(cancels);
	return n;
}

/* As long as nothing can be sent (no connection yet, a broken one) the kernel answers: waiting, signals and errors are its own. 0 or an errno. */
static int await_kernel(struct egret_conn **held, int fd, int flags)
{
	uint64_t serial = egret_conn_part(*held);
	int error = real.send(fd, "", 0, flags & (MSG_DONTWAIT | MSG_NOSIGNAL)) < 0 ? errno : 0;
	if (egret_conn_rejoin(*held, serial))
		return error;
	*held = NULL;
	return error ? error : EGRET_WAIT_GONE;
}

/* Sends MESSAGE as long as its bytes matter: *DONE of them, the others are REST, whose pieces are lent. 0: the rest is the kernel's; EGRET_WAIT_GONE,
 * and *HELD is NULL: it is for whatever FD means now; else a positive errno. */
static int send_until_judged(struct egret_conn **held, int fd, const struct msghdr *message, int flags, struct msghdr *rest, size_t *done)
{
	struct egret_patience patience = { .option = SO_SNDTIMEO };
	struct iovec *pieces = rest->msg_iov;
	*rest = *message;
	int error = await_kernel(held, fd, flags);
	while (!error && atomic_load(&(*held)->passthrough)) {
		ssize_t n = send_judged(*held, fd, rest, flags);
		error = n < 0 ? errno : 0;
		*done += n > 0 ? (size_t)n : 0;
		if (n > 0) {
			rest->msg_iov = pieces;
			rest->msg_iovlen = (size_t)egret_io_advance(message->msg_iov, (int)message->msg_iovlen, *done, pieces);
		}
		if (n >= 0 && length_of(rest) == 0)
			break;
		if (error == EAGAIN)
			error = egret_io_wait_for_room(held, fd, flags, &patience, true);
	}
	return error;
}

ssize_t egret_passthrough_send(struct egret_conn **held, int fd, const struct msghdr *message, int flags)
{
	struct iovec pieces[EGRET_IO_PIECES];
	struct msghdr rest = { .msg_iov = pieces };
	uint64_t inode = atomic_load(&(*held)->inode);
	size_t done = 0;
	int error = send_until_judged(held, fd, message, flags, &rest, &done);
	if (error == EGRET_WAIT_GONE && egret_conn_inode(fd) != inode)
		error = EBADF; /* closed meanwhile, and perhaps used again */
	egret_conn_put(*held);
	*held = NULL;
	ssize_t n = 0;
	if (error == EGRET_WAIT_GONE)
		n = egret_on_sendmsg(fd, &rest, flags);
	else if (error)
		n = -1;
	else if (length_of(&rest) || !done)
		n = egret_send_plain_message(fd, &rest, flags);
	if (error && error != EGRET_WAIT_GONE)
		errno = error;
	return n >= 0 || done ? (ssize_t)done + (n > 0 ? n : 0) : -1;
}

void egret_passthrough_end(struct egret_conn *conn, int fd)
{
	if (!atomic_load(&conn->passthrough) || atomic_load(conn->owner) != egret_raw(SYS_getpid, 0, 0, 0, 0))
		return;
	int cancels = egret_guard_enter_whole();
	pthread_mutex_lock(&conn->step_lock);
	struct egret_passthrough *it = conn->hello;
	struct egret_hello broken = { 0 };
	if (it && it->accepted > it->sent) {
		if (it->judged || allows(conn, &broken))
			send_held(it, fd, MSG_NOSIGNAL | MSG_DONTWAIT);
		else
			refuse(conn, fd);
	}
	pthread_mutex_unlock(&conn->step_lock);
	egret_guard_leave_whole(cancels);
}

/* Under step_lock. The bytes are not held: a server that gets half a ClientHello within TLS learns nothing from it. */
static enum egret_sni_state look_within_tls(struct egret_conn *conn, const struct iovec *iov, int count)
{
	int first = 0;
	while (first < count && iov[first].iov_len == 0)
		first++;
	if (!conn->hello && first < count && *(const uint8_t *)iov[first].iov_base != RECORD_HANDSHAKE)
		return EGRET_SNI_NOT_TLS;
	return conn->hello || prepare(conn) ? look(conn->hello->sni, iov, (size_t)count) : EGRET_SNI_NOT_TLS;
}

int egret_passthrough_within_tls(struct egret_conn *conn, const struct iovec *iov, int count)
{
	int code = 0;
	egret_guard_enter();
	pthread_mutex_lock(&conn->step_lock);
	enum egret_sni_state state = atomic_load(&conn->unspoken) ? look_within_tls(conn, iov, count) : EGRET_SNI_NOT_TLS;
	if (state != EGRET_SNI_NEED_MORE) {
		atomic_store(&conn->unspoken, false);
		egret_passthrough_free(conn->hello);
		conn->hello = NULL;
	}
	if (state == EGRET_SNI_HELLO) {
		snprintf(conn->wire.failure.text, sizeof conn->wire.failure.text,
			 "the program sent a ClientHello: it speaks TLS itself to an entry that originates TLS; let it speak plaintext "
			 "(http:// for https://), or set protocol = tls and tls = off");
		code = EPROTO;
		egret_connect_fail(conn, code);
	}
	pthread_mutex_unlock(&conn->step_lock);
	egret_guard_leave();
	return code;
}
