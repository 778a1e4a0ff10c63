/* What the bench's client and server agree on. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first bytes of every connection. */
struct bench_order {
	uint8_t job;    /* 's' sink, 'r' source, 'e' echo; after the first two the connection echoes */
	uint8_t pad[3];
	uint32_t chunk; /* bytes that the source writes at a time */
	uint64_t total; /* bytes that go one way; the sink answers one byte behind them */
};

void die(const char *what) __attribute__((noreturn)); /* with errno's text */
double now_s(void);                                   /* seconds, monotonic */

#endif
