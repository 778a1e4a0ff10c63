/* One connection of the bench's client. Two programs are built from the same jobs: with link_plain.c, which uses send and recv (what
 * runs under the library, through a proxy, or in the clear), and with link_native.c, which uses SSL_write and SSL_read with verification
 * on (what a program pays that brings its own TLS).
 *
 * Counts are bytes; -1 with errno EAGAIN means not now; every other failure ends the program: a measurement with an error in it is none.
 */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "common.h"

#include <sys/types.h>

struct ssl_st;

struct link {
	int fd;
	struct ssl_st *ssl; /* link_native.c's */
	short wants;        /* POLLIN or POLLOUT: what the last EAGAIN waits for */
};

struct link_options {
	const char *ca_file, *ca_path; /* native: what verifies the server; one may be NULL */
	bool resume;                   /* native: keep the session for the next connection */
};

/* ---- what the two differ in ---- */
void link_setup(const struct link_options *options);
void link_begin(struct link *link); /* the handshake, on a blocking descriptor */
void link_end(struct link *link);   /* the goodbye, before close */
ssize_t link_send(struct link *link, const void *data, size_t size);
ssize_t link_recv(struct link *link, void *data, size_t size);

/* ---- what they share (link.c) ---- */
extern uint16_t link_port; /* of 127.0.0.1 */
void link_open(struct link *link);
void link_close(struct link *link);
void link_unblock(struct link *link);
void link_send_all(struct link *link, const void *data, size_t size);
void link_recv_all(struct link *link, void *data, size_t size);
void link_order(struct link *link, char job, uint32_t chunk, uint64_t total);

#endif
