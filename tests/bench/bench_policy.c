/* What a policy costs to load and to ask, by its size: nanoseconds and bytes an entry, nanoseconds a decision. Prints a table. */
#include "policy/policy.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 200000

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Entries of one host each: two of three exact names, one suffix. */
static char *policy_text(size_t entries, size_t *len)
{
	size_t room = entries * 96 + 64, at = 0;
	char *text = malloc(room);

	for (size_t i = 0; text && i < entries; i++)
		at += (size_t)snprintf(text + at, room - at, "[entry%zu]\nhosts = %shost%zu.example.com\nports = 443\nprotocol = tls\n", i,
				       i % 3 ? "" : "*.", i);
	*len = at;
	return text;
}

static double decide_ns(const struct egret_policy *policy, size_t entries, const char *form, const char *addr)
{
	struct egret_request request = {.transport = EGRET_STREAM, .port = 443};
	char names[64][64];
	size_t seed = 1, allowed = 0;
	double start;

	for (size_t i = 0; i < 64; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		snprintf(names[i], sizeof(names[i]), form, (seed >> 33) % entries);
	}
	egret_addr_parse(addr, &request.addr);
	start = now_ns();
	for (size_t i = 0; i < ROUNDS; i++) {
		request.host = names[i % 64];
		request.host_len = strlen(request.host);
		allowed += egret_decide(policy, &request, 0).allow;
	}
	return allowed > ROUNDS ? -1 : (now_ns() - start) / ROUNDS;
}

static int measure(size_t entries)
{
	struct egret_err err = {0};
	struct egret_policy *policy = NULL;
	double best = 1e18;
	size_t len, before = 0, after = 0;
	char *text = policy_text(entries, &len);

	for (int round = 0; text && round < 5; round++) {
		double start;

		egret_policy_unref(policy);
		before = mallinfo2().uordblks + mallinfo2().hblkhd;
		start = now_ns();
		policy = egret_policy_parse("bench.ini", text, len, &err, NULL);
		if (now_ns() - start < best)
			best = now_ns() - start;
		after = mallinfo2().uordblks + mallinfo2().hblkhd;
	}
	if (!policy)
		return 1;
	printf("%8zu %12.0f %12zu %12.0f %12.0f %12.0f\n", entries, best / (double)entries, (after - before) / entries,
	       decide_ns(policy, entries, "host%zu.example.com", "198.51.100.1"), decide_ns(policy, entries, "a.host%zu.example.com", "198.51.100.1"),
	       decide_ns(policy, entries, "no%zu.example.org", "198.51.100.1"));
	egret_policy_unref(policy);
	free(text);
	return 0;
}

int main(void)
{
	static const size_t sizes[] = {10, 1000, 100000};
	int failed = 0;

	printf("%8s %12s %12s %12s %12s %12s\n", "entries", "load ns each", "bytes each", "exact ns", "suffix ns", "no entry ns");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		failed |= measure(sizes[i]);
	return failed;
}
