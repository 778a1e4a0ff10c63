/* DNS messages (RFC 1035, RFC 9460) as far as the tree's resolver speaks them. Pure: bytes in, bytes out. */
#ifndef EGRET_SANDBOX_DNS_H
#define EGRET_SANDBOX_DNS_H

#include "policy/policy.h"

#define EGRET_DNS_MAX 4096 /* bytes of one message, either way */

enum egret_dns_type {
	EGRET_DNS_A = 1, EGRET_DNS_CNAME = 5, EGRET_DNS_PTR = 12, EGRET_DNS_AAAA = 28, EGRET_DNS_SRV = 33, EGRET_DNS_HTTPS = 65
};
enum egret_dns_rcode { EGRET_DNS_OK = 0, EGRET_DNS_FORMAT = 1, EGRET_DNS_FAILED = 2, EGRET_DNS_NO_NAME = 3, EGRET_DNS_REFUSED = 5 };

struct egret_dns_question {
	uint16_t id, type;
	char name[EGRET_NAME_MAX];   /* as asked, without the final dot; only letters, digits, '-', '_' and '.' */
	uint8_t wire[EGRET_NAME_MAX + 4]; /* name, type and class as they came */
	size_t wire_len;
};

/* A message being written. */
struct egret_dns_reply {
	uint8_t data[EGRET_DNS_MAX];
	size_t len;
};

/* Reads a query of exactly one question of class IN. False: malformed, or a name that is none: refuse it. */
bool egret_dns_question(const uint8_t *msg, size_t len, struct egret_dns_question *question);
/* A fresh query for upstream: our id, nothing of the program's but name and type. Returns its length. */
size_t egret_dns_query(const struct egret_dns_question *question, uint16_t id, uint8_t out[EGRET_DNS_MAX]);

void egret_dns_begin(struct egret_dns_reply *reply, const struct egret_dns_question *question, enum egret_dns_rcode rcode);
bool egret_dns_add_addr(struct egret_dns_reply *reply, const struct egret_addr *addr, uint32_t ttl);
bool egret_dns_add_ptr(struct egret_dns_reply *reply, const char *name);

/* Rebuilds upstream's ANSWER to QUESTION (asked with ID) into REPLY: known types only, no ECH, no other sections. EACH is told every
 * address. False: not an answer to this question. */
bool egret_dns_rebuild(const uint8_t *answer, size_t len, const struct egret_dns_question *question, uint16_t id,
		       struct egret_dns_reply *reply, void (*each)(void *data, const struct egret_addr *addr, uint32_t ttl), void *data);
/* The address that an in-addr.arpa or ip6.arpa name stands for. */
bool egret_dns_reverse(const char *name, struct egret_addr *addr);

#endif
