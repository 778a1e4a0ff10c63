/* What Sidecars let a program see, and what AuthorizationPolicies let it do. */
#include "tools/import/import.h"

#include <stdlib.h>
#include <string.h>

/* "namespace/host"; the namespace has no counterpart. A leading "~" sees nothing. */
static bool sees(struct egret_node hosts, const char *host)
{
	for (size_t i = 0; egret_node_is_list(hosts) && i < egret_node_count(hosts); i++) {
		const char *text = egret_node_text(egret_node_item(hosts, i)), *slash = text ? strchr(text, '/') : NULL;

		if (slash && text[0] != '~' && egret_import_host_covers(slash + 1, host))
			return true;
	}
	return false;
}

void egret_import_visible(struct egret_import *one)
{
	for (size_t i = 0; i < one->all->count; i++) {
		const struct egret_manifest *sidecar = &one->all->items[i];
		struct egret_node egress = egret_node_get(sidecar->spec, "egress");
		bool seen = !egret_node_count(egress);

		for (size_t k = 0; egret_node_is_list(egress) && k < egret_node_count(egress); k++)
			seen |= sees(egret_node_get(egret_node_item(egress, k), "hosts"), one->host);
		if (sidecar->kind == EGRET_SIDECAR && !seen)
			egret_import_leave_out(one, sidecar->whole, "no egress listener of the Sidecar names the host");
	}
}

/* One operation (or none: everything) of a rule, held against one host and port. */
struct operation {
	struct egret_import *one;
	struct egret_node node;
	bool deny; /* what cannot be said exactly covers more; in an ALLOW policy it covers less */
};

static bool fits_ports(const struct operation *op)
{
	struct egret_node ports = egret_node_get(op->node, "ports");
	char text[8];

	snprintf(text, sizeof(text), "%u", op->one->service_port);
	return !egret_node_count(ports) || egret_node_has(ports, text);
}

/* Host patterns: exact, "*.suffix", "prefix.*", "*", each with an optional port. */
static bool fits_hosts(const struct operation *op)
{
	struct egret_node hosts = egret_node_get(op->node, "hosts");
	char pattern[512];

	for (size_t i = 0; egret_node_is_list(hosts) && i < egret_node_count(hosts); i++) {
		const char *text = egret_node_text(egret_node_item(hosts, i));
		char *colon;

		if (!text || snprintf(pattern, sizeof(pattern), "%s", text) >= (int)sizeof(pattern))
			continue;
		colon = strchr(pattern, ':');
		if (colon && colon[1] != '*' && (unsigned)strtoul(colon + 1, NULL, 10) != op->one->port)
			continue;
		if (colon)
			*colon = '\0';
		if (egret_import_host_covers(pattern, op->one->host))
			return true;
		if (op->deny && (egret_import_host_covers(op->one->host, pattern) || strchr(pattern, '*')))
			return true; /* part of a wildcard is denied: all of it is */
	}
	return !egret_node_count(hosts);
}

/* An Istio path as a glob of ours, into OUT. False: it cannot be said. */
static bool path_of(const char *text, char *out, size_t size)
{
	size_t len = strlen(text), stars = 0;

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f || strchr(",;#?\\{}", text[i]))
			return false;
		stars += text[i] == '*';
	}
	if (len + 4 > size || len == 0)
		return false;
	if (len == 1 && stars)
		snprintf(out, size, "/**");
	else if (!stars && text[0] == '/')
		snprintf(out, size, "%s", text);
	else if (stars == 1 && text[len - 1] == '*' && text[0] == '/')
		snprintf(out, size, "%s*", text);
	else if (stars == 1 && text[0] == '*')
		snprintf(out, size, "*%s", text);
	else
		return false;
	return true;
}

static void add_paths(struct operation *op, struct egret_rules *rules, const char *method)
{
	struct egret_node paths = egret_node_get(op->node, "paths");
	char path[1024];

	if (!egret_node_count(paths))
		egret_rules_add(rules, method, "/**");
	for (size_t i = 0; egret_node_is_list(paths) && i < egret_node_count(paths); i++) {
		struct egret_node item = egret_node_item(paths, i);
		const char *text = egret_node_text(item);

		if (text && path_of(text, path, sizeof(path))) {
			egret_rules_add(rules, method, path);
			continue;
		}
		egret_import_warn(op->one->all, item, "the path %s cannot be said in a policy; %s", text ? text : "(no text)",
				  op->deny ? "every path is denied" : "it allows nothing");
		if (op->deny)
			egret_rules_add(rules, method, "/**");
	}
}

