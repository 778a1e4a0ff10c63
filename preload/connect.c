/* A connection under way: TCP, then TLS, step by step, for programs that wait in connect and for those that do not. */
#include "connect.h"

#include "answer.h"
#include "conn_log.h"
#include "dns_watch.h"
#include "engine_load.h"
#include "guard.h"
#include "passthrough.h"
#include "ready.h"
#include "real.h"
#include "runtime.h"
#include "say.h"
#include "starttls.h"

#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LOOK_MS 10

void egret_connect_release(struct egret_conn *conn)
{
	int cancels = egret_guard_enter_whole();
	egret_conn_log_closed(conn);
	if (conn->wrapped)
		egret_wire_free(&conn->wire);
	egret_starttls_free(conn->starttls);
	conn->starttls = NULL;
	egret_passthrough_free(conn->hello);
	conn->hello = NULL;
	egret_dns_unwatch(conn->dns);
	conn->dns = NULL;
	egret_policy_unref(conn->policy);
	conn->policy = NULL;
	egret_guard_leave_whole(cancels);
}

int egret_connect_time_left(const struct egret_conn *conn)
{
	int64_t left = (conn->deadline_us - egret_now_us() + 999) / 1000;
	return left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

int egret_connect_next_look(const struct egret_conn *conn)
{
	int left = egret_connect_time_left(conn), timeout = (int)conn->entry->settings->handshake_timeout_ms;
	if (atomic_load(&conn->state) != EGRET_CONN_HANDSHAKING)
		return left;
	int since = timeout - left < FIRST_LOOK_MS ? FIRST_LOOK_MS : timeout - left;
	return left < since ? left : since;
}

static void fill_event(const struct egret_conn *conn, struct egret_event *event, char address[EGRET_ADDR_TEXT])
{
	egret_event_init(event, EGRET_EVENT_TLS);
	event->entry = conn->entry->name;
	event->protocol = egret_protocol_name(conn->entry->protocol);
	event->host = conn->host[0] ? conn->host : NULL;
	event->port = conn->asked_port;
	event->address = egret_addr_format(&conn->dialled, conn->dialled_port, address);
	event->handshake_ms = (double)(egret_now_us() - conn->started_us) / 1000.0;
}

static void log_opened(struct egret_conn *conn)
{
	struct egret_event event;
	struct egret_tls_info info;
	char address[EGRET_ADDR_TEXT];
	if (!egret_runtime_logs(conn->policy))
		return;
	memset(&info, 0, sizeof info);
	conn->wire.engine->info(conn->wire.tls, &info);
	fill_event(conn, &event, address);
	event.server_name = info.server_name;
	event.tls_version = conn->tls_version = info.version;
	event.tls_cipher = conn->tls_cipher = info.cipher;
	event.tls_alpn = info.alpn;
	event.tls_peer = info.peer[0] ? info.peer : NULL;
	event.tls_not_after = info.not_after[0] ? info.not_after : NULL;
	event.tls_resumed = info.resumed;
	egret_runtime_log(conn->policy, &event);
}

static void warn_unverified(const struct egret_conn *conn)
{
	if (conn->entry->settings->verify == EGRET_VERIFY_NONE)
		egret_say("egret: entry [%s] (%s:%u): the certificate of %s was not verified: tls_verify = none", conn->entry->name,
			  conn->entry->file, conn->entry->line, conn->host);
}

static void log_failed(struct egret_conn *conn, int error)
{
	struct egret_event event;
	char address[EGRET_ADDR_TEXT], text[1024];
	const char *cause = conn->wire.failure.text[0] ? conn->wire.failure.text : strerror(error);
	fill_event(conn, &event, address);
	snprintf(text, sizeof text, "TLS to %s (%s) failed: %s", conn->host[0] ? conn->host : "the address", address, cause);
	event.error = text;
	egret_runtime_log(conn->policy, &event);
	egret_say("egret: entry [%s] (%s:%u): %s", conn->entry->name, conn->entry->file, conn->entry->line, text);
}

/* The program is told in its own words, the log here. */
void egret_connect_log_unreached(const struct egret_conn *conn, const char *cause)
{
	struct egret_event event;
	char address[EGRET_ADDR_TEXT], text[512];
	bool up = atomic_load(&conn->state) == EGRET_CONN_HANDSHAKING;
	if (!egret_runtime_logs(conn->policy))
		return;
	fill_event(conn, &event, address);
	event.kind = up ? EGRET_EVENT_TLS : EGRET_EVENT_CONNECT;
	event.handshake_ms = -1;
	snprintf(text, sizeof text, "%s to %s (%s) failed: %s", up ? "TLS" : "the connection", conn->host[0] ? conn->host : "the address",
		 address, cause);
	event.error = text;
	egret_runtime_log(conn->policy, &event);
}

/* The connection will never carry a byte: neither ours, nor, by mistake, the program's plaintext. */
static int fail(struct egret_conn *conn, int error, bool tls)
{
	if (tls)
		log_failed(conn, error);
	else
		egret_connect_log_unreached(conn, strerror(error));
	atomic_store(&conn->connect_errno, error);
	atomic_store(&conn->state, EGRET_CONN_FAILED);
	real.shutdown(conn->wire.fd, SHUT_RDWR);
	egret_ready_connect_ended(conn);
	return -error;
}

void egret_connect_broke(struct egret_conn *conn)
{
	struct egret_event event;
	char address[EGRET_ADDR_TEXT], text[1024];
	if (!conn->wire.failure.text[0] || atomic_exchange(&conn->told, true))
		return;
	egret_guard_enter();
	fill_event(conn, &event, address);
	event.handshake_ms = -1;
	event.flags = "UC";
	snprintf(text, sizeof text, "TLS with %s (%s) broke: %s", conn->host[0] ? conn->host : "the address", address, conn->wire.failure.text);
	event.error = text;
	egret_runtime_log(conn->policy, &event);
	egret_say("egret: entry [%s] (%s:%u): %s", conn->entry->name, conn->entry->file, conn->entry->line, text);
	egret_guard_leave();
}

void egret_connect_fail(struct egret_conn *conn, int error) { fail(conn, error, true); }

static void drop_dialogue(struct egret_conn *conn)
{
	atomic_store(&conn->asks, false);
	egret_starttls_free(conn->starttls);
	conn->starttls = NULL;
}

static int opened(struct egret_conn *conn)
{
	log_opened(conn);
	warn_unverified(conn);
	atomic_store(&conn->asks, egret_starttls_asks(conn->starttls, &conn->wire));
	if (!conn->asks)
		drop_dialogue(conn);
	atomic_store(&conn->state, EGRET_CONN_OPEN);
	egret_ready_connect_ended(conn);
	return 0;
}

/* False: memory is out. */
static bool begin_starttls(struct egret_conn *conn)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t size = sizeof ss;
	struct egret_addr local = { 0 };
	uint16_t port;
	if (conn->entry->settings->starttls == EGRET_STARTTLS_NONE || conn->starttls)
		return true;
	if (real.getsockname(conn->wire.fd, (struct sockaddr *)&ss, &size) == 0)
		egret_addr_from_sockaddr((struct sockaddr *)&ss, size, &local, &port);
	conn->starttls = egret_starttls_new(conn->entry->settings->starttls, &local);
	return conn->starttls != NULL;
}

