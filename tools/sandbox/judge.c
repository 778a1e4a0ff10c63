/* The ruling: the same decision code as everywhere. */
#include "supervisor.h"
#include "unix_sockets.h"

#include <errno.h>

int egret_deny_errno(const struct egret_call *call)
{
	int error = egret_policy_defaults(call->policy)->deny_errno;

	return error > 0 ? error : EACCES;
}

bool egret_audits(const struct egret_supervisor *sup, const struct egret_policy *policy, const struct egret_entry *entry)
{
	enum egret_mode mode = sup->mode;

	if (!mode)
		mode = entry->mode ? entry->mode : egret_policy_defaults(policy)->mode;
	return mode == EGRET_AUDIT || mode == EGRET_OFF;
}

/* The address's names beside the one that it was judged by, comma separated. */
static const char *others_of(const struct egret_call *call, const struct egret_addr *addr, const char *host, char *others, size_t size)
{
	char name[EGRET_NAME_MAX];
	size_t used = 0;

	for (size_t i = 0; host[0] && egret_names_get(call->sup->names, addr, i, name) && used < size; i++)
		if (strcmp(name, host))
			used += (size_t)snprintf(others + used, size - used, "%s%s", used ? "," : "", name);
	return used ? others : NULL;
}

/* Allowed ones are written for each call: a log that left some out would be no record. */
static void trace(const struct egret_call *call, const struct egret_ruling *ruling, const struct egret_addr *addr,
		  struct egret_sandbox_count *row)
{
	struct egret_denial denial = { .what = row->what, .host = row->host, .addr = addr, .port = row->port };
	const struct egret_verdict *verdict = &ruling->verdict;
	struct egret_event event;
	char exe[256], others[2 * EGRET_NAME_MAX];

	row->allowed = verdict->allow;
	row->audited = verdict->audited;
	snprintf(row->reason, sizeof(row->reason), "%s", egret_reason_name(verdict->reason));
	if (verdict->entry)
		snprintf(row->entry, sizeof(row->entry), "%s", verdict->entry->name);
	egret_count(row);
	egret_denial_judged(&denial, verdict);
	if (!verdict->allow)
		egret_say_denied(call->pid, &denial);
	if (!call->sup->log && call->sup->events < 0)
		return;
	egret_event_init(&event, EGRET_EVENT_CONNECT);
	event.pid = call->pid;
	event.exe = egret_call_exe(call, exe, sizeof(exe));
	event.layer = "sandbox";
	event.verdict = verdict;
	event.protocol = verdict->entry ? egret_protocol_name(verdict->entry->protocol) : row->what;
	event.ambiguous = addr ? others_of(call, addr, row->host, others, sizeof(others)) : NULL;
	event.host = row->host[0] ? row->host : NULL;
	event.address = row->address[0] ? row->address : NULL;
	event.port = row->port;
	egret_trace(call->sup, &event);
}

/* Is ADDR, asked for by its number, what ENTRY is about? */
static bool is_about(const struct egret_policy *policy, const struct egret_entry *entry, const struct egret_addr *addr)
{
	struct egret_request request = { .transport = EGRET_STREAM, .addr = *addr, .port = entry->port_count ? entry->ports[0].first : 0 };
	struct egret_verdict verdict = egret_decide(policy, &request, EGRET_ENFORCE);

	return verdict.allow && verdict.entry == entry;
}

