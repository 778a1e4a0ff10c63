/* What VirtualServices make of a host and port: where it is sent, and which requests have a route at all. */
#include "tools/import/import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_suffix_of(const char *suffix, const char *host)
{
	size_t len = strlen(suffix), host_len = strlen(host);

	return host_len > len && !strcasecmp(host + host_len - len, suffix);
}

bool egret_import_host_covers(const char *pattern, const char *host)
{
	if (!strcmp(pattern, "*") || !strcasecmp(pattern, host))
		return true;
	return pattern[0] == '*' && pattern[1] == '.' && is_suffix_of(pattern + 1, host);
}

void egret_rules_join(struct egret_rules *rules, const char *more)
{
	char *longer = NULL;

	if (asprintf(&longer, "%s%s%s", rules->text ? rules->text : "", rules->text ? ", " : "", more) < 0)
		abort();
	free(rules->text);
	rules->text = longer;
}

void egret_rules_add(struct egret_rules *rules, const char *method, const char *path)
{
	char *rule = NULL;

	if (asprintf(&rule, "%s %s", method, path) < 0)
		abort();
	egret_rules_join(rules, rule);
	free(rule);
}

void egret_import_leave_out(struct egret_import *one, struct egret_node where, const char *why)
{
	if (!one->left_out)
		egret_import_warn(one->all, where, "%s port %u of ServiceEntry %s is left out: %s", one->host, one->port, one->service->name, why);
	one->left_out = true;
}

/* The most specific host of a VirtualService that covers HOST, by length; 0: none does. */
static size_t specificity(const struct egret_manifest *vs, const char *host)
{
	struct egret_node hosts = egret_node_get(vs->spec, "hosts"), gateways = egret_node_get(vs->spec, "gateways");
	size_t best = 0;

	if (egret_node_count(gateways) && !egret_node_has(gateways, "mesh"))
		return 0;
	for (size_t i = 0; egret_node_is_list(hosts) && i < egret_node_count(hosts); i++) {
		const char *pattern = egret_node_text(egret_node_item(hosts, i));

		if (pattern && egret_import_host_covers(pattern, host) && strlen(pattern) + (pattern[0] != '*') > best)
			best = strlen(pattern) + (pattern[0] != '*');
	}
	return best;
}

/* One match of a route, as far as a policy can say it. */
struct match {
	bool applies;
	bool whole;   /* every request */
	bool exact;   /* nothing of the match was lost */
	const char *method;
	char path[1024];
};

static bool is_plain_path(const char *path)
{
	if (path[0] != '/')
		return false;
	for (; *path; path++)
		if ((unsigned char)*path <= ' ' || *path == 0x7f || strchr(",;#*?\\", *path))
			return false;
	return true;
}

static void read_uri(struct egret_node uri, struct match *match)
{
	const char *exact = egret_node_get_text(uri, "exact"), *prefix = egret_node_get_text(uri, "prefix");

	if (is_plain_path(exact) && strlen(exact) < sizeof(match->path))
		snprintf(match->path, sizeof(match->path), "%s", exact);
	else if (is_plain_path(prefix) && strlen(prefix) + 3 < sizeof(match->path))
		snprintf(match->path, sizeof(match->path), "%s**", prefix);
	else
		match->exact = false;
}

/* RFC 9110 5.6.2, without what would end the rule. */
static bool is_method(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_");

	return len > 0 && !text[len];
}

static bool covered_by_sni(struct egret_node hosts, const char *host)
{
	for (size_t i = 0; egret_node_is_list(hosts) && i < egret_node_count(hosts); i++) {
		const char *pattern = egret_node_text(egret_node_item(hosts, i));

		if (pattern && egret_import_host_covers(pattern, host))
			return true;
	}
	return false;
}

