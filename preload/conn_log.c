#include "conn_log.h"

#include "answer.h"
#include "connect.h"
#include "guard.h"
#include "observed.h"
#include "real.h"
#include "runtime.h"
#include "say.h"

#include <netinet/tcp.h>
#include <string.h>

/* Each process of a fork has a copy of what is open. One of them logs it: the one that uses the connection, else the one that opened it. */
static bool is_ours_to_log(const struct egret_conn *conn)
{
	long self = egret_own_pid(), owner = atomic_load(conn->owner);
	return owner ? owner == self : conn->pid == self;
}

/* One line a request, with what only the connection knows. */
static void log_request(void *data, struct egret_event *event)
{
	const struct egret_conn *conn = data;
	char upstream[EGRET_ADDR_TEXT];
	if (!is_ours_to_log(conn))
		return;
	event->pid = conn->pid;
	event->tls_version = conn->tls_version;
	event->tls_cipher = conn->tls_cipher;
	event->upstream = event->address = egret_addr_format(&conn->dialled, conn->dialled_port, upstream);
	egret_runtime_log(conn->policy, event);
	egret_say_request(event);
}

/* Is h2 among the comma separated ALPN names that the entry offers? */
static bool offers_h2(const struct egret_entry *entry)
{
	const char *alpn = entry->settings->alpn;
	for (size_t len; alpn && *alpn; alpn += len + (alpn[len] == ',')) {
		alpn += strspn(alpn, " \t");
		len = strcspn(alpn, ",");
		if (strncmp(alpn, "h2", 2) == 0 && strspn(alpn + 2, " \t") == len - 2)
			return true;
	}
	return false;
}

bool egret_conn_observe(struct egret_conn *conn)
{
	enum egret_mode mode = egret_effective_mode(conn->policy, conn->entry, egret_runtime.mode);
	struct egret_http_setup setup = {
		.entry = conn->entry, .host = conn->host[0] ? conn->host : NULL, .asked = conn->asked, .port = conn->asked_port,
		.audit = mode == EGRET_AUDIT || mode == EGRET_OFF, .h2 = offers_h2(conn->entry), .quiet = !egret_runtime_logs(conn->policy),
		.emit = log_request, .can_tell = egret_answer_can_tell, .tell = egret_answer_tell, .data = conn };
	conn->observed = egret_observed_new(&setup, &conn->wire, conn->entry->settings->truncation == EGRET_TRUNCATION_EOF);
	return conn->observed != NULL;
}

/* What TCP tells while there is no connection yet, connect(2), icmp(7). */
static bool is_of_connect(int error)
{
	static const int all[] = { ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EACCES, EPERM, ENOPROTOOPT, EPROTO };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (error == all[i])
			return true;
	return false;
}

static bool is_used(const struct egret_conn *conn)
{
	return atomic_load(&conn->bytes_sent) || atomic_load(&conn->bytes_received);
}

void egret_conn_log_outcome(struct egret_conn *conn, int error)
{
	if (!atomic_load_explicit(&conn->dialling, memory_order_relaxed) || !is_of_connect(error) || is_used(conn) ||
	    !atomic_exchange(&conn->dialling, false))
		return;
	atomic_store(&conn->unreached, true);
	if (is_ours_to_log(conn))
		egret_connect_log_unreached(conn, strerror(error));
}

void egret_conn_log_again(struct egret_conn *conn)
{
	if (atomic_exchange(&conn->dialling, false) && !is_used(conn))
		atomic_store(&conn->unreached, true);
}

void egret_conn_log_given_up(struct egret_conn *conn)
{
	char text[128];
	int state = atomic_load(&conn->state), error = 0;
	struct tcp_info info = { .tcpi_state = TCP_ESTABLISHED };
	socklen_t size = sizeof info;
	bool wrapped = state == EGRET_CONN_CONNECTING || state == EGRET_CONN_HANDSHAKING;
	if ((!wrapped && !atomic_load(&conn->dialling)) || !is_ours_to_log(conn) || egret_conn_is_stale(conn, conn->wire.fd))
		return;
	real.getsockopt(conn->wire.fd, IPPROTO_TCP, TCP_INFO, &info, &size);
	size = sizeof error;
	if (info.tcpi_state == TCP_CLOSE)
		real.getsockopt(conn->wire.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	snprintf(text, sizeof text, "the program gave it up after %lld ms", (long long)(egret_now_us() - conn->started_us) / 1000);
	if (wrapped || info.tcpi_state == TCP_SYN_SENT) {
		atomic_store(&conn->dialling, false);
		atomic_store(&conn->unreached, true);
		egret_connect_log_unreached(conn, error ? strerror(error) : text);
	} else {
		egret_conn_log_outcome(conn, error);
	}
}

static void log_closed(const struct egret_conn *conn)
{
	struct egret_event event;
	char address[EGRET_ADDR_TEXT];
	egret_event_init(&event, EGRET_EVENT_CLOSE);
	event.pid = conn->pid;
	event.entry = conn->entry->name;
	event.protocol = egret_protocol_name(conn->entry->protocol);
	event.host = conn->host[0] ? conn->host : NULL;
	event.port = conn->asked_port;
	event.address = egret_addr_format(&conn->dialled, conn->dialled_port, address);
	event.bytes_received = atomic_load(&conn->bytes_sent); /* seen from the middle, as in the mesh's log: received from the program */
	event.bytes_sent = atomic_load(&conn->bytes_received);
	event.duration_ms = (double)(egret_now_us() - conn->started_us) / 1000.0;
	egret_runtime_log(conn->policy, &event);
}

void egret_conn_log_closed(struct egret_conn *conn)
{
	egret_observed_free(conn->observed);
	conn->observed = NULL;
	if (atomic_load(&conn->state) == EGRET_CONN_OPEN && !conn->unreached && is_ours_to_log(conn))
		log_closed(conn);
}

/* A program that just ends closes nothing: what is open then is logged here. */
__attribute__((destructor)) static void log_what_is_open(void)
{
	if (atomic_load(&egret_conn_live) == 0 || !egret_conn_registry_is_ours())
		return;
	egret_guard_enter();
	for (int fd = egret_conn_next_fd(0); fd >= 0; fd = egret_conn_next_fd(fd + 1)) {
		struct egret_conn *conn = egret_conn_get(fd);
		if (!conn)
			continue;
		egret_conn_log_given_up(conn);
		if (conn->observed)
			egret_observed_abandon(conn->observed);
		if (atomic_exchange(&conn->state, EGRET_CONN_FAILED) == EGRET_CONN_OPEN && !conn->unreached && is_ours_to_log(conn))
			log_closed(conn);
		egret_conn_put(conn);
	}
	egret_guard_leave();
}
