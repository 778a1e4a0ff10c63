/* The policy that the manifests come to: entries of one ServiceEntry's port, hosts that are treated alike together. */
#include "policy/addr.h"
#include "policy/draft.h"
#include "tools/import/import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct names {
	const char **items;
	size_t count, room;
};

/* What is being written: one entry's text below its hosts, and the hosts that have it. */
struct group {
	char *body;
	struct names hosts;
};

struct writing {
	struct egret_manifests *all;
	FILE *to;
	struct names titles; /* owned */
	struct egret_import one;
	struct group groups[64]; /* more kinds of treatment than hosts of a ServiceEntry have in practice */
	size_t group_count;
	struct names denied;
};

static void add_name(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcasecmp(names->items[i], name))
			return;
	if (!egret_grow(&names->items, &names->room, names->count, sizeof(*names->items)))
		abort();
	names->items[names->count++] = name;
}

static const char *protocol_of(const char *name)
{
	static const struct { const char *mesh, *ours; } protocols[] = {
		{ "HTTP", "http" }, { "HTTP2", "tcp" }, { "GRPC", "tcp" }, { "GRPC-WEB", "http" }, { "HTTPS", "tls" }, { "TLS", "tls" },
		{ "TCP", "tcp" }, { "MONGO", "tcp" }, { "REDIS", "tcp" }, { "MYSQL", "tcp" }, { "UDP", "udp" }
	};

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (!strcasecmp(protocols[i].mesh, name))
			return protocols[i].ours;
	return NULL;
}

/* The ServiceEntry's port NUMBER; absent when it has none. */
static struct egret_node port_of(const struct egret_manifest *service, unsigned number)
{
	struct egret_node ports = egret_node_get(service->spec, "ports");

	for (size_t i = 0; egret_node_is_list(ports) && i < egret_node_count(ports); i++)
		if (egret_node_get_port(egret_node_item(ports, i), "number") == number)
			return egret_node_item(ports, i);
	return (struct egret_node){ 0 };
}

/* What the mesh dials for service port NUMBER. */
static unsigned dialled(const struct egret_import *one)
{
	unsigned target = egret_node_get_port(port_of(one->service, one->service_port), "targetPort");

	return target ? target : one->service_port;
}

/* Fixed endpoints as `addresses`. DNS names as endpoints: a policy dials the host that was asked for, and no other. */
static void put_endpoints(struct egret_import *one, FILE *to)
{
	struct egret_node list = egret_node_get(one->service->spec, "endpoints");
	const char *resolution = egret_node_get_text(one->service->spec, "resolution");
	const char *port_name = egret_node_get_text(port_of(one->service, one->service_port), "name");
	bool first = true;

	if (!strcasecmp(resolution, "STATIC") && !egret_node_count(list))
		egret_import_leave_out(one, one->service->whole, "resolution STATIC without endpoints reaches nothing");
	if (!resolution[0] || !strcasecmp(resolution, "NONE"))
		return;
	for (size_t i = 0; egret_node_is_list(list) && i < egret_node_count(list); i++) {
		struct egret_node item = egret_node_item(list, i);
		const char *address = egret_node_get_text(item, "address");
		unsigned port = egret_node_get_port(egret_node_get(item, "ports"), port_name);
		struct egret_addr addr;
		char text[EGRET_ADDR_TEXT];

		if (!strcasecmp(address, one->host))
			continue;
		if (!egret_addr_parse(address, &addr)) {
			egret_import_leave_out(one, item, "an endpoint is no IP address; a policy dials the host that was asked for: name the endpoint's host itself");
			return;
		}
		fprintf(to, "%s%s", first ? "addresses = " : ", ", egret_addr_format(&addr, (int)(port ? port : dialled(one)), text));
		first = false;
	}
	if (!first)
		fputc('\n', to);
}

static void put_rules(struct egret_import *one, FILE *to)
{
	if (one->allow_matters && !one->allow.text)
		egret_import_leave_out(one, one->service->whole, "none of its requests is allowed");
	else if (one->allow_matters)
		fprintf(to, "http_allow = %s\n", one->allow.text);
	if (one->deny.text && !strcmp(one->protocol, "http"))
		fprintf(to, "http_deny = %s\n", one->deny.text);
}

/* The answers of all rules for one host and port, as the entry's text below its hosts (malloc'ed). NULL: left out. */
static char *body_of(struct egret_import *one)
{
	char *body = NULL;
	size_t len;
	FILE *to = open_memstream(&body, &len);

	if (!to)
		abort();
	egret_import_visible(one);
	egret_import_route(one);
	egret_import_authorize(one);
	fprintf(to, "ports = %u\nprotocol = %s\n", one->port, one->protocol);
	if (dialled(one) != one->port)
		fprintf(to, "connect_port = %u\n", dialled(one));
	put_endpoints(one, to);
	egret_import_tls(one, to);
	put_rules(one, to);
	fclose(to);
	free(one->allow.text);
	free(one->deny.text);
	if (!one->left_out)
		return body;
	free(body);
	return NULL;
}

