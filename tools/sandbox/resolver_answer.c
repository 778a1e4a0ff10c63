#include "resolver_answer.h"

#include <poll.h>
#include <strings.h>
#include <sys/random.h>

#define UPSTREAM_WAIT_MS 2000
#define LOCAL_TTL 60u

struct learner {
	struct egret_supervisor *sup;
	char name[EGRET_NAME_MAX];
};

static void learn(void *data, const struct egret_addr *addr, uint32_t ttl)
{
	struct learner *learner = data;

	egret_names_add(learner->sup->names, learner->name, addr, ttl);
}

/* A service's labels (_http._tcp) are not part of the host that the policy speaks of. */
static const char *judged_name(const struct egret_dns_question *question)
{
	const char *name = question->name, *dot;

	while (name[0] == '_' && (question->type == EGRET_DNS_SRV || question->type == EGRET_DNS_HTTPS) && (dot = strchr(name, '.')))
		name = dot + 1;
	return name;
}

static void trace(struct egret_supervisor *sup, const char *name, const struct egret_verdict *verdict, const char *refused)
{
	struct egret_sandbox_count row = { .what = "dns", .allowed = verdict->allow, .audited = verdict->audited };
	struct egret_event event;

	snprintf(row.host, sizeof(row.host), "%s", name);
	snprintf(row.reason, sizeof(row.reason), "%s", refused ? "refused" : egret_reason_name(verdict->reason));
	if (verdict->entry)
		snprintf(row.entry, sizeof(row.entry), "%s", verdict->entry->name);
	if (egret_count(&row) == 1 && !verdict->allow)
		egret_say_denied(&row, refused ? refused : egret_reason_text(verdict->reason));
	egret_event_init(&event, EGRET_EVENT_DNS);
	event.layer = "sandbox";
	event.verdict = verdict;
	event.reason = refused;
	event.host = name;
	event.protocol = "dns";
	egret_trace(sup, &event);
}

/* One server, one try, over UDP from a fresh port. */
static bool ask_server(const struct egret_endpoint *server, const struct egret_dns_question *question, struct egret_dns_reply *reply,
		       struct learner *learner)
{
	int domain = server->addr.family == EGRET_IPV6 ? AF_INET6 : AF_INET;
	int fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint8_t buf[EGRET_DNS_MAX];
	struct sockaddr_storage ss;
	socklen_t len = egret_addr_to_sockaddr(&server->addr, server->port, domain, &ss);
	bool answered = false;
	uint16_t id;
	ssize_t n;

	if (fd < 0 || getrandom(&id, sizeof(id), 0) != sizeof(id) || connect(fd, (struct sockaddr *)&ss, len) ||
	    send(fd, buf, egret_dns_query(question, id, buf), MSG_NOSIGNAL) < 0)
		goto out;
	while (!answered && poll(&pollfd, 1, UPSTREAM_WAIT_MS) > 0) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0)
			break;
		answered = egret_dns_rebuild(buf, (size_t)n, question, id, reply, learn, learner);
	}
out:
	if (fd >= 0)
		close(fd);
	return answered;
}

static void ask_upstream(struct egret_supervisor *sup, const struct egret_dns_question *question, const char *name,
			 struct egret_dns_reply *reply)
{
	struct learner learner = { .sup = sup };

	if (!egret_name_canonical(name, strlen(name), learner.name, sizeof(learner.name)))
		return;
	for (size_t i = 0; i < sup->upstream_count; i++)
		if (ask_server(&sup->upstream[i], question, reply, &learner))
			return;
	egret_dns_begin(reply, question, EGRET_DNS_FAILED);
}

/* Fixed addresses of the entry, and localhost: nobody is asked. False: somebody must be. */
static bool answer_here(struct egret_supervisor *sup, const struct egret_dns_question *question, const char *name,
			const struct egret_verdict *verdict, struct egret_dns_reply *reply)
{
	static const struct egret_addr loopback[2] = { { .family = EGRET_IPV4, .bytes = { 127, 0, 0, 1 } },
						       { .family = EGRET_IPV6, .bytes = { [15] = 1 } } };
	const struct egret_entry *entry = verdict->entry;
	uint8_t family = question->type == EGRET_DNS_A ? EGRET_IPV4 : EGRET_IPV6;
	char canonical[EGRET_NAME_MAX];
	size_t i;

	if (question->type != EGRET_DNS_A && question->type != EGRET_DNS_AAAA)
		return entry && entry->endpoint_count;
	if (!strcasecmp(name, "localhost"))
		return egret_dns_add_addr(reply, &loopback[family == EGRET_IPV6], LOCAL_TTL);
	if (!entry || !entry->endpoint_count || !egret_name_canonical(name, strlen(name), canonical, sizeof(canonical)))
		return false;
	for (i = 0; i < entry->endpoint_count; i++) {
		if (entry->endpoints[i].addr.family != family)
			continue;
		egret_names_add(sup->names, canonical, &entry->endpoints[i].addr, LOCAL_TTL);
		egret_dns_add_addr(reply, &entry->endpoints[i].addr, LOCAL_TTL);
	}
	return true;
}

static void answer_reverse(struct egret_supervisor *sup, const struct egret_dns_question *question, struct egret_dns_reply *reply)
{
	struct egret_addr addr;
	char name[EGRET_NAME_MAX];

	if (egret_dns_reverse(question->name, &addr) && egret_names_get(sup->names, &addr, 0, name))
		egret_dns_add_ptr(reply, name);
	else
		egret_dns_begin(reply, question, EGRET_DNS_NO_NAME);
}

bool egret_resolver_answer(struct egret_supervisor *sup, const uint8_t *query, size_t len, struct egret_dns_reply *reply)
{
	struct egret_verdict verdict = { .allow = false };
	struct egret_dns_question question;
	struct egret_policy *policy;
	const char *name;

	if (!egret_dns_question(query, len, &question)) {
		question.wire_len = 0;
		trace(sup, "(malformed)", &verdict, "not a question that is answered");
		egret_dns_begin(reply, &question, EGRET_DNS_REFUSED);
		return len >= 12;
	}
	egret_dns_begin(reply, &question, EGRET_DNS_OK);
	name = judged_name(&question);
	switch (question.type) {
	case EGRET_DNS_PTR:
		answer_reverse(sup, &question, reply);
		return true;
	case EGRET_DNS_A:
	case EGRET_DNS_AAAA:
	case EGRET_DNS_CNAME:
	case EGRET_DNS_SRV:
	case EGRET_DNS_HTTPS:
		break;
	default:
		trace(sup, name, &verdict, "a record type that is not answered");
		egret_dns_begin(reply, &question, EGRET_DNS_REFUSED);
		return true;
	}
	policy = egret_policy_hold(sup);
	verdict = egret_decide_name(policy, name, strlen(name), sup->mode);
	trace(sup, name, &verdict, NULL);
	if (!verdict.allow)
		egret_dns_begin(reply, &question, EGRET_DNS_NO_NAME);
	else if (!answer_here(sup, &question, name, &verdict, reply))
		ask_upstream(sup, &question, question.name, reply);
	egret_policy_unref(policy);
	return true;
}
