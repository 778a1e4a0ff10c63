/* connect and its like: find the name, decide, dial, originate. */
#include "addressed.h"
#include "answer.h"
#include "carry.h"
#include "conn_log.h"
#include "connect.h"
#include "copies.h"
#include "dns_watch.h"
#include "engine_load.h"
#include "guard.h"
#include "hooks.h"
#include "io.h"
#include "judge.h"
#include "moved.h"
#include "passthrough.h"
#include "reach.h"
#include "ready.h"
#include "real.h"
#include "runtime.h"
#include "say.h"
#include "starttls.h"
#include "tls_contexts.h"

#include <netinet/tcp.h>
#include <string.h>

#define MAX_ENDPOINTS 16

static bool is_http(const struct egret_judged *judged)
{
	const struct egret_entry *entry = judged->verdict.entry;
	return entry && entry->action == EGRET_ALLOW && entry->protocol == EGRET_HTTP && judged->type == SOCK_STREAM;
}

static bool is_blocking(int fd)
{
	int flags = real.fcntl(fd, F_GETFL);
	return flags >= 0 && !(flags & O_NONBLOCK);
}

/* Drives the handshake to its end for a program that waits in connect. 0 or a positive errno: EBADF, with NULL in *HELD, when another thread
 * has closed the connection meanwhile. */
static int handshake_blocking(struct egret_conn **held)
{
	struct egret_conn *conn = *held;
	int result;
	while ((result = egret_connect_step(conn)) == -EAGAIN) {
		struct pollfd pfd = { .fd = conn->wire.fd, .events = conn->wire.wants };
		int left = egret_connect_next_look(conn);
		uint64_t serial = egret_conn_part(conn);
		int n = real.poll(&pfd, 1, left), error = errno;
		if (!egret_conn_rejoin(conn, serial)) {
			*held = NULL;
			return EBADF;
		}
		if (n < 0 && error == EINTR && !egret_io_signals_restart())
			return EINTR; /* the handshake goes on at the next call, like an interrupted TCP connect */
	}
	return -result;
}

static struct egret_tls *open_tls(const struct egret_engine *engine, const struct egret_judged *judged, struct egret_tls_error *error)
{
	char text[EGRET_ADDR_TEXT];
	const struct egret_entry *entry = judged->verdict.entry;
	const char *host = judged->name[0] && judged->verdict.by_host ? judged->name : egret_addr_format(&judged->request.addr, -1, text);
	return egret_tls_contexts_open(engine, judged->policy, entry->settings, host, judged->request.port, error);
}

/* What does not even begin: no engine, an unusable CA or key. One line, the errno of its class. */
static int refuse(const struct egret_judged *judged, const struct egret_tls_error *error)
{
	struct egret_event event;
	egret_event_init(&event, EGRET_EVENT_TLS);
	event.entry = judged->verdict.entry->name;
	event.host = judged->name[0] ? judged->name : NULL;
	event.port = judged->request.port;
	event.error = error->text;
	egret_runtime_log(judged->policy, &event);
	egret_say("egret: entry [%s] (%s:%u): %s", judged->verdict.entry->name, judged->verdict.entry->file, judged->verdict.entry->line,
		  error->text);
	int code = egret_tls_errno(error->failure);
	return code ? code : EACCES;
}

static struct egret_conn *conn_for(int fd, const struct egret_judged *judged)
{
	struct egret_conn *conn = egret_conn_new();
	if (!conn)
		return NULL;
	conn->policy = egret_policy_ref(judged->policy);
	conn->entry = judged->verdict.entry;
	conn->asked = judged->request.addr;
	conn->asked_port = judged->request.port;
	conn->by_host = judged->verdict.by_host;
	conn->domain = judged->domain;
	conn->wire.fd = fd;
	memcpy(conn->host, judged->name, sizeof conn->host);
	return conn;
}

/* A conn whose TLS is ready to begin. NULL: *CODE is the errno. */
static struct egret_conn *wrapped_conn(int fd, const struct egret_judged *judged, int *code)
{
	struct egret_tls_error error = { 0 };
	struct egret_conn *conn = conn_for(fd, judged); /* first, so that this process's number is known (egret_known_pid) */
	if (!conn) {
		*code = ENOMEM;
		return NULL;
	}
	const struct egret_engine *engine = egret_engine_load(&error);
	struct egret_tls *tls = engine ? open_tls(engine, judged, &error) : NULL;
	if (!tls) {
		egret_conn_put(conn);
		*code = refuse(judged, &error);
		return NULL;
	}
	/* Of an http entry the observer knows better whether an end without close_notify cuts something off. */
	bool http = conn->entry->protocol == EGRET_HTTP;
	egret_wire_init(&conn->wire, fd, engine, tls, http || egret_starttls_eof_is_close(conn->entry->settings));
	conn->wire.ours = egret_conn_owns_wire;
	conn->wrapped = true;
	atomic_store(&conn->unspoken, true);
	if (http && !egret_conn_observe(conn)) {
		egret_conn_put(conn);
		*code = ENOMEM;
		return NULL;
	}
	return conn;
}

