#include "dns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEADER 12u
#define CLASS_IN 1u
#define JUMPS_MAX 64   /* compression pointers in one name */
#define ALIASES_MAX 16 /* CNAMEs that are followed */

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

size_t egret_dns_expand(const uint8_t *msg, size_t len, size_t *at, uint8_t out[EGRET_NAME_MAX])
{
	size_t pos = *at, used = 0;
	bool jumped = false;

	for (int jumps = 0; jumps < JUMPS_MAX && pos < len;) {
		uint8_t label = msg[pos];

		if ((label & 0xc0) == 0xc0) {
			if (pos + 2 > len)
				return 0;
			if (!jumped)
				*at = pos + 2;
			jumped = true;
			pos = get16(msg + pos) & 0x3fffu;
			jumps++;
			continue;
		}
		if (label > 63 || pos + 1 + label > len || used + label + 1u > 255)
			return 0;
		memcpy(out + used, msg + pos, label + 1u);
		used += label + 1u;
		pos += label + 1u;
		if (!label) {
			if (!jumped)
				*at = pos;
			return used;
		}
	}
	return 0;
}

static bool text_of(const uint8_t *wire, char name[EGRET_NAME_MAX])
{
	size_t used = 0;

	while (*wire) {
		unsigned label = *wire++;

		if (used)
			name[used++] = '.';
		for (; label; label--, wire++) {
			if (!isalnum(*wire) && *wire != '-' && *wire != '_')
				return false;
			name[used++] = (char)*wire;
		}
	}
	name[used] = '\0';
	return used > 0;
}

bool egret_dns_question(const uint8_t *msg, size_t len, struct egret_dns_question *question)
{
	size_t at = HEADER, name_len;

	memset(question, 0, sizeof(*question));
	if (len < HEADER)
		return false;
	question->id = get16(msg);
	if ((msg[2] & 0xf8) || get16(msg + 4) != 1) /* a response, another opcode */
		return false;
	name_len = egret_dns_expand(msg, len, &at, question->wire);
	if (!name_len || at + 4 > len || get16(msg + at + 2) != CLASS_IN)
		return false;
	question->type = get16(msg + at);
	memcpy(question->wire + name_len, msg + at, 4);
	question->wire_len = name_len + 4;
	return text_of(question->wire, question->name);
}

/* LEN bytes of two names in wire form, without case (RFC 4343); a NUL inside a label ends nothing. */
static bool same_name(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (tolower(a[i]) != tolower(b[i]))
			return false;
	return true;
}

bool egret_dns_answer(struct egret_dns_records *records, const uint8_t *msg, size_t len, const struct egret_dns_question *question, uint16_t id)
{
	uint8_t name[EGRET_NAME_MAX];
	size_t at = HEADER, name_len;

	if (len < HEADER || get16(msg) != id || (msg[2] & 0xf8) != 0x80 || get16(msg + 4) != 1)
		return false;
	name_len = egret_dns_expand(msg, len, &at, name);
	if (!name_len || at + 4 > len || name_len + 4 != question->wire_len || !same_name(name, question->wire, name_len) ||
	    memcmp(msg + at, question->wire + name_len, 4))
		return false;
	*records = (struct egret_dns_records){ .msg = msg, .len = len, .at = at + 4, .left = get16(msg + 6) };
	return true;
}

bool egret_dns_next(struct egret_dns_records *records, struct egret_dns_record *record)
{
	const uint8_t *msg = records->msg;
	uint8_t name[EGRET_NAME_MAX];
	size_t at = records->at;

	if (!records->left)
		return false;
	records->left--;
	record->name_at = at;
	if (!egret_dns_expand(msg, records->len, &at, name) || at + 10 > records->len)
		return false;
	record->type = get16(msg + at);
	record->class = get16(msg + at + 2);
	record->ttl = (uint32_t)get16(msg + at + 4) << 16 | get16(msg + at + 6);
	record->len = get16(msg + at + 8);
	record->at = at + 10;
	records->at = record->at + record->len;
	return records->at <= records->len;
}

static void tell_addr(const uint8_t *data, size_t len, uint32_t ttl, void (*each)(void *, const struct egret_addr *, uint32_t), void *to)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct egret_addr addr = { .family = EGRET_IPV4 };
	uint16_t port;

	if (len == 4) {
		memcpy(addr.bytes, data, 4);
	} else {
		memcpy(&sin6.sin6_addr, data, 16);
		if (!egret_addr_from_sockaddr((struct sockaddr *)&sin6, sizeof(sin6), &addr, &port))
			return;
	}
	each(to, &addr, ttl);
}

/* The records of NAME: its addresses are told; true when it is an alias, NAME then is what it stands for. */
static bool follow(struct egret_dns_records records, uint8_t name[EGRET_NAME_MAX], void (*each)(void *, const struct egret_addr *, uint32_t),
		   void *to)
{
	uint8_t owner[EGRET_NAME_MAX], next[EGRET_NAME_MAX];
	struct egret_dns_record r;
	bool alias = false;

	while (egret_dns_next(&records, &r)) {
		size_t at = r.name_at, len = egret_dns_expand(records.msg, records.len, &at, owner);

		if (r.class != CLASS_IN || !same_name(owner, name, len))
			continue;
		at = r.at;
		if ((r.type == EGRET_DNS_A && r.len == 4) || (r.type == EGRET_DNS_AAAA && r.len == 16))
			tell_addr(records.msg + r.at, r.len, r.ttl, each, to);
		else if (r.type == EGRET_DNS_CNAME && egret_dns_expand(records.msg, records.len, &at, next))
			alias = true;
	}
	if (alias)
		memcpy(name, next, EGRET_NAME_MAX);
	return alias;
}

bool egret_dns_addresses(const uint8_t *msg, size_t len, const struct egret_dns_question *question, uint16_t id,
			 void (*each)(void *data, const struct egret_addr *addr, uint32_t ttl), void *data)
{
	uint8_t name[EGRET_NAME_MAX] = { 0 };
	struct egret_dns_records records;
	int aliases = 0;

	if (!egret_dns_answer(&records, msg, len, question, id))
		return false;
	memcpy(name, question->wire, question->wire_len - 4);
	while (follow(records, name, each, data) && ++aliases < ALIASES_MAX)
		;
	return true;
}

bool egret_dns_reverse(const char *name, struct egret_addr *addr)
{
	unsigned a, b, c, d;
	char text[INET6_ADDRSTRLEN + 8], tail[16], *out = text;
	int used = 0;

	if (sscanf(name, "%3u.%3u.%3u.%3u.%15s", &a, &b, &c, &d, tail) == 5 && !strcasecmp(tail, "in-addr.arpa")) {
		snprintf(text, sizeof(text), "%u.%u.%u.%u", d & 255, c & 255, b & 255, a & 255);
		return egret_addr_parse(text, addr);
	}
	if (strlen(name) != 72 || strcasecmp(name + 64, "ip6.arpa"))
		return false;
	for (used = 62; used >= 0; used -= 2) {
		*out++ = name[used];
		if (used % 8 == 0 && used)
			*out++ = ':';
	}
	*out = '\0';
	return egret_addr_parse(text, addr);
}
