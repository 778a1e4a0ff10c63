#include "addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool all_zero(const uint8_t *bytes, size_t count)
{
	while (count--)
		if (*bytes++)
			return false;
	return true;
}

/* RFC 4291 2.5.5.2, and what Linux does with the unspecified address. */
static void make_canonical(struct egret_addr *addr)
{
	if (addr->family == EGRET_IPV6 && memcmp(addr->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		memmove(addr->bytes, addr->bytes + 12, 4);
		memset(addr->bytes + 4, 0, 12);
		addr->family = EGRET_IPV4;
		addr->scope_id = 0;
	}
	if (addr->family == EGRET_IPV4 && all_zero(addr->bytes, 4))
		memcpy(addr->bytes, "\x7f\0\0\1", 4);
	else if (addr->family == EGRET_IPV6 && all_zero(addr->bytes, 16))
		addr->bytes[15] = 1;
}

bool egret_addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct egret_addr *addr, uint16_t *port)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	sa_family_t family;

	*addr = (struct egret_addr){0};
	if (!sa || len < sizeof(family))
		return false;
	memcpy(&family, sa, sizeof(family));
	if (family == AF_INET && len >= sizeof(in4)) {
		memcpy(&in4, sa, sizeof(in4));
		addr->family = EGRET_IPV4;
		memcpy(addr->bytes, &in4.sin_addr, 4);
		*port = ntohs(in4.sin_port);
	} else if (family == AF_INET6 && len >= sizeof(in6) - sizeof(in6.sin6_scope_id)) {
		/* RFC 2133's shorter form, without a scope, is still accepted by the kernel. */
		in6.sin6_scope_id = 0;
		memcpy(&in6, sa, len < sizeof(in6) ? len : sizeof(in6));
		addr->family = EGRET_IPV6;
		memcpy(addr->bytes, &in6.sin6_addr, 16);
		addr->scope_id = egret_addr_is_link_local(addr) && len >= sizeof(in6) ? in6.sin6_scope_id : 0;
		*port = ntohs(in6.sin6_port);
	} else {
		return false;
	}
	make_canonical(addr);
	return true;
}

socklen_t egret_addr_to_sockaddr(const struct egret_addr *addr, uint16_t port, int domain, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (domain == AF_INET && addr->family == EGRET_IPV4) {
		struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
		memcpy(&in4.sin_addr, addr->bytes, 4);
		memcpy(ss, &in4, sizeof(in4));
		return sizeof(in4);
	}
	if (domain == AF_INET6 && addr->family != EGRET_NO_ADDR) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = addr->scope_id};
		if (addr->family == EGRET_IPV4) {
			memcpy(in6.sin6_addr.s6_addr, mapped_prefix, 12);
			memcpy(in6.sin6_addr.s6_addr + 12, addr->bytes, 4);
		} else {
			memcpy(&in6.sin6_addr, addr->bytes, 16);
		}
		memcpy(ss, &in6, sizeof(in6));
		return sizeof(in6);
	}
	return 0;
}

/* "%3" behind an address: digits only, since a name would need a socket to be looked up. */
static bool parse_scope(const char *text, uint32_t *scope)
{
	uint64_t value = 0;
	size_t digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 10; digits++)
		value = value * 10 + (uint64_t)(text[digits] - '0');
	*scope = (uint32_t)value;
	return digits > 0 && !text[digits] && value <= UINT32_MAX;
}

bool egret_addr_parse_net(const char *text, struct egret_addr *addr)
{
	char buf[INET6_ADDRSTRLEN + 16];
	size_t len = strlen(text);
	char *percent;

	*addr = (struct egret_addr){0};
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		if (!memchr(text, ':', len))
			return false; /* brackets are for IPv6 */
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(buf))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (inet_pton(AF_INET, buf, addr->bytes) == 1) {
		addr->family = EGRET_IPV4;
		return true;
	}
	percent = strchr(buf, '%');
	if (percent) {
		*percent = '\0';
		if (!parse_scope(percent + 1, &addr->scope_id))
			return false;
	}
	if (inet_pton(AF_INET6, buf, addr->bytes) != 1)
		return false;
	addr->family = EGRET_IPV6;
	return !percent || egret_addr_is_link_local(addr);
}

bool egret_addr_parse(const char *text, struct egret_addr *addr)
{
	bool good = egret_addr_parse_net(text, addr);

	if (good)
		make_canonical(addr);
	else
		*addr = (struct egret_addr){0};
	return good;
}

bool egret_addr_parse_libc(const char *text, struct egret_addr *addr)
{
	struct in_addr in4;
	size_t end;

	if (egret_addr_parse(text, addr))
		return true;
	/* inet_aton ignores what follows white space; a name has none. */
	end = strspn(text, "0123456789abcdefABCDEFxX.");
	if (text[end] || !inet_aton(text, &in4))
		return false;
	addr->family = EGRET_IPV4;
	memcpy(addr->bytes, &in4, 4);
	make_canonical(addr);
	return true;
}

