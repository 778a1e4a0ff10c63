/* What is read of the program's bytes: the server name of its own TLS, its HTTP requests. */
#include "link.h"

#include <errno.h>
#include <string.h>

/* A refusal within an allowed connection, told as a denied destination is. */
static void refuse_name(struct egret_link *link, const char *name, size_t len, const char *why, bool audited)
{
	const struct egret_errand *errand = link->errand;
	struct egret_verdict verdict = { .allow = audited, .audited = audited, .reason = EGRET_REASON_NO_ENTRY, .entry = errand->entry };
	struct egret_sandbox_count row = { .what = "tls", .port = errand->port, .allowed = audited, .audited = audited };
	struct egret_event event;
	char asked[600];

	egret_escape(name, len < 255 ? len : 255, asked, sizeof(asked));
	snprintf(row.host, sizeof(row.host), "%.255s", asked);
	snprintf(row.entry, sizeof(row.entry), "%s", errand->entry->name);
	snprintf(row.reason, sizeof(row.reason), "server_name");
	egret_addr_format(&errand->asked, errand->port, row.address);
	if (egret_count(&row) == 1 && !audited)
		egret_say_denied(&row, why);
	egret_event_init(&event, EGRET_EVENT_TLS);
	event.layer = "relay";
	event.pid = errand->pid;
	event.exe = errand->exe;
	event.verdict = &verdict;
	event.reason = why;
	event.protocol = "tls";
	event.host = row.host[0] ? row.host : NULL;
	event.port = errand->port;
	event.address = row.address;
	egret_trace(link->sup, &event);
}

/* An address may have several allowed names: the program means the one that it asks for. */
static bool another_name_of_the_address(const struct egret_link *link, const char *name, size_t len)
{
	const struct egret_errand *errand = link->errand;
	struct egret_request request = { .transport = EGRET_STREAM, .addr = errand->asked, .port = errand->port };
	char asked[EGRET_NAME_MAX], known[EGRET_NAME_MAX];
	struct egret_verdict verdict;

	if (!egret_name_canonical(name, len, asked, sizeof(asked)))
		return false;
	for (size_t i = 0; egret_names_get(link->sup->names, &errand->asked, i, known); i++) {
		if (strcmp(known, asked))
			continue;
		request.host = known;
		request.host_len = strlen(known);
		verdict = egret_decide(errand->policy, &request, link->sup->mode);
		return verdict.allow && verdict.entry && verdict.entry->tls == EGRET_TLS_OFF && verdict.entry->protocol != EGRET_HTTP;
	}
	return false;
}

/* NULL: it may pass; else why not. */
static const char *judge_name(const struct egret_link *link, enum egret_sni_state state, const char *name, size_t len)
{
	const struct egret_entry *entry = link->errand->entry;

	if (state == EGRET_SNI_NOT_TLS)
		return entry->protocol == EGRET_TLS ? "its entry says `protocol = tls`, and this is no TLS" : NULL;
	if (entry->tls == EGRET_TLS_ORIGINATE)
		return "the program speaks TLS itself, and its entry says `tls = originate`: without that key it would pass";
	if (entry->protocol == EGRET_HTTP)
		return "the program speaks TLS, and its entry says `protocol = http`";
	if (state != EGRET_SNI_HELLO)
		return "its ClientHello cannot be read";
	if (!name) /* an entry for addresses asks for none */
		return link->errand->by_host ? "its ClientHello names no server" : NULL;
	if (egret_entry_covers_name(entry, name, len) || another_name_of_the_address(link, name, len))
		return NULL;
	return "the server name that its TLS asks for is none of its entry's hosts";
}

int egret_link_judge_hello(struct egret_link *link)
{
	struct egret_flow *up = &link->up;
	enum egret_sni_state state = EGRET_SNI_NOT_TLS;
	const char *name = NULL, *why;
	size_t len = 0;

	if (up->judged < up->end)
		state = egret_sni_feed(link->sni, up->data + up->judged, up->end - up->judged);
	else if (up->end > up->start) /* the program ended within its ClientHello */
		state = EGRET_SNI_MALFORMED;
	else if (!up->ended)
		return 0;
	up->judged = up->end;
	if (state == EGRET_SNI_NEED_MORE)
		return up->ended ? 1 : 0;
	name = egret_sni_name(link->sni, &len);
	why = up->ended && up->start == up->end ? NULL : judge_name(link, state, name, len);
	if (why) {
		bool audited = link->errand->audit && link->errand->entry->tls == EGRET_TLS_OFF;

		refuse_name(link, name ? name : link->errand->host, name ? len : strlen(link->errand->host), why, audited);
		if (!audited) {
			link->broken = true;
			return -1;
		}
	}
	egret_sni_free(link->sni);
	link->sni = NULL;
	return 1;
}

static void emit(void *data, struct egret_event *event)
{
	struct egret_link *link = data;
	const struct egret_errand *errand = link->errand;
	struct egret_sandbox_count row = { .what = "http", .port = errand->port };

	event->layer = "relay";
	event->pid = errand->pid;
	event->exe = errand->exe;
	event->tls_version = link->far.tls_version;
	event->tls_cipher = link->far.tls_cipher;
	if (event->verdict && (!event->verdict->allow || event->verdict->audited)) {
		row.allowed = row.audited = event->verdict->audited;
		snprintf(row.host, sizeof(row.host), "%s", errand->host);
		snprintf(row.entry, sizeof(row.entry), "%s", errand->entry->name);
		snprintf(row.reason, sizeof(row.reason), "%s", event->reason ? event->reason : "http");
		egret_addr_format(&errand->asked, errand->port, row.address);
		if (egret_count(&row) == 1 && !row.audited)
			egret_say_denied(&row, event->reason_text ? event->reason_text : "its HTTP rules");
	}
	if (event->error)
		dprintf(STDERR_FILENO, "egret: http to %s:%u: %s (entry [%s])\n", errand->host[0] ? errand->host : link->far.address, errand->port,
			event->error, errand->entry->name);
	egret_trace(link->sup, event);
}

bool egret_link_watch(struct egret_link *link)
{
	const struct egret_errand *errand = link->errand;
	const char *alpn = errand->entry->settings->alpn;
	struct egret_http_setup setup = {
		.entry = errand->entry, .host = errand->host[0] ? errand->host : NULL, .asked = errand->asked,
		.port = errand->port, .upstream = link->far.address,
		.audit = errand->audit, .h2 = alpn && strstr(alpn, "h2"), .emit = emit, .data = link,
	};

	if (errand->entry->protocol != EGRET_HTTP)
		return true;
	link->far.wire.fd = link->far.fd;
	link->far.observed = egret_observed_new(&setup, &link->far.wire, errand->entry->settings->truncation == EGRET_TRUNCATION_EOF);
	egret_observed_ask_first(link->far.observed); /* the loop waits only when a read has found nothing */
	return link->far.observed != NULL;
}

static bool blocked(ssize_t result) { return result == -EAGAIN || result == -EINTR; }

int egret_link_send_up(struct egret_link *link)
{
	struct egret_flow *up = &link->up;
	ssize_t n;

	if (up->start == up->end)
		return 0;
	n = egret_far_write(&link->far, up->data + up->start, up->end - up->start);
	if (n < 0)
		return blocked(n) ? 0 : -1;
	up->start += (size_t)n;
	return n > 0;
}
