#include "dns_watch.h"

#include "addressed.h"
#include "connect.h"
#include "copies.h"
#include "dns_asked.h"
#include "guard.h"
#include "lock.h"
#include "real.h"
#include "resolv_conf.h"
#include "runtime.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 65535 /* bytes, RFC 7766 8 */
#define LOOK 1024         /* bytes of a question that are looked at: more than any has */
#define LISTEN 4096       /* and of an answer: the largest that EDNS asks for in practice */

/* Bytes of one direction of a stream that are not a whole message yet. */
struct half {
	uint8_t *bytes; /* 2 + MESSAGE_MAX, made when it is first needed */
	size_t count;
};

struct egret_dns_watch {
	pthread_mutex_t lock; /* of the halves */
	bool stream, connected, trusted;
	struct half out, in;
};

bool egret_dns_concerns(const struct egret_judged *judged)
{
	return judged->request.port == EGRET_DNS_PORT && judged->request.addr.family != EGRET_NO_ADDR && judged->policy;
}

struct egret_conn *egret_dns_watched(int fd)
{
	struct egret_conn *conn = egret_conn_get(fd);
	if (conn && conn->dns)
		return conn;
	egret_conn_put(conn);
	return NULL;
}

/* May the answers of the server at ADDR be believed? */
static bool is_trusted(const struct egret_verdict *verdict, const struct egret_addr *addr)
{
	return (verdict->entry && verdict->reason == EGRET_REASON_ENTRY) || egret_resolv_conf_has(addr);
}

struct egret_conn *egret_dns_watch(int fd, const struct egret_judged *judged)
{
	egret_guard_enter();
	struct egret_dns_watch *watch = calloc(1, sizeof *watch);
	struct egret_conn *conn = watch ? egret_conn_new() : NULL;
	if (conn) {
		pthread_mutex_init(&watch->lock, NULL);
		watch->stream = judged->type == SOCK_STREAM;
		watch->trusted = is_trusted(&judged->verdict, &judged->request.addr);
		conn->dns = watch;
		conn->policy = egret_policy_ref(judged->policy);
		conn->entry = judged->verdict.entry;
		conn->asked = conn->dialled = judged->request.addr;
		conn->asked_port = conn->dialled_port = judged->request.port;
		conn->domain = judged->domain;
		conn->wire.fd = fd;
		if (egret_copies_set(fd, conn) != 0) {
			egret_conn_put(conn);
			conn = NULL;
		}
	} else {
		free(watch);
	}
	egret_guard_leave();
	return conn;
}