/* Conditions that a policy cannot state: the match becomes inexact. */
static bool has_other_conditions(struct egret_node node)
{
	static const char *const others[] = { "headers", "withoutHeaders", "queryParams", "authority", "scheme", "ignoreUriCase", "sourceLabels",
					      "sourceNamespace", "destinationSubnets" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (egret_node_get(node, others[i]).at)
			return true;
	return false;
}

/* NODE: absent for a route without `match`. */
static struct match read_match(const struct egret_import *one, struct egret_node node)
{
	struct match match = { .applies = true, .exact = true, .method = "*", .path = "/**" };
	struct egret_node gateways = egret_node_get(node, "gateways"), uri = egret_node_get(node, "uri");
	struct egret_node sni = egret_node_get(node, "sniHosts"), method = egret_node_get(node, "method");

	if (!sni.at)
		sni = egret_node_get(node, "sni_hosts");
	match.applies = (!egret_node_get(node, "port").at || egret_node_get_port(node, "port") == one->port) &&
			(!egret_node_count(gateways) || egret_node_has(gateways, "mesh")) && (!sni.at || covered_by_sni(sni, one->host));
	if (uri.at)
		read_uri(uri, &match);
	if (method.at && is_method(egret_node_get_text(method, "exact")))
		match.method = egret_node_get_text(method, "exact");
	else if (method.at)
		match.exact = false;
	match.whole = !uri.at && !method.at && !has_other_conditions(node);
	match.exact &= !has_other_conditions(node);
	return match;
}

struct routing {
	struct egret_import *one;
	struct egret_rules diverted; /* matched by routes that lead elsewhere: denied as far as a later route would allow it */
	bool routed, done, restricted;
};

static void commit_diverted(struct routing *r)
{
	if (r->diverted.text)
		egret_rules_join(&r->one->deny, r->diverted.text);
	free(r->diverted.text);
	r->diverted.text = NULL;
}

/* Why the mesh does not send ROUTE to the host that was asked for; NULL: it does. Sets PORT and SUBSET. */
static const char *why_elsewhere(const struct egret_import *one, struct egret_node route, unsigned *port, const char **subset)
{
	struct egret_node targets = egret_node_get(route, "route"), destination;
	const char *host;

	if (egret_node_get(route, "redirect").at || egret_node_get(route, "directResponse").at || egret_node_get(route, "delegate").at)
		return "its route answers without the host";
	if (egret_node_count(targets) != 1 || !egret_node_is_list(targets))
		return "its route has several destinations, or none; a policy dials the host that was asked for";
	destination = egret_node_get(egret_node_item(targets, 0), "destination");
	host = egret_node_get_text(destination, "host");
	if (strcasecmp(host, one->host) != 0)
		return "its route leads to another host; a policy dials the host that was asked for";
	*port = egret_node_get_port(egret_node_get(destination, "port"), "number");
	if (*port == 0)
		*port = one->port;
	*subset = egret_node_get_text(destination, "subset");
	return NULL;
}

/* The first match that fits decides, as in the mesh; what cannot be said exactly gets narrower. */
static void take(struct routing *r, struct egret_node route, struct egret_node at, const struct match *match)
{
	struct egret_import *one = r->one;
	unsigned port = 0;
	const char *subset = "", *why = why_elsewhere(one, route, &port, &subset);

	if (!why && r->routed && (port != one->service_port || strcmp(subset, one->subset) != 0))
		why = "another route of the host goes to another port or subset";
	r->done = match->whole;
	if (why) {
		egret_import_warn(one->all, at, "%s port %u: %s; what it matches is not allowed", one->host, one->port, why);
		if (match->whole && !r->routed)
			egret_import_leave_out(one, at, why);
		else
			egret_rules_add(&r->diverted, match->method, match->path);
		return;
	}
	if (!match->exact) {
		egret_import_warn(one->all, at, "%s port %u: this match has conditions that a policy cannot state; it allows nothing", one->host, one->port);
		return;
	}
	commit_diverted(r);
	r->routed = true;
	one->service_port = port;
	one->subset = subset;
	r->restricted |= !match->whole;
	egret_rules_add(&one->allow, match->method, match->path);
}

static void walk(struct routing *r, struct egret_node section)
{
	for (size_t i = 0; egret_node_is_list(section) && i < egret_node_count(section) && !r->done; i++) {
		struct egret_node route = egret_node_item(section, i), matches = egret_node_get(route, "match");
		size_t count = egret_node_count(matches);

		for (size_t k = 0; k < (count ? count : 1) && !r->done; k++) {
			struct egret_node at = count ? egret_node_item(matches, k) : (struct egret_node){ 0 };
			struct match match = read_match(r->one, at);

			if (match.applies)
				take(r, route, count ? at : route, &match);
		}
	}
}

static const struct egret_manifest *find(const struct egret_import *one, const char *section)
{
	const struct egret_manifest *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < one->all->count; i++) {
		const struct egret_manifest *vs = &one->all->items[i];
		size_t fits = vs->kind == EGRET_VIRTUAL_SERVICE ? specificity(vs, one->host) : 0;

		if (fits <= longest || !egret_node_get(vs->spec, section).at)
			continue;
		best = vs;
		longest = fits;
	}
	return best;
}

void egret_import_route(struct egret_import *one)
{
	const char *section = !strcmp(one->protocol, "http") ? "http" : !strcmp(one->protocol, "tls") ? "tls" : "tcp";
	const struct egret_manifest *vs = find(one, section);
	struct routing r = { .one = one };

	if (!vs)
		return;
	walk(&r, egret_node_get(vs->spec, section));
	free(r.diverted.text);
	if (!r.routed)
		egret_import_leave_out(one, vs->whole, "the VirtualService has no route for it");
	/* A whole allow behind restricted ones lets everything through but what a deny rule says. */
	if (r.restricted && !r.done)
		one->allow_matters = true;
	if (!one->allow_matters || strcmp(section, "http") != 0) {
		free(one->allow.text);
		one->allow.text = NULL;
	}
	if (strcmp(section, "http") != 0 && (one->deny.text || r.restricted))
		egret_import_leave_out(one, vs->whole, "its routes have conditions that a policy cannot state");
}