/* The kernel's connect, which may wait: nothing is held meanwhile (conn.h), no reference to *HELD, where there is a connection, and none to the
 * policy, which is the connection's too. Afterwards *HELD is NULL when another thread has closed it, and JUDGED must not be looked at. */
static int connect_parted(int fd, struct egret_judged *judged, struct egret_conn **held, const struct sockaddr *addr, socklen_t len)
{
	struct egret_conn *conn = *held;
	egret_judged_end(judged);
	uint64_t serial = conn ? egret_conn_part(conn) : 0;
	int code = real.connect(fd, addr, len) == 0 ? 0 : errno;
	if (conn && egret_conn_rejoin(conn, serial))
		judged->policy = egret_policy_ref(conn->policy);
	else
		*held = NULL;
	return code;
}

/* Dials the endpoints in turn until one answers or is under way. 0, or the positive errno of the last; *HELD is NULL when it has gone. */
static int dial(int fd, struct egret_judged *judged, struct egret_conn **held)
{
	struct egret_endpoint endpoints[MAX_ENDPOINTS];
	size_t count = egret_dial(&judged->verdict, &judged->request, endpoints, MAX_ENDPOINTS);
	int code = EADDRNOTAVAIL;
	for (size_t i = 0; i < count && i < MAX_ENDPOINTS && *held; i++) {
		struct sockaddr_storage ss;
		socklen_t len = egret_addr_to_sockaddr(&endpoints[i].addr, endpoints[i].port, judged->domain, &ss);
		if (len == 0)
			continue;
		(*held)->dialled = endpoints[i].addr;
		(*held)->dialled_port = endpoints[i].port;
		atomic_store(&(*held)->dialler, i + 1 < count && i + 1 < MAX_ENDPOINTS ? egret_own_thread() : 0);
		code = connect_parted(fd, judged, held, (struct sockaddr *)&ss, len);
		if (code == 0 || code == EINPROGRESS || code == EINTR || code == EISCONN || code == EALREADY)
			break;
	}
	if (*held)
		atomic_store(&(*held)->dialler, 0);
	return code;
}

static void log_dialled(const struct egret_judged *judged, const struct egret_conn *conn)
{
	struct egret_endpoint dialled = { .addr = conn->dialled, .port = conn->dialled_port };
	egret_judged_log(judged, &dialled);
}

/* The registry knows FD as CONN; before that nothing was dialled, so that no byte can pass it by. */
static int originate(int fd, struct egret_judged *judged)
{
	int code = 0;
	int cancels = egret_guard_enter_whole();
	struct egret_conn *conn = wrapped_conn(fd, judged, &code);
	egret_guard_leave_whole(cancels);
	if (!conn)
		return code;
	atomic_store(&conn->state, EGRET_CONN_CONNECTING);
	conn->wire.wants = POLLOUT; /* until TCP has connected */
	conn->started_us = egret_now_us();
	conn->deadline_us = INT64_MAX / 2;
	atomic_store(&conn->prompt, judged->nodelay ? EGRET_PROMPT_NOT : EGRET_PROMPT_DUE);
	egret_io_take_over_lowat(conn, fd);
	atomic_store(&conn->dialler, egret_own_thread());
	code = egret_carry(fd, conn) == 0 ? dial(fd, judged, &conn) : ENOMEM;
	if (!conn)
		return code;
	atomic_store(&conn->begun, true);
	log_dialled(judged, conn);
	egret_judged_end(judged);
	if (code == 0)
		code = -egret_connect_made(conn);
	if (code == 0 && is_blocking(fd)) {
		code = handshake_blocking(&conn);
		if (!conn)
			return code;
		atomic_store(&conn->reported, code == 0);
		egret_carry_dissolve_failed(conn, fd);
	} else if (code == 0) {
		code = EINPROGRESS;
	}
	if (code == EINPROGRESS || code == EINTR) {
		egret_ready_connect_started(fd, conn);
	} else if (code != 0 && atomic_load(&conn->state) == EGRET_CONN_CONNECTING) {
		egret_connect_log_unreached(conn, strerror(code));
		egret_carry_no_more(conn, fd);
	}
	egret_conn_put(conn);
	return code;
}

static bool is_redirected(const struct egret_entry *entry) { return entry && (entry->connect_port || entry->endpoint_count); }

