/* What is read of the program's bytes: the server name of its own TLS, its HTTP requests. */
#include "link.h"

#include <errno.h>
#include <string.h>

/* A refusal within an allowed connection, told as the preload layer tells it. OWN: why no TLS of the program's passes here; NULL: see the verdict. */
static void refuse(const struct egret_link *link, const struct egret_verdict *verdict, const struct egret_hello *hello, const char *own)
{
	const struct egret_errand *errand = link->errand;
	struct egret_denial denial = { .what = "tls", .host = errand->host, .addr = &errand->asked, .port = errand->port };
	struct egret_sandbox_count row = { .what = "tls", .port = errand->port, .allowed = verdict->allow, .audited = verdict->audited };
	struct egret_event event;
	char asked[4 * EGRET_NAME_MAX], name[EGRET_NAME_MAX];

	egret_event_init(&event, EGRET_EVENT_TLS);
	if (hello->name)
		event.server_name = egret_escape(hello->name, hello->len, asked, sizeof(asked));
	egret_denial_hello(&denial, verdict, event.server_name, name);
	if (own) {
		denial.why = event.reason_text = own;
		event.reason = "client_hello";
	}
	snprintf(row.host, sizeof(row.host), "%s", errand->host);
	snprintf(row.entry, sizeof(row.entry), "%s", errand->entry->name);
	snprintf(row.reason, sizeof(row.reason), "%s", own ? event.reason : egret_reason_name(verdict->reason));
	egret_addr_format(&errand->asked, errand->port, row.address);
	egret_count(&row);
	if (!verdict->allow)
		egret_say_denied(errand->pid, &denial);
	event.layer = "relay";
	event.pid = errand->pid;
	event.exe = errand->exe;
	event.verdict = verdict;
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

/* *OWN: the words where the entry takes no TLS of the program's, whatever it asks for. */
static struct egret_verdict judge_hello(const struct egret_link *link, const struct egret_hello *hello, const char **own)
{
	const struct egret_errand *errand = link->errand;
	struct egret_verdict verdict = { .allow = true, .by_host = errand->by_host, .reason = EGRET_REASON_ENTRY, .entry = errand->entry };

	*own = NULL;
	if (errand->entry->tls == EGRET_TLS_OFF && errand->entry->protocol != EGRET_HTTP) {
		verdict = egret_decide_hello(errand->policy, &verdict, &errand->asked, hello, link->sup->mode);
		if (verdict.reason == EGRET_REASON_SNI && another_name_of_the_address(link, hello->name, hello->len))
			return (struct egret_verdict){ .allow = true, .reason = EGRET_REASON_ENTRY, .entry = errand->entry };
		return verdict;
	}
	if (hello->kind == EGRET_HELLO_NONE)
		return verdict;
	*own = errand->entry->tls == EGRET_TLS_ORIGINATE
		       ? "the program speaks TLS itself, and its entry says `tls = originate`: without that key it would pass"
		       : "the program speaks TLS, and its entry says `protocol = http`";
	verdict.audited = verdict.allow = errand->audit && errand->entry->tls == EGRET_TLS_OFF;
	return verdict;
}

static void tell_hello(const struct egret_link *link, const struct egret_verdict *verdict, const struct egret_hello *hello)
{
	const struct egret_errand *errand = link->errand;
	struct egret_event event;
	char asked[4 * EGRET_NAME_MAX];

	egret_event_init(&event, EGRET_EVENT_TLS);
	event.layer = "relay";
	event.pid = errand->pid;
	event.exe = errand->exe;
	event.verdict = verdict;
	event.protocol = "tls";
	event.host = errand->host[0] ? errand->host : NULL;
	event.port = errand->port;
	event.address = link->far.address;
	if (hello->name)
		event.server_name = egret_escape(hello->name, hello->len, asked, sizeof(asked));
	egret_trace(link->sup, &event);
}

int egret_link_judge_hello(struct egret_link *link)
{
	struct egret_flow *up = &link->up;
	enum egret_sni_state state = EGRET_SNI_NOT_TLS;
	struct egret_hello hello;
	struct egret_verdict verdict;
	const char *own;

	if (up->judged < up->end)
		state = egret_sni_feed(link->sni, up->data + up->judged, up->end - up->judged);
	else if (up->end > up->start) /* the program ended within its ClientHello */
		state = EGRET_SNI_MALFORMED;
	else if (!up->ended)
		return 0;
	up->judged = up->end;
	if (state == EGRET_SNI_NEED_MORE && !up->ended)
		return 0;
	hello = egret_sni_hello(link->sni, state);
	verdict = judge_hello(link, &hello, &own);
	if (up->start == up->end) /* it ended without a byte */
		verdict = (struct egret_verdict){ .allow = true };
	if (!verdict.allow || verdict.audited)
		refuse(link, &verdict, &hello, own);
	else if (hello.kind == EGRET_HELLO_TLS)
		tell_hello(link, &verdict, &hello);
	if (!verdict.allow) {
		link->broken = true;
		return -1;
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
	struct egret_denial denial;
	char kind[EGRET_DENIAL_KIND];

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
		egret_count(&row);
	}
	if (event->verdict && (!event->verdict->allow || event->error)) {
		egret_denial_request(&denial, event, kind);
		egret_say_denied(errand->pid, &denial);
	}
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
	link->taken += n;
	return n > 0;
}
