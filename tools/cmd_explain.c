/* egret explain: what would happen to a connection, by the very code that decides it. Nothing is resolved, nothing is opened. */
#include "policy/http_rules.h"
#include "policy/log.h"
#include "tools/config.h"
#include "tools/explain_tls.h"
#include "tools/flags.h"
#include "tools/json.h"
#include "tools/target.h"
#include "tools/tools.h"

#include <strings.h>

#define MAX_DIAL 64
#define DIAL_TEXT (EGRET_NAME_MAX + EGRET_ADDR_TEXT)

struct answer {
	const struct egret_entry *entry; /* NULL: none decided */
	bool allow;
	const char *relaxed;     /* the mode that allows what would be denied; NULL: none did */
	const char *reason;      /* the machine's word */
	const char *reason_text; /* the rest of a sentence */
	const char *tls;         /* off, originate, passthrough */
	const char *server_name, *verify; /* NULL where no TLS is checked */
	char dial[MAX_DIAL][DIAL_TEXT];
	size_t dial_count;
};

static const char *verify_name(enum egret_tls_verify verify)
{
	switch (verify) {
	case EGRET_VERIFY_FULL: return "full";
	case EGRET_VERIFY_CHAIN: return "chain";
	case EGRET_VERIFY_NONE: return "none";
	}
	return NULL;
}

/* An http:// URL on an http entry is one request: a GET of its path. */
static void judge_request(const struct egret_policy *policy, const struct egret_target *target, enum egret_mode mode, struct answer *answer)
{
	char address[EGRET_ADDR_TEXT];
	const char *host = target->addr.family ? egret_addr_format(&target->addr, target->port, address) : target->host;
	struct egret_http_request request = { .method = "GET", .target = target->path, .target_len = strcspn(target->path, "#"),
					      .host = host, .host_len = strlen(host), .host_count = 1,
					      .port = target->port, .dialled = target->addr.family ? NULL : target->host, .asked = &target->addr };
	struct egret_http_verdict verdict = egret_http_decide(answer->entry, &request);

	if (verdict.allow)
		return;
	mode = egret_effective_mode(policy, answer->entry, mode);
	answer->allow = mode != EGRET_ENFORCE;
	answer->relaxed = answer->allow ? egret_mode_name(mode) : NULL;
	answer->reason = egret_http_reason_name(verdict.reason);
	answer->reason_text = egret_http_reason_text(verdict.reason);
}

static void tell_tls(const struct egret_target *target, struct answer *answer)
{
	const struct egret_entry *entry = answer->entry;

	answer->tls = "off";
	if (!entry || !answer->allow)
		return;
	if (entry->tls == EGRET_TLS_ORIGINATE) {
		answer->tls = "originate";
		answer->server_name = entry->settings->server_name ? entry->settings->server_name : target->host;
		answer->verify = verify_name(entry->settings->verify);
	} else if (entry->protocol == EGRET_TLS) {
		answer->tls = "passthrough";
	}
}

static void tell_dial(const struct egret_verdict *verdict, const struct egret_target *target,
		      const struct egret_request *request, struct answer *answer)
{
	struct egret_endpoint ends[MAX_DIAL];
	char text[EGRET_ADDR_TEXT];

	if (!answer->allow || request->transport == EGRET_LOCAL)
		return;
	answer->dial_count = egret_dial(verdict, request, ends, MAX_DIAL);
	for (size_t i = 0; i < answer->dial_count; i++) {
		if (ends[i].addr.family)
			snprintf(answer->dial[i], DIAL_TEXT, "%s", egret_addr_format(&ends[i].addr, ends[i].port, text));
		else
			snprintf(answer->dial[i], DIAL_TEXT, "%s:%u", target->host, ends[i].port);
	}
}

static void judge(const struct egret_policy *policy, const struct egret_target *target, enum egret_mode mode, struct answer *answer)
{
	struct egret_request request;
	struct egret_verdict verdict;

	egret_target_request(target, &request);
	verdict = egret_decide(policy, &request, mode);
	answer->entry = verdict.entry;
	answer->allow = verdict.allow;
	if (verdict.audited && verdict.reason != EGRET_REASON_OFF)
		answer->relaxed = egret_mode_name(egret_effective_mode(policy, verdict.entry, mode));
	answer->reason = egret_reason_name(verdict.reason);
	answer->reason_text = egret_reason_text(verdict.reason);
	if (answer->allow && answer->entry && answer->entry->protocol == EGRET_HTTP && target->http)
		judge_request(policy, target, mode, answer);
	if (answer->allow && answer->entry && answer->entry->tls == EGRET_TLS_ORIGINATE && target->https) {
		answer->allow = false;
		answer->reason = "client_hello";
		answer->reason_text = "egret opens the TLS of this entry: the program must speak plaintext, http:// instead of https://";
	}
	tell_tls(target, answer);
	tell_dial(&verdict, target, &request, answer);
}