/* No TLS of ours: to where the program asked, or to where the entry says, which takes a connection. */
static int dial_plain(int fd, struct egret_judged *judged, const struct sockaddr *addr, socklen_t len, struct egret_conn **held)
{
	struct egret_endpoint asked = { .addr = judged->request.addr, .port = judged->request.port };
	if (*held && is_redirected(judged->verdict.entry)) {
		int code = dial(fd, judged, held);
		if (*held)
			log_dialled(judged, *held);
		return code;
	}
	if (asked.addr.family != EGRET_NO_ADDR)
		egret_judged_log(judged, &asked);
	return connect_parted(fd, judged, held, addr, len);
}

static bool is_connecting(int code) { return code == 0 || code == EINPROGRESS || code == EINTR || code == EALREADY || code == EISCONN; }

/* A connection that is looked at: the program's ClientHello is to be judged, or another peer was dialled than getpeername shall tell. */
static int connect_watched(int fd, struct egret_judged *judged, const struct sockaddr *addr, socklen_t len, bool hello)
{
	egret_guard_enter();
	struct egret_conn *conn = conn_for(fd, judged);
	int code = !conn || (hello && !egret_passthrough_begin(conn)) || egret_copies_set(fd, conn) != 0 ? ENOMEM : 0;
	egret_guard_leave();
	if (code == 0) {
		conn->dialled = conn->asked;
		conn->dialled_port = conn->asked_port;
		code = dial_plain(fd, judged, addr, len, &conn);
		if (conn && !is_connecting(code))
			egret_conn_forget(conn, fd);
	}
	egret_conn_put(conn);
	return code;
}

/* A server of names. A connect that fails leaves a datagram socket with the peer it had, and with its watch. */
static int connect_resolver(int fd, struct egret_judged *judged, const struct sockaddr *addr, socklen_t len)
{
	struct egret_conn *before = egret_dns_watched(fd), *conn = egret_dns_watch(fd, judged);
	int code = conn ? dial_plain(fd, judged, addr, len, &conn) : ENOMEM;
	if (conn && !is_connecting(code)) {
		egret_conn_forget(conn, fd);
		if (before)
			egret_copies_set(fd, before);
	}
	egret_conn_put(conn);
	egret_conn_put(before);
	return code;
}

static int connect_plain(int fd, struct egret_judged *judged, const struct sockaddr *addr, socklen_t len)
{
	bool stream = judged->type == SOCK_STREAM && judged->request.addr.family != EGRET_NO_ADDR;
	bool hello = stream && egret_hello_matters(&judged->verdict);
	if (egret_dns_concerns(judged))
		return connect_resolver(fd, judged, addr, len);
	if (hello || (stream && is_redirected(judged->verdict.entry)))
		return connect_watched(fd, judged, addr, len, hello);
	struct egret_conn *before = egret_dns_watched(fd), *none = NULL;
	int code = dial_plain(fd, judged, addr, len, &none);
	if (before && is_connecting(code))
		egret_conn_forget(before, fd);
	egret_conn_put(before);
	return code;
}

/* Is a TCP connection under way or there? Then connect cannot dial, connect(2). */
static bool is_taken(int fd)
{
	struct tcp_info info = { .tcpi_state = TCP_CLOSE };
	socklen_t size = sizeof info;
	return real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state != TCP_CLOSE;
}

/* Plain TCP whose bytes the kernel carries, and the observer sees first. */
static int connect_observed(int fd, struct egret_judged *judged)
{
	egret_guard_enter();
	struct egret_conn *conn = conn_for(fd, judged);
	bool good = conn && egret_conn_observe(conn);
	egret_guard_leave();
	if (!good) {
		egret_conn_put(conn);
		return ENOMEM;
	}
	conn->started_us = egret_now_us();
	atomic_store(&conn->state, EGRET_CONN_OPEN); /* what is under way is the kernel's to tell */
	atomic_store(&conn->dialling, true);
	atomic_store(&conn->dialler, egret_own_thread());
	int code = egret_carry(fd, conn) == 0 ? dial(fd, judged, &conn) : ENOMEM;
	if (!conn)
		return code;
	log_dialled(judged, conn);
	atomic_store(&conn->dialling, code == EINPROGRESS || code == EINTR);
	if (code != 0 && !conn->dialling) {
		egret_connect_log_unreached(conn, strerror(code));
		atomic_store(&conn->state, EGRET_CONN_FAILED);
		egret_carry_no_more(conn, fd);
	}
	egret_conn_put(conn);
	return code;
}

