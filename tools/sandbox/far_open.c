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

/* A line for a person, in the words of the preload layer. */
static void say(const struct egret_entry *entry, const char *sentence)
{
	char line[1600], clean[3200];

	snprintf(line, sizeof(line), "egret: entry [%s] (%s:%u): %s", entry->name, entry->file, entry->line, sentence);
	dprintf(STDERR_FILENO, "%s\n", egret_escape(line, strlen(line), clean, sizeof(clean)));
}

static void tell_verified(struct egret_far *far, struct egret_event *event, int64_t started)
{
	const struct egret_entry *entry = far->errand->entry;
	struct egret_tls_info info;
	char text[512];

	far->wire.engine->info(far->wire.tls, &info);
	event->tls_version = far->tls_version = info.version;
	event->tls_cipher = far->tls_cipher = info.cipher;
	event->tls_alpn = info.alpn;
	event->tls_peer = info.peer;
	event->tls_not_after = info.not_after;
	event->tls_resumed = info.resumed;
	event->handshake_ms = (double)(egret_wait_now_ms() - started);
	egret_trace(far->sup, event);
	if (entry->settings->verify != EGRET_VERIFY_NONE)
		return;
	snprintf(text, sizeof(text), "the certificate of %s was not verified: tls_verify = none", far->errand->host);
	say(entry, text);
}

static void trace(struct egret_far *far, const struct egret_tls_error *error, int64_t started)
{
	const struct egret_errand *errand = far->errand;
	const struct egret_entry *entry = errand->entry;
	struct egret_event event;
	char text[1400];

	egret_event_init(&event, entry->tls == EGRET_TLS_ORIGINATE ? EGRET_EVENT_TLS : EGRET_EVENT_CONNECT);
	event.layer = "relay";
	event.pid = errand->pid;
	event.exe = errand->exe;
	event.entry = entry->name;
	event.protocol = egret_protocol_name(entry->protocol);
	event.host = errand->host[0] ? errand->host : NULL;
	event.port = errand->port;
	event.address = far->address[0] ? far->address : NULL;
	if (entry->tls == EGRET_TLS_ORIGINATE)
		event.server_name = entry->settings->server_name ? entry->settings->server_name : event.host;
	if (!error) {
		tell_verified(far, &event, started);
		return;
	}
	snprintf(text, sizeof(text), "%s to %s (%s) failed: %s", far->fd < 0 ? "the connection" : "TLS",
		 errand->host[0] ? errand->host : "the address", far->address, error->text);
	event.error = text;
	egret_trace(far->sup, &event);
	say(entry, text);
}

/* 0, EGRET_STARTTLS_LISTENS, or a negative errno with ERROR filled. */
static int shake(struct egret_far *far, int64_t deadline, struct egret_tls_error *error)
{
	int result, waited = 0;

	while (!waited && (result = egret_starttls_shake(far->starttls, &far->wire)) == -EAGAIN)
		waited = wait_for(far->fd, far->wire.wants, far->client, deadline);
	result = waited ? waited : result;
	far->asks = result >= 0 && egret_starttls_asks(far->starttls, &far->wire);
	if (result >= 0)
		return result;
	*error = far->wire.failure;
	if (!error->text[0])
		snprintf(error->text, sizeof(error->text), "%s%s", strerror(-result), result == -ETIMEDOUT ? "; see tls_handshake_timeout" : "");
	return result;
}

static bool begin_dialogue(struct egret_far *far, enum egret_starttls protocol)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t size = sizeof(ss);
	struct egret_addr local = { 0 };
	uint16_t port;

	if (protocol == EGRET_STARTTLS_NONE)
		return true;
	if (getsockname(far->fd, (struct sockaddr *)&ss, &size) == 0)
		egret_addr_from_sockaddr((struct sockaddr *)&ss, size, &local, &port);
	far->starttls = egret_starttls_new(protocol, &local);
	return far->starttls != NULL;
}

/* TLS on an open connection. */
static int originate(struct egret_far *far, int64_t deadline, struct egret_tls_error *error)
{
	const struct egret_errand *errand = far->errand;
	char asked[EGRET_ADDR_TEXT];
	const char *host = errand->host[0] ? errand->host : egret_addr_format(&errand->asked, -1, asked);
	const struct egret_engine *engine = egret_engine_load(error);
	struct egret_tls *tls = engine ? egret_far_tls(engine, errand, host, error) : NULL;

	if (!tls)
		return error->failure == EGRET_TLS_MEMORY ? -ENOMEM : -EACCES;
	egret_wire_init(&far->wire, far->fd, engine, tls,
			errand->entry->protocol == EGRET_HTTP || egret_starttls_eof_is_close(errand->entry->settings));
	far->tls = true;
	return begin_dialogue(far, errand->entry->settings->starttls) ? shake(far, deadline, error) : -ENOMEM;
}

static int64_t time_for_tls(const struct egret_errand *errand)
{
	uint32_t allowed = errand->entry->settings->handshake_timeout_ms;

	return allowed ? allowed : TIMEOUT_MS;
}

int egret_far_begin_tls(struct egret_far *far)
{
	int64_t started = egret_wait_now_ms();
	struct egret_tls_error error = { 0 };
	int result = shake(far, started + time_for_tls(far->errand), &error);

	trace(far, result ? &error : NULL, started);
	return result;
}

int egret_far_refuse(struct egret_far *far)
{
	trace(far, &far->wire.failure, egret_wait_now_ms());
	return -egret_tls_errno(far->wire.failure.failure);
}

int egret_far_open(struct egret_supervisor *sup, const struct egret_errand *errand, int client, struct egret_far *far)
{
	int64_t started = egret_wait_now_ms(), deadline = started + time_for_tls(errand);
	struct egret_tls_error error = { 0 };
	bool tls = errand->entry->tls == EGRET_TLS_ORIGINATE;
	int result;

	*far = (struct egret_far){ .fd = -1, .sup = sup, .errand = errand, .client = client };
	/* A plain connection may take as long as the kernel's would. */
	result = dial(far, errand, client, tls ? deadline : started + 150000);
	if (result)
		snprintf(error.text, sizeof(error.text), "%s", strerror(-result));
	else if (tls)
		result = originate(far, deadline, &error);
	if (result < 0 || (tls && result == 0))
		trace(far, result ? &error : NULL, started);
	if (result < 0 && far->fd >= 0)
		egret_far_close(far);
	return result < 0 ? result : 0;
}
