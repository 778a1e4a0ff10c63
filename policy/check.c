#include "build.h"

static bool complain(struct egret_build *build, const struct egret_section *section, const char *what)
{
	egret_err_add(build->err, build->file, section->line, "[%.*s] %s", (int)section->title_len, section->title, what);
	return false;
}

/* `ports = *` says nothing: it stands for none, too. */
static bool names_ports(const struct egret_build *build)
{
	const struct egret_port_range *ports = build->ports.items;

	return build->ports.count > 1 || (build->ports.count == 1 && (ports->first != 0 || ports->last != 65535));
}

static bool check_deny(struct egret_build *build, const struct egret_section *section)
{
	const struct egret_entry *entry = &build->entry;

	if (entry->tls == EGRET_TLS_ORIGINATE || entry->connect_port || build->endpoints.count || build->http_allow.count || build->http_deny.count ||
	    build->tls_given)
		return complain(build, section, "is a deny entry, which dials nothing: it takes hosts, ports, protocol and mode only");
	return true;
}

static bool check_http_and_tls(struct egret_build *build, const struct egret_section *section)
{
	const struct egret_entry *entry = &build->entry;
	const struct egret_tls_settings *tls = &build->tls;
	bool originate = entry->tls == EGRET_TLS_ORIGINATE, good = true;

	if ((build->http_allow.count || build->http_deny.count) && entry->protocol != EGRET_HTTP)
		good = complain(build, section, "has HTTP rules, which need protocol = http");
	if (originate && entry->protocol == EGRET_TLS)
		good = complain(build, section, "has protocol = tls and tls = originate: a program that speaks TLS itself needs no origination; write protocol = tcp or http");
	if (originate && (entry->protocol == EGRET_UDP || entry->protocol == EGRET_UNIX))
		good = complain(build, section, "has tls = originate, which needs protocol = tcp or http");
	if (originate && tls->starttls && entry->protocol != EGRET_TCP)
		good = complain(build, section, "has tls_starttls, which needs protocol = tcp");
	if (tls->min_version && tls->max_version && tls->min_version > tls->max_version)
		good = complain(build, section, "has a tls_min_version above its tls_max_version");
	if (originate && !tls->client_cert != !tls->client_key)
		good = complain(build, section, "needs both tls_client_cert and tls_client_key, or neither");
	if (build->tls_given && !originate && build->warn)
		egret_err_add(build->warn, build->file, build->tls_line, "tls_ keys have no effect without tls = originate");
	return good;
}

bool egret_check_entry(struct egret_build *build, const struct egret_section *section, bool damaged)
{
	static const struct egret_port_range every = {0, 65535};
	struct egret_entry *entry = &build->entry;
	bool deny = entry->action == EGRET_DENY, good = true;

	if (build->hosts.count == 0 && !damaged)
		good = complain(build, section, "has no hosts; expected hosts = ...");
	if (entry->protocol == EGRET_UNIX && (names_ports(build) || entry->connect_port || build->endpoints.count))
		good = complain(build, section, "is a unix entry: it has socket paths in `hosts`, and neither ports nor addresses");
	else if (build->ports.count == 0 && !damaged && !deny && entry->protocol != EGRET_UNIX)
		good = complain(build, section, "has no ports; expected ports = ... (* for all)");
	if (build->ports.count == 0)
		egret_push(build, &build->ports, &every, sizeof(every));
	entry->any_transport = deny && !build->protocol_given;
	if (deny)
		return check_deny(build, section) && good;
	return check_http_and_tls(build, section) && good;
}