static void join_group(struct writing *w, const char *host, char *body)
{
	size_t i = 0;

	while (i < w->group_count && strcmp(w->groups[i].body, body) != 0)
		i++;
	if (i == sizeof(w->groups) / sizeof(w->groups[0])) {
		egret_import_error(w->all, w->one.service->whole, "its hosts are treated in more than %zu ways; split the ServiceEntry", i);
		free(body);
		return;
	}
	if (i < w->group_count)
		free(body);
	else
		w->groups[w->group_count++].body = body;
	add_name(&w->groups[i].hosts, host);
}

/* A title of at most 49 bytes that was not used yet: NAME, NAME-PORT, NAME-PORT-2. */
static const char *title_of(struct writing *w, const char *what)
{
	const char *name = w->one.service->name;
	size_t before = w->titles.count;
	char *title = NULL;

	for (unsigned n = 1; w->titles.count == before; n++) {
		free(title);
		if (egret_node_count(egret_node_get(w->one.service->spec, "ports")) == 1 && n == 1 && !what[0] && strcmp(name, "egret") != 0) {
			if (asprintf(&title, "%.49s", name) < 0)
				abort();
		} else if (asprintf(&title, n > 1 ? "%.30s-%u%s-%u" : "%.30s-%u%s", name, w->one.port, what, n) < 0) {
			abort();
		}
		add_name(&w->titles, title);
	}
	return title;
}

static void print_entry(struct writing *w, const char *what, const struct names *hosts, const char *body)
{
	fprintf(w->to, "\n; ServiceEntry %s, %s:%u\n[%s]\nhosts = ", w->one.service->name, w->one.service->whole.file,
		egret_node_line(w->one.port_node), title_of(w, what));
	for (size_t i = 0; i < hosts->count; i++)
		fprintf(w->to, "%s%s", i ? ", " : "", hosts->items[i]);
	fprintf(w->to, "\n%s", body);
}

/* A host that was left out must not get in by another entry's wildcard. */
static bool is_under_a_wildcard(const struct egret_manifests *all, const char *host)
{
	for (size_t i = 0; i < all->count; i++) {
		struct egret_node hosts = egret_node_get(all->items[i].spec, "hosts");

		if (all->items[i].kind != EGRET_SERVICE_ENTRY)
			continue;
		for (size_t k = 0; egret_node_is_list(hosts) && k < egret_node_count(hosts); k++) {
			const char *pattern = egret_node_text(egret_node_item(hosts, k));

			if (pattern && pattern[0] == '*' && pattern[1] && strcasecmp(pattern, host) != 0 && egret_import_host_covers(pattern, host))
				return true;
		}
	}
	return false;
}

static void print_groups(struct writing *w)
{
	char body[96];

	for (size_t i = 0; i < w->group_count; i++) {
		print_entry(w, "", &w->groups[i].hosts, w->groups[i].body);
		free(w->groups[i].body);
		free(w->groups[i].hosts.items);
	}
	memset(w->groups, 0, sizeof(w->groups));
	w->group_count = 0;
	snprintf(body, sizeof(body), "ports = %u\naction = deny\n", w->one.port);
	if (w->denied.count)
		print_entry(w, "-denied", &w->denied, body);
	w->denied.count = 0;
}

/* The ServiceEntry's hosts, and those below its wildcards that other manifests single out. */
static void single_out(struct names *hosts, struct egret_node list, const char *pattern)
{
	for (size_t i = 0; egret_node_is_list(list) && i < egret_node_count(list); i++) {
		const char *host = egret_node_text(egret_node_item(list, i));

		if (host && strcmp(host, "*") != 0 && strcasecmp(host, pattern) != 0 && egret_import_host_covers(pattern, host))
			add_name(hosts, host);
	}
}

static void single_out_below(struct names *hosts, const struct egret_manifests *all, const char *pattern)
{
	for (size_t i = 0; i < all->count; i++) {
		struct egret_node spec = all->items[i].spec, routes = egret_node_get(spec, "tls");
		const char *rule = all->items[i].kind == EGRET_DESTINATION_RULE ? egret_node_get_text(spec, "host") : "";

		if (rule[0] && strcmp(rule, "*") != 0 && strcasecmp(rule, pattern) != 0 && egret_import_host_covers(pattern, rule))
			add_name(hosts, rule);
		if (all->items[i].kind != EGRET_VIRTUAL_SERVICE)
			continue;
		single_out(hosts, egret_node_get(spec, "hosts"), pattern);
		for (size_t k = 0; egret_node_is_list(routes) && k < egret_node_count(routes); k++) {
			struct egret_node matches = egret_node_get(egret_node_item(routes, k), "match");

			for (size_t m = 0; egret_node_is_list(matches) && m < egret_node_count(matches); m++) {
				single_out(hosts, egret_node_get(egret_node_item(matches, m), "sniHosts"), pattern);
				single_out(hosts, egret_node_get(egret_node_item(matches, m), "sni_hosts"), pattern);
			}
		}
	}
}