void egret_dns_unwatch(struct egret_dns_watch *watch)
{
	if (!watch)
		return;
	free(watch->out.bytes);
	free(watch->in.bytes);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

/* Under dns = filter of the policy in force now. */
static bool filters(void)
{
	struct egret_policy *policy = egret_runtime_policy();
	bool filter = !policy || egret_policy_defaults(policy)->dns_filter;
	egret_policy_unref(policy);
	return filter;
}

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

/* At most SIZE bytes of what IOV holds. */
static size_t gather(const struct iovec *iov, size_t count, uint8_t *to, size_t size)
{
	size_t used = 0;
	for (size_t i = 0; i < count && used < size; i++) {
		size_t n = iov[i].iov_len < size - used ? iov[i].iov_len : size - used;
		memcpy(to + used, iov[i].iov_base, n);
		used += n;
	}
	return used;
}

static size_t length_of(const struct msghdr *message)
{
	size_t total = 0;
	for (size_t i = 0; i < message->msg_iovlen; i++)
		total += message->msg_iov[i].iov_len;
	return total;
}

/* ---- datagrams ---- */

static struct egret_dns_server server_of(const struct egret_conn *conn)
{
	return (struct egret_dns_server){ .socket = conn->dns, .addr = conn->dialled, .port = conn->dialled_port };
}

static ssize_t send_datagram(struct egret_conn *conn, int fd, const struct msghdr *message, int flags)
{
	uint8_t bytes[LOOK];
	struct egret_dns_server server = server_of(conn);
	bool named = message->msg_name && message->msg_namelen, trusted = conn->dns->trusted;
	if (named) {
		struct egret_judged judged;
		egret_addressed_judge(&judged, fd, message);
		int denied = judged.denied;
		server.addr = judged.request.addr;
		server.port = judged.request.port;
		trusted = is_trusted(&judged.verdict, &server.addr);
		egret_judged_end(&judged);
		if (denied)
			return fail(denied);
	}
	size_t size = gather(message->msg_iov, message->msg_iovlen, bytes, sizeof bytes);
	if ((!named || server.port == EGRET_DNS_PORT) && !egret_dns_ask(&server, trusted, filters(), bytes, size))
		return fail(egret_policy_defaults(conn->policy)->deny_errno);
	return real.sendmsg(fd, message, flags);
}

/* Who sent the datagram: what the kernel said, or, connected, the only one it may be from. */
static bool sender_of(const struct egret_conn *conn, const struct msghdr *message, struct egret_dns_server *server)
{
	*server = server_of(conn);
	if (!message->msg_name || message->msg_namelen == 0)
		return true;
	return egret_addr_from_sockaddr(message->msg_name, message->msg_namelen, &server->addr, &server->port);
}

/* The kernel's recvmsg; without CONN's reference while it waits (conn.h). *KNOWN: it is there still, with the reference. */
static ssize_t receive_parted(struct egret_conn *conn, int fd, struct msghdr *message, int flags, bool *known)
{
	uint64_t serial = egret_conn_part(conn);
	ssize_t n = real.recvmsg(fd, message, flags);
	int error = errno;
	*known = egret_conn_rejoin(conn, serial);
	errno = error;
	return n;
}

static ssize_t receive_datagram(struct egret_conn *conn, int fd, struct msghdr *message, int flags)
{
	struct sockaddr_storage from;
	struct msghdr own = *message;
	bool borrowed = !message->msg_name, known;
	if (borrowed) {
		own.msg_name = &from;
		own.msg_namelen = sizeof from;
	}
	ssize_t n = receive_parted(conn, fd, &own, flags, &known);
	if (n > 0 && known && !(flags & (MSG_PEEK | MSG_ERRQUEUE))) {
		uint8_t bytes[LISTEN];
		struct egret_dns_server server;
		size_t size = gather(own.msg_iov, own.msg_iovlen, bytes, (size_t)n < sizeof bytes ? (size_t)n : sizeof bytes);
		if (sender_of(conn, &own, &server))
			egret_dns_hear(&server, bytes, size);
	}
	if (borrowed) {
		own.msg_name = NULL;
		own.msg_namelen = message->msg_namelen;
	}
	*message = own;
	if (known)
		egret_conn_put(conn);
	return n;
}

/* ---- streams ---- */

static bool half_ready(struct half *half)
{
	if (!half->bytes) {
		egret_guard_enter();
		half->bytes = malloc(2 + MESSAGE_MAX);
		egret_guard_leave();
	}
	return half->bytes != NULL;
}

/* Bytes of the first message with its prefix, 0 while it is not whole. */
static size_t whole(const struct half *half)
{
	size_t size = half->count < 2 ? 0 : 2u + (size_t)(half->bytes[0] << 8 | half->bytes[1]);
	return size && half->count >= size ? size : 0;
}

static void drop(struct half *half, size_t size)
{
	half->count -= size;
	memmove(half->bytes, half->bytes + size, half->count);
}

/* Sends SIZE judged bytes. 0; EAGAIN, unless BEGUN: nothing was sent; else a positive errno. Messages are smaller than any send buffer: what
 * does not fit at once is waited for. */
static int send_all(int fd, const uint8_t *bytes, size_t size, int flags, bool begun)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = real.send(fd, bytes + done, size - done, flags);
		if (n < 0 && (!(begun || done) || (errno != EAGAIN && errno != EINTR)))
			return errno;
		done += n > 0 ? (size_t)n : 0;
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };
		if (n < 0)
			real.poll(&pfd, 1, 1000);
	}
	return 0;
}

