#include "build.h"
#include "name.h"

#include <string.h>
#include <sys/utsname.h>

/* One request on its way through the indexes, most specific host first. */
struct judging {
	const struct egret_policy *policy;
	const struct egret_request *request;
	struct egret_addr addr; /* canonical; family 0: unknown */
	const struct egret_entry *deny, *allow, *blocked, *endpoint;
	bool allow_by_host, internal, ambiguous_endpoint, port_missed, transport_missed;
	enum egret_reason blocked_reason;
};

/* Where an answer of the resolver may not carry the name that MATCH covers (DNS rebinding). */
static enum egret_reason guard(const struct judging *j, const struct egret_entry *entry, enum egret_match match)
{
	if (match == EGRET_MATCH_NET || j->addr.family == EGRET_NO_ADDR || entry->endpoint_count)
		return EGRET_REASON_NONE;
	if (egret_addr_is_link_local(&j->addr))
		return EGRET_REASON_LINK_LOCAL;
	if (match == EGRET_MATCH_SUFFIX && (egret_addr_is_loopback(&j->addr) || egret_addr_is_private(&j->addr)))
		return EGRET_REASON_REBINDING;
	return EGRET_REASON_NONE;
}

static void take_allow(struct judging *j, const struct egret_entry *entry, enum egret_match match, bool endpoint)
{
	enum egret_reason reason = guard(j, entry, match);

	if (reason != EGRET_REASON_NONE) {
		if (!j->blocked) {
			j->blocked = entry;
			j->blocked_reason = reason;
		}
	} else if (endpoint) {
		j->ambiguous_endpoint |= j->endpoint && j->endpoint != entry;
		j->endpoint = entry;
	} else if (!j->allow) {
		j->allow = entry;
		j->allow_by_host = match != EGRET_MATCH_NET;
	}
}

static void consider(void *ctx, uint32_t ref, enum egret_match match)
{
	struct judging *j = ctx;
	const struct egret_entry *entry;
	bool allow;

	if (ref == EGRET_REF_INTERNAL) {
		j->internal = true;
		return;
	}
	entry = &j->policy->entries[ref & ~EGRET_REF_ENDPOINT];
	allow = entry->action == EGRET_ALLOW;
	if (!egret_entry_has_port(entry, j->request->port) && j->request->transport != EGRET_LOCAL)
		j->port_missed |= allow;
	else if (!egret_entry_has_transport(entry, j->request->transport))
		j->transport_missed |= allow;
	else if (allow)
		take_allow(j, entry, match, (ref & EGRET_REF_ENDPOINT) != 0);
	else if (!j->deny)
		j->deny = entry;
}

enum egret_mode egret_effective_mode(const struct egret_policy *policy, const struct egret_entry *entry, enum egret_mode mode)
{
	return mode ? mode : entry && entry->mode ? entry->mode : policy->defaults.mode;
}

struct egret_verdict egret_relax(const struct egret_policy *policy, struct egret_verdict verdict, enum egret_mode mode)
{
	if (verdict.allow || policy->missing)
		return verdict;
	mode = egret_effective_mode(policy, verdict.entry, mode);
	verdict.allow = verdict.audited = mode == EGRET_AUDIT || mode == EGRET_OFF;
	if (mode == EGRET_OFF)
		verdict.reason = EGRET_REASON_OFF;
	return verdict;
}

static bool is_internal(const struct judging *j)
{
	const struct egret_policy *policy = j->policy;

	if (egret_addr_is_link_local(&j->addr))
		return false;
	return j->internal || (policy->internal_loopback && egret_addr_is_loopback(&j->addr)) ||
	       (policy->internal_private && egret_addr_is_private(&j->addr));
}

static struct egret_verdict conclude(struct judging *j)
{
	const struct egret_policy *policy = j->policy;

	if (j->deny)
		return (struct egret_verdict){.reason = EGRET_REASON_DENY_ENTRY, .entry = j->deny};
	if (!j->allow && !j->blocked && j->endpoint && !j->ambiguous_endpoint)
		j->allow = j->endpoint;
	if (j->allow)
		return (struct egret_verdict){.allow = true, .reason = EGRET_REASON_ENTRY, .entry = j->allow, .by_host = j->allow_by_host};
	if (j->blocked)
		return (struct egret_verdict){.reason = j->blocked_reason, .entry = j->blocked, .by_host = true};
	if (is_internal(j))
		return (struct egret_verdict){.allow = true, .reason = EGRET_REASON_INTERNAL};
	if (policy->missing)
		return (struct egret_verdict){.reason = EGRET_REASON_NO_POLICY};
	if (policy->defaults.unmatched_allow)
		return (struct egret_verdict){.allow = true, .reason = EGRET_REASON_UNMATCHED};
	if (j->internal)
		return (struct egret_verdict){.reason = EGRET_REASON_LINK_LOCAL};
	if (j->transport_missed)
		return (struct egret_verdict){.reason = EGRET_REASON_PROTOCOL};
	return (struct egret_verdict){.reason = j->port_missed ? EGRET_REASON_PORT : EGRET_REASON_NO_ENTRY};
}

/* Sockets of daemons that open connections or start programs for whoever asks: internal to nobody. */
bool egret_path_is_powerful(const char *path)
{
	static const char *const parts[] = {"docker.sock", "containerd", "podman.sock", "crio.sock", "buildkitd.sock", "libvirt", "lxd/unix.socket",
		"incus/unix.socket", "snapd", "/dbus/", "/run/systemd/private", "dbus-", "/bus"};
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(path, parts[i]) && (strcmp(parts[i], "/bus") != 0 || (len > 4 && strcmp(path + len - 4, "/bus") == 0)))
			return true;
	return false;
}

