/* Round trips, connections, idle memory. */
#include "jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

double cpu_s(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void print_spread(double *samples, size_t count, double seconds)
{
	qsort(samples, count, sizeof *samples, by_size);
	printf("{\"p50_us\": %.2f, \"p99_us\": %.2f, \"count\": %zu, \"seconds\": %.6f, \"cpu\": %.6f}\n", samples[count / 2] * 1e6,
	       samples[count * 99 / 100] * 1e6, count, seconds, cpu_s());
}

static double *samples_for(size_t count)
{
	double *samples = calloc(count ? count : 1, sizeof *samples);
	if (!samples || count == 0)
		die("a count of at least 1 is needed");
	return samples;
}

static void exchange(struct link *link)
{
	char message[MESSAGE] = "ping";
	link_send_all(link, message, sizeof message);
	link_recv_all(link, message, sizeof message);
}

static void echo_one(size_t count, double *samples)
{
	struct link link;
	link_open(&link);
	link_order(&link, 'e', 0, 0);
	for (size_t i = 0; i < count / 10 + 1; i++)
		exchange(&link);
	double start = now_s(), before = start;
	for (size_t i = 0; i < count; i++) {
		exchange(&link);
		double after = now_s();
		samples[i] = after - before;
		before = after;
	}
	print_spread(samples, count, before - start);
	link_close(&link);
}

struct caller {
	struct link link;
	size_t got; /* bytes of the answer so far */
	double sent_at;
};

static void call(struct caller *caller)
{
	char message[MESSAGE] = "ping";
	caller->got = 0;
	caller->sent_at = now_s();
	link_send_all(&caller->link, message, sizeof message);
}

/* Reads what came; true when the answer is whole. */
static bool answered(struct caller *caller)
{
	char message[MESSAGE];
	ssize_t n;
	while ((n = link_recv(&caller->link, message, MESSAGE - caller->got)) > 0 && (caller->got += (size_t)n) < MESSAGE)
		;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("recv");
	return caller->got == MESSAGE;
}

/* Each connection always has one message on its way. */
static void echo_many(size_t count, size_t connections, double *samples)
{
	struct caller *callers = calloc(connections, sizeof *callers);
	int set = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < connections; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &callers[i] };
		link_open(&callers[i].link);
		link_order(&callers[i].link, 'e', 0, 0);
		link_unblock(&callers[i].link);
		epoll_ctl(set, EPOLL_CTL_ADD, callers[i].link.fd, &event);
	}
	double start = now_s();
	for (size_t i = 0; i < connections; i++)
		call(&callers[i]);
	for (size_t done = 0; done < count;) {
		struct epoll_event events[64];
		int n = epoll_wait(set, events, 64, -1);
		for (int i = 0; i < n && done < count; i++) {
			struct caller *caller = events[i].data.ptr;
			if (!answered(caller))
				continue;
			samples[done++] = now_s() - caller->sent_at;
			call(caller);
		}
	}
	print_spread(samples, count, now_s() - start);
	for (size_t i = 0; i < connections; i++)
		link_close(&callers[i].link);
	free(callers);
	close(set);
}

void echo(size_t count, size_t connections)
{
	double *samples = samples_for(count);
	if (connections <= 1)
		echo_one(count, samples);
	else
		echo_many(count, connections, samples);
	free(samples);
}

void reconnect(size_t count)
{
	double *samples = samples_for(count), start = now_s();
	for (size_t i = 0; i < count; i++) {
		struct link link;
		double before = now_s();
		link_open(&link);
		link_order(&link, 'e', 0, 0);
		exchange(&link);
		link_close(&link);
		samples[i] = now_s() - before;
	}
	print_spread(samples, count, now_s() - start);
	free(samples);
}

/* Bytes of private memory, from smaps: the file pages of a library are nobody's connection. */
static long private_bytes(void)
{
	char line[256];
	long total = 0, kib;
	FILE *smaps = fopen("/proc/self/smaps_rollup", "re");
	while (smaps && fgets(line, sizeof line, smaps))
		if (sscanf(line, "Private_Dirty: %ld kB", &kib) == 1)
			total += kib << 10;
	if (smaps)
		fclose(smaps);
	return total;
}

void idle(size_t connections)
{
	struct link *links = calloc(connections + 1, sizeof *links);
	link_open(&links[connections]); /* what the first one costs is not each one's */
	link_order(&links[connections], 'e', 0, 0);
	exchange(&links[connections]);
	long before = private_bytes();
	for (size_t i = 0; i < connections; i++) {
		link_open(&links[i]);
		link_order(&links[i], 'e', 0, 0);
		exchange(&links[i]);
	}
	printf("{\"bytes_each\": %.0f, \"count\": %zu}\n", (double)(private_bytes() - before) / (double)connections, connections);
	free(links);
}
