#include "dns_asked.h"

#include "dns.h"
#include "guard.h"
#include "lock.h"
#include "lookup.h"
#include "names.h"
#include "resolv_conf.h"

#include <string.h>
#include <sys/mman.h>

#define QUESTIONS 2048

struct asked {
	struct egret_dns_server server;
	struct egret_dns_question question;
	char name[EGRET_NAME_MAX]; /* by which the answer's addresses are judged; "" : free */
};

/* Under asked_lock. One mapping: only touched pages cost memory. */
static pthread_mutex_t asked_lock = PTHREAD_MUTEX_INITIALIZER;
static struct asked *ring;
static unsigned ring_next;
static uint64_t forker_mask;

void egret_dns_before_fork(void)
{
	uint64_t before;
	egret_lock(&asked_lock, &before);
	forker_mask = before;
}

void egret_dns_after_fork(void)
{
	uint64_t before = forker_mask;
	egret_unlock(&asked_lock, &before);
}

static bool ring_ready(void)
{
	if (!ring) {
		long at = egret_raw6(SYS_mmap, 0, QUESTIONS * sizeof *ring, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		ring = at < 0 && at > -4096 ? NULL : (struct asked *)at;
	}
	return ring != NULL;
}

static void keep(const struct egret_dns_server *server, const struct egret_dns_question *question, const char *name)
{
	uint64_t before;
	egret_lock(&asked_lock, &before);
	if (ring_ready()) {
		struct asked *slot = &ring[ring_next++ % QUESTIONS];
		slot->server = *server;
		slot->question = *question;
		memcpy(slot->name, name, sizeof slot->name);
	}
	egret_unlock(&asked_lock, &before);
}

/* Is the name covered, or what stands before a search domain of resolv.conf? The one that counts into CANONICAL. */
static bool may_ask(const struct egret_dns_question *question, bool filter, char canonical[EGRET_NAME_MAX])
{
	struct egret_addr addr;
	struct egret_lookup lookup;
	char shorter[EGRET_NAME_MAX];
	canonical[0] = '\0';
	if (question->type == EGRET_DNS_PTR && egret_dns_reverse(question->name, &addr))
		return !filter || egret_lookup_reverse(&addr);
	if (!egret_lookup_covers(question->name) && egret_resolv_conf_strip(question->name, shorter) && egret_lookup_covers(shorter)) {
		egret_name_canonical(shorter, strlen(shorter), canonical, EGRET_NAME_MAX);
		return true;
	}
	bool good = !filter || egret_lookup_begin(&lookup, question->name, 0);
	if (filter)
		egret_lookup_end(&lookup);
	egret_name_canonical(question->name, strlen(question->name), canonical, EGRET_NAME_MAX);
	return good;
}

bool egret_dns_ask(const struct egret_dns_server *server, bool trusted, bool filter, const uint8_t *message, size_t size)
{
	struct egret_dns_question question;
	char name[EGRET_NAME_MAX] = "";
	bool readable = egret_dns_question(message, size, &question);
	if (!readable && filter) {
		struct egret_lookup lookup;
		bool good = egret_lookup_begin(&lookup, question.name, 0); /* a name that is none: the refusal is logged, audit lets it pass */
		egret_lookup_end(&lookup);
		return good;
	}
	egret_guard_enter();
	bool good = !readable || may_ask(&question, filter, name);
	egret_guard_leave();
	if (good && readable && trusted && name[0] && (question.type == EGRET_DNS_A || question.type == EGRET_DNS_AAAA))
		keep(server, &question, name);
	return good;
}

static bool is_same_server(const struct egret_dns_server *a, const struct egret_dns_server *b)
{
	return a->socket == b->socket && a->port == b->port && egret_addr_equal(&a->addr, &b->addr);
}

/* Takes the question that MESSAGE answers out of the ring. */
static bool take(const struct egret_dns_server *server, const uint8_t *message, size_t size, struct asked *found)
{
	uint64_t before;
	struct egret_dns_records records;
	bool hit = false;
	egret_lock(&asked_lock, &before);
	for (unsigned i = 1; ring && i <= QUESTIONS && !hit; i++) {
		struct asked *slot = &ring[(ring_next - i) % QUESTIONS];
		if (!slot->name[0] || slot->question.id != (uint16_t)(message[0] << 8 | message[1]) || !is_same_server(&slot->server, server))
			continue;
		if (!egret_dns_answer(&records, message, size, &slot->question, slot->question.id))
			continue;
		*found = *slot;
		slot->name[0] = '\0';
		hit = true;
	}
	egret_unlock(&asked_lock, &before);
	return hit;
}

static void remember(void *data, const struct egret_addr *addr, uint32_t ttl)
{
	(void)ttl; /* a program may connect long after; what it may reach is the policy's to say, not the cache's */
	egret_names_remember(addr, data);
}

void egret_dns_hear(const struct egret_dns_server *server, const uint8_t *message, size_t size)
{
	struct asked asked;
	if (size < 12 || !take(server, message, size, &asked))
		return;
	egret_guard_enter();
	egret_dns_addresses(message, size, &asked.question, asked.question.id, remember, asked.name);
	egret_guard_leave();
}