static struct egret_verdict decide_local(struct judging *j)
{
	const char *path = j->request->path ? j->request->path : "";
	char canonical[256];

	if (egret_path_canonical(path, strlen(path), canonical, sizeof(canonical))) {
		egret_index_path(j->policy, canonical, consider, j);
		path = canonical;
	}
	j->internal = j->policy->internal_loopback && !egret_path_is_powerful(path);
	return conclude(j);
}

/* Both are canonical. RFC 6761 6.3: localhost and all below it. */
static bool is_localhost(const char *name)
{
	size_t len = strlen(name);

	return strcmp(name, "localhost") == 0 || (len > 10 && strcmp(name + len - 10, ".localhost") == 0);
}

struct egret_verdict egret_decide(const struct egret_policy *policy, const struct egret_request *request, enum egret_mode mode)
{
	struct judging j = {.policy = policy, .request = request, .addr = request->addr};
	char name[EGRET_NAME_MAX], text[EGRET_ADDR_TEXT];
	struct egret_addr literal;
	bool named = request->host != NULL;

	if (!policy)
		return (struct egret_verdict){.reason = EGRET_REASON_NO_POLICY};
	if (request->transport == EGRET_LOCAL)
		return egret_relax(policy, decide_local(&j), mode);
	if (named && request->host_len < sizeof(text) && !memchr(request->host, '\0', request->host_len)) {
		memcpy(text, request->host, request->host_len);
		text[request->host_len] = '\0';
		if (egret_addr_parse_libc(text, &literal)) {
			named = false;
			if (j.addr.family == EGRET_NO_ADDR)
				j.addr = literal;
		}
	}
	if (named && !egret_name_canonical(request->host, request->host_len, name, sizeof(name)))
		return egret_relax(policy, (struct egret_verdict){.reason = EGRET_REASON_BAD_NAME}, mode);
	if (named) {
		egret_index_name(policy, name, consider, &j);
		if (is_localhost(name) && j.addr.family == EGRET_NO_ADDR)
			j.addr = (struct egret_addr){.family = EGRET_IPV4, .bytes = {127, 0, 0, 1}};
	}
	if (j.addr.family != EGRET_NO_ADDR)
		egret_index_addr(policy, &j.addr, consider, &j);
	return egret_relax(policy, conclude(&j), mode);
}

struct naming {
	const struct egret_policy *policy;
	const struct egret_entry *deny, *allow;
	bool internal;
};

static void consider_name(void *ctx, uint32_t ref, enum egret_match match)
{
	struct naming *n = ctx;
	const struct egret_entry *entry;

	(void)match;
	if (ref == EGRET_REF_INTERNAL) {
		n->internal = true;
		return;
	}
	entry = &n->policy->entries[ref & ~EGRET_REF_ENDPOINT];
	if (entry->action == EGRET_ALLOW) {
		n->allow = n->allow ? n->allow : entry;
		return;
	}
	/* One protocol's denial leaves the name to the others. */
	if (!entry->any_transport)
		return;
	for (size_t i = 0; i < entry->port_count; i++)
		if (entry->ports[i].first <= 1 && entry->ports[i].last == 65535)
			n->deny = entry;
}

static bool is_own_name(const char *name)
{
	struct utsname uts;
	char own[EGRET_NAME_MAX];

	return uname(&uts) == 0 && egret_name_canonical(uts.nodename, strlen(uts.nodename), own, sizeof(own)) && strcmp(own, name) == 0;
}

struct egret_verdict egret_decide_name(const struct egret_policy *policy, const char *name, size_t len, enum egret_mode mode)
{
	struct naming n = {.policy = policy};
	struct egret_verdict verdict = {0};
	char canonical[EGRET_NAME_MAX];
	struct egret_addr literal;
	char text[EGRET_ADDR_TEXT];

	if (!policy)
		return (struct egret_verdict){.reason = EGRET_REASON_NO_POLICY};
	if (len < sizeof(text) && !memchr(name, '\0', len)) {
		memcpy(text, name, len);
		text[len] = '\0';
		if (egret_addr_parse_libc(text, &literal))
			return (struct egret_verdict){.allow = true, .reason = EGRET_REASON_INTERNAL};
	}
	if (!egret_name_canonical(name, len, canonical, sizeof(canonical)))
		return egret_relax(policy, (struct egret_verdict){.reason = EGRET_REASON_BAD_NAME}, mode);
	egret_index_name(policy, canonical, consider_name, &n);
	if (is_localhost(canonical) || is_own_name(canonical))
		verdict = (struct egret_verdict){.allow = true, .reason = EGRET_REASON_INTERNAL};
	else if (n.deny)
		verdict = (struct egret_verdict){.reason = EGRET_REASON_DENY_ENTRY, .entry = n.deny, .by_host = true};
	else if (n.allow)
		verdict = (struct egret_verdict){.allow = true, .reason = EGRET_REASON_ENTRY, .entry = n.allow, .by_host = true};
	else if (n.internal)
		verdict = (struct egret_verdict){.allow = true, .reason = EGRET_REASON_INTERNAL};
	else if (policy->missing)
		verdict = (struct egret_verdict){.reason = EGRET_REASON_NO_POLICY};
	else if (policy->defaults.unmatched_allow || !policy->defaults.dns_filter)
		verdict = (struct egret_verdict){.allow = true, .reason = EGRET_REASON_UNMATCHED};
	else
		verdict = (struct egret_verdict){.reason = EGRET_REASON_NO_ENTRY};
	return egret_relax(policy, verdict, mode);
}
