#include "http_rules.h"

#include <ctype.h>
#include <strings.h>

/* Longest path that is judged: longer ones are refused as ambiguous, no server of ours needs them. */
#define PATH_MAX_BYTES 8192

/* In every locale. */
static bool is_alnum(int c)
{
	return c >= 0 && c < 0x80 && isalnum(c);
}

static int hex(char digit)
{
	return isdigit((unsigned char)digit) ? digit - '0' : isxdigit((unsigned char)digit) ? tolower((unsigned char)digit) - 'a' + 10 : -1;
}

/* The byte that LEFT bytes at TEXT escape, -1: none. */
static int escaped(const char *text, size_t left)
{
	return left >= 3 && text[0] == '%' && hex(text[1]) >= 0 && hex(text[2]) >= 0 ? hex(text[1]) * 16 + hex(text[2]) : -1;
}

/* RFC 9110 5.6.2. */
static bool is_token(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!is_alnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
			return false;
	return true;
}

/* Which escaped bytes stand for themselves? Servers read %3A and a colon alike, though they are not the same by RFC 3986: a deny rule
 * means both. An allow rule means the bytes that have no other form, in UTF-8 or escaped. */
enum reading { AS_WRITTEN = 0x100, BEYOND_ASCII = 0x80, ALL = 0 };

/* What stands at AT, *LEN characters of it. */
static int unit(const char *at, const char *end, enum reading reading, size_t *len)
{
	int byte = *at == '%' ? escaped(at, (size_t)(end - at)) : -1;
	bool decoded = byte >= 0 && byte >= (int)reading;

	*len = decoded ? 3 : 1;
	return decoded ? byte : (unsigned char)*at;
}

static size_t step(const char *at, const char *end, enum reading reading)
{
	size_t len;

	unit(at, end, reading, &len);
	return len;
}

static bool same(const char *glob, const char *glob_end, const char *text, const char *text_end, enum reading reading)
{
	size_t ignored;

	return unit(glob, glob_end, reading, &ignored) == unit(text, text_end, reading, &ignored);
}

/* Does TEXT match GLOB? `*` within a segment, `**` across. Iterative: the latest star is the only one to come back to, but one of each kind,
 * since a `*` may fail at a slash that an earlier `**` can step over. */
static bool glob_match(const char *glob, const char *glob_end, const char *text, const char *text_end, enum reading reading)
{
	const char *star = NULL, *star_text = NULL, *deep = NULL, *deep_text = NULL;

	while (text < text_end || glob < glob_end) {
		if (glob + 1 < glob_end && glob[0] == '*' && glob[1] == '*') {
			deep = glob += 2;
			deep_text = text;
			star = NULL;
		} else if (glob < glob_end && *glob == '*') {
			star = ++glob;
			star_text = text;
		} else if (glob < glob_end && text < text_end && same(glob, glob_end, text, text_end, reading)) {
			glob += step(glob, glob_end, reading);
			text += step(text, text_end, reading);
		} else if (star && star_text < text_end && *star_text != '/') {
			glob = star;
			text = star_text += step(star_text, text_end, reading);
		} else if (deep && deep_text < text_end) {
			glob = deep;
			text = deep_text += step(deep_text, text_end, reading);
			star = NULL;
		} else {
			return false;
		}
	}
	return true;
}

/* What ends in `/` and `**` covers the folder itself, too. */
static bool covers(const char *glob, const char *glob_end, const char *text, const char *text_end, enum reading reading)
{
	if (glob_match(glob, glob_end, text, text_end, reading))
		return true;
	return glob_end - glob > 3 && !memcmp(glob_end - 3, "/**", 3) && glob_match(glob, glob_end - 3, text, text_end, reading);
}

/* A rule without `?` judges the path, one with it path and query, each by its own part: a star of the path ends where the query begins. */
static bool path_matches(const char *glob, const char *target, size_t path_len, size_t target_len, enum reading reading)
{
	const char *end = glob + strlen(glob), *query = strchr(glob, '?'), *target_end = target + target_len;

	if (!covers(glob, query ? query : end, target, target + path_len, reading))
		return false;
	return !query || (path_len < target_len && covers(query + 1, end, target + path_len + 1, target_end, reading));
}

