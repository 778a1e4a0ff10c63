/* Look-ups in the libc's less usual ways: lookups WAY NAME... Prints what came, or the name of the error. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void tell(int code, const struct addrinfo *list)
{
	if (code)
		printf("%s\n", code == EAI_NONAME ? "EAI_NONAME" : gai_strerror(code));
	for (; !code && list; list = list->ai_next) {
		char text[INET6_ADDRSTRLEN];
		const void *addr = list->ai_family == AF_INET ? (const void *)&((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr :
								(const void *)&((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr;
		printf("%s%s%s\n", inet_ntop(list->ai_family, addr, text, sizeof text), list->ai_canonname ? "=" : "",
		       list->ai_canonname ? list->ai_canonname : "");
	}
}

static void look(const char *node, int family, int flags)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *list = NULL;
	int code = getaddrinfo(node, "80", &hints, &list);
	tell(code, list);
	if (!code)
		freeaddrinfo(list);
}

static void tell_host(const struct hostent *host, int error)
{
	char text[INET6_ADDRSTRLEN];
	if (!host)
		printf("%s\n", error == HOST_NOT_FOUND ? "HOST_NOT_FOUND" : error == NO_DATA ? "NO_DATA" : "?");
	for (int i = 0; host && host->h_addr_list[i]; i++)
		printf("%s=%s\n", host->h_name, inet_ntop(host->h_addrtype, host->h_addr_list[i], text, sizeof text));
}

/* In a buffer that grows until the answer fits, as programs do it. */
static void hosts(const char *name, int family, size_t size)
{
	struct hostent entry, *found = &entry;
	_Alignas(16) char buf[4096];
	int error = 0, code;
	while ((code = gethostbyname2_r(name, family, &entry, buf + 1, size, &found, &error)) == ERANGE && error == NETDB_INTERNAL && !found && size < 2000) {
		size *= 2;
		found = &entry;
	}
	printf("%s\n", size > 8 ? "grown" : "at once");
	tell_host(code ? NULL : found, error);
	const struct hostent *host = gethostbyname2(name, family);
	tell_host(host, h_errno);
}

static sem_t notified;

static void notify(union sigval value)
{
	(void)value;
	sem_post(&notified);
}

/* All names at once; the program is told when the last is known, and then connects to each. */
static void in_the_background(char **names, int count, int mode)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct gaicb requests[8] = { 0 }, *list[8];
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify };
	for (int i = 0; i < count; i++) {
		requests[i] = (struct gaicb){ .ar_name = names[i], .ar_service = "8080", .ar_request = &hints };
		list[i] = &requests[i];
	}
	sem_init(&notified, 0, 0);
	int code = getaddrinfo_a(mode, list, count, mode == GAI_NOWAIT ? &event : NULL);
	if (code)
		tell(code, NULL);
	if (mode == GAI_NOWAIT)
		sem_wait(&notified);
	for (int i = 0; i < count; i++) {
		int error = gai_error(&requests[i]), fd = socket(AF_INET, SOCK_STREAM, 0);
		const struct addrinfo *found = requests[i].ar_result;
		tell(error, found);
		if (!error)
			puts(connect(fd, found->ai_addr, found->ai_addrlen) == 0 ? "connected" : strerrorname_np(errno));
	}
}

int main(int argc, char **argv)
{
	const char *way = argv[1], *name = argv[2];
	if (argc < 3 || argc > 8)
		return 2;
	if (strcmp(way, "numeric") == 0)
		look(name, AF_UNSPEC, AI_NUMERICHOST);
	else if (strcmp(way, "canonical") == 0)
		look(name, AF_INET, AI_CANONNAME);
	else if (strcmp(way, "mapped") == 0)
		look(name, AF_INET6, AI_V4MAPPED);
	else if (strcmp(way, "all") == 0)
		look(name, AF_INET6, AI_V4MAPPED | AI_ALL);
	else if (strcmp(way, "nobody") == 0)
		look(NULL, AF_INET, 0);
	else if (strcmp(way, "hosts") == 0)
		hosts(name, AF_INET, 8);
	else if (strcmp(way, "hosts6") == 0)
		hosts(name, AF_INET6, 8);
	else
		in_the_background(argv + 2, argc - 2, strcmp(way, "waiting") == 0 ? GAI_WAIT : GAI_NOWAIT);
	return 0;
}
