#include "conn_log.h"

#include "answer.h"
#include "guard.h"
#include "observed.h"
#include "runtime.h"
#include "say.h"

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
	if ((event->verdict->allow && !egret_runtime_logs(conn->policy)) || !is_ours_to_log(conn))
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
	if (atomic_load(&conn->state) == EGRET_CONN_OPEN && is_ours_to_log(conn))
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
		if (conn->observed)
			egret_observed_abandon(conn->observed);
		if (atomic_exchange(&conn->state, EGRET_CONN_FAILED) == EGRET_CONN_OPEN && is_ours_to_log(conn))
			log_closed(conn);
		egret_conn_put(conn);
	}
	egret_guard_leave();
}
