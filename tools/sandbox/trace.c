/* What was judged, told: a line in the log, one on stderr, a count for the report. */
#include "record.h"
#include "supervisor.h"

#include <errno.h>
#include <stdatomic.h>

#define COUNTS_MAX 4096u
#define BUCKETS 8192u
#define LINE_MAX_BYTES 16384u
#define EVENTS_MAX_BYTES (64u << 20) /* past this a report knows the totals only */

static struct {
	pthread_mutex_t lock;
	struct egret_sandbox_count *rows;
	uint16_t buckets[BUCKETS]; /* first row of a hash, 0: none, else its index + 1 */
	uint16_t next[COUNTS_MAX];
	size_t count;
	uint64_t denied;
} counts = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool same(const struct egret_sandbox_count *a, const struct egret_sandbox_count *b)
{
	return a->allowed == b->allowed && a->audited == b->audited && a->port == b->port && !strcmp(a->what, b->what) &&
	       !strcmp(a->host, b->host) && !strcmp(a->address, b->address) && !strcmp(a->reason, b->reason);
}

static uint32_t hash_of(const struct egret_sandbox_count *row)
{
	uint32_t hash = 2166136261u ^ row->port ^ (uint32_t)row->allowed << 16;

	for (const char *at = row->host; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	for (const char *at = row->address; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

/* Under the lock. NULL: no room. */
static struct egret_sandbox_count *add_row(const struct egret_sandbox_count *row, uint16_t *bucket)
{
	size_t i = counts.count;
	struct egret_sandbox_count *grown = i % 64 ? counts.rows : realloc(counts.rows, (i + 64) * sizeof(*grown));

	if (!grown)
		return NULL;
	counts.rows = grown;
	counts.count++;
	counts.next[i] = *bucket;
	*bucket = (uint16_t)(i + 1);
	grown[i] = *row;
	grown[i].count = 0;
	return &grown[i];
}

/* A flood of destinations costs no memory without end: past the bound only the total is kept. */
uint64_t egret_count(const struct egret_sandbox_count *row)
{
	uint16_t *bucket = &counts.buckets[hash_of(row)], at;
	struct egret_sandbox_count *found = NULL;
	uint64_t seen = 1;

	pthread_mutex_lock(&counts.lock);
	if (!row->allowed)
		counts.denied++;
	for (at = *bucket; at && !found; at = counts.next[at - 1])
		if (same(&counts.rows[at - 1], row))
			found = &counts.rows[at - 1];
	if (!found && counts.count < COUNTS_MAX)
		found = add_row(row, bucket);
	if (found)
		seen = ++found->count;
	pthread_mutex_unlock(&counts.lock);
	return seen;
}

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

/* The file's description is the launcher's and ours alone, and appends: lines of several threads do not mix. */
static void keep_for_report(struct egret_supervisor *sup, const struct egret_event *event)
{
	static _Atomic size_t written;
	char line[LINE_MAX_BYTES];
	size_t len = sup->events < 0 || written > EVENTS_MAX_BYTES ? 0 : egret_log_format(EGRET_LOG_JSON, event, line, sizeof(line));

	if (len && write(sup->events, line, len) == (ssize_t)len)
		written += len;
}

void egret_trace(struct egret_supervisor *sup, const struct egret_event *event)
{
	keep_for_report(sup, event);
	if (sup->log)
		egret_record_write(sup->log_format, event);
}

void egret_say_denied(pid_t thread, const struct egret_denial *denial)
{
	static struct egret_told told;
	char text[EGRET_DENIAL_LINE], line[2 * EGRET_DENIAL_LINE];
	size_t len;

	if (!egret_denial_is_new(&told, thread ? egret_process_of(thread) : 0, denial))
		return;
	egret_denial_line(denial, text, sizeof(text));
	snprintf(line, sizeof(line), "egret: ");
	len = strlen(egret_escape(text, strlen(text), line + 7, sizeof(line) - 8)) + 7;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

int egret_refuse(const struct egret_call *call, const char *what, const char *detail, int error)
{
	static const struct egret_verdict never = { .allow = false };
	const struct egret_denial denial = { .what = what, .host = detail, .why = "the sandbox refuses it" };
	struct egret_sandbox_count row = { .allowed = false };
	struct egret_event event;
	char exe[256];

	snprintf(row.what, sizeof(row.what), "%s", what);
	snprintf(row.host, sizeof(row.host), "%s", detail);
	snprintf(row.reason, sizeof(row.reason), "refused");
	if (egret_count(&row) > 1)
		return error;
	egret_say_denied(0, &denial);
	egret_event_init(&event, EGRET_EVENT_CONNECT);
	event.pid = call->pid;
	event.exe = egret_call_exe(call, exe, sizeof(exe));
	event.layer = "sandbox";
	event.protocol = what;
	event.verdict = &never;
	event.host = detail;
	event.reason = "refused by the sandbox";
	egret_trace(call->sup, &event);
	return error;
}
