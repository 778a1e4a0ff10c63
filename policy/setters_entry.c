#include "setters.h"

#include <stdlib.h>
#include <string.h>

/* Hosts wait as values until the protocol is known: a unix entry's are paths. */
static void add_host(struct egret_build *build, const struct egret_host *host, uint32_t ref)
{
	const char *text = egret_arena_text(&build->policy->arena, host->text, strlen(host->text));
	bool good = text != NULL;

	egret_push(build, &build->hosts, &text, sizeof(text));
	if (host->kind == EGRET_HOST_NET)
		good = good && egret_index_add_net(build->policy, &host->net, host->bits, ref);
	else
		good = good && egret_index_add_name(build->policy, text, host->kind == EGRET_HOST_SUFFIX, ref);
	if (!good)
		build->policy->arena.failed = true;
}

static void add_path(struct egret_build *build, const struct egret_key *key, const struct egret_value *value, const char *item,
		     size_t len, uint32_t ref)
{
	char path[256];
	const char *text;

	if (!egret_path_canonical(item, len, path, sizeof(path))) {
		egret_err_add(build->err, build->file, value->line, "%s: expected the absolute path of a socket, or @name, got \"%.*s\"",
			      key->name, (int)(len < 200 ? len : 200), item);
		return;
	}
	text = egret_arena_text(&build->policy->arena, path, strlen(path));
	egret_push(build, &build->hosts, &text, sizeof(text));
	if (!text || !egret_index_add_path(build->policy, text, ref))
		build->policy->arena.failed = true;
}

void egret_set_hosts(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	uint32_t ref = (uint32_t)build->policy->entry_count;
	const char *item;
	size_t at = 0, len;

	while (egret_next_item(value, &at, &item, &len)) {
		if (build->entry.protocol == EGRET_UNIX) {
			add_path(build, key, value, item, len, ref);
		} else {
			struct egret_host host = egret_host_parse(build, key, value, item, len);

			if (host.kind != EGRET_HOST_BAD)
				add_host(build, &host, ref);
		}
	}
}

void egret_set_ports(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	const char *item;
	size_t at = 0, len;

	while (egret_next_item(value, &at, &item, &len)) {
		const char *dash = memchr(item, '-', len);
		size_t head = dash ? (size_t)(dash - item) : len;
		uint64_t first = 0, last = 65535;
		struct egret_port_range range;

		if (len != 1 || item[0] != '*') {
			bool good = egret_parse_number(item, head, 65535, &first) && first > 0;

			last = first;
			if (dash)
				good = good && egret_parse_number(dash + 1, len - head - 1, 65535, &last) && last >= first;
			if (!good) {
				egret_bad_value(build, key, value, item, len);
				continue;
			}
		}
		range = (struct egret_port_range){(uint16_t)first, (uint16_t)last};
		egret_push(build, &build->ports, &range, sizeof(range));
	}
}

void egret_set_protocol(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"tcp", EGRET_TCP}, {"udp", EGRET_UDP}, {"tls", EGRET_TLS}, {"http", EGRET_HTTP},
		{"unix", EGRET_UNIX}, {"", 0}};
	int protocol = egret_word_value(build, key, value, words);

	build->protocol_given = true;
	if (protocol > 0)
		build->entry.protocol = (enum egret_protocol)protocol;
}

void egret_set_tls(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"off", EGRET_TLS_OFF}, {"originate", EGRET_TLS_ORIGINATE}, {"", 0}};
	int mode = egret_word_value(build, key, value, words);

	if (mode >= 0)
		build->entry.tls = (enum egret_tls_mode)mode;
}

void egret_set_connect_port(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	uint64_t port = 0;

	if (egret_parse_number(value->text, value->len, 65535, &port) && port > 0)
		build->entry.connect_port = (uint16_t)port;
	else
		egret_bad_value(build, key, value, value->text, value->len);
}

/* "192.0.2.7", "192.0.2.8:8443", "2001:db8::1", "[2001:db8::1]:8443" */
static bool parse_endpoint(const char *item, size_t len, struct egret_endpoint *endpoint)
{
	char text[EGRET_ADDR_TEXT];
	char *colon;
	uint64_t port;

	*endpoint = (struct egret_endpoint){0};
	if (len >= sizeof(text))
		return false;
	memcpy(text, item, len);
	text[len] = '\0';
	if (egret_addr_parse(text, &endpoint->addr))
		return true;
	colon = strrchr(text, ':');
	if (!colon || !egret_parse_number(colon + 1, strlen(colon + 1), 65535, &port) || port == 0)
		return false;
	*colon = '\0';
	endpoint->port = (uint16_t)port;
	return (text[0] == '[' || !strchr(text, ':')) && egret_addr_parse(text, &endpoint->addr);
}

void egret_set_addresses(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	uint32_t ref = (uint32_t)build->policy->entry_count | EGRET_REF_ENDPOINT;
	const char *item;
	size_t at = 0, len;

	while (egret_next_item(value, &at, &item, &len)) {
		struct egret_endpoint endpoint;

		if (!parse_endpoint(item, len, &endpoint)) {
			egret_bad_value(build, key, value, item, len);
			continue;
		}
		egret_push(build, &build->endpoints, &endpoint, sizeof(endpoint));
		if (!egret_index_add_net(build->policy, &endpoint.addr, endpoint.addr.family == EGRET_IPV4 ? 32 : 128, ref))
			build->policy->arena.failed = true;
	}
}

void egret_set_action(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"allow", EGRET_ALLOW}, {"deny", EGRET_DENY}, {"", 0}};
	int action = egret_word_value(build, key, value, words);

	if (action >= 0)
		build->entry.action = (enum egret_action)action;
}

void egret_set_entry_mode(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	static const struct egret_word words[] = {{"enforce", EGRET_ENFORCE}, {"audit", EGRET_AUDIT}, {"", 0}};
	int mode = egret_word_value(build, key, value, words);

	if (mode > 0)
		build->entry.mode = (enum egret_mode)mode;
}

/* RFC 9110 5.6.2: a token. */
static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= 0x20 || strchr("\"(),/:;<=>?@[\\]{}", text[i]))
			return false;
	return len > 0 && (len == 1 || !memchr(text, '*', len));
}

static void add_rules(struct egret_build *build, const struct egret_key *key, const struct egret_value *value, struct egret_vector *rules)
{
	const char *item;
	size_t at = 0, len;

	while (egret_next_item(value, &at, &item, &len)) {
		size_t method = 0, path;
		struct egret_http_rule rule;

		while (method < len && item[method] != ' ' && item[method] != '\t')
			method++;
		for (path = method; path < len && (item[path] == ' ' || item[path] == '\t'); path++)
			;
		if (!is_token(item, method) || path == len || (item[path] != '/' && item[path] != '*') || memchr(item + path, ' ', len - path)) {
			egret_bad_value(build, key, value, item, len);
			continue;
		}
		rule.method = egret_intern_text(&build->intern, item, method);
		rule.path = egret_intern_text(&build->intern, item + path, len - path);
		rule.text = egret_intern_text(&build->intern, item, len);
		egret_push(build, rules, &rule, sizeof(rule));
	}
}

void egret_set_http_allow(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	add_rules(build, key, value, &build->http_allow);
}

void egret_set_http_deny(struct egret_build *build, const struct egret_key *key, const struct egret_value *value)
{
	add_rules(build, key, value, &build->http_deny);
}