static char *put_number(char *at, char before, unsigned value)
{
	unsigned unit = 1;

	if (before)
		*at++ = before;
	while (value / unit >= 10)
		unit *= 10;
	for (; unit; unit /= 10)
		*at++ = (char)('0' + value / unit % 10);
	*at = '\0';
	return at;
}

/* By hand, since every line of a log has one. */
static const char *format_ipv4(const struct egret_addr *addr, int port, char buf[EGRET_ADDR_TEXT])
{
	char *at = put_number(buf, '\0', addr->bytes[0]);

	for (int i = 1; i < 4; i++)
		at = put_number(at, '.', addr->bytes[i]);
	if (port >= 0)
		put_number(at, ':', (unsigned)port);
	return buf;
}

const char *egret_addr_format(const struct egret_addr *addr, int port, char buf[EGRET_ADDR_TEXT])
{
	char text[INET6_ADDRSTRLEN] = "?", scope[16] = "", tail[16] = "";
	bool six = addr->family == EGRET_IPV6;

	if (addr->family == EGRET_IPV4)
		return format_ipv4(addr, port, buf);
	if (six)
		inet_ntop(AF_INET6, addr->bytes, text, sizeof(text));
	if (addr->scope_id)
		snprintf(scope, sizeof(scope), "%%%u", addr->scope_id);
	if (port >= 0)
		snprintf(tail, sizeof(tail), ":%d", port);
	if (six && port >= 0)
		snprintf(buf, EGRET_ADDR_TEXT, "[%s%s]%s", text, scope, tail);
	else
		snprintf(buf, EGRET_ADDR_TEXT, "%s%s%s", text, scope, tail);
	return buf;
}

bool egret_addr_equal(const struct egret_addr *a, const struct egret_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void egret_addr_mask(struct egret_addr *addr, unsigned prefix_bits)
{
	for (unsigned i = 0; i < sizeof(addr->bytes); i++) {
		unsigned kept = prefix_bits > i * 8 ? prefix_bits - i * 8 : 0;
		if (kept < 8)
			addr->bytes[i] &= (uint8_t)(0xff00 >> kept);
	}
}

bool egret_addr_in(const struct egret_addr *addr, const struct egret_addr *net, unsigned prefix_bits)
{
	unsigned whole = prefix_bits / 8, rest = prefix_bits % 8;

	if (addr->family != net->family || addr->family == EGRET_NO_ADDR || prefix_bits > (addr->family == EGRET_IPV4 ? 32u : 128u))
		return false;
	if (memcmp(addr->bytes, net->bytes, whole) != 0)
		return false;
	return rest == 0 || ((addr->bytes[whole] ^ net->bytes[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

/* True when ADDR begins with BITS bits of BYTES and is of FAMILY. */
static bool starts(const struct egret_addr *addr, uint8_t family, const void *bytes, unsigned bits)
{
	struct egret_addr net = {.family = family};

	memcpy(net.bytes, bytes, (bits + 7) / 8);
	return egret_addr_in(addr, &net, bits);
}

bool egret_addr_is_loopback(const struct egret_addr *addr)
{
	return starts(addr, EGRET_IPV4, "\x7f", 8) || starts(addr, EGRET_IPV4, "\0\0\0\0", 32) ||
	       starts(addr, EGRET_IPV6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 128) ||
	       starts(addr, EGRET_IPV6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 128);
}

bool egret_addr_is_private(const struct egret_addr *addr)
{
	return starts(addr, EGRET_IPV4, "\x0a", 8) || starts(addr, EGRET_IPV4, "\xac\x10", 12) ||
	       starts(addr, EGRET_IPV4, "\xc0\xa8", 16) || starts(addr, EGRET_IPV4, "\x64\x40", 10) ||
	       starts(addr, EGRET_IPV6, "\xfc", 7);
}

bool egret_addr_is_link_local(const struct egret_addr *addr)
{
	/* Behind the two ranges, the metadata services that live elsewhere: AWS over IPv6, Alibaba, Oracle, Azure's wire server. */
	return starts(addr, EGRET_IPV4, "\xa9\xfe", 16) || starts(addr, EGRET_IPV6, "\xfe\x80", 10) ||
	       starts(addr, EGRET_IPV6, "\xfd\0\x0e\xc2\0\0\0\0\0\0\0\0\0\0\x02\x54", 128) ||
	       starts(addr, EGRET_IPV4, "\x64\x64\x64\xc8", 32) || starts(addr, EGRET_IPV4, "\xc0\0\0\xc0", 32) ||
	       starts(addr, EGRET_IPV4, "\xa8\x3f\x81\x10", 32);
}