static int tcp_made(struct egret_conn *conn)
{
	if (!begin_starttls(conn))
		return fail(conn, ENOMEM, false);
	conn->deadline_us = egret_now_us() + (int64_t)conn->entry->settings->handshake_timeout_ms * 1000;
	atomic_store(&conn->state, EGRET_CONN_HANDSHAKING);
	return 0;
}

int egret_connect_made(struct egret_conn *conn)
{
	int cancels = egret_guard_enter_whole();
	pthread_mutex_lock(&conn->step_lock);
	int result = atomic_load(&conn->state) == EGRET_CONN_CONNECTING ? tcp_made(conn) : 0;
	pthread_mutex_unlock(&conn->step_lock);
	egret_guard_leave_whole(cancels);
	return result;
}

static void set_nodelay(const struct egret_conn *conn, int on)
{
	real.setsockopt(conn->wire.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool egret_connect_speaks(struct egret_conn *conn)
{
	int due = EGRET_PROMPT_DUE;
	bool first = atomic_compare_exchange_strong(&conn->prompt, &due, EGRET_PROMPT_SET);
	if (first)
		set_nodelay(conn, 1);
	return first;
}

/* Unless the program has set it meanwhile. */
void egret_connect_spoken(struct egret_conn *conn, bool went_out)
{
	int set = EGRET_PROMPT_SET;
	if (atomic_compare_exchange_strong(&conn->prompt, &set, went_out ? EGRET_PROMPT_NOT : EGRET_PROMPT_DUE))
		set_nodelay(conn, 0);
}

/* One that a signal handler has jumped out of does not: its thread comes by again. */
bool egret_connect_dials_on(const struct egret_conn *conn)
{
	int dialler = atomic_load(&conn->dialler);
	return dialler && dialler != egret_own_thread();
}

static int step_tcp(struct egret_conn *conn)
{
	struct pollfd pfd = { .fd = conn->wire.fd, .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof error;
	bool begun = atomic_load(&conn->begun);
	conn->wire.wants = POLLOUT;
	if (real.poll(&pfd, 1, 0) <= 0)
		return egret_connect_time_left(conn) > 0 ? -EAGAIN : fail(conn, ETIMEDOUT, false);
	if ((pfd.revents & (POLLERR | POLLHUP)) && egret_connect_dials_on(conn))
		return -EAGAIN;
	real.getsockopt(conn->wire.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (!error && !begun && (pfd.revents & POLLHUP))
		return -EAGAIN; /* another thread is about to dial */
	return error ? fail(conn, error, false) : tcp_made(conn);
}

/* The program speaks first: TLS begins with its words. */
static int listening(struct egret_conn *conn)
{
	atomic_store(&conn->asks, true);
	atomic_store(&conn->state, EGRET_CONN_OPEN);
	egret_ready_connect_ended(conn);
	return 0;
}

/* The program has spoken. */
static void begin_tls(struct egret_conn *conn)
{
	atomic_store(&conn->asks, false);
	conn->deadline_us = egret_now_us() + (int64_t)conn->entry->settings->handshake_timeout_ms * 1000;
	atomic_store(&conn->state, EGRET_CONN_HANDSHAKING);
}

bool egret_connect_answered(struct egret_conn *conn, const struct iovec *iov, int count)
{
	enum egret_starttls_word word = EGRET_WORD_PASSES;
	int cancels = egret_guard_enter_whole();
	pthread_mutex_lock(&conn->step_lock);
	if (atomic_load(&conn->asks)) {
		word = egret_starttls_hear(conn->starttls, &conn->wire, iov, count);
		switch (word) {
		case EGRET_WORD_REFUSED:
			fail(conn, egret_tls_errno(conn->wire.failure.failure), true);
			break;
		case EGRET_WORD_PASSES:
			drop_dialogue(conn);
			break;
		case EGRET_WORD_KEPT:
			conn->narrowed = POLLIN; /* registrations that are given back report anew, also to those who wait for edges */
			egret_ready_connect_ended(conn);
			break;
		case EGRET_WORD_BEGINS:
			begin_tls(conn);
			break;
		}
	}
	pthread_mutex_unlock(&conn->step_lock);
	egret_guard_leave_whole(cancels);
	return word == EGRET_WORD_KEPT;
}

static int step_tls(struct egret_conn *conn)
{
	int result = egret_starttls_shake(conn->starttls, &conn->wire);
	if (result == 0)
		return opened(conn);
	if (result == EGRET_STARTTLS_LISTENS)
		return listening(conn);
	if (result != -EAGAIN)
		return fail(conn, -result, true);
	if (egret_connect_time_left(conn) > 0)
		return -EAGAIN;
	snprintf(conn->wire.failure.text, sizeof conn->wire.failure.text,
		 "the handshake did not end within %u ms; to wait longer, set tls_handshake_timeout", conn->entry->settings->handshake_timeout_ms);
	return fail(conn, ETIMEDOUT, true);
}

static int step_locked(struct egret_conn *conn)
{
	int result = 0;
	if (atomic_load(&conn->state) == EGRET_CONN_CONNECTING)
		result = step_tcp(conn);
	if (result == 0 && atomic_load(&conn->state) == EGRET_CONN_HANDSHAKING)
		result = step_tls(conn);
	if (result == 0 && atomic_load(&conn->state) == EGRET_CONN_FAILED)
		result = -ECONNABORTED;
	return result;
}

int egret_connect_step(struct egret_conn *conn)
{
	if (atomic_load(&conn->state) == EGRET_CONN_OPEN)
		return 0;
	if (!egret_conn_own(conn))
		return -EIO;
	int cancels = egret_guard_enter_whole();
	int saved = errno;
	pthread_mutex_lock(&conn->step_lock);
	int result = step_locked(conn);
	if (result == -EAGAIN)
		egret_ready_connect_started(conn->wire.fd, conn);
	pthread_mutex_unlock(&conn->step_lock);
	errno = saved;
	egret_guard_leave_whole(cancels);
	return result;
}