static const char *protocol_of(const struct answer *answer, const struct egret_target *target)
{
	if (answer->entry)
		return egret_protocol_name(answer->entry->protocol);
	switch (target->transport) {
	case EGRET_STREAM: return "tcp";
	case EGRET_DATAGRAM: return "udp";
	case EGRET_LOCAL: return "unix";
	}
	return NULL;
}

static void print_json(const struct answer *answer, const struct egret_target *target, const char *policy_file)
{
	const struct egret_entry *entry = answer->entry;
	bool local = target->transport == EGRET_LOCAL;

	putchar('{');
	egret_json_member(stdout, 1, "verdict", answer->allow ? "allow" : "deny");
	egret_json_member(stdout, 0, "entry", entry ? entry->name : NULL);
	egret_json_member(stdout, 0, "file", entry ? entry->file : NULL);
	egret_json_number(stdout, 0, "line", entry ? (long)entry->line : -1);
	egret_json_member(stdout, 0, "reason", answer->reason);
	egret_json_member(stdout, 0, "protocol", protocol_of(answer, target));
	egret_json_member(stdout, 0, "host", local ? target->path : target->host);
	egret_json_number(stdout, 0, "port", local ? -1 : target->port);
	fputs(", \"dial\": [", stdout);
	for (size_t i = 0; i < answer->dial_count; i++) {
		fputs(i ? ", " : "", stdout);
		egret_json_string(stdout, answer->dial[i]);
	}
	putchar(']');
	egret_json_member(stdout, 0, "tls", answer->tls);
	egret_json_member(stdout, 0, "server_name", answer->server_name);
	egret_json_member(stdout, 0, "verify", answer->verify);
	fputs(", \"settings\": ", stdout);
	if (answer->server_name)
		egret_explain_tls_json(entry, policy_file, target->host);
	else
		fputs("[]", stdout);
	puts("}");
}

static void print_text(const struct answer *answer, const struct egret_target *target, const char *policy_file, const char *asked)
{
	const struct egret_entry *entry = answer->entry;
	char clean[1024];

	printf("%s %s: %s", answer->allow ? "allow" : "deny", egret_escape(asked, strlen(asked), clean, sizeof(clean)),
	       answer->reason_text);
	if (answer->relaxed)
		printf("; mode = %s lets it pass all the same", answer->relaxed);
	putchar('\n');
	if (entry)
		printf("  entry        %s (%s:%u), protocol %s\n", entry->name, entry->file, entry->line,
		       egret_protocol_name(entry->protocol));
	for (size_t i = 0; i < answer->dial_count; i++)
		printf("  dials        %s\n", answer->dial[i]);
	if (strcmp(answer->tls, "off"))
		printf("  tls          %s\n", answer->tls);
	if (answer->server_name)
		printf("  server name  %s\n", answer->server_name);
	if (answer->verify)
		printf("  verifies     %s\n", answer->verify);
	if (answer->server_name)
		egret_explain_tls_text(entry, policy_file, target->host);
}

int cmd_explain(int argc, char **argv)
{
	const char *config = NULL;
	bool json = false;
	const struct egret_flag flags[] = {
		{ "config", 'c', &config, NULL }, { "json", 0, NULL, &json }, { NULL, 0, NULL, NULL }
	};
	struct egret_policy *policy;
	struct egret_target target;
	static struct answer answer;
	char path[PATH_MAX], name[EGRET_NAME_MAX];
	int mode;

	argc = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE);
	if (argc < 0)
		return EGRET_USAGE;
	if (argc != 1)
		return egret_usage(argv[0], "one destination, please");
	if (!egret_target_parse(argv[0], argv[1], &target))
		return EGRET_USAGE;
	if (egret_name_canonical(target.host, strlen(target.host), name, sizeof(name)))
		snprintf(target.host, sizeof(target.host), "%s", name);
	mode = egret_config_mode(getenv("EGRET_MODE"), "EGRET_MODE");
	policy = mode < 0 ? NULL : egret_config_load(config, path);
	if (!policy)
		return EGRET_USAGE;
	judge(policy, &target, (enum egret_mode)mode, &answer);
	if (json)
		print_json(&answer, &target, path);
	else
		print_text(&answer, &target, path, argv[1]);
	egret_policy_unref(policy);
	return answer.allow ? 0 : 1;
}
