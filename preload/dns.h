/* DNS messages (RFC 1035) as both layers read them: what a query asks, what an answer tells. Pure: bytes in, values out.
 *
 * Nothing here trusts a length, a count or a pointer of the message; what is malformed ends the reading.
 */
#ifndef EGRET_DNS_H
#define EGRET_DNS_H

#include "policy/policy.h"

#define EGRET_DNS_MAX 4096 /* bytes of one message that we write or keep */

enum egret_dns_type {
	EGRET_DNS_A = 1, EGRET_DNS_CNAME = 5, EGRET_DNS_PTR = 12, EGRET_DNS_AAAA = 28, EGRET_DNS_SRV = 33, EGRET_DNS_HTTPS = 65
};

struct egret_dns_question {
	uint16_t id, type;
	char name[EGRET_NAME_MAX];   /* as asked, without the final dot; only letters, digits, '-', '_' and '.' */
	uint8_t wire[EGRET_NAME_MAX + 4]; /* name, type and class as they came */
	size_t wire_len;
};

/* Reads a query of exactly one question of class IN. False: malformed, or a name that is none: refuse it. */
bool egret_dns_question(const uint8_t *msg, size_t len, struct egret_dns_question *question);

/* The name at *AT as uncompressed wire form. Moves *AT past it. Returns its length in bytes, the root's included; 0: malformed. */
size_t egret_dns_expand(const uint8_t *msg, size_t len, size_t *at, uint8_t out[EGRET_NAME_MAX]);

/* The answer section of a message, record by record. Plain data that borrows the message: a copy starts anew from where it is. */
struct egret_dns_records {
	const uint8_t *msg;
	size_t len, at;
	unsigned left;
};

struct egret_dns_record {
	uint16_t type, class;
	uint32_t ttl;   /* seconds */
	size_t name_at; /* offset of the owner's name, which egret_dns_expand reads */
	size_t at, len; /* offset and bytes of the data, all within the message */
};

/* Is MSG an answer to QUESTION, asked with ID (same id, name in any case, type and class)? */
bool egret_dns_answer(struct egret_dns_records *records, const uint8_t *msg, size_t len, const struct egret_dns_question *question, uint16_t id);
/* The next record; false at the end, and at the first malformed one. */
bool egret_dns_next(struct egret_dns_records *records, struct egret_dns_record *record);

/* Tells EACH every address that MSG gives for QUESTION's name, aliases followed; records of other names are nobody's answer.
 * False: not an answer to this question. */
bool egret_dns_addresses(const uint8_t *msg, size_t len, const struct egret_dns_question *question, uint16_t id,
			 void (*each)(void *data, const struct egret_addr *addr, uint32_t ttl), void *data);

/* The address that an in-addr.arpa or ip6.arpa name stands for. */
bool egret_dns_reverse(const char *name, struct egret_addr *addr);

#endif
