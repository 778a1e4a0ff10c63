/* The jobs of the bench's client: each runs once and prints one JSON line on standard output. */
#ifndef BENCH_JOBS_H
#define BENCH_JOBS_H

#include "link.h"

#define MESSAGE 64 /* bytes of a round trip */

/* DIRECTION 's' or 'r': TOTAL bytes in calls of CHUNK bytes, spread over CONNECTIONS. {"seconds", "bytes", "cpu"} */
void bulk(char direction, size_t chunk, size_t total, size_t connections);
/* COUNT round trips in all. {"p50_us", "p99_us", "seconds", "count", "cpu"}; with several connections the p50 is of one message's wait */
void echo(size_t count, size_t connections);
/* COUNT times connect, exchange, close. {"p50_us", "p99_us", …} */
void reconnect(size_t count);
/* {"bytes_each"} */
void idle(size_t connections);

/* What the jobs share. */
double cpu_s(void);                                 /* user and system seconds of this process */
void print_spread(double *samples, size_t count, double seconds); /* sorts SAMPLES (seconds) and prints the line of echo and reconnect */

#endif
