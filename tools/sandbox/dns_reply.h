/* DNS messages (RFC 1035, RFC 9460) that the tree's resolver writes. Pure: bytes in, bytes out. */
#ifndef EGRET_SANDBOX_DNS_REPLY_H
#define EGRET_SANDBOX_DNS_REPLY_H

#include "preload/dns.h"

enum egret_dns_rcode { EGRET_DNS_OK = 0, EGRET_DNS_FORMAT = 1, EGRET_DNS_FAILED = 2, EGRET_DNS_NO_NAME = 3, EGRET_DNS_REFUSED = 5 };

/* A message being written. */
struct egret_dns_reply {
	uint8_t data[EGRET_DNS_MAX];
	size_t len;
	size_t limit; /* bytes that the asker takes; set before the first of these functions */
};

/* What the asker of QUERY takes in one datagram: EDNS's word (RFC 6891), or 512; *EDNS: it speaks EDNS. */
size_t egret_dns_room(const uint8_t *query, size_t len, bool *edns);
/* Answers EDNS with EDNS; room for it must have been left. */
void egret_dns_add_edns(struct egret_dns_reply *reply);
#define EGRET_DNS_EDNS_LEN 11u

/* A fresh query for upstream: our id, nothing of the program's but name and type. Returns its length. */
size_t egret_dns_query(const struct egret_dns_question *question, uint16_t id, uint8_t out[EGRET_DNS_MAX]);

void egret_dns_begin(struct egret_dns_reply *reply, const struct egret_dns_question *question, enum egret_dns_rcode rcode);
bool egret_dns_add_addr(struct egret_dns_reply *reply, const struct egret_addr *addr, uint32_t ttl);
bool egret_dns_add_ptr(struct egret_dns_reply *reply, const char *name);

/* Rebuilds upstream's ANSWER to QUESTION (asked with ID) into REPLY: known types only, no ECH, no other sections. EACH is told every
 * address of the name that was asked. False: not an answer to this question. */
bool egret_dns_rebuild(const uint8_t *answer, size_t len, const struct egret_dns_question *question, uint16_t id,
		       struct egret_dns_reply *reply, void (*each)(void *data, const struct egret_addr *addr, uint32_t ttl), void *data);
#endif