/* Appends BYTES and sends every message that is whole by then. 0 or a positive errno, the bytes are then not taken. */
static int feed_out(struct egret_conn *conn, int fd, const uint8_t *bytes, size_t size, int flags)
{
	struct half *out = &conn->dns->out;
	struct egret_dns_server server = server_of(conn);
	size_t before = out->count, message;
	bool begun = false;
	int error = 0;
	memcpy(out->bytes + out->count, bytes, size);
	out->count += size;
	while (error == 0 && (message = whole(out)) != 0) {
		if (!egret_dns_ask(&server, conn->dns->trusted, filters(), out->bytes + 2, message - 2)) {
			out->count = 0;
			return egret_policy_defaults(conn->policy)->deny_errno;
		}
		error = send_all(fd, out->bytes, message, flags, begun);
		begun = true;
		if (error == 0)
			drop(out, message);
	}
	if (error)
		out->count = before; /* what was held before stays, what this call brought was not taken */
	return error;
}

static ssize_t send_stream(struct egret_conn *conn, int fd, const struct msghdr *message, int flags)
{
	struct half *out = &conn->dns->out;
	size_t total = length_of(message), done = 0;
	int error = half_ready(out) ? 0 : ENOMEM;
	for (size_t i = 0; i < message->msg_iovlen && error == 0; i++)
		for (size_t at = 0; at < message->msg_iov[i].iov_len && error == 0;) {
			size_t room = 2 + MESSAGE_MAX - out->count, left = message->msg_iov[i].iov_len - at;
			size_t step = left < room ? left : room;
			error = feed_out(conn, fd, (const uint8_t *)message->msg_iov[i].iov_base + at, step, flags);
			at += step;
			done += error ? 0 : step;
		}
	if (error && !(done && error == EAGAIN))
		return fail(error);
	return (ssize_t)(error ? done : total);
}

static void feed_in(struct egret_conn *conn, const uint8_t *bytes, size_t size)
{
	struct half *in = &conn->dns->in;
	struct egret_dns_server server = server_of(conn);
	while (size && half_ready(in)) {
		size_t room = 2 + MESSAGE_MAX - in->count, step = size < room ? size : room, message;
		memcpy(in->bytes + in->count, bytes, step);
		in->count += step;
		bytes += step;
		size -= step;
		while ((message = whole(in)) != 0) {
			egret_dns_hear(&server, in->bytes + 2, message - 2);
			drop(in, message);
		}
	}
}

static ssize_t receive_stream(struct egret_conn *conn, int fd, struct msghdr *message, int flags)
{
	bool known;
	ssize_t n = receive_parted(conn, fd, message, flags, &known);
	if (!known)
		return n;
	pthread_mutex_lock(&conn->dns->lock);
	for (size_t i = 0, left = n > 0 && !(flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_TRUNC)) ? (size_t)n : 0; i < message->msg_iovlen && left; i++) {
		size_t step = message->msg_iov[i].iov_len < left ? message->msg_iov[i].iov_len : left;
		feed_in(conn, message->msg_iov[i].iov_base, step);
		left -= step;
	}
	pthread_mutex_unlock(&conn->dns->lock);
	egret_conn_put(conn);
	return n;
}

bool egret_dns_was_at_rest(struct egret_dns_watch *watch) { return !watch || egret_lock_was_free(&watch->lock); }

ssize_t egret_dns_send(struct egret_conn *conn, int fd, const struct msghdr *message, int flags)
{
	if (!conn->dns->stream)
		return send_datagram(conn, fd, message, flags);
	pthread_mutex_lock(&conn->dns->lock);
	ssize_t n = send_stream(conn, fd, message, flags);
	pthread_mutex_unlock(&conn->dns->lock);
	return n;
}

ssize_t egret_dns_receive(struct egret_conn *conn, int fd, struct msghdr *message, int flags)
{
	return conn->dns->stream ? receive_stream(conn, fd, message, flags) : receive_datagram(conn, fd, message, flags);
}
