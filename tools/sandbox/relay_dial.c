/* The server's side: contexts by settings, the endpoints in order, the handshake within its time-out. */
#include "relay.h"
#include "wait.h"

#include "preload/engine_load.h"

#include <errno.h>
#include <poll.h>

#define CONTEXTS_MAX 256u
#define ENDPOINTS_MAX 16u
#define TIMEOUT_MS 10000

static struct {
	pthread_mutex_t lock;
	const struct egret_tls_settings *settings[CONTEXTS_MAX];
	struct egret_tls_ctx *ctx[CONTEXTS_MAX];
	size_t count;
} contexts = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* One context for the settings, made at first use and kept: the CA is read once, and connections resume. */
static struct egret_tls_ctx *context_for(const struct egret_engine *engine, const struct egret_tls_settings *settings,
					 struct egret_tls_error *error)
{
	struct egret_tls_ctx *ctx = NULL;
	size_t i;

	pthread_mutex_lock(&contexts.lock);
	for (i = 0; i < contexts.count && contexts.settings[i] != settings; i++)
		;
	if (i < contexts.count) {
		ctx = contexts.ctx[i];
	} else if (i < CONTEXTS_MAX && (ctx = engine->ctx_new(settings, NULL, error))) {
		contexts.settings[i] = settings;
		contexts.ctx[i] = ctx;
		contexts.count++;
	}
	pthread_mutex_unlock(&contexts.lock);
	return ctx;
}

static void trace(struct egret_supervisor *sup, const struct egret_redirect *redirect, const struct egret_wire *wire,
		  const char *address, const struct egret_tls_error *error, int64_t started)
{
	struct egret_tls_info info;
	struct egret_event event;

	if (error && error->text[0])
		dprintf(STDERR_FILENO, "egret: %s: %s\n", redirect->entry->name, error->text);
	if (!sup->log)
		return;
	egret_event_init(&event, EGRET_EVENT_TLS);
	event.layer = "relay";
	event.pid = redirect->pid;
	event.entry = redirect->entry->name;
	event.host = redirect->host[0] ? redirect->host : NULL;
	event.port = redirect->port;
	event.address = address;
	event.error = error && error->text[0] ? error->text : NULL;
	if (wire) {
		wire->engine->info(wire->tls, &info);
		event.tls_version = info.version;
		event.tls_cipher = info.cipher;
		event.tls_alpn = info.alpn;
		event.tls_peer = info.peer;
		event.tls_not_after = info.not_after;
		event.tls_resumed = info.resumed;
		event.handshake_ms = (double)(egret_wait_now_ms() - started);
	}
	egret_log_write(sup->log, sup->log_format, &event);
}

static int dial_one(const struct egret_endpoint *endpoint, char address[EGRET_ADDR_TEXT], int64_t timeout_ms)
{
	int domain = endpoint->addr.family == EGRET_IPV6 ? AF_INET6 : AF_INET;
	struct timeval timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct sockaddr_storage ss;
	socklen_t len = egret_addr_to_sockaddr(&endpoint->addr, endpoint->port, domain, &ss);
	int fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	egret_addr_format(&endpoint->addr, endpoint->port, address);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&ss, len) == 0)
		return fd;
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	return -error;
}

static int dial(const struct egret_redirect *redirect, char address[EGRET_ADDR_TEXT], int64_t timeout_ms)
{
	struct egret_verdict verdict = { .allow = true, .by_host = redirect->host[0] != 0, .reason = EGRET_REASON_ENTRY,
					 .entry = redirect->entry };
	struct egret_request request = { .transport = EGRET_STREAM, .host = redirect->host[0] ? redirect->host : NULL,
					 .host_len = strlen(redirect->host), .addr = redirect->asked, .port = redirect->port };
	struct egret_endpoint endpoints[ENDPOINTS_MAX];
	size_t count = egret_dial(&verdict, &request, endpoints, ENDPOINTS_MAX);
	int fd = -ENETUNREACH;

	for (size_t i = 0; i < count && i < ENDPOINTS_MAX && fd < 0; i++) {
		if (!endpoints[i].port)
			endpoints[i].port = redirect->entry->connect_port ? redirect->entry->connect_port : redirect->port;
		fd = dial_one(&endpoints[i], address, timeout_ms);
	}
	return fd;
}

static int shake(struct egret_wire *wire, int64_t deadline)
{
	struct pollfd pollfd = { .fd = wire->fd };
	int result;
	int64_t left;

	while ((result = egret_wire_handshake(wire)) == -EAGAIN) {
		left = deadline - egret_wait_now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		pollfd.events = wire->wants;
		poll(&pollfd, 1, (int)left);
	}
	return result;
}

int egret_relay_dial(struct egret_supervisor *sup, const struct egret_redirect *redirect, struct egret_wire *wire)
{
	const struct egret_tls_settings *settings = redirect->entry->settings;
	int64_t started = egret_wait_now_ms(), timeout = settings->handshake_timeout_ms ? settings->handshake_timeout_ms : TIMEOUT_MS;
	char address[EGRET_ADDR_TEXT] = "", asked[EGRET_ADDR_TEXT];
	const char *host = redirect->host[0] ? redirect->host : egret_addr_format(&redirect->asked, -1, asked);
	struct egret_tls_error error = { 0 };
	const struct egret_engine *engine = egret_engine_load(&error);
	struct egret_tls_ctx *ctx = engine ? context_for(engine, settings, &error) : NULL;
	struct egret_tls *tls = NULL;
	int fd = -EACCES, result;

	if (ctx)
		fd = dial(redirect, address, timeout);
	if (fd >= 0)
		tls = engine->open(ctx, host, redirect->port, &error);
	if (!tls) {
		if (fd < 0 && !error.text[0])
			snprintf(error.text, sizeof(error.text), "the server %s:%u at %s: %s", host, redirect->port, address, strerror(-fd));
		trace(sup, redirect, NULL, address, &error, started);
		if (fd >= 0)
			close(fd);
		return -EACCES;
	}
	egret_wire_init(wire, fd, engine, tls, settings->truncation == EGRET_TRUNCATION_EOF);
	result = shake(wire, started + timeout);
	if (result == 0) {
		trace(sup, redirect, wire, address, NULL, started);
		return fd;
	}
	if (!wire->failure.text[0])
		snprintf(wire->failure.text, sizeof(wire->failure.text), "the TLS handshake with %s: %s; see tls_handshake_timeout", host,
			 strerror(-result));
	trace(sup, redirect, NULL, address, &wire->failure, started);
	egret_wire_free(wire);
	close(fd);
	return result;
}
