/* Prints the addresses of each name, sorted: for a libc that has a resolver of its own. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static void look_up(const char *name)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	char shown[16][INET6_ADDRSTRLEN];
	size_t n = 0;
	int error = getaddrinfo(name, "80", &hints, &list);

	printf("%s:", name);
	if (error)
		printf(" %s", gai_strerror(error));
	for (struct addrinfo *at = error ? NULL : list; at && n < 16; at = at->ai_next)
		getnameinfo(at->ai_addr, at->ai_addrlen, shown[n++], INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST);
	qsort(shown, n, sizeof(shown[0]), by_text);
	for (size_t i = 0; i < n; i++)
		printf(" %s", shown[i]);
	puts("");
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		look_up(argv[i]);
	return 0;
}
