/* The ruling: the same decision code as everywhere, and its trace in the log, on stderr and in the counts. */
#include "relay.h"

#include <errno.h>

#define COUNTS_MAX 4096u

static struct {
	pthread_mutex_t lock;
	struct egret_sandbox_count *rows;
	size_t count;
	uint64_t denied;
} counts = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool same(const struct egret_sandbox_count *a, const struct egret_sandbox_count *b)
{
	return a->allowed == b->allowed && a->audited == b->audited && a->port == b->port && !strcmp(a->what, b->what) &&
	       !strcmp(a->host, b->host) && !strcmp(a->address, b->address) && !strcmp(a->reason, b->reason);
}

/* A flood of destinations costs no memory without end: past the bound only the total is kept. Returns how often it came. */
static uint64_t count_row(const struct egret_sandbox_count *row)
{
	struct egret_sandbox_count *grown;
	uint64_t seen = 1;
	size_t i;

	pthread_mutex_lock(&counts.lock);
	if (!row->allowed || row->audited)
		counts.denied++;
	for (i = 0; i < counts.count && !same(&counts.rows[i], row); i++)
		;
	if (i < counts.count) {
		seen = ++counts.rows[i].count;
	} else if (i < COUNTS_MAX) {
		grown = i % 64 ? counts.rows : realloc(counts.rows, (i + 64) * sizeof(*grown));
		if (grown) {
			counts.rows = grown;
			counts.rows[counts.count++] = *row;
			counts.rows[i].count = 1;
		}
	}
	pthread_mutex_unlock(&counts.lock);
	return seen;
}

void egret_count(const struct egret_sandbox_count *row) { count_row(row); }

struct egret_sandbox_count *egret_counts_take(size_t *count, uint64_t *denied)
{
	struct egret_sandbox_count *copy;

	pthread_mutex_lock(&counts.lock);
	copy = malloc((counts.count + 1) * sizeof(*copy));
	if (copy && counts.count)
		memcpy(copy, counts.rows, counts.count * sizeof(*copy));
	*count = copy ? counts.count : 0;
	*denied = counts.denied;
	pthread_mutex_unlock(&counts.lock);
	return copy;
}

int egret_deny_errno(const struct egret_supervisor *sup)
{
	int error = egret_policy_defaults(sup->policy)->deny_errno;

	return error > 0 ? error : EACCES;
}

/* One line a destination, on stderr as the preload layer writes it. */
static void say_denied(const struct egret_sandbox_count *row, const char *why)
{
	char line[1024], host[600], hint[400] = "";
	const char *name = row->host[0] ? row->host : row->address;
	int len;

	egret_escape(name, strlen(name), host, sizeof(host));
	if (row->port && row->host[0])
		snprintf(hint, sizeof(hint), "; to allow it: egret allow %.256s:%u", host, row->port);
	if (row->port && row->host[0])
		len = snprintf(line, sizeof(line), "egret: denied %s %s:%u (%s): %s%s\n", row->what, host, row->port, row->address,
			       why, hint);
	else
		len = snprintf(line, sizeof(line), "egret: denied %s %s: %s\n", row->what, host, why);
	if (len > 0 && write(STDERR_FILENO, line, strnlen(line, sizeof(line))) < 0)
		return;
}

static void trace(const struct egret_call *call, const struct egret_ruling *ruling, struct egret_sandbox_count *row)
{
	const struct egret_verdict *verdict = &ruling->verdict;
	struct egret_event event;
	char exe[256];

	row->allowed = verdict->allow;
	row->audited = verdict->audited;
	snprintf(row->reason, sizeof(row->reason), "%s", egret_reason_name(verdict->reason));
	if (verdict->entry)
		snprintf(row->entry, sizeof(row->entry), "%s", verdict->entry->name);
	if (count_row(row) == 1 && !verdict->allow)
		say_denied(row, egret_reason_text(verdict->reason));
	if (!call->sup->log)
		return;
	egret_event_init(&event, EGRET_EVENT_CONNECT);
	event.pid = call->pid;
	event.exe = egret_call_exe(call, exe, sizeof(exe));
	event.layer = "sandbox";
	event.verdict = verdict;
	event.protocol = row->what;
	event.host = row->host[0] ? row->host : NULL;
	event.address = row->address[0] ? row->address : NULL;
	event.port = row->port;
	egret_log_write(call->sup->log, call->sup->log_format, &event);
}

/* Is ADDR:PORT where an origination entry or fixed addresses lead? The preload layer dials there; it asked for something else. */
static const struct egret_entry *dialled_by(const struct egret_supervisor *sup, const char *host, const struct egret_addr *addr,
					    uint16_t port)
{
	size_t i, j, n = egret_policy_entry_count(sup->policy);

	for (i = 0; i < n; i++) {
		const struct egret_entry *entry = egret_policy_entry(sup->policy, i);

		if (entry->action != EGRET_ALLOW)
			continue;
		for (j = 0; j < entry->endpoint_count; j++)
			if (egret_addr_equal(&entry->endpoints[j].addr, addr) &&
			    (entry->endpoints[j].port ? entry->endpoints[j].port == port : entry->connect_port == port))
				return entry;
		if (host && entry->connect_port == port && egret_entry_covers_name(entry, host, strlen(host)))
			return entry;
	}
	return NULL;
}

