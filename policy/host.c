#include "build.h"
#include "name.h"
#include "setters.h"

#include <stdio.h>
#include <string.h>

static struct egret_host bad_host(struct egret_build *build, const struct egret_key *key, const struct egret_value *value,
				  const char *item, size_t len, const char *why)
{
	egret_err_add(build->err, build->file, value->line, "%s: \"%.*s\" %s", key->name, (int)(len < 200 ? len : 200), item, why);
	return (struct egret_host){0};
}

static bool is_mapped(const struct egret_addr *addr)
{
	return addr->family == EGRET_IPV6 && memcmp(addr->bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
}

/* An address or a network; kind EGRET_HOST_BAD without a message when TEXT is neither. */
static struct egret_host parse_net(struct egret_build *build, const struct egret_key *key, const struct egret_value *value, char *text)
{
	struct egret_host host = {0};
	char *slash = strchr(text, '/'), shown[EGRET_ADDR_TEXT], advice[EGRET_ADDR_TEXT + 80];
	struct egret_addr masked;
	uint64_t bits;

	if (!slash) {
		if (!egret_addr_parse(text, &host.net))
			return host;
		host.bits = host.net.family == EGRET_IPV4 ? 32 : 128;
		host.kind = EGRET_HOST_NET;
		snprintf(host.text, sizeof(host.text), "%s", egret_addr_format(&host.net, -1, shown));
		return host;
	}
	*slash = '\0';
	if (!egret_addr_parse_net(text, &host.net) || !egret_parse_number(slash + 1, strlen(slash + 1), host.net.family == EGRET_IPV4 ? 32 : 128, &bits)) {
		*slash = '/';
		return bad_host(build, key, value, text, strlen(text), "is not a network; write address/bits, e.g. 192.0.2.0/24 or 2001:db8::/32");
	}
	*slash = '/';
	if (is_mapped(&host.net) && bits >= 96) {
		/* Judged as the IPv4 network it is. */
		memmove(host.net.bytes, host.net.bytes + 12, 4);
		memset(host.net.bytes + 4, 0, 12);
		host.net.family = EGRET_IPV4;
		bits -= 96;
	}
	host.bits = (unsigned)bits;
	masked = host.net;
	egret_addr_mask(&masked, host.bits);
	egret_addr_format(&masked, -1, shown);
	if (!egret_addr_equal(&masked, &host.net)) {
		snprintf(advice, sizeof(advice), "has bits beyond its prefix; did you mean %s/%u?", shown, host.bits);
		return bad_host(build, key, value, text, strlen(text), advice);
	}
	host.net.scope_id = 0;
	host.kind = EGRET_HOST_NET;
	snprintf(host.text, sizeof(host.text), "%s/%u", shown, host.bits);
	return host;
}

struct egret_host egret_host_parse(struct egret_build *build, const struct egret_key *key, const struct egret_value *value,
				   const char *item, size_t len)
{
	struct egret_host host = {0};
	char text[4 * EGRET_NAME_MAX];
	bool suffix = len > 2 && item[0] == '*' && item[1] == '.';
	enum egret_name_fault fault;
	struct egret_addr addr;

	fault = egret_name_fold(item + (suffix ? 2 : 0), len - (suffix ? 2 : 0), host.text + (suffix ? 2 : 0), EGRET_NAME_MAX);
	if (suffix)
		memcpy(host.text, "*.", 2);
	host.kind = suffix ? EGRET_HOST_SUFFIX : EGRET_HOST_NAME;
	if (fault == EGRET_NAME_GOOD && (suffix || item[0] < '0' || item[0] > '9'))
		return host; /* most are: no address begins so, no other form is a good name */
	if (len >= sizeof(text))
		return bad_host(build, key, value, item, len, egret_name_fault_text(EGRET_NAME_LONG));
	memcpy(text, item, len);
	text[len] = '\0';
	if (strstr(text, "://"))
		return bad_host(build, key, value, item, len, "is a URL; write its host here, its port in `ports`, its path in `http_allow`");
	if (len == 1 && text[0] == '*')
		return bad_host(build, key, value, item, len, "is no host; for everything write unmatched = allow in [egret], or 0.0.0.0/0, ::/0");
	if (!suffix && (strchr(text, '/') || strchr(text, ':') || (text[0] >= '0' && text[0] <= '9'))) {
		struct egret_host net = parse_net(build, key, value, text);

		if (net.kind != EGRET_HOST_BAD || strchr(text, '/'))
			return net;
		if (strchr(text, ':'))
			return bad_host(build, key, value, item, len, "is not a host; ports belong into the key `ports`");
		if (egret_addr_parse_libc(text, &addr))
			return bad_host(build, key, value, item, len, "is an address in a form that no name has; write it as a dotted quad");
	}
	if (fault != EGRET_NAME_GOOD && strchr(text + (suffix ? 2 : 0), '*'))
		return bad_host(build, key, value, item, len, "has a `*` that is not the first label; only *.suffix is known");
	if (fault != EGRET_NAME_GOOD)
		return bad_host(build, key, value, item, len, egret_name_fault_text(fault));
	return host;
}

bool egret_path_canonical(const char *path, size_t len, char *out, size_t size)
{
	size_t at = 0;

	if (len == 0 || len >= size || (path[0] != '/' && path[0] != '@'))
		return false;
	if (path[0] == '@') {
		memcpy(out, path, len);
		out[len] = '\0';
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		bool after_slash = at > 0 && out[at - 1] == '/';

		if (path[i] == '/' && after_slash)
			continue;
		if (path[i] == '.' && after_slash && (i + 1 == len || path[i + 1] == '/'))
			continue;
		out[at++] = path[i];
	}
	if (at > 1 && out[at - 1] == '/')
		at--;
	out[at] = '\0';
	if (strncmp(out, "/var/run/", 9) == 0)
		memmove(out, out + 4, at - 4 + 1);
	return true;
}
