/* The verdict on a program's own TLS: what its ClientHello asks for, against the entry that let the connection pass. */
#include "compiled.h"

#include <stdlib.h>
#include <string.h>

/* Does ENTRY name ADDR itself, alone or by a network? Its `addresses` do not count: they stand for its names. */
static bool names_addr(const struct egret_entry *entry, const struct egret_addr *addr)
{
	for (size_t i = 0; i < entry->host_count && addr->family != EGRET_NO_ADDR; i++) {
		const char *slash = strchr(entry->hosts[i], '/');
		char text[EGRET_ADDR_TEXT];
		struct egret_addr net;
		size_t len = slash ? (size_t)(slash - entry->hosts[i]) : strlen(entry->hosts[i]);

		if (len >= sizeof(text))
			continue;
		memcpy(text, entry->hosts[i], len);
		text[len] = '\0';
		if (!(slash ? egret_addr_parse_net(text, &net) : egret_addr_parse(text, &net)))
			continue;
		if (slash ? egret_addr_in(addr, &net, (unsigned)strtoul(slash + 1, NULL, 10)) : egret_addr_equal(addr, &net))
			return true;
	}
	return false;
}

static enum egret_reason judge(const struct egret_verdict *connected, const struct egret_addr *addr, const struct egret_hello *hello)
{
	const struct egret_entry *entry = connected->entry;

	switch (hello->kind) {
	case EGRET_HELLO_BROKEN:
		return EGRET_REASON_BAD_HELLO;
	case EGRET_HELLO_NONE:
		return entry->protocol == EGRET_TLS ? EGRET_REASON_NO_HELLO : EGRET_REASON_ENTRY;
	case EGRET_HELLO_TLS:
		break;
	}
	if (hello->encrypted)
		return EGRET_REASON_ECH;
	if (hello->name)
		return egret_entry_covers_name(entry, hello->name, hello->len) ? EGRET_REASON_ENTRY : EGRET_REASON_SNI;
	/* Whoever dials an address asks for no name (RFC 6066 3). */
	return !connected->by_host && names_addr(entry, addr) ? EGRET_REASON_ENTRY : EGRET_REASON_NO_SNI;
}

bool egret_hello_matters(const struct egret_verdict *connected)
{
	const struct egret_entry *entry = connected->entry;

	return connected->allow && connected->reason == EGRET_REASON_ENTRY && entry && entry->tls == EGRET_TLS_OFF &&
	       (entry->protocol == EGRET_TLS || (entry->protocol == EGRET_TCP && connected->by_host));
}

struct egret_verdict egret_decide_hello(const struct egret_policy *policy, const struct egret_verdict *connected,
					const struct egret_addr *addr, const struct egret_hello *hello, enum egret_mode mode)
{
	struct egret_verdict verdict = *connected;

	if (!connected->allow || !connected->entry)
		return (struct egret_verdict){0};
	verdict.reason = judge(connected, addr, hello);
	verdict.allow = verdict.reason == EGRET_REASON_ENTRY;
	return egret_relax(policy, verdict, mode);
}