/* A second connect on a socket that is under way or done: as TCP answers it. One that was interrupted, or left, is waited for again. */
static int connect_again(struct egret_conn **held, int fd)
{
	struct egret_conn *conn = *held;
	int code = -egret_connect_step(conn);
	if (code == EAGAIN && !is_blocking(fd))
		return EALREADY;
	if (code == EAGAIN)
		code = handshake_blocking(held);
	if (!*held || code == EINTR)
		return code;
	if (code != 0) {
		int error = atomic_exchange(&conn->connect_errno, 0);
		egret_carry_dissolve_failed(conn, fd);
		return error ? error : ECONNABORTED;
	}
	return atomic_exchange(&conn->reported, true) ? EISCONN : 0;
}

static int finish(int code)
{
	if (code == 0)
		return 0;
	errno = code;
	return -1;
}

static int connect_natively(int fd, const struct sockaddr *addr, socklen_t len) { return real.connect(fd, addr, len) == 0 ? 0 : errno; }

/* connect on a descriptor that has a conn. True: *CODE is the answer; false: it failed before, and is judged anew. */
static bool connect_known(struct egret_conn **held, int fd, const struct sockaddr *addr, socklen_t len, int *code)
{
	struct egret_conn *conn = *held;
	bool dissolves = addr && len >= sizeof(sa_family_t) && addr->sa_family == AF_UNSPEC; /* connect(2) */
	if (!dissolves && conn->wrapped) {
		*code = connect_again(held, fd);
		return true;
	}
	if (!dissolves && !is_taken(fd)) {
		egret_conn_log_again(conn);
		if (!conn->dns)
			egret_conn_forget(conn, fd);
		return false;
	}
	uint64_t serial = egret_conn_part(conn);
	*code = connect_natively(fd, addr, len); /* of a connection that is there the kernel never makes another */
	if (!egret_conn_rejoin(conn, serial))
		*held = NULL;
	else if (dissolves && *code == 0)
		egret_carry_no_more(conn, fd);
	return true;
}

int egret_on_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	int code;
	struct sockaddr_storage own;
	if (len <= sizeof own && !egret_can_read(addr, len))
		return finish(EFAULT);
	struct egret_conn *conn = egret_conn_get(fd);
	addr = egret_addressed_copy(&own, addr, len);
	bool stale = conn && egret_conn_drop_stale(conn, fd);
	bool answered = conn && !stale && connect_known(&conn, fd, addr, len, &code);
	egret_conn_put(conn);
	if (answered)
		return finish(code);
	if (addr && len >= sizeof(sa_family_t) && addr->sa_family == AF_UNSPEC)
		return real.connect(fd, addr, len);
	struct egret_judged judged;
	egret_judge(&judged, fd, addr, len);
	if (judged.denied)
		code = judged.denied;
	else if (judged.verdict.entry && judged.verdict.entry->tls == EGRET_TLS_ORIGINATE && judged.type == SOCK_STREAM)
		code = originate(fd, &judged);
	else if (is_http(&judged))
		code = connect_observed(fd, &judged);
	else
		code = connect_plain(fd, &judged, addr, len);
	egret_judged_end(&judged);
	return finish(is_connecting(code) ? egret_carry_off_stdio(fd, code) : code);
}

/* ADDR of a moved connection: the kernel would tell of a socket pair. */
static int tell_tcp(int fd, bool peer, struct sockaddr *addr, socklen_t *len, socklen_t room)
{
	struct sockaddr_storage ss;
	socklen_t full;
	if (room >= sizeof(sa_family_t) && addr->sa_family == AF_UNIX && egret_moved_address(fd, peer, &ss, &full)) {
		memcpy(addr, &ss, full < room ? full : room);
		*len = full;
	}
	return 0;
}

/* What the program has room for; where it cannot say so the kernel refuses. */
static socklen_t room_of(const struct sockaddr *addr, const socklen_t *len)
{
	return addr && egret_can_read(len, sizeof *len) ? *len : 0;
}

int egret_on_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	socklen_t room = room_of(addr, len);
	int result = real.getsockname(fd, addr, len);
	return result == 0 ? tell_tcp(fd, false, addr, len, room) : result;
}

int egret_on_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct egret_conn *conn = egret_conn_get(fd);
	socklen_t room = room_of(addr, len);
	int result = real.getpeername(fd, addr, len);
	if (!conn && result == 0)
		return tell_tcp(fd, true, addr, len, room);
	if (conn && result == 0 && addr && len) {
		struct sockaddr_storage ss;
		socklen_t full = egret_addr_to_sockaddr(&conn->asked, conn->asked_port, conn->domain, &ss);
		if (full) {
			memcpy(addr, &ss, full < *len ? full : *len);
			*len = full;
		}
	}
	egret_conn_put(conn);
	return result;
}
