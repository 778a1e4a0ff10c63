/* What a policy costs to load from its file and to ask, by its size: nanoseconds and bytes an entry, nanoseconds a decision. Prints a table. */
#include "policy/policy.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 200000

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts); /* what else the machine does is not counted */
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Entries of one host each: two of three exact names, one suffix. PATH: as for mkstemp. */
static bool write_policy(char *path, size_t entries)
{
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	bool good = file != NULL;

	for (size_t i = 0; good && i < entries; i++)
		good = fprintf(file, "[entry%zu]\nhosts = %shost%zu.example.com\nports = 443\nprotocol = tls\n", i, i % 3 ? "" : "*.", i) > 0;
	return file && fclose(file) == 0 && good;
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

struct load {
	double best_ns;
	long faults; /* of the best round: pages that were touched for the first time */
	size_t bytes;
};

/* Five loads, each in the room of the one before; the last one stays. */
static struct egret_policy *load(const char *path, struct load *load)
{
	struct egret_err err = {0};
	struct egret_policy *policy = NULL;

	*load = (struct load){.best_ns = 1e18};
	for (int round = 0; round < 5; round++) {
		struct rusage before, after;
		size_t held;
		double start, took;

		egret_policy_unref(policy);
		held = mallinfo2().uordblks + mallinfo2().hblkhd;
		getrusage(RUSAGE_SELF, &before);
		start = now_ns();
		policy = egret_policy_load(path, &err, NULL);
		took = now_ns() - start;
		getrusage(RUSAGE_SELF, &after);
		if (took < load->best_ns) {
			load->best_ns = took;
			load->faults = after.ru_minflt - before.ru_minflt;
		}
		load->bytes = mallinfo2().uordblks + mallinfo2().hblkhd - held;
	}
	return policy;
}

/* Memory that malloc has given back comes from the kernel again, a page fault for each 4 KiB; kept, it costs none. */
static void keep_memory(bool keep)
{
	mallopt(M_MMAP_MAX, keep ? 0 : 65536);
	mallopt(M_TRIM_THRESHOLD, keep ? INT_MAX : 128 * 1024);
	malloc_trim(0);
}

static int measure(size_t entries)
{
	struct load fresh, again;
	char path[] = "/tmp/egret-bench-XXXXXX";
	struct egret_policy *policy;

	if (!write_policy(path, entries))
		return 1;
	egret_policy_unref(load(path, &fresh));
	keep_memory(true);
	policy = load(path, &again);
	unlink(path);
	if (!policy)
		return 1;
	printf("%8zu %12.0f %12.3f %12.0f %12zu %12.0f %12.0f %12.0f\n", entries, fresh.best_ns / (double)entries,
	       (double)fresh.faults / (double)entries, again.best_ns / (double)entries, fresh.bytes / entries,
	       decide_ns(policy, entries, "host%zu.example.com", "198.51.100.1"), decide_ns(policy, entries, "a.host%zu.example.com", "198.51.100.1"),
	       decide_ns(policy, entries, "no%zu.example.org", "198.51.100.1"));
	egret_policy_unref(policy);
	keep_memory(false);
	return 0;
}

int main(void)
{
	static const size_t sizes[] = {10, 1000, 100000};
	int failed = 0;

	printf("%8s %12s %12s %12s %12s %12s %12s %12s\n", "entries", "load ns each", "faults each", "again, ns", "bytes each", "exact ns", "suffix ns", "no entry ns");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		failed |= measure(sizes[i]);
	return failed;
}