/* The length of what is left of the path where an escaped `?` or `#` ends it, LEN where there is none. nginx, told `proxy_pass http://host$uri`,
 * passes them on as they are meant, not as they were escaped. */
static size_t cut_path(const char *path, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int byte = path[i] == '%' ? escaped(path + i, len - i) : -1;

		if (byte == '?' || byte == '#')
			return i;
	}
	return len;
}

/* What READING says of escapes. A deny rule is read the wide way, too: some server may take an escaped `?` for the query's begin. */
static bool rule_covers(const char *glob, const char *target, size_t path_len, size_t len, enum reading reading)
{
	bool escapes = memchr(target, '%', len) || strchr(glob, '%');

	if (path_matches(glob, target, path_len, len, AS_WRITTEN) || (escapes && path_matches(glob, target, path_len, len, reading)))
		return true;
	if (reading == ALL && escapes && path_matches(glob, target, cut_path(target, path_len), len, reading))
		return true;
	return reading == ALL && strchr(glob, '?') && covers(glob, glob + strlen(glob), target, target + len, reading);
}

static const struct egret_http_rule *find_rule(const struct egret_http_rule *rules, size_t count,
					       const struct egret_http_request *request, const char *target, size_t path_len, size_t len,
					       enum reading reading)
{
	for (size_t i = 0; i < count; i++)
		if ((!strcmp(rules[i].method, "*") || !strcmp(rules[i].method, request->method)) &&
		    rule_covers(rules[i].path, target, path_len, len, reading))
			return &rules[i];
	return NULL;
}

/* Bytes that careless decoders of UTF-8 take for a character of fewer bytes (RFC 3629 10): %c0%af is a slash to them. */
static bool begins_overlong(int lead, int next)
{
	bool continues = next >= 0x80 && next < 0xc0;

	return continues && (lead == 0xc0 || lead == 0xc1 || (lead == 0xe0 && next < 0xa0) || (lead == 0xf0 && next < 0x90) || lead >= 0xf8);
}

/* Would a server that normalises (RFC 3986 6.2.2) see another path than the one that is judged? */
static bool path_is_ambiguous(const char *path, size_t len)
{
	if (len > PATH_MAX_BYTES || len == 0 || path[0] != '/')
		return true;
	for (size_t i = 0; i < len; i++) {
		size_t left = len - i;
		unsigned char byte = (unsigned char)path[i];

		if (byte <= ' ' || byte >= 0x7f || byte == '\\' || byte == ';' || byte == '#')
			return true;
		if (byte == '%') {
			int value = escaped(path + i, left);

			/* Unreserved characters need no escape; slash, backslash, percent, semicolon and controls change the path. */
			if (value < ' ' || value == 0x7f || is_alnum(value) || strchr("-._~/\\%;", value))
				return true;
			if (begins_overlong(value, left > 3 ? escaped(path + i + 3, left - 3) : -1))
				return true;
		}
		if (byte != '/')
			continue;
		if (left >= 2 && path[i + 1] == '/')
			return true;
		if (left >= 2 && path[i + 1] == '.' && (left == 2 || path[i + 2] == '/' ||
							 (path[i + 2] == '.' && (left == 3 || path[i + 3] == '/'))))
			return true;
	}
	return false;
}

/* HOST ("name", "name:port", "[v6]:port") is a host of ENTRY, on the port that was asked for. */
static bool host_fits(const struct egret_entry *entry, const struct egret_http_request *request, const char *host, size_t len)
{
	const char *end = host + len, *colon = NULL;
	unsigned long port = 0;
	struct egret_addr addr;
	char text[64];
	size_t name_len;

	for (const char *at = host; at < end; at++)
		if (*at == ':' && (host[0] != '[' || (at > host && at[-1] == ']')))
			colon = at;
	name_len = colon ? (size_t)(colon - host) : len;
	for (const char *at = colon ? colon + 1 : end; at < end; at++) {
		if (!isdigit((unsigned char)*at) || port > 65535)
			return false;
		port = port * 10 + (unsigned long)(*at - '0');
	}
	if (colon && port != request->port)
		return false;
	if (request->dialled && strlen(request->dialled) == name_len && !strncasecmp(request->dialled, host, name_len))
		return true;
	if (egret_entry_covers_name(entry, host, name_len))
		return true;
	/* A connection that was judged by its address may name that address. */
	if (request->dialled || name_len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)name_len, host);
	return request->asked && egret_addr_parse(text, &addr) && egret_addr_equal(&addr, request->asked);
}