/* Is ADDR:PORT where an origination entry or fixed addresses lead? The preload layer dials there; it asked for something else. */
static const struct egret_entry *dialled_by(const struct egret_policy *policy, const char *host, const struct egret_addr *addr,
					    uint16_t port)
{
	size_t i, j, n = egret_policy_entry_count(policy);

	for (i = 0; i < n; i++) {
		const struct egret_entry *entry = egret_policy_entry(policy, i);

		if (entry->action != EGRET_ALLOW)
			continue;
		for (j = 0; j < entry->endpoint_count; j++)
			if (egret_addr_equal(&entry->endpoints[j].addr, addr) &&
			    (entry->endpoints[j].port ? entry->endpoints[j].port == port : entry->connect_port == port))
				return entry;
		if (entry->connect_port == port &&
		    (host ? egret_entry_covers_name(entry, host, strlen(host)) : is_about(policy, entry, addr)))
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

/* Where an allowed connection goes: straight, or through the relay where somebody must speak TLS for the program, or read what it
 * asks for: its requests, or the server name of its own TLS. */
static enum egret_route route_of(const struct egret_call *call, const struct egret_verdict *verdict)
{
	const struct egret_entry *entry = verdict->entry;

	if (!entry || entry->action != EGRET_ALLOW || verdict->audited)
		return EGRET_ROUTE_DIRECT;
	if (entry->protocol == EGRET_TCP && entry->tls == EGRET_TLS_OFF && !verdict->by_host)
		return EGRET_ROUTE_DIRECT;
	if (!call->sup->require && preloaded(call))
		return EGRET_ROUTE_DIRECT;
	return EGRET_ROUTE_RELAY;
}

/* May a denied destination be one that the preload layer dials for an entry? Never one that a deny entry names. */
static bool may_be_a_dial(const struct egret_call *call, const struct egret_verdict *verdict)
{
	return !verdict->allow && !call->sup->require && verdict->reason != EGRET_REASON_DENY_ENTRY;
}

/* Does the verdict for a further name of an address stand in the place of the refusal for the latest one? Each has weighed the address
 * too: what only the address opens does not lift a refusal that the policy spells out for a name (the names are the tree's, not a
 * process's: which of them the caller meant is not known). */
static bool lifts(const struct egret_verdict *refusal, const struct egret_verdict *verdict)
{
	bool spelt_out = refusal->reason == EGRET_REASON_DENY_ENTRY || refusal->reason == EGRET_REASON_REBINDING ||
			 refusal->reason == EGRET_REASON_LINK_LOCAL;

	return verdict->allow && (verdict->by_host || !spelt_out);
}

/* Of two names that nothing opens, an entry knows the second. */
static bool tells_more(const struct egret_verdict *refusal, const struct egret_verdict *verdict)
{
	return !verdict->allow && refusal->reason == EGRET_REASON_NO_ENTRY && verdict->reason == EGRET_REASON_PORT;
}

static void judge_names(const struct egret_call *call, struct egret_request *request, struct egret_ruling *ruling)
{
	const struct egret_supervisor *sup = call->sup;
	struct egret_verdict verdict;
	char name[EGRET_NAME_MAX];

	for (size_t i = 0; !ruling->verdict.allow && egret_names_get(sup->names, &request->addr, i, name); i++) {
		request->host = name;
		request->host_len = strlen(name);
		verdict = egret_decide(call->policy, request, sup->mode);
		if (may_be_a_dial(call, &verdict)) {
			const struct egret_entry *entry = dialled_by(call->policy, name, &request->addr, request->port);

			if (entry)
				verdict = (struct egret_verdict){ .allow = true, .by_host = true, .reason = EGRET_REASON_ENTRY, .entry = entry };
		}
		if (!i || lifts(&ruling->verdict, &verdict) || tells_more(&ruling->verdict, &verdict)) {
			ruling->verdict = verdict;
			memcpy(ruling->host, name, sizeof(name));
		}
	}
	request->host = NULL;
	request->host_len = 0;
}

struct egret_ruling egret_judge_address(const struct egret_call *call, enum egret_transport transport,
					const struct egret_addr *addr, uint16_t port)
{
	struct egret_ruling ruling = { .error = egret_deny_errno(call) };
	struct egret_request request = { .transport = transport, .addr = *addr, .port = port };
	struct egret_sandbox_count row = { .port = port };
	const struct egret_entry *entry;

	judge_names(call, &request, &ruling);
	if (!ruling.host[0])
		ruling.verdict = egret_decide(call->policy, &request, call->sup->mode);
	if (may_be_a_dial(call, &ruling.verdict) && (entry = dialled_by(call->policy, NULL, addr, port))) {
		ruling.verdict = (struct egret_verdict){ .allow = true, .reason = EGRET_REASON_ENTRY, .entry = entry };
		ruling.host[0] = '\0';
	}
	/* The machine's own names of its loopback come from its hosts file: nobody asked for them. */
	if (ruling.verdict.reason == EGRET_REASON_INTERNAL && egret_addr_is_loopback(addr))
		ruling.host[0] = '\0';
	if (ruling.verdict.allow)
		ruling.route = transport == EGRET_STREAM ? route_of(call, &ruling.verdict) : EGRET_ROUTE_DIRECT;
	snprintf(row.what, sizeof(row.what), "%s", transport == EGRET_STREAM ? "tcp" : "udp");
	snprintf(row.host, sizeof(row.host), "%s", ruling.host);
	egret_addr_format(addr, port, row.address);
	trace(call, &ruling, addr, &row);
	return ruling;
}

/* Services that look names up past the resolver. The libc tries them first and does without where they do not run: no denial. */
static bool looks_names_up(const char *path)
{
	return !strcmp(path, "/run/nscd/socket") || !strncmp(path, "/run/systemd/resolve/", 21);
}

/* Needs it to be known who is bound there? An entry decides alone. Whoever is outside of the tree may act for it there: under `require` an
 * entry opens that door, not the directory. */
static bool asks_who_is_there(const struct egret_call *call, const struct egret_verdict *verdict)
{
	if (verdict->allow)
		return call->sup->require && verdict->reason == EGRET_REASON_INTERNAL;
	return verdict->reason != EGRET_REASON_DENY_ENTRY;
}

struct egret_ruling egret_judge_path(const struct egret_call *call, const char *path, const struct egret_unix_place *place)
{
	struct egret_ruling ruling = { .error = egret_deny_errno(call) };
	struct egret_request request = { .transport = EGRET_LOCAL, .path = path };
	struct egret_sandbox_count row = { .what = "unix" };
	enum egret_unix_owner owner = EGRET_UNIX_OUTSIDE;

	ruling.verdict = egret_decide(call->policy, &request, call->sup->mode);
	if (asks_who_is_there(call, &ruling.verdict)) {
		owner = egret_unix_owner_of(place);
		if (owner == EGRET_UNIX_TREE)
			ruling.verdict = (struct egret_verdict){ .allow = true, .reason = EGRET_REASON_INTERNAL };
		else if (ruling.verdict.allow)
			ruling.verdict = (struct egret_verdict){ .reason = EGRET_REASON_NO_ENTRY };
	}
	if (!ruling.verdict.allow && looks_names_up(path)) {
		ruling.error = ENOENT;
		return ruling;
	}
	if (!ruling.verdict.allow && owner == EGRET_UNIX_NOBODY) {
		ruling.error = ECONNREFUSED;
		return ruling;
	}
	if (ruling.verdict.allow)
		ruling.route = EGRET_ROUTE_DIRECT;
	snprintf(row.host, sizeof(row.host), "%s", path);
	trace(call, &ruling, NULL, &row);
	return ruling;
}
