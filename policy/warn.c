#include "build.h"
#include "setters.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void warn_of_host(struct egret_build *build, const struct egret_entry *entry, const char *host)
{
	struct egret_addr addr;
	const char *slash = strchr(host, '/');

	if (entry->protocol == EGRET_UNIX) {
		if (egret_path_is_powerful(host))
			egret_err_add(build->warn, entry->file, entry->line, "[%s] %s: this daemon can open any connection for whoever talks to it",
				      entry->name, host);
		return;
	}
	if (egret_addr_parse(host, &addr) && egret_addr_is_link_local(&addr))
		egret_err_add(build->warn, entry->file, entry->line, "[%s] %s is a link-local or metadata address; cloud credentials can be read there",
			      entry->name, host);
	else if (slash && (strcmp(slash, "/0") == 0 || strncmp(host, "169.254.", 8) == 0 || strncmp(host, "fe80:", 5) == 0))
		egret_err_add(build->warn, entry->file, entry->line, "[%s] %s includes metadata addresses", entry->name, host);
	else if (host[0] == '*' && !strchr(host + 2, '.'))
		egret_err_add(build->warn, entry->file, entry->line, "[%s] %s covers a whole top-level domain", entry->name, host);
	else if (slash && entry->protocol == EGRET_TLS)
		egret_err_add(build->warn, entry->file, entry->line, "[%s] %s: no server name matches a network, so only a ClientHello without one passes there",
			      entry->name, host);
}

static void warn_of_entry(struct egret_build *build, const struct egret_entry *entry)
{
	if (entry->action == EGRET_DENY)
		return;
	for (size_t i = 0; i < entry->host_count; i++)
		warn_of_host(build, entry, entry->hosts[i]);
	for (size_t i = 0; i < entry->port_count && entry->protocol != EGRET_UNIX; i++)
		if (entry->ports[i].first <= 1 && entry->ports[i].last == 65535)
			egret_err_add(build->warn, entry->file, entry->line, "[%s] ports = * opens every port", entry->name);
	if (entry->tls == EGRET_TLS_ORIGINATE && entry->settings->verify == EGRET_VERIFY_NONE)
		egret_err_add(build->warn, entry->file, entry->line, "[%s] tls_verify = none: anybody on the way can read and change it", entry->name);
	else if (entry->tls == EGRET_TLS_ORIGINATE && entry->settings->verify == EGRET_VERIFY_CHAIN && !entry->settings->pin_count)
		egret_err_add(build->warn, entry->file, entry->line, "[%s] tls_verify = chain: any certificate of the CA passes, whatever its name",
			      entry->name);
	if (entry->mode == EGRET_AUDIT)
		egret_err_add(build->warn, entry->file, entry->line, "[%s] mode = audit: its refusals are logged, not enforced", entry->name);
}

/* Which deny entry leaves nothing of an allow entry's host? */
struct shadow {
	struct egret_build *build;
	const struct egret_entry *entry, *by;
};

static bool covers_ports(const struct egret_entry *outer, const struct egret_entry *inner)
{
	for (size_t i = 0; i < inner->port_count; i++) {
		bool inside = false;

		for (size_t k = 0; k < outer->port_count && !inside; k++)
			inside = inner->ports[i].first >= outer->ports[k].first && inner->ports[i].last <= outer->ports[k].last;
		if (!inside)
			return false;
	}
	return true;
}

static void find_shadow(void *ctx, uint32_t ref, enum egret_match match)
{
	struct shadow *shadow = ctx;
	const struct egret_entry *other;
	enum egret_transport transport = shadow->entry->protocol == EGRET_UDP ? EGRET_DATAGRAM :
					 shadow->entry->protocol == EGRET_UNIX ? EGRET_LOCAL : EGRET_STREAM;

	(void)match;
	if (ref & EGRET_REF_ENDPOINT)
		return;
	other = &shadow->build->policy->entries[ref];
	if (other->action == EGRET_DENY && egret_entry_has_transport(other, transport) && covers_ports(other, shadow->entry))
		shadow->by = other;
}

static void warn_of_shadows(struct egret_build *build, const struct egret_entry *entry)
{
	const struct egret_policy *policy = build->policy;

	for (size_t i = 0; i < entry->host_count && entry->action == EGRET_ALLOW; i++) {
		struct shadow shadow = {.build = build, .entry = entry};
		const char *host = entry->hosts[i];
		struct egret_addr addr;

		if (entry->protocol == EGRET_UNIX)
			egret_index_path(policy, host, find_shadow, &shadow);
		else if (egret_addr_parse(host, &addr))
			egret_index_addr(policy, &addr, find_shadow, &shadow);
		else /* of "*.suffix" too: its star stands for a name below it that has no entry of its own */
			egret_index_name(policy, host, find_shadow, &shadow);
		if (shadow.by)
			egret_err_add(build->warn, entry->file, entry->line, "[%s] %s is shadowed by the deny entry [%s] (%s:%u)", entry->name, host,
				      shadow.by->name, shadow.by->file, shadow.by->line);
	}
}

/* Whoever may write a folder without the sticky bit may put another file in a policy's place. */
static void warn_of_folders(struct egret_build *build)
{
	const struct egret_policy *policy = build->policy;

	for (size_t i = 0; i < policy->watched_count; i++) {
		const char *path = policy->watched[i].path, *slash = strrchr(path, '/');
		char folder[PATH_MAX];
		int len = slash && slash != path ? (int)(slash - path) : 1;
		struct stat st;

		if (snprintf(folder, sizeof(folder), "%.*s", len, slash ? path : ".") < PATH_MAX &&
		    stat(folder, &st) == 0 && (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
			egret_err_add(build->warn, path, 0, "everybody may write its folder, and so replace it; chmod o-w %s", folder);
	}
}

void egret_warn_of(struct egret_build *build)
{
	const struct egret_policy *policy = build->policy;
	const char *file = build->policy->watched_count ? build->policy->watched[0].path : build->file;

	if (policy->defaults.unmatched_allow)
		egret_err_add(build->warn, file, 0, "unmatched = allow: what no entry covers is allowed");
	if (policy->defaults.mode != EGRET_ENFORCE)
		egret_err_add(build->warn, file, 0, "mode = %s: nothing is denied", egret_mode_name(policy->defaults.mode));
	if (!policy->defaults.dns_filter)
		egret_err_add(build->warn, file, 0, "dns = open: names can carry data out");
	if (policy->entry_count == 0 && !policy->defaults.unmatched_allow)
		egret_err_add(build->warn, file, 0, "no entries: everything external is denied");
	warn_of_folders(build);
	for (size_t i = 0; i < policy->entry_count; i++) {
		warn_of_entry(build, &policy->entries[i]);
		if (policy->any_deny)
			warn_of_shadows(build, &policy->entries[i]);
	}
}