static bool is_options(const struct egret_http_request *request)
{
	return !strcmp(request->method, "OPTIONS");
}

/* Takes "http://authority" off an absolute-form target (RFC 9112 3.2.2). False: its authority does not fit. */
static bool strip_authority(const struct egret_entry *entry, const struct egret_http_request *request, const char **target, size_t *len)
{
	size_t scheme = 0, authority;

	if (*len >= 7 && !strncasecmp(*target, "http://", 7))
		scheme = 7;
	else if (*len >= 8 && !strncasecmp(*target, "https://", 8))
		scheme = 8;
	if (!scheme)
		return true;
	for (authority = 0; scheme + authority < *len && !memchr("/?#", (*target)[scheme + authority], 3); authority++)
		;
	if (!host_fits(entry, request, *target + scheme, authority))
		return false;
	*target += scheme + authority;
	*len -= scheme + authority;
	if (!*len) { /* of OPTIONS it is the server as a whole (RFC 9112 3.2.4) */
		*target = is_options(request) ? "*" : "/";
		*len = 1;
	}
	return true;
}

static struct egret_http_verdict refuse(enum egret_http_reason reason)
{
	return (struct egret_http_verdict){ .allow = false, .reason = reason };
}

/* What must hold of a request before its path is compared with anything. */
static enum egret_http_reason check_request(const struct egret_entry *entry, const struct egret_http_request *request)
{
	if (!request->method || !is_token(request->method) || !request->target || !request->target_len)
		return EGRET_HTTP_MALFORMED;
	if (request->upgrade_h2c)
		return EGRET_HTTP_H2C;
	if (request->host_count > 1 || (request->host && !host_fits(entry, request, request->host, request->host_len)))
		return EGRET_HTTP_WRONG_HOST;
	return EGRET_HTTP_ALLOWED;
}

/* A tunnel (RFC 9110 9.3.6): its target and Host name the far end, not a host of the entry. Only a rule that says CONNECT allows it. */
static struct egret_http_verdict decide_tunnel(const struct egret_entry *entry, const struct egret_http_request *request)
{
	struct egret_http_verdict verdict = { .allow = false, .reason = EGRET_HTTP_CONNECT };
	size_t len = request->target_len;

	if (!request->target || !len || request->upgrade_h2c)
		return refuse(request->upgrade_h2c ? EGRET_HTTP_H2C : EGRET_HTTP_MALFORMED);
	if (request->host_count > 1 || (request->host && (request->host_len != len || strncasecmp(request->host, request->target, len))))
		return refuse(EGRET_HTTP_WRONG_HOST);
	verdict.rule = find_rule(entry->http_deny, entry->http_deny_count, request, request->target, len, len, ALL);
	if (verdict.rule) {
		verdict.reason = EGRET_HTTP_DENY_RULE;
		return verdict;
	}
	for (size_t i = 0; i < entry->http_allow_count && !verdict.allow; i++)
		if (!strcmp(entry->http_allow[i].method, "CONNECT") && path_matches(entry->http_allow[i].path, request->target, len, len, AS_WRITTEN))
			verdict = (struct egret_http_verdict){ true, EGRET_HTTP_ALLOWED, &entry->http_allow[i] };
	return verdict;
}

struct egret_http_verdict egret_http_decide(const struct egret_entry *entry, const struct egret_http_request *request)
{
	struct egret_http_verdict verdict = { .allow = false, .reason = EGRET_HTTP_NOT_DECIDED };
	const char *target = request->target, *query;
	enum egret_http_reason checked;
	size_t len = request->target_len, path_len;
	bool rules = entry->http_allow_count || entry->http_deny_count, has_form;

