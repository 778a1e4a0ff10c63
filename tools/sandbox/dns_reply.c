#include "dns_reply.h"

#include <string.h>

#define HEADER 12u
#define CLASS_IN 1u
#define DATAGRAM_LEAST 512u

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static bool put(struct egret_dns_reply *reply, const void *data, size_t len)
{
	if (len > reply->limit - reply->len)
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

static const uint8_t opt[EGRET_DNS_EDNS_LEN] = { 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0 }; /* EDNS0: 1232 bytes */

size_t egret_dns_room(const uint8_t *query, size_t len, bool *edns)
{
	uint8_t name[EGRET_NAME_MAX];
	size_t at = HEADER, room;

	*edns = len > HEADER && !get16(query + 6) && !get16(query + 8) && get16(query + 10) && egret_dns_expand(query, len, &at, name) &&
		at + 4 + sizeof(opt) <= len && !query[at + 4] && get16(query + at + 5) == 41;
	room = *edns ? get16(query + at + 7) : 0;
	if (room < DATAGRAM_LEAST)
		room = DATAGRAM_LEAST;
	return room < EGRET_DNS_MAX ? room : EGRET_DNS_MAX;
}

void egret_dns_add_edns(struct egret_dns_reply *reply)
{
	memcpy(reply->data + reply->len, opt, sizeof(opt));
	reply->len += sizeof(opt);
	reply->data[11] = 1;
}

size_t egret_dns_query(const struct egret_dns_question *question, uint16_t id, uint8_t out[EGRET_DNS_MAX])
{
	struct egret_dns_reply query = { .limit = EGRET_DNS_MAX };

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
	n = egret_dns_expand(msg, end, &at, name);
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
	if (reply->data[HEADER + name_len - 1] == 0 && !memcmp(name, reply->data + HEADER, name_len)) {
		name = same_name;
		name_len = sizeof(same_name);
	}
	if (n)
		record(reply, name, name_len, type, ttl, data, n);
}

bool egret_dns_rebuild(const uint8_t *answer, size_t len, const struct egret_dns_question *question, uint16_t id,
		       struct egret_dns_reply *reply, void (*each)(void *data, const struct egret_addr *addr, uint32_t ttl), void *data)
{
	uint8_t name[EGRET_NAME_MAX];
	struct egret_dns_record r;
	struct egret_dns_records records;

	if (!egret_dns_answer(&records, answer, len, question, id))
		return false;
	egret_dns_begin(reply, question, answer[3] & 0xf);
	while (egret_dns_next(&records, &r)) {
		size_t at = r.name_at, name_len = egret_dns_expand(answer, len, &at, name);

		rebuild_record(answer, r.at, r.len, r.type, r.ttl, name, name_len, reply);
	}
	egret_dns_addresses(answer, len, question, id, each, data);
	return true;
}