static void add_rules(struct operation *op, struct egret_rules *rules)
{
	struct egret_node methods = egret_node_get(op->node, "methods");

	if (!egret_node_count(methods))
		add_paths(op, rules, "*");
	for (size_t i = 0; egret_node_is_list(methods) && i < egret_node_count(methods); i++) {
		struct egret_node item = egret_node_item(methods, i);
		const char *text = egret_node_text(item);

		if (text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")] == '\0' && text[0]) {
			add_paths(op, rules, text);
		} else if (op->deny || (text && !strcmp(text, "*"))) {
			add_paths(op, rules, "*");
		} else {
			egret_import_warn(op->one->all, item, "the method %s cannot be said in a policy; it allows nothing", text ? text : "(no text)");
		}
	}
}

static bool has_negations(struct egret_node node)
{
	return egret_node_get(node, "notHosts").at || egret_node_get(node, "notPorts").at || egret_node_get(node, "notMethods").at ||
	       egret_node_get(node, "notPaths").at;
}

/* Adds what the operation covers of this host and port. True: it covers some of it. */
static bool apply(struct operation *op, struct egret_rules *rules)
{
	bool http = !strcmp(op->one->protocol, "http");
	bool asks_http = egret_node_get(op->node, "hosts").at || egret_node_get(op->node, "methods").at || egret_node_get(op->node, "paths").at;

	if (has_negations(op->node)) {
		egret_import_warn(op->one->all, op->node, "notHosts, notPorts, notMethods, notPaths: a policy has no negations; %s",
				  op->deny ? "all that the rest of the operation covers is denied" : "the operation allows nothing");
		if (!op->deny)
			return false;
	}
	if (!fits_ports(op) || (http && !fits_hosts(op)))
		return false;
	if (http)
		add_rules(op, rules);
	/* Of what is no HTTP, the mesh's ALLOW rules with HTTP fields match nothing, and DENY rules match by port alone. */
	return http || op->deny || !asks_http;
}

static bool apply_rule(struct egret_import *one, struct egret_node rule, bool deny, struct egret_rules *rules)
{
	struct egret_node to = egret_node_get(rule, "to");
	struct operation op = { .one = one, .deny = deny };
	bool covers = false;

	if (egret_node_count(egret_node_get(rule, "from")) || egret_node_count(egret_node_get(rule, "when"))) {
		egret_import_warn(one->all, rule, "from and when: a policy does not know who asks; %s",
				  deny ? "the rule is taken for everybody" : "the rule allows nothing");
		if (!deny)
			return false;
	}
	if (!egret_node_count(to))
		return apply(&op, rules);
	for (size_t i = 0; egret_node_is_list(to) && i < egret_node_count(to); i++) {
		op.node = egret_node_get(egret_node_item(to, i), "operation");
		covers |= apply(&op, rules);
	}
	return covers;
}

static bool apply_policy(struct egret_import *one, const struct egret_manifest *policy, bool deny, struct egret_rules *rules)
{
	struct egret_node list = egret_node_get(policy->spec, "rules");
	bool covers = false;

	for (size_t i = 0; egret_node_is_list(list) && i < egret_node_count(list); i++)
		covers |= apply_rule(one, egret_node_item(list, i), deny, rules);
	return covers;
}

static void deny_by(struct egret_import *one, const struct egret_manifest *policy)
{
	if (!apply_policy(one, policy, true, &one->deny))
		return;
	if (strcmp(one->protocol, "http") != 0)
		egret_import_leave_out(one, policy->whole, "the AuthorizationPolicy denies it");
}

void egret_import_authorize(struct egret_import *one)
{
	struct egret_rules allow = { 0 };
	const struct egret_manifest *last = NULL;
	bool covers = false;

	for (size_t i = 0; i < one->all->count; i++) {
		const struct egret_manifest *policy = &one->all->items[i];
		const char *action = egret_node_get_text(policy->spec, "action");

		if (policy->kind != EGRET_AUTHORIZATION_POLICY || !strcmp(action, "AUDIT"))
			continue;
		if (!strcmp(action, "DENY") || !strcmp(action, "CUSTOM")) {
			deny_by(one, policy);
			continue;
		}
		last = policy;
		covers |= apply_policy(one, policy, false, &allow);
	}
	if (last && !covers)
		egret_import_leave_out(one, last->whole, "no rule of an AuthorizationPolicy allows it");
	else if (last && !strcmp(one->protocol, "http")) {
		/* Routes and rules must both allow it; one list can state one of them. */
		if (one->allow_matters)
			egret_import_leave_out(one, last->whole, "both a VirtualService and an AuthorizationPolicy restrict its requests; write the http_allow that both mean");
		one->allow_matters = true;
		one->allow = allow;
		return;
	}
	free(allow.text);
}
