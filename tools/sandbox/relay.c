/* Listening and accepting; a connection that nobody redirected is closed without a byte. */
#include "relay.h"

#include <errno.h>
#include <poll.h>

#define THREAD_STACK (256u << 10)
#define RECORD_TRIES 200 /* of 5 ms: the supervisor files the record after its connect */

struct served {
	struct egret_supervisor *sup;
	int client;
	uint16_t port;
};

bool egret_relay_can(const struct egret_entry *entry)
{
	return entry->tls == EGRET_TLS_ORIGINATE && !entry->http_allow_count && !entry->http_deny_count;
}

static void serve(struct egret_supervisor *sup, int client, const struct egret_redirect *redirect)
{
	struct linger reset = { 1, 0 };
	struct egret_wire wire;
	int server = egret_relay_dial(sup, redirect, &wire);
	bool whole = false;

	if (server >= 0) {
		whole = egret_relay_pump(client, &wire);
		egret_wire_drain(&wire);
		egret_wire_free(&wire);
		close(server);
	}
	if (!whole) /* the program sees ECONNRESET, not a clean end */
		setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static void *serve_main(void *data)
{
	struct served *served = data;
	struct egret_redirect redirect;
	bool known = false;

	for (int i = 0; i < RECORD_TRIES && !known; i++) {
		known = egret_redirect_take(served->port, &redirect);
		if (!known)
			poll(NULL, 0, 5);
	}
	if (known && redirect.entry)
		serve(served->sup, served->client, &redirect);
	close(served->client);
	free(served);
	return NULL;
}

static void accept_one(struct egret_supervisor *sup, int listener)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct served *served = malloc(sizeof(*served));
	struct egret_addr addr;
	pthread_attr_t attr;
	pthread_t thread;
	bool started = false;
	int client = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (served && client >= 0) {
		*served = (struct served){ .sup = sup, .client = client };
		started = egret_addr_from_sockaddr((struct sockaddr *)&from, len, &addr, &served->port) &&
			  pthread_create(&thread, &attr, serve_main, served) == 0;
	}
	pthread_attr_destroy(&attr);
	if (started)
		return;
	if (client >= 0)
		close(client);
	free(served);
}

static int listeners[2] = { -1, -1 };

static void *accept_main(void *data)
{
	struct pollfd fds[2] = { { listeners[0], POLLIN, 0 }, { listeners[1], POLLIN, 0 } };

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return NULL;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents & POLLIN)
				accept_one(data, fds[i].fd);
	}
}

static uint16_t listen_on(const struct egret_addr *addr, int domain, int *listener)
{
	struct sockaddr_storage ss;
	socklen_t len = egret_addr_to_sockaddr(addr, 0, domain, &ss);
	struct egret_addr bound;
	uint16_t port = 0;

	*listener = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*listener < 0 || bind(*listener, (struct sockaddr *)&ss, len) || listen(*listener, 1024) ||
	    getsockname(*listener, (struct sockaddr *)&ss, &len) || !egret_addr_from_sockaddr((struct sockaddr *)&ss, len, &bound, &port))
		return 0;
	return port;
}

bool egret_relay_start(struct egret_supervisor *sup)
{
	static const struct egret_addr four = { .family = EGRET_IPV4, .bytes = { 127, 0, 0, 1 } };
	static const struct egret_addr six = { .family = EGRET_IPV6, .bytes = { [15] = 1 } };
	pthread_t thread;

	sup->relay_port4 = listen_on(&four, AF_INET, &listeners[0]);
	sup->relay_port6 = listen_on(&six, AF_INET6, &listeners[1]);
	return sup->relay_port4 && pthread_create(&thread, NULL, accept_main, sup) == 0;
}
