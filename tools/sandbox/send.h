/* A message on its way out: copied from the caller, judged, sent by the supervisor. Lives on the worker's stack. */
#ifndef EGRET_SANDBOX_SEND_H
#define EGRET_SANDBOX_SEND_H

#include "supervisor.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define EGRET_VECTORS_MAX 1024u /* UIO_MAXIOV */
#define EGRET_CONTROL_MAX 8192u
#define EGRET_PASSED_MAX 256u

struct egret_outgoing {
	const struct iovec *vectors; /* of the caller's memory */
	size_t count, total;         /* vectors, bytes */
	int flags;
	struct egret_where where;    /* len 0: no address */
	_Alignas(struct cmsghdr) uint8_t control[EGRET_CONTROL_MAX];
	size_t control_len;
	bool has_told;                /* SCM_CREDENTIALS, taken out of the control data */
	struct ucred told;
	int passed[EGRET_PASSED_MAX]; /* our duplicates of descriptors that are sent along */
	size_t passed_count;
};

/* Copies the ancillary data of MSG, refuses what routes packets elsewhere, translates descriptors. 0 or a negative errno. */
int egret_control_read(struct egret_call *call, const struct egret_target *target, const struct msghdr *msg, struct egret_outgoing *out);
/* Adds who the caller is to what goes to a unix socket. 0 or a negative errno. */
int egret_control_tell(struct egret_call *call, struct egret_outgoing *out);
void egret_control_done(struct egret_outgoing *out);

/* A datagram to port 53: the socket is given a way to the resolver and the address of OUT set to it. 0 or a negative errno. */
int egret_send_to_resolver(struct egret_call *call, struct egret_target *target, struct egret_outgoing *out);

#endif
