#include "names.h"

#include "policy/raw.h"
#include "runtime.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#define MAX_ADDRESSES 4096
#define MAX_NAMES 4 /* of one address */

struct name_of {
	char text[EGRET_NAME_MAX];
	uint64_t stamp; /* 0: free */
	int thread;     /* that asked; 0: another process */
};

struct known {
	struct egret_addr addr; /* key; scope_id is 0 */
	struct name_of names[MAX_NAMES];
	UT_hash_handle hh; /* in order of remembering: the head is the oldest */
};

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct known *all;
static uint64_t clock_stamp;
static off_t shared_offset; /* bytes of the run's file that were read */

void egret_names_before_fork(void) { pthread_mutex_lock(&names_lock); }
void egret_names_after_fork(void) { pthread_mutex_unlock(&names_lock); }

static struct egret_addr key_of(const struct egret_addr *addr)
{
	struct egret_addr key;
	memset(&key, 0, sizeof key); /* padding takes part in the hash */
	key.family = addr->family;
	memcpy(key.bytes, addr->bytes, sizeof key.bytes);
	return key;
}

static struct known *known_make(const struct egret_addr *key)
{
	struct known *known;
	HASH_FIND(hh, all, key, sizeof *key, known);
	if (known) {
		HASH_DELETE(hh, all, known);
	} else if (HASH_COUNT(all) >= MAX_ADDRESSES) {
		known = all;
		HASH_DELETE(hh, all, known);
		memset(known, 0, sizeof *known);
	} else {
		known = calloc(1, sizeof *known);
	}
	if (!known)
		return NULL;
	memcpy(&known->addr, key, sizeof *key);
	HASH_ADD(hh, all, addr, sizeof known->addr, known);
	return known;
}

/* Under names_lock. True when the pair was not known. */
static bool remember(const struct egret_addr *addr, const char *name, int thread)
{
	struct egret_addr key = key_of(addr);
	struct known *known = known_make(&key);
	if (!known)
		return false;
	struct name_of *slot = &known->names[0];
	bool fresh = true;
	for (int i = 0; i < MAX_NAMES; i++) {
		if (known->names[i].stamp && strcmp(known->names[i].text, name) == 0) {
			slot = &known->names[i];
			fresh = false;
			break;
		}
		if (known->names[i].stamp < slot->stamp)
			slot = &known->names[i];
	}
	snprintf(slot->text, sizeof slot->text, "%s", name);
	slot->stamp = ++clock_stamp;
	slot->thread = thread;
	return fresh;
}

static bool shared_path(char path[EGRET_PATH_MAX + 8])
{
	snprintf(path, EGRET_PATH_MAX + 8, "%s/names", egret_runtime.run_dir);
	return egret_runtime.run_dir[0] != '\0';
}

static void share(const struct egret_addr *addr, const char *name)
{
	char path[EGRET_PATH_MAX + 8], line[EGRET_NAME_MAX + EGRET_ADDR_TEXT + 4], text[EGRET_ADDR_TEXT];
	if (!shared_path(path))
		return;
	long fd = egret_raw_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	int n = snprintf(line, sizeof line, "%s %s\n", egret_addr_format(addr, -1, text), name);
	(void)egret_raw_write((int)fd, line, (size_t)n);
	egret_raw_close((int)fd);
}

static void take_line(char *line)
{
	struct egret_addr addr;
	char *space = strchr(line, ' ');
	if (!space)
		return;
	*space = '\0';
	if (egret_addr_parse(line, &addr) && strlen(space + 1) < EGRET_NAME_MAX)
		remember(&addr, space + 1, 0);
}

/* Under names_lock: what other processes of the run have learned since the last look. */
static void read_shared(void)
{
	char path[EGRET_PATH_MAX + 8], buf[8192];
	if (!shared_path(path))
		return;
	long fd = egret_raw_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return;
	long n;
	while ((n = egret_raw(SYS_pread64, fd, buf, sizeof buf - 1, shared_offset)) > 0) {
		buf[n] = '\0';
		char *line = buf, *end;
		while ((end = memchr(line, '\n', (size_t)(buf + n - line))) != NULL) {
			*end = '\0';
			take_line(line);
			line = end + 1;
		}
		if (line == buf)
			break; /* half a line: the rest comes at the next look */
		shared_offset += line - buf;
	}
	egret_raw_close((int)fd);
}

void egret_names_remember(const struct egret_addr *addr, const char *name)
{
	pthread_mutex_lock(&names_lock);
	bool fresh = remember(addr, name, gettid());
	pthread_mutex_unlock(&names_lock);
	if (fresh)
		share(addr, name);
}

static const struct name_of *latest(const struct known *known, int thread)
{
	const struct name_of *best = NULL;
	for (int i = 0; i < MAX_NAMES; i++) {
		const struct name_of *it = &known->names[i];
		if (it->stamp && (thread == 0 || it->thread == thread) && (!best || it->stamp > best->stamp))
			best = it;
	}
	return best;
}

static void list_others(const struct known *known, const struct name_of *chosen, char *others, size_t size)
{
	size_t used = 0;
	others[0] = '\0';
	for (int i = 0; i < MAX_NAMES; i++)
		if (known->names[i].stamp && &known->names[i] != chosen && used < size)
			used += (size_t)snprintf(others + used, size - used, "%s%s", used ? "," : "", known->names[i].text);
}

bool egret_names_find(const struct egret_addr *addr, char name[EGRET_NAME_MAX], char *others, size_t others_size)
{
	struct egret_addr key = key_of(addr);
	struct known *known;
	pthread_mutex_lock(&names_lock);
	HASH_FIND(hh, all, &key, sizeof key, known);
	if (!known && egret_runtime.run_dir[0]) {
		read_shared();
		HASH_FIND(hh, all, &key, sizeof key, known);
	}
	const struct name_of *chosen = known ? latest(known, gettid()) : NULL;
	if (known && !chosen)
		chosen = latest(known, 0);
	if (chosen) {
		memcpy(name, chosen->text, sizeof chosen->text);
		if (others)
			list_others(known, chosen, others, others_size);
	}
	pthread_mutex_unlock(&names_lock);
	return chosen != NULL;
}
