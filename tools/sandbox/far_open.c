/* Opening the server's side: the endpoints in order, the handshake within its time-out, contexts by settings. */
#include "far.h"
#include "wait.h"

#include "preload/engine_load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>

#define ENDPOINTS_MAX 16u
#define TIMEOUT_MS 10000

/* Waits for FD; a program that gave up meanwhile ends the wait. */
static int wait_for(int fd, short events, int client, int64_t deadline)
{
	struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = client } };
	int64_t left = deadline - egret_wait_now_ms();

	if (left <= 0)
		return -ETIMEDOUT;
	if (poll(fds, 2, (int)left) < 0)
		return errno == EINTR ? 0 : -errno;
	return fds[1].revents & (POLLERR | POLLHUP) ? -ECONNABORTED : 0;
}

static int dial_one(struct egret_far *far, const struct egret_endpoint *endpoint, int client, int64_t deadline)
{
	int domain = endpoint->addr.family == EGRET_IPV6 ? AF_INET6 : AF_INET, error = 0, on = 1;
	struct sockaddr_storage ss;
	socklen_t len = egret_addr_to_sockaddr(&endpoint->addr, endpoint->port, domain, &ss), size = sizeof(error);

	egret_addr_format(&endpoint->addr, endpoint->port, far->address);
	far->fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (far->fd < 0)
		return -errno;
	setsockopt(far->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(far->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(far->fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	error = -errno;
	if (error == -EINPROGRESS) {
		error = wait_for(far->fd, POLLOUT, client, deadline);
		if (!error && !getsockopt(far->fd, SOL_SOCKET, SO_ERROR, &error, &size))
			error = -error;
	}
	if (!error)
		return 0;
	close(far->fd);
	far->fd = -1;
	return error;
}

static int dial(struct egret_far *far, const struct egret_errand *errand, int client, int64_t deadline)
{
	struct egret_verdict verdict = { .allow = true, .by_host = errand->by_host, .reason = EGRET_REASON_ENTRY,
					 .entry = errand->entry };
	struct egret_request request = { .transport = EGRET_STREAM, .host = errand->host[0] ? errand->host : NULL,
					 .host_len = strlen(errand->host), .addr = errand->asked, .port = errand->port };
	struct egret_endpoint endpoints[ENDPOINTS_MAX];
	size_t count = egret_dial(&verdict, &request, endpoints, ENDPOINTS_MAX);
	int result = -ENETUNREACH;

	for (size_t i = 0; i < count && i < ENDPOINTS_MAX && result; i++) {
		if (!endpoints[i].port)
			endpoints[i].port = errand->entry->connect_port ? errand->entry->connect_port : errand->port;
		result = dial_one(far, &endpoints[i], client, deadline);
	}
	return result;
}

static void trace(struct egret_supervisor *sup, const struct egret_errand *errand, struct egret_far *far,
		  const struct egret_tls_error *error, int64_t started)
{
	struct egret_tls_info info;
	struct egret_event event;
	char text[1024];

	egret_event_init(&event, errand->entry->tls == EGRET_TLS_ORIGINATE ? EGRET_EVENT_TLS : EGRET_EVENT_CONNECT);
	event.layer = "relay";
	event.pid = errand->pid;
	event.exe = errand->exe;
	event.entry = errand->entry->name;
	event.host = errand->host[0] ? errand->host : NULL;
	event.port = errand->port;
	event.address = far->address[0] ? far->address : NULL;
	if (error) {
		event.error = error->text;
		dprintf(STDERR_FILENO, "egret: %s: %s\n", errand->entry->name, egret_escape(error->text, strlen(error->text), text, sizeof(text)));
	} else {
		far->wire.engine->info(far->wire.tls, &info);
		event.tls_version = info.version;
		event.tls_cipher = info.cipher;
		event.tls_alpn = info.alpn;
		event.tls_peer = info.peer;
		event.tls_not_after = info.not_after;
		event.tls_resumed = info.resumed;
		event.handshake_ms = (double)(egret_wait_now_ms() - started);
	}
	egret_trace(sup, &event);
}

static int shake(struct egret_far *far, int client, int64_t deadline)
{
	int result, waited = 0;

	while (!waited && (result = egret_wire_handshake(&far->wire)) == -EAGAIN)
		waited = wait_for(far->fd, far->wire.wants, client, deadline);
	return waited ? waited : result;
}

/* The handshake on an open connection. */
static int originate(struct egret_far *far, const struct egret_errand *errand, int client, int64_t deadline,
		     struct egret_tls_error *error)
{
	char asked[EGRET_ADDR_TEXT];
	const char *host = errand->host[0] ? errand->host : egret_addr_format(&errand->asked, -1, asked);
	const struct egret_engine *engine = egret_engine_load(error);
	struct egret_tls *tls = engine ? egret_far_tls(engine, errand, host, error) : NULL;
	int result;

	if (!tls)
		return error->failure == EGRET_TLS_MEMORY ? -ENOMEM : -EACCES;
	egret_wire_init(&far->wire, far->fd, engine, tls,
			errand->entry->protocol == EGRET_HTTP || errand->entry->settings->truncation == EGRET_TRUNCATION_EOF);
	far->tls = true;
	result = shake(far, client, deadline);
	if (!result)
		return 0;
	*error = far->wire.failure;
	if (!error->text[0])
		snprintf(error->text, sizeof(error->text), "the TLS handshake with %s at %s: %s; see tls_handshake_timeout", host, far->address,
			 strerror(-result));
	return result;
}

int egret_far_open(struct egret_supervisor *sup, const struct egret_errand *errand, int client, struct egret_far *far)
{
	uint32_t allowed = errand->entry->settings->handshake_timeout_ms;
	int64_t started = egret_wait_now_ms(), deadline = started + (allowed ? allowed : TIMEOUT_MS);
	struct egret_tls_error error = { 0 };
	bool tls = errand->entry->tls == EGRET_TLS_ORIGINATE;
	int result;

	*far = (struct egret_far){ .fd = -1 };
	/* A plain connection may take as long as the kernel's would. */
	result = dial(far, errand, client, tls ? deadline : started + 150000);
	if (result)
		snprintf(error.text, sizeof(error.text), "the connection to %s%s%s: %s", errand->host, errand->host[0] ? " at " : "",
			 far->address, strerror(-result));
	else if (tls)
		result = originate(far, errand, client, deadline, &error);
	if (result || tls)
		trace(sup, errand, far, result ? &error : NULL, started);
	if (result && far->fd >= 0)
		egret_far_close(far);
	return result;
}
