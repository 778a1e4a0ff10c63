/* Listening and accepting; a connection that nobody redirected is closed without a byte. */
#include "relay.h"

#include "link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>

#define FINISH_STEP_MS 5
#define ERRAND_MS 2000 /* the supervisor files it after its connect */

struct served {
	struct egret_supervisor *sup;
	int client;
	struct egret_endpoint from;
};

static _Atomic unsigned served_now;

void egret_relay_finish(int most_ms)
{
	for (; served_now && most_ms > 0; most_ms -= FINISH_STEP_MS)
		poll(NULL, 0, FINISH_STEP_MS);
}

/* False: the program is to see a reset. */
static bool serve(struct egret_supervisor *sup, int client, struct egret_errand *errand)
{
	struct egret_link link;
	bool whole = false;
	int error = -ENOMEM;

	if (egret_link_init(&link, sup, errand, client))
		error = egret_far_open(sup, errand, client, &link.far);
	egret_errand_settle(errand, error);
	if (!error)
		whole = egret_link_run(&link);
	egret_link_free(&link);
	return whole;
}

static void *serve_main(void *data)
{
	struct served *served = data;
	struct egret_errand *errand = egret_errand_take(&served->from, ERRAND_MS);
	struct linger reset = { 1, 0 };
	int on = 1;

	setsockopt(served->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!errand || !serve(served->sup, served->client, errand)) /* ECONNRESET, not a clean end */
		setsockopt(served->client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(served->client);
	egret_errand_unref(errand);
	free(served);
	served_now--;
	return NULL;
}

static void accept_one(struct egret_supervisor *sup, int listener)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int client = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct served *served = malloc(sizeof(*served));

	if (served && client >= 0) {
		*served = (struct served){ .sup = sup, .client = client };
		served_now++;
		if (egret_addr_from_sockaddr((struct sockaddr *)&from, len, &served->from.addr, &served->from.port) &&
		    egret_start_thread(serve_main, served))
			return;
		served_now--;
	}
	if (client >= 0)
		close(client);
	else if (errno != EAGAIN)
		poll(NULL, 0, 10); /* out of descriptors: do not spin */
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

	sup->relay_port4 = listen_on(&four, AF_INET, &listeners[0]);
	sup->relay_port6 = listen_on(&six, AF_INET6, &listeners[1]);
	return sup->relay_port4 && egret_start_thread(accept_main, sup);
}
