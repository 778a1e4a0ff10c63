/* Internet addresses in one canonical form (RFC 4291, RFC 6890), judged before anything else looks at them.
 *
 * Canonical means: ::ffff:a.b.c.d is the IPv4 address a.b.c.d; 0.0.0.0 and :: are what the kernel makes of them, loopback.
 * NAT64 (64:ff9b::/96) and 6to4 (2002::/16) stay the IPv6 addresses they are. Values are plain data: copy freely.
 */
#ifndef EGRET_ADDR_H
#define EGRET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum egret_family { EGRET_NO_ADDR = 0, EGRET_IPV4 = 4, EGRET_IPV6 = 6 };

struct egret_addr {
	uint8_t family;    /* enum egret_family */
	uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
	uint32_t scope_id; /* IPv6 link-local scope, 0 otherwise; never part of a comparison with the policy */
};

/* Longest text that egret_addr_format writes, NUL included ("[v6%scope]:port"). */
#define EGRET_ADDR_TEXT 80

/* From the kernel's form. LEN bytes of SA are read at most. False: not AF_INET/AF_INET6 or too short. *PORT in host order. */
bool egret_addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct egret_addr *addr, uint16_t *port);

/* To the kernel's form, for a socket of domain DOMAIN (AF_INET or AF_INET6: IPv4 is then v4-mapped).
 * Returns the length, 0 when the address cannot be expressed in DOMAIN. */
socklen_t egret_addr_to_sockaddr(const struct egret_addr *addr, uint16_t port, int domain, struct sockaddr_storage *ss);

/* Strict text: dotted quad or RFC 4291/5952 IPv6, brackets allowed. False for anything else (also "2130706433"). */
bool egret_addr_parse(const char *text, struct egret_addr *addr);

/* The same without making it canonical: for the network of a CIDR, where 0.0.0.0 and :: are themselves. */
bool egret_addr_parse_net(const char *text, struct egret_addr *addr);

/* What the libc makes of TEXT: also inet_aton(3)'s forms ("2130706433", "0177.1", "0x7f.1"). For names that a program asked. */
bool egret_addr_parse_libc(const char *text, struct egret_addr *addr);

/* RFC 5952 text; with PORT >= 0 "a:port" or "[a]:port". Always terminated. Returns BUF. */
const char *egret_addr_format(const struct egret_addr *addr, int port, char buf[EGRET_ADDR_TEXT]);

bool egret_addr_equal(const struct egret_addr *a, const struct egret_addr *b);
bool egret_addr_in(const struct egret_addr *addr, const struct egret_addr *net, unsigned prefix_bits);

/* Clears all but the first PREFIX_BITS bits. */
void egret_addr_mask(struct egret_addr *addr, unsigned prefix_bits);

bool egret_addr_is_loopback(const struct egret_addr *addr);   /* 127/8, ::1, 0.0.0.0, :: */
bool egret_addr_is_private(const struct egret_addr *addr);    /* RFC 1918, RFC 6598, RFC 4193 */
bool egret_addr_is_link_local(const struct egret_addr *addr); /* 169.254/16 and fe80::/10, cloud metadata included */

#endif
