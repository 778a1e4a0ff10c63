/* egret list: the entries, in the order of the file. */
#include "tools/config.h"
#include "tools/flags.h"
#include "tools/json.h"
#include "tools/tools.h"

struct buffer {
	char text[1024];
	size_t len;
};

static void append(struct buffer *buffer, const char *text)
{
	int len = snprintf(buffer->text + buffer->len, sizeof(buffer->text) - buffer->len, "%s%s", buffer->len ? "," : "", text);

	buffer->len += len > 0 ? (size_t)len : 0;
	if (buffer->len >= sizeof(buffer->text))
		buffer->len = sizeof(buffer->text) - 1;
}

static const char *port_text(const struct egret_port_range *range, char text[16])
{
	if (range->first == range->last)
		snprintf(text, 16, "%u", range->first);
	else if (range->first <= 1 && range->last == 65535)
		snprintf(text, 16, "*");
	else
		snprintf(text, 16, "%u-%u", range->first, range->last);
	return text;
}

/* A deny entry that names no protocol covers both transports. */
static const char *protocol_of(const struct egret_entry *entry)
{
	return entry->any_transport ? "tcp,udp" : egret_protocol_name(entry->protocol);
}

static const char *tls_of(const struct egret_entry *entry)
{
	if (entry->tls == EGRET_TLS_ORIGINATE)
		return "originate";
	return entry->protocol == EGRET_TLS ? "passthrough" : "off";
}

static const char *action_of(const struct egret_entry *entry)
{
	return entry->action == EGRET_ALLOW ? "allow" : "deny";
}

static void print_row(const struct egret_entry *entry)
{
	struct buffer hosts = { .len = 0 }, ports = { .len = 0 };
	char text[16];

	for (size_t i = 0; i < entry->host_count; i++)
		append(&hosts, entry->hosts[i]);
	for (size_t i = 0; i < entry->port_count; i++)
		append(&ports, port_text(&entry->ports[i], text));
	printf("%-6s %-20s %-12s %-8s %-11s %-8s %s  (%s:%u)\n", action_of(entry), entry->name, ports.len ? ports.text : "-",
	       protocol_of(entry), tls_of(entry), entry->mode ? egret_mode_name(entry->mode) : "-", hosts.text,
	       entry->file, entry->line);
}

static void print_object(const struct egret_entry *entry, bool first)
{
	char text[16];

	fputs(first ? "\n  {" : ",\n  {", stdout);
	egret_json_member(stdout, 1, "name", entry->name);
	egret_json_member(stdout, 0, "file", entry->file);
	egret_json_number(stdout, 0, "line", entry->line);
	egret_json_member(stdout, 0, "action", action_of(entry));
	egret_json_member(stdout, 0, "protocol", protocol_of(entry));
	egret_json_member(stdout, 0, "tls", tls_of(entry));
	egret_json_member(stdout, 0, "mode", entry->mode ? egret_mode_name(entry->mode) : NULL);
	fputs(", \"hosts\": [", stdout);
	for (size_t i = 0; i < entry->host_count; i++) {
		fputs(i ? ", " : "", stdout);
		egret_json_string(stdout, entry->hosts[i]);
	}
	fputs("], \"ports\": [", stdout);
	for (size_t i = 0; i < entry->port_count; i++) {
		fputs(i ? ", " : "", stdout);
		egret_json_string(stdout, port_text(&entry->ports[i], text));
	}
	fputs("]}", stdout);
}

static void print_policy(const struct egret_policy *policy, bool json)
{
	size_t count = egret_policy_entry_count(policy);

	if (json)
		putchar('[');
	else if (count)
		printf("%-6s %-20s %-12s %-8s %-11s %-8s %s\n", "ACTION", "NAME", "PORTS", "PROTOCOL", "TLS", "MODE", "HOSTS");
	for (size_t i = 0; i < count; i++) {
		if (json)
			print_object(egret_policy_entry(policy, i), i == 0);
		else
			print_row(egret_policy_entry(policy, i));
	}
	if (json)
		puts("\n]");
}

int cmd_list(int argc, char **argv)
{
	const char *config = NULL, *output = "table";
	const struct egret_flag flags[] = {
		{ "config", 'c', &config, NULL }, { "output", 'o', &output, NULL }, { NULL, 0, NULL, NULL }
	};
	struct egret_policy *policy;
	char path[PATH_MAX];
	bool json;

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc)
		return argc < 0 ? EGRET_USAGE : egret_usage(argv[0], "it takes no operand");
	json = !strcmp(output, "json");
	if (!json && strcmp(output, "table"))
		return egret_usage(argv[0], "-o: expected table or json, got `%s`", output);
	policy = egret_config_load(config, path);
	if (!policy)
		return EGRET_USAGE;
	print_policy(policy, json);
	egret_policy_unref(policy);
	return 0;
}
