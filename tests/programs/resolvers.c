/* resolvers FORM NAME: asks for NAME's address by a function of resolver(3), as the dynamic linker binds it, and connects there. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

typedef int plain(const char *, int, int, unsigned char *, int);
typedef int plain_domain(const char *, const char *, int, int, unsigned char *, int);
typedef int plain_send(const unsigned char *, int, unsigned char *, int);
typedef int with_state(res_state, const char *, int, int, unsigned char *, int);
typedef int with_state_domain(res_state, const char *, const char *, int, int, unsigned char *, int);
typedef int with_state_send(res_state, const unsigned char *, int, unsigned char *, int);

static int ask(const char *form, const char *name, unsigned char *answer, int size)
{
	void *function = dlsym(RTLD_DEFAULT, form);
	const char *kind = form + strspn(form, "_") + strlen("res_"), *dot = strchr(name, '.');
	unsigned char query[512];
	char host[64];
	int state = kind[0] == 'n', length = res_mkquery(QUERY, name, ns_c_in, ns_t_a, NULL, 0, NULL, query, sizeof(query));

	snprintf(host, sizeof(host), "%.*s", (int)(dot - name), name);
	kind += state;
	if (!function)
		return -2;
	if (!strcmp(kind, "send"))
		return state ? ((with_state_send *)function)(&_res, query, length, answer, size) : ((plain_send *)function)(query, length, answer, size);
	if (!strcmp(kind, "querydomain"))
		return state ? ((with_state_domain *)function)(&_res, host, dot + 1, ns_c_in, ns_t_a, answer, size) :
			       ((plain_domain *)function)(host, dot + 1, ns_c_in, ns_t_a, answer, size);
	return state ? ((with_state *)function)(&_res, name, ns_c_in, ns_t_a, answer, size) : ((plain *)function)(name, ns_c_in, ns_t_a, answer, size);
}

/* The address that the answer ends with, behind its length. */
static int address_in(const unsigned char *answer, int size, struct in_addr *addr)
{
	if (size < NS_HFIXEDSZ + 6 || answer[size - 6] != 0 || answer[size - 5] != 4)
		return 0;
	memcpy(addr, answer + size - 4, 4);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned char answer[4096];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(8080) };

	if (argc != 3 || res_init())
		return 2;
	int size = ask(argv[1], argv[2], answer, sizeof(answer));
	if (size == -2)
		puts("missing");
	else if (size < 0)
		puts(h_errno == HOST_NOT_FOUND ? "HOST_NOT_FOUND" : "failed");
	else if (!address_in(answer, size, &to.sin_addr))
		puts("no address");
	else
		puts(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)) == 0 ? "connected" : strerrorname_np(errno));
	return 0;
}