static bool is_host(const char *text)
{
	return text[0] && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*:/")];
}

/* The hosts of SERVICE on a port of PROTOCOL. By the mesh's rules, addresses stand for the hosts of a TCP port without resolution. */
static void hosts_of(struct writing *w, const char *protocol, struct names *hosts)
{
	struct egret_node spec = w->one.service->spec, addresses = egret_node_get(spec, "addresses");
	const char *resolution = egret_node_get_text(spec, "resolution");
	bool by_address = (!strcmp(protocol, "tcp") || !strcmp(protocol, "udp")) && egret_node_count(addresses) && (!resolution[0] || !strcasecmp(resolution, "NONE"));
	struct egret_node list = by_address ? addresses : egret_node_get(spec, "hosts");

	if (!by_address && egret_node_count(addresses))
		egret_import_warn(w->all, addresses, "addresses: ignored on port %u, where the host's name decides", w->one.port);
	for (size_t i = 0; egret_node_is_list(list) && i < egret_node_count(list); i++) {
		struct egret_node item = egret_node_item(list, i);
		const char *host = egret_node_text(item);

		if (!host || !strcmp(host, "*") || !is_host(host)) {
			egret_import_warn(w->all, item, "%s is no host that a policy can name; it is left out", host ? host : "(no text)");
			continue;
		}
		add_name(hosts, host);
		if (host[0] == '*')
			single_out_below(hosts, w->all, host);
	}
}

static void write_port(struct writing *w, const struct egret_manifest *service, struct egret_node port)
{
	const char *protocol = protocol_of(egret_node_get_text(port, "protocol"));
	unsigned number = egret_node_get_port(port, "number");
	struct names hosts = { 0 };

	if (!protocol || !number) {
		egret_import_warn(w->all, port, "ServiceEntry %s: a port needs a number and a known protocol, got %s %s; it is left out", service->name,
				  egret_node_get_text(port, "number"), egret_node_get_text(port, "protocol"));
		return;
	}
	w->one = (struct egret_import){ .all = w->all, .service = service, .port_node = port, .port = number };
	hosts_of(w, protocol, &hosts);
	for (size_t i = 0; i < hosts.count; i++) {
		char *body;

		w->one = (struct egret_import){ .all = w->all, .service = service, .port_node = port, .port = number, .host = hosts.items[i],
						.protocol = protocol, .service_port = number, .subset = "" };
		body = body_of(&w->one);
		if (body)
			join_group(w, hosts.items[i], body);
		else if (is_under_a_wildcard(w->all, hosts.items[i]))
			add_name(&w->denied, hosts.items[i]);
	}
	print_groups(w);
	free(hosts.items);
}

static void write_settings(struct egret_manifests *all, FILE *to)
{
	size_t any = 0, registry = 0;
	struct egret_node where = { 0 };

	for (size_t i = 0; i < all->count; i++) {
		struct egret_node mode = egret_node_get(egret_node_get(all->items[i].spec, "outboundTrafficPolicy"), "mode");

		if (all->items[i].kind != EGRET_SIDECAR)
			continue;
		if (egret_node_text(mode) && !strcmp(egret_node_text(mode), "ALLOW_ANY")) {
			any++;
			where = mode;
		} else {
			registry++;
		}
	}
	if (any && !registry)
		egret_import_warn(all, where, "unmatched = allow: what no entry covers is allowed");
	else if (any)
		egret_import_warn(all, where, "ALLOW_ANY is ignored: another Sidecar says REGISTRY_ONLY, or nothing");
	fprintf(to, "; Made by egret import. `egret check` tells what it opens.\n\n[egret]\nunmatched = %s\n", any && !registry ? "allow" : "deny");
}

void egret_import_write(struct egret_manifests *all, FILE *to)
{
	struct writing w = { .all = all, .to = to };

	for (size_t i = 0; i < all->count; i++)
		egret_import_check_fields(all, &all->items[i]);
	write_settings(all, to);
	for (size_t i = 0; i < all->count; i++) {
		struct egret_node ports = egret_node_get(all->items[i].spec, "ports");

		for (size_t k = 0; all->items[i].kind == EGRET_SERVICE_ENTRY && egret_node_is_list(ports) && k < egret_node_count(ports); k++)
			write_port(&w, &all->items[i], egret_node_item(ports, k));
	}
	for (size_t i = 0; i < w.titles.count; i++)
		free((void *)w.titles.items[i]);
	free(w.titles.items);
	free(w.denied.items);
}
