/* Any bytes as a policy: it loads or is refused with a message, and whatever loaded decides. The edits keep what loads loading. */
#include "policy/edit.h"
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decide_everything(const struct egret_policy *policy)
{
	for (size_t i = 0; i < egret_policy_entry_count(policy); i++) {
		const struct egret_entry *entry = egret_policy_entry(policy, i);

		for (size_t k = 0; k < entry->host_count; k++) {
			const char *host = entry->hosts[k] + (entry->hosts[k][0] == '*');
			struct egret_request request = {.transport = EGRET_STREAM, .host = host, .host_len = strlen(host), .path = host,
							.port = entry->ports[0].first};
			struct egret_endpoint out[2];
			struct egret_verdict verdict = egret_decide(policy, &request, 0);

			if (verdict.allow && verdict.reason == EGRET_REASON_NONE)
				abort();
			egret_dial(&verdict, &request, out, 2);
			request.transport = EGRET_LOCAL;
			egret_decide(policy, &request, 0);
			egret_decide_name(policy, host, strlen(host), 0);
			egret_entry_covers_name(entry, host, strlen(host));
		}
	}
}

/* A grant added to a policy that loads gives a policy that loads, and in which the entry can be deleted. */
static void edit(const char *text, size_t size)
{
	struct egret_grant grant = {.name = "fuzz-new", .host = "fuzz-new.example", .port = 4443};
	struct egret_err err = {0};
	char *after = egret_edit_allow("fuzz.ini", text, size, &grant, &err);

	if (after) {
		struct egret_policy *policy = egret_policy_parse("fuzz.ini", after, strlen(after), &err, NULL);
		char *deleted = egret_edit_delete("fuzz.ini", after, strlen(after), "fuzz-new", &err);

		if (!policy || !deleted)
			abort();
		egret_policy_unref(policy);
		free(deleted);
	}
	free(after);
	egret_err_free(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct egret_err err = {0}, warn = {0};
	struct egret_policy *policy = egret_policy_parse("fuzz.ini", (const char *)data, size, &err, &warn);
	char line[64];

	if (!policy == !egret_err_any(&err))
		abort();
	for (size_t i = 0; i < err.count; i++)
		egret_err_format(&err, i, line, sizeof(line));
	if (policy) {
		decide_everything(policy);
		edit((const char *)data, size);
	}
	egret_policy_unref(policy);
	egret_err_free(&err);
	egret_err_free(&warn);
	return 0;
}
