/* What the policy's unit tests share: a policy from text, a question, and how an error list reads. */
#ifndef EGRET_POLICY_TEST_H
#define EGRET_POLICY_TEST_H

#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The policy that TEXT is; the test fails, showing the errors, when it does not load. */
static inline struct egret_policy *policy_of(const char *text)
{
	struct egret_err err = {0};
	struct egret_policy *policy = egret_policy_parse("t.ini", text, strlen(text), &err, NULL);
	char line[512];

	for (size_t i = 0; i < err.count; i++) {
		egret_err_format(&err, i, line, sizeof(line));
		print_error("%s\n", line);
	}
	egret_err_free(&err);
	assert_non_null(policy);
	return policy;
}

/* What a program at HOST (NULL: none), resolved to ADDR (NULL: not), PORT would be told. */
static inline struct egret_verdict ask(const struct egret_policy *policy, const char *host, const char *addr, uint16_t port,
				       enum egret_transport transport)
{
	struct egret_request request = {.transport = transport, .host = host, .host_len = host ? strlen(host) : 0, .port = port};

	if (addr)
		assert_true(egret_addr_parse(addr, &request.addr));
	return egret_decide(policy, &request, 0);
}

static inline struct egret_verdict ask_tcp(const struct egret_policy *policy, const char *host, const char *addr, uint16_t port)
{
	return ask(policy, host, addr, port, EGRET_STREAM);
}

#define assert_denied(verdict, why) \
	do { \
		struct egret_verdict v_ = (verdict); \
		assert_false(v_.allow); \
		assert_string_equal(egret_reason_name(v_.reason), egret_reason_name(why)); \
	} while (0)
#define assert_allowed(verdict, name_) \
	do { \
		struct egret_verdict v_ = (verdict); \
		assert_true(v_.allow); \
		assert_false(v_.audited); \
		assert_non_null(v_.entry); \
		assert_string_equal(v_.entry->name, name_); \
	} while (0)
#define assert_reason(verdict, why) \
	do { \
		struct egret_verdict v_ = (verdict); \
		assert_true(v_.allow); \
		assert_string_equal(egret_reason_name(v_.reason), egret_reason_name(why)); \
	} while (0)

/* Does loading TEXT (LEN bytes) fail with an error that, formatted, contains each of the two texts? */
static inline void assert_refused_bytes(const char *text, size_t len, const char *place, const char *message)
{
	struct egret_err err = {0};
	struct egret_policy *policy = egret_policy_parse("t.ini", text, len, &err, NULL);
	char line[1024];
	int found = 0;

	for (size_t i = 0; i < err.count; i++) {
		egret_err_format(&err, i, line, sizeof(line));
		found |= strstr(line, place) && strstr(line, message);
	}
	for (size_t i = 0; !found && i < err.count; i++) {
		egret_err_format(&err, i, line, sizeof(line));
		print_error("%s\n", line);
	}
	egret_err_free(&err);
	assert_null(policy);
	assert_true(found);
}

static inline void assert_refused(const char *text, const char *place, const char *message)
{
	assert_refused_bytes(text, strlen(text), place, message);
}

#endif