/* Does the preload layer live in the caller? Asked under `auto` only, where what a program claims of itself is believed. */
static bool preloaded(const struct egret_call *call)
{
	char path[64], line[512];
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)call->pid);
	maps = fopen(path, "re");
	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, "/libegret.so") != NULL;
	if (maps)
		fclose(maps);
	return found;
}

/* Where an allowed connection goes: straight, or through the relay where somebody must speak TLS for the program. */
static enum egret_route route_of(const struct egret_call *call, const struct egret_verdict *verdict)
{
	const struct egret_entry *entry = verdict->entry;

	if (!entry || entry->action != EGRET_ALLOW)
		return EGRET_ROUTE_DIRECT;
	if (entry->tls != EGRET_TLS_ORIGINATE && entry->protocol != EGRET_TLS && entry->protocol != EGRET_HTTP)
		return EGRET_ROUTE_DIRECT;
	if (egret_relay_can(entry) && (call->sup->require || !preloaded(call)))
		return EGRET_ROUTE_RELAY;
	return call->sup->require ? EGRET_ROUTE_NONE : EGRET_ROUTE_DIRECT;
}

static void judge_names(const struct egret_call *call, struct egret_request *request, struct egret_ruling *ruling)
{
	const struct egret_supervisor *sup = call->sup;
	struct egret_verdict verdict;
	char name[EGRET_NAME_MAX];

	for (size_t i = 0; !ruling->verdict.allow && egret_names_get(sup->names, &request->addr, i, name); i++) {
		request->host = name;
		request->host_len = strlen(name);
		verdict = egret_decide(sup->policy, request, sup->mode);
		if (!verdict.allow && !sup->require) {
			const struct egret_entry *entry = dialled_by(sup, name, &request->addr, request->port);

			if (entry)
				verdict = (struct egret_verdict){ .allow = true, .by_host = true, .reason = EGRET_REASON_ENTRY, .entry = entry };
		}
		if (verdict.allow || !i) {
			ruling->verdict = verdict;
			memcpy(ruling->host, name, sizeof(name));
		}
	}
}

struct egret_ruling egret_judge_address(const struct egret_call *call, enum egret_transport transport,
					const struct egret_addr *addr, uint16_t port)
{
	struct egret_ruling ruling = { .error = egret_deny_errno(call->sup) };
	struct egret_request request = { .transport = transport, .addr = *addr, .port = port };
	struct egret_sandbox_count row = { .port = port };
	const struct egret_entry *entry;

	judge_names(call, &request, &ruling);
	if (!ruling.verdict.allow) {
		struct egret_verdict verdict;

		request.host = NULL;
		request.host_len = 0;
		verdict = egret_decide(call->sup->policy, &request, call->sup->mode);
		if (!verdict.allow && !call->sup->require && (entry = dialled_by(call->sup, NULL, addr, port)))
			verdict = (struct egret_verdict){ .allow = true, .reason = EGRET_REASON_ENTRY, .entry = entry };
		if (verdict.allow || !ruling.host[0]) {
			ruling.verdict = verdict;
			ruling.host[0] = '\0';
		}
	}
	if (ruling.verdict.allow)
		ruling.route = transport == EGRET_STREAM ? route_of(call, &ruling.verdict) : EGRET_ROUTE_DIRECT;
	snprintf(row.what, sizeof(row.what), "%s", transport == EGRET_STREAM ? "tcp" : "udp");
	snprintf(row.host, sizeof(row.host), "%s", ruling.host);
	egret_addr_format(addr, port, row.address);
	trace(call, &ruling, &row);
	return ruling;
}

struct egret_ruling egret_judge_path(const struct egret_call *call, const char *path, bool in_tree)
{
	struct egret_ruling ruling = { .error = egret_deny_errno(call->sup) };
	struct egret_request request = { .transport = EGRET_LOCAL, .path = path };
	struct egret_sandbox_count row = { .what = "unix" };

	ruling.verdict = egret_decide(call->sup->policy, &request, call->sup->mode);
	/* Whoever listens outside of the tree may act for it there: under `require` only an entry opens that door. */
	if (call->sup->require && ruling.verdict.reason == EGRET_REASON_INTERNAL && !in_tree)
		ruling.verdict = (struct egret_verdict){ .reason = EGRET_REASON_NO_ENTRY };
	if (!ruling.verdict.allow && in_tree && ruling.verdict.reason != EGRET_REASON_DENY_ENTRY)
		ruling.verdict = (struct egret_verdict){ .allow = true, .reason = EGRET_REASON_INTERNAL };
	if (ruling.verdict.allow)
		ruling.route = EGRET_ROUTE_DIRECT;
	snprintf(row.host, sizeof(row.host), "%s", path);
	trace(call, &ruling, &row);
	return ruling;
}

int egret_refuse(const struct egret_call *call, const char *what, const char *detail, int error)
{
	struct egret_sandbox_count row = { .allowed = false };
	struct egret_event event;
	char exe[256];

	snprintf(row.what, sizeof(row.what), "%s", what);
	snprintf(row.host, sizeof(row.host), "%s", detail);
	snprintf(row.reason, sizeof(row.reason), "refused");
	if (count_row(&row) > 1)
		return error;
	say_denied(&row, "the sandbox refuses it");
	egret_event_init(&event, EGRET_EVENT_CONNECT);
	event.pid = call->pid;
	event.exe = egret_call_exe(call, exe, sizeof(exe));
	event.layer = "sandbox";
	event.protocol = what;
	event.error = detail;
	event.reason = "refused by the sandbox";
	egret_log_write(call->sup->log, call->sup->log_format, &event);
	return error;
}
