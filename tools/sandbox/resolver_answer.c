#include "resolver_answer.h"

#include <poll.h>
#include <strings.h>
#include <sys/random.h>

#define UPSTREAM_WAIT_MS 2000
#define LOCAL_TTL 60u

struct learner {
	struct egret_supervisor *sup;
	int64_t least_ms; /* dns_min_ttl */
	char name[EGRET_NAME_MAX];
};

static void learn(void *data, const struct egret_addr *addr, uint32_t ttl)
{
	struct learner *learner = data;

	int64_t ms = (int64_t)ttl * 1000;

	egret_names_add(learner->sup->names, learner->name, addr, ms > learner->least_ms ? ms : learner->least_ms);
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
	struct egret_denial denial = { .what = "dns", .host = name };
	struct egret_sandbox_count row = { .what = "dns", .allowed = verdict->allow, .audited = verdict->audited };
	struct egret_event event;

	snprintf(row.host, sizeof(row.host), "%s", name);
	snprintf(row.reason, sizeof(row.reason), "%s", refused ? "refused" : egret_reason_name(verdict->reason));
	if (verdict->entry)
		snprintf(row.entry, sizeof(row.entry), "%s", verdict->entry->name);
	egret_denial_judged(&denial, verdict);
	denial.why = refused ? refused : denial.why;
	if (egret_count(&row) == 1 && !verdict->allow)
		egret_say_denied(0, &denial);
	egret_event_init(&event, EGRET_EVENT_DNS);
	event.layer = "sandbox";
	event.verdict = verdict;
	event.reason = refused;
	event.host = name;
	event.protocol = "dns";
	egret_trace(sup, &event);
}

struct asking {
	const struct egret_dns_question *question;
	struct egret_dns_reply *reply;
	struct learner *learner;
	uint8_t buf[EGRET_DNS_MAX];
	uint16_t id;
};

static int socket_to(const struct egret_endpoint *server, int type)
{
	int domain = server->addr.family == EGRET_IPV6 ? AF_INET6 : AF_INET;
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);
	struct timeval wait = { UPSTREAM_WAIT_MS / 1000, UPSTREAM_WAIT_MS % 1000 * 1000 };
	struct sockaddr_storage ss;
	socklen_t len = egret_addr_to_sockaddr(&server->addr, server->port, domain, &ss);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&ss, len) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool is_answer(struct asking *asking, size_t len)
{
	return egret_dns_rebuild(asking->buf, len, asking->question, asking->id, asking->reply, learn, asking->learner);
}

/* One server, one try, over UDP from a fresh port. */
static bool ask_by_datagram(const struct egret_endpoint *server, struct asking *asking)
{
	int fd = socket_to(server, SOCK_DGRAM);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	bool answered = false;
	ssize_t n;

	if (fd < 0)
		return false;
	if (send(fd, asking->buf, egret_dns_query(asking->question, asking->id, asking->buf), MSG_NOSIGNAL) < 0)
		goto out;
	while (!answered && poll(&pollfd, 1, UPSTREAM_WAIT_MS) > 0) {
		n = recv(fd, asking->buf, sizeof(asking->buf), MSG_DONTWAIT);
		if (n < 0)
			break;
		answered = is_answer(asking, (size_t)n);
	}
out:
	close(fd);
	return answered;
}

/* The whole of an answer that a datagram had no room for. What cannot be had leaves the part that came. */
static void ask_by_stream(const struct egret_endpoint *server, struct asking *asking)
{
	struct egret_dns_reply part = *asking->reply;
	int fd = socket_to(server, SOCK_STREAM);
	uint8_t size[2];
	size_t len = egret_dns_query(asking->question, asking->id, asking->buf);
	bool whole;

	if (fd < 0)
		return;
	size[0] = (uint8_t)(len >> 8);
	size[1] = (uint8_t)len;
	whole = send(fd, size, 2, MSG_NOSIGNAL | MSG_MORE) == 2 && send(fd, asking->buf, len, MSG_NOSIGNAL) == (ssize_t)len &&
		recv(fd, size, 2, MSG_WAITALL) == 2 && (len = (size_t)size[0] << 8 | size[1]) <= sizeof(asking->buf) &&
		recv(fd, asking->buf, len, MSG_WAITALL) == (ssize_t)len && is_answer(asking, len);
	close(fd);
	if (!whole)
		*asking->reply = part;
}

static bool ask_server(const struct egret_endpoint *server, const struct egret_dns_question *question, struct egret_dns_reply *reply,
		       struct learner *learner)
{
	struct asking asking = { .question = question, .reply = reply, .learner = learner };

	if (getrandom(&asking.id, sizeof(asking.id), 0) != sizeof(asking.id) || !ask_by_datagram(server, &asking))
		return false;
	if (asking.buf[2] & 2)
		ask_by_stream(server, &asking);
	return true;
}

static void ask_upstream(struct egret_supervisor *sup, const struct egret_dns_question *question, const char *name, int64_t least_ms,
			 struct egret_dns_reply *reply)
{
	struct learner learner = { .sup = sup, .least_ms = least_ms };

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
		egret_names_add(sup->names, canonical, &entry->endpoints[i].addr, EGRET_NAMES_FOR_GOOD);
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
		ask_upstream(sup, &question, question.name, egret_policy_defaults(policy)->dns_min_ttl_ms, reply);
	egret_policy_unref(policy);
	return true;
}
