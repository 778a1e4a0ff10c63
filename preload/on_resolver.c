/* res_query(3) and its like, and getaddrinfo_a(3): the same rule as for getaddrinfo, the same memory of answers. */
#include "fixed.h"
#include "guard.h"
#include "hooks.h"
#include "lookup.h"
#include "real.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#define HEADER NS_HFIXEDSZ /* bytes before the question, RFC 1035 4.1.1 */

static uint16_t get16(const unsigned char *p) { return (uint16_t)(p[0] << 8 | p[1]); }

/* Behind the questions of MESSAGE, NULL when it is malformed. */
static const unsigned char *skip_questions(const unsigned char *message, const unsigned char *end)
{
	const unsigned char *at = message + HEADER;
	for (unsigned i = get16(message + 4); i > 0; i--) {
		int n = dn_skipname(at, end);
		if (n < 0 || end - at < n + 4)
			return NULL;
		at += n + 4;
	}
	return at;
}

/* Remembers every address of an answer under the name that was asked: CNAMEs on the way are the resolver's business. */
static void remember_answer(const struct egret_lookup *lookup, const unsigned char *answer, int size)
{
	if (size < HEADER || !lookup->judged)
		return;
	const unsigned char *end = answer + size, *at = skip_questions(answer, end);
	for (unsigned i = get16(answer + 6); at && i > 0; i--) {
		int n = dn_skipname(at, end);
		if (n < 0 || end - at < n + 10)
			return;
		at += n;
		uint16_t type = get16(at), length = get16(at + 8);
		at += 10;
		if (end - at < length)
			return;
		if (type == ns_t_a && length == 4)
			egret_lookup_remember_addr(lookup, AF_INET, at);
		else if (type == ns_t_aaaa && length == 16)
			egret_lookup_remember_addr(lookup, AF_INET6, at);
		at += length;
	}
}

static int refuse(void)
{
	h_errno = HOST_NOT_FOUND;
	return -1;
}

/* One resolver call, CALL, about NAME, whose answer of at most SIZE bytes lands in ANSWER. */
#define JUDGED(name, call)                                                                                                             \
	struct egret_lookup lookup;                                                                                                    \
	bool go_on = egret_lookup_begin(&lookup, (name), 0);                                                                           \
	egret_lookup_end(&lookup);                                                                                                     \
	int result = go_on ? (call) : refuse();                                                                                        \
	remember_answer(&lookup, answer, result < size ? result : size);                                                               \
	return result

int egret_on_res_query(const char *name, int class, int type, unsigned char *answer, int size)
{
	JUDGED(name, real.res_query(name, class, type, answer, size));
}

int egret_on_res_search(const char *name, int class, int type, unsigned char *answer, int size)
{
	JUDGED(name, real.res_search(name, class, type, answer, size));
}

int egret_on_res_nquery(struct __res_state *state, const char *name, int class, int type, unsigned char *answer, int size)
{
	JUDGED(name, real.res_nquery(state, name, class, type, answer, size));
}

int egret_on_res_nsearch(struct __res_state *state, const char *name, int class, int type, unsigned char *answer, int size)
{
	JUDGED(name, real.res_nsearch(state, name, class, type, answer, size));
}

static const char *joined(const char *name, const char *domain, char whole[NS_MAXDNAME])
{
	snprintf(whole, NS_MAXDNAME, "%s%s%s", name, domain && *domain ? "." : "", domain ? domain : "");
	return whole;
}

int egret_on_res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer, int size)
{
	char whole[NS_MAXDNAME];
	JUDGED(joined(name, domain, whole), real.res_querydomain(name, domain, class, type, answer, size));
}

int egret_on_res_nquerydomain(struct __res_state *state, const char *name, const char *domain, int class, int type, unsigned char *answer, int size)
{
	char whole[NS_MAXDNAME];
	JUDGED(joined(name, domain, whole), real.res_nquerydomain(state, name, domain, class, type, answer, size));
}

/* The name that a ready-made query asks for; one that cannot be read is judged as a name that nothing covers. */
static const char *asked_in(const unsigned char *query, int length, char name[NS_MAXDNAME])
{
	if (length < HEADER || get16(query + 4) != 1 || dn_expand(query, query + length, query + HEADER, name, NS_MAXDNAME) < 0)
		return "";
	return name;
}

int egret_on_res_send(const unsigned char *query, int length, unsigned char *answer, int size)
{
	char name[NS_MAXDNAME];
	JUDGED(asked_in(query, length, name), real.res_send(query, length, answer, size));
}

int egret_on_res_nsend(struct __res_state *state, const unsigned char *query, int length, unsigned char *answer, int size)
{
	char name[NS_MAXDNAME];
	JUDGED(asked_in(query, length, name), real.res_nsend(state, query, length, answer, size));
}

/* Answers REQUEST here and now when its name is denied or has fixed addresses; false: it is the libc's. */
static bool answered(struct gaicb *request)
{
	struct egret_lookup lookup;
	uint16_t port = egret_lookup_port(request->ar_service);
	bool numeric = request->ar_request && request->ar_request->ai_flags & AI_NUMERICHOST; /* asks no resolver */
	bool go_on = egret_lookup_begin(&lookup, numeric ? NULL : request->ar_name, port);
	const struct egret_entry *fixed = go_on ? egret_lookup_fixed(&lookup, port) : NULL;
	if (fixed)
		request->__return = egret_fixed_addrinfo(fixed, request->ar_name, request->ar_service, request->ar_request, &request->ar_result);
	else if (!go_on)
		request->__return = EAI_NONAME;
	egret_lookup_end(&lookup);
	return fixed || !go_on;
}

/* The libc gets the requests that are its own; it skips the places of the others, and notifies also where none is left.
 * gai_error (below) remembers what each of them found. */
int egret_on_getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
	if (count <= 0 || !list)
		return real.getaddrinfo_a(mode, list, count, event);
	struct gaicb **left = malloc((size_t)count * sizeof *left);
	if (!left)
		return EAI_MEMORY;
	for (int i = 0; i < count; i++)
		left[i] = list[i] && !answered(list[i]) ? list[i] : NULL;
	int result = real.getaddrinfo_a(mode, left, count, event);
	free(left);
	return result;
}

int egret_on_gai_error(struct gaicb *request)
{
	int result = real.gai_error(request);
	struct egret_lookup lookup;
	if (result == 0 && egret_lookup_begin(&lookup, request->ar_name, 0))
		egret_lookup_remember(&lookup, request->ar_result);
	if (result == 0)
		egret_lookup_end(&lookup);
	return result;
}
