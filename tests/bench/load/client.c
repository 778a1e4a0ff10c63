/* The bench's client: one job a run, one JSON line of what it took.
 *
 *   client [--ca-file FILE] [--ca-path DIR] [--resume] PORT JOB [ARGS]
 *     send CHUNK MIB [CONNECTIONS]   recv CHUNK MIB [CONNECTIONS]   bulk, one way; more than one connection: one epoll loop
 *     echo COUNT [CONNECTIONS]       64-byte round trips
 *     connect COUNT                  connect, handshake, 64-byte exchange, close, one after the other
 *     idle CONNECTIONS               bytes of resident memory that each idle connection holds
 */
#include "jobs.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
	fputs("usage: client [--ca-file FILE] [--ca-path DIR] [--resume] PORT send|recv|echo|connect|idle ARGS\n", stderr);
	return 2;
}

static size_t number(char **argv, int argc, int at, size_t otherwise)
{
	return at < argc ? (size_t)strtoull(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "ca-file", 1, 0, 'f' }, { "ca-path", 1, 0, 'p' }, { "resume", 0, 0, 'r' }, { 0 } };
	struct link_options options = { 0 };
	int c;
	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		switch (c) {
		case 'f': options.ca_file = optarg; break;
		case 'p': options.ca_path = optarg; break;
		case 'r': options.resume = true; break;
		default: return usage();
		}
	}
	if (argc - optind < 3)
		return usage();
	link_port = (uint16_t)number(argv, argc, optind, 0);
	const char *job = argv[optind + 1];
	size_t first = number(argv, argc, optind + 2, 0), second = number(argv, argc, optind + 3, 1);
	size_t connections = number(argv, argc, optind + 4, 1);
	link_setup(&options);
	if (strcmp(job, "send") == 0 || strcmp(job, "recv") == 0)
		bulk(job[0], first, second << 20, connections);
	else if (strcmp(job, "echo") == 0)
		echo(first, second);
	else if (strcmp(job, "connect") == 0)
		reconnect(first);
	else if (strcmp(job, "idle") == 0)
		idle(first);
	else
		return usage();
	return 0;
}
