/* From a descriptor and a socket address to a verdict: what connect and addressed sends ask before anything leaves.
 */
#ifndef EGRET_JUDGE_H
#define EGRET_JUDGE_H

#include "policy/policy.h"

#include <sys/socket.h>

struct egret_judged {
	struct egret_policy *policy; /* referenced; egret_judged_end drops it; NULL: not governed, or out of memory (then denied is set) */
	struct egret_request request;
	struct egret_verdict verdict;
	char name[EGRET_NAME_MAX];
	char others[1024];           /* other names of the address */
	int domain, type;            /* of the socket */
	int nodelay;                 /* TCP_NODELAY, as the program has it */
	int denied;                  /* positive errno; 0: go on */
};

/* Judges ADDR for FD and, when it is denied, writes the log and the line on stderr. */
void egret_judge(struct egret_judged *judged, int fd, const struct sockaddr *addr, socklen_t len);
/* Writes the event of an allowed connection; ADDRESS is what is dialled. */
void egret_judged_log(const struct egret_judged *judged, const struct egret_endpoint *dialled);
/* Judges a stream to HOST (a name or an address) and PORT that the libc itself will make, TLS not possible. 0, or the errno of its refusal, which
 * was logged and said. */
int egret_judge_name(const char *host, uint16_t port);
void egret_judged_end(struct egret_judged *judged);

const char *egret_judged_protocol(const struct egret_judged *judged);

#endif