	if (request->method && !strcmp(request->method, "CONNECT"))
		return decide_tunnel(entry, request);
	checked = check_request(entry, request);
	if (checked != EGRET_HTTP_ALLOWED)
		return refuse(checked);
	if (!strip_authority(entry, request, &target, &len))
		return refuse(EGRET_HTTP_WRONG_HOST);
	query = memchr(target, '?', len);
	path_len = query ? (size_t)(query - target) : len;
	/* Of another scheme or of none, a server that is a proxy would read another host in it than the one that was judged. */
	has_form = target[0] == '/' || target != request->target || (len == 1 && target[0] == '*');
	/* The server as a whole is a target of OPTIONS alone (RFC 9112 3.2.4). A fragment is no part of a target (3.2): some servers take it off the
	 * query, some do not. */
	if (!has_form || (rules && (target[0] == '*' ? !is_options(request) : memchr(target, '#', len) || path_is_ambiguous(target, path_len))))
		return refuse(EGRET_HTTP_AMBIGUOUS_PATH);
	verdict.rule = find_rule(entry->http_deny, entry->http_deny_count, request, target, path_len, len, ALL);
	if (!verdict.rule && target[0] == '*') /* the server as a whole is what its root covers */
		verdict.rule = find_rule(entry->http_deny, entry->http_deny_count, request, "/", 1, 1, ALL);
	if (verdict.rule) {
		verdict.reason = EGRET_HTTP_DENY_RULE;
		return verdict;
	}
	verdict.rule = find_rule(entry->http_allow, entry->http_allow_count, request, target, path_len, len, BEYOND_ASCII);
	if (entry->http_allow_count && !verdict.rule)
		return refuse(EGRET_HTTP_NO_RULE);
	if (request->upgrade && !verdict.rule)
		return refuse(EGRET_HTTP_CONNECT);
	verdict.allow = true;
	verdict.reason = EGRET_HTTP_ALLOWED;
	return verdict;
}

const char *egret_http_reason_text(enum egret_http_reason reason)
{
	switch (reason) {
	case EGRET_HTTP_NOT_DECIDED: return "it was not decided: memory is out, or more requests are under way than are kept in mind";
	case EGRET_HTTP_ALLOWED: return "the entry's HTTP rules allow it";
	case EGRET_HTTP_DENY_RULE: return "a rule of http_deny covers it";
	case EGRET_HTTP_NO_RULE: return "no rule of http_allow covers it";
	case EGRET_HTTP_AMBIGUOUS_PATH: return "servers may read its path in more than one way";
	case EGRET_HTTP_WRONG_HOST: return "it names a host that is not the entry's";
	case EGRET_HTTP_CONNECT: return "CONNECT and Upgrade need a rule that allows them";
	case EGRET_HTTP_H2C: return "an upgrade to h2c would leave the rules behind";
	case EGRET_HTTP_H2_RULES: return "HTTP/2 cannot be judged by http_allow and http_deny; without them it passes where tls_alpn = h2";
	case EGRET_HTTP_H2_NOT_AGREED: return "the server did not agree to HTTP/2, for which tls_alpn must offer h2";
	case EGRET_HTTP_H2_AGREED: return "the server agreed to HTTP/2, and this is HTTP/1; to speak HTTP/1, take h2 out of tls_alpn";
	case EGRET_HTTP_MALFORMED: return "it is not an HTTP request";
	case EGRET_HTTP_BODY: return "its body reads like a request, and servers that leave a body of its method unread would take it for one";
	case EGRET_HTTP_INCOMPLETE: return "it ended before its head was complete";
	}
	return "it was not decided";
}

const char *egret_http_reason_name(enum egret_http_reason reason)
{
	switch (reason) {
	case EGRET_HTTP_NOT_DECIDED: return "http_not_decided";
	case EGRET_HTTP_ALLOWED: return "http_allowed";
	case EGRET_HTTP_DENY_RULE: return "http_deny_rule";
	case EGRET_HTTP_NO_RULE: return "http_no_rule";
	case EGRET_HTTP_AMBIGUOUS_PATH: return "http_ambiguous_path";
	case EGRET_HTTP_WRONG_HOST: return "http_wrong_host";
	case EGRET_HTTP_CONNECT: return "http_connect";
	case EGRET_HTTP_H2C: return "http_h2c";
	case EGRET_HTTP_H2_RULES: return "http_h2_rules";
	case EGRET_HTTP_H2_NOT_AGREED: return "http_h2_not_agreed";
	case EGRET_HTTP_H2_AGREED: return "http_h2_agreed";
	case EGRET_HTTP_MALFORMED: return "http_malformed";
	case EGRET_HTTP_BODY: return "http_body";
	case EGRET_HTTP_INCOMPLETE: return "http_incomplete";
	}
	return "http_not_decided";
}
