#include "dns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#define HEADER 12u
#define CLASS_IN 1u
#define JUMPS_MAX 64

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static bool put(struct egret_dns_reply *reply, const void *data, size_t len)
{
	if (len > sizeof(reply->data) - reply->len)
		return false;
	memcpy(reply->data + reply->len, data, len);
	reply->len += len;
	return true;
}

static bool put16(struct egret_dns_reply *reply, unsigned value)
{
	uint8_t bytes[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	return put(reply, bytes, 2);
}

static bool put32(struct egret_dns_reply *reply, uint32_t value)
{
	return put16(reply, value >> 16) && put16(reply, value & 0xffff);
}

/* A name at *AT as uncompressed wire form into OUT (256 bytes). Moves *AT past it. Returns its length, 0 when malformed. */
static size_t expand(const uint8_t *msg, size_t len, size_t *at, uint8_t out[EGRET_NAME_MAX])
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
	name_len = expand(msg, len, &at, question->wire);
	if (!name_len || at + 4 > len || get16(msg + at + 2) != CLASS_IN)
		return false;
	question->type = get16(msg + at);
	memcpy(question->wire + name_len, msg + at, 4);
	question->wire_len = name_len + 4;
	return text_of(question->wire, question->name);
}

size_t egret_dns_query(const struct egret_dns_question *question, uint16_t id, uint8_t out[EGRET_DNS_MAX])
{
	static const uint8_t opt[] = { 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0 }; /* EDNS0: 1232 bytes (RFC 6891) */
	struct egret_dns_reply query = { .len = 0 };

	put16(&query, id);
	put16(&query, 0x0100); /* recursion desired */
	put16(&query, 1);
	put32(&query, 0);
	put16(&query, 1);
	put(&query, question->wire, question->wire_len);
	put(&query, opt, sizeof(opt));
	memcpy(out, query.data, query.len);
	return query.len;
}

void egret_dns_begin(struct egret_dns_reply *reply, const struct egret_dns_question *question, enum egret_dns_rcode rcode)
{
	reply->len = 0;
	put16(reply, question->id);
	put16(reply, 0x8180u | rcode);
	put16(reply, question->wire_len ? 1 : 0);
	put32(reply, 0);
	put16(reply, 0);
	put(reply, question->wire, question->wire_len);
}

/* One record whose name is the question's; the count in the header goes up. */
static bool record(struct egret_dns_reply *reply, const uint8_t *name, size_t name_len, unsigned type, uint32_t ttl, const void *data,
		   size_t len)
{
	size_t before = reply->len;

	if (!put(reply, name, name_len) || !put16(reply, type) || !put16(reply, CLASS_IN) || !put32(reply, ttl) ||
	    !put16(reply, (unsigned)len) || !put(reply, data, len)) {
		reply->len = before;
		reply->data[2] |= 2; /* truncated: ask over TCP */
		return false;
	}
	if (!++reply->data[7])
		reply->data[6]++;
	return true;
}

static const uint8_t same_name[] = { 0xc0, HEADER };

bool egret_dns_add_addr(struct egret_dns_reply *reply, const struct egret_addr *addr, uint32_t ttl)
{
	bool four = addr->family == EGRET_IPV4;

	return record(reply, same_name, 2, four ? EGRET_DNS_A : EGRET_DNS_AAAA, ttl, addr->bytes, four ? 4 : 16);
}

bool egret_dns_add_ptr(struct egret_dns_reply *reply, const char *name)
{
	uint8_t wire[EGRET_NAME_MAX + 2];
	size_t used = 0, label;

	for (; *name && used < EGRET_NAME_MAX; name += label + (name[label] == '.')) {
		label = strcspn(name, ".");
		if (!label || label > 63 || used + label + 2 > sizeof(wire))
			return false;
		wire[used++] = (uint8_t)label;
		memcpy(wire + used, name, label);
		used += label;
	}
	wire[used++] = 0;
	return record(reply, same_name, 2, EGRET_DNS_PTR, 60, wire, used);
}

/* The data of a name-bearing record, uncompressed: SKIP bytes stay before the name. HTTPS parameters follow it, ECH (key 5) is left out. */
static size_t rebuild_data(const uint8_t *msg, size_t end, size_t at, size_t skip, uint8_t *out, size_t size, bool parameters)
{
	size_t used = skip, n;
	uint8_t name[EGRET_NAME_MAX];

	if (at + skip > end)
		return 0;
	memcpy(out, msg + at, skip);
	at += skip;
	n = expand(msg, end, &at, name);
	if (!n)
		return 0;
	memcpy(out + used, name, n);
	used += n;
	while (parameters && at + 4 <= end) {
		n = 4u + get16(msg + at + 2);
		if (at + n > end || used + n > size)
			return 0;
		if (get16(msg + at) != 5) {
			memcpy(out + used, msg + at, n);
			used += n;
		}
		at += n;
	}
	return used;
}

static void rebuild_record(const uint8_t *msg, size_t at, size_t len, unsigned type, uint32_t ttl, const uint8_t *name, size_t name_len,
			   struct egret_dns_reply *reply)
{
	uint8_t data[2048];
	size_t n = 0;

	switch (type) {
	case EGRET_DNS_A:
	case EGRET_DNS_AAAA:
		if (len == (type == EGRET_DNS_A ? 4u : 16u))
			memcpy(data, msg + at, n = len);
		break;
	case EGRET_DNS_CNAME: n = rebuild_data(msg, at + len, at, 0, data, sizeof(data), false); break;
	case EGRET_DNS_SRV: n = rebuild_data(msg, at + len, at, 6, data, sizeof(data), false); break;
	case EGRET_DNS_HTTPS: n = rebuild_data(msg, at + len, at, 2, data, sizeof(data), true); break;
	}
	if (n)
		record(reply, name, name_len, type, ttl, data, n);
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

bool egret_dns_rebuild(const uint8_t *answer, size_t len, const struct egret_dns_question *question, uint16_t id,
		       struct egret_dns_reply *reply, void (*each)(void *data, const struct egret_addr *addr, uint32_t ttl), void *data)
{
	uint8_t name[EGRET_NAME_MAX];
	size_t at = HEADER, name_len, count, data_len;
	uint32_t ttl;

	if (len < HEADER || get16(answer) != id || !(answer[2] & 0x80) || get16(answer + 4) != 1)
		return false;
	name_len = expand(answer, len, &at, name);
	if (!name_len || at + 4 > len || name_len + 4 != question->wire_len || strncasecmp((char *)name, (const char *)question->wire, name_len) ||
	    memcmp(answer + at, question->wire + name_len, 4))
		return false;
	egret_dns_begin(reply, question, answer[3] & 0xf);
	at += 4;
	for (count = get16(answer + 6); count; count--, at += data_len) {
		name_len = expand(answer, len, &at, name);
		if (!name_len || at + 10 > len)
			return true;
		ttl = (uint32_t)get16(answer + at + 4) << 16 | get16(answer + at + 6);
		data_len = get16(answer + at + 8);
		at += 10;
		if (at + data_len > len)
			return true;
		rebuild_record(answer, at, data_len, get16(answer + at - 10), ttl, name, name_len, reply);
		if ((get16(answer + at - 10) == EGRET_DNS_A && data_len == 4) || (get16(answer + at - 10) == EGRET_DNS_AAAA && data_len == 16))
			tell_addr(answer + at, data_len, ttl, each, data);
	}
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
