#include "resolv_conf.h"

#include "policy/raw.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define PATH "/etc/resolv.conf"
#define MAX_SERVERS 16
#define MAX_DOMAINS 16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct egret_addr servers[MAX_SERVERS];
static size_t server_count;
static char domains[MAX_DOMAINS][EGRET_NAME_MAX]; /* canonical */
static size_t domain_count;
static struct timespec read_at; /* the file's mtime */

/* The words of `search` or `domain`: the last such line counts, resolv.conf(5). */
static void take_domains(const char *list)
{
	for (domain_count = 0; *list && domain_count < MAX_DOMAINS;) {
		list += strspn(list, " \t\r");
		size_t length = strcspn(list, " \t\r");
		if (length && egret_name_canonical(list, length, domains[domain_count], EGRET_NAME_MAX))
			domain_count++;
		list += length;
	}
}

static bool is_keyword(const char *line, const char *word)
{
	size_t length = strlen(word);
	return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\t');
}

static void take_line(char *line)
{
	char *end;
	if (is_keyword(line, "search") || is_keyword(line, "domain"))
		take_domains(line + 6);
	if (!is_keyword(line, "nameserver"))
		return;
	line += 10 + strspn(line + 10, " \t");
	end = line + strcspn(line, " \t\r%");
	*end = '\0';
	if (server_count < MAX_SERVERS && egret_addr_parse(line, &servers[server_count]))
		server_count++;
}

static void read_file(void)
{
	char text[4096];
	server_count = domain_count = 0;
	long fd = egret_raw_open(PATH, O_RDONLY | O_CLOEXEC, 0);
	long n = fd < 0 ? -1 : egret_raw_read((int)fd, text, sizeof text - 1);
	if (fd >= 0)
		egret_raw_close((int)fd);
	text[n > 0 ? n : 0] = '\0';
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		take_line(line);
	}
}

/* Under the lock. */
static void refresh(void)
{
	struct stat st;
	if (stat(PATH, &st) == 0 && (st.st_mtim.tv_sec != read_at.tv_sec || st.st_mtim.tv_nsec != read_at.tv_nsec)) {
		read_file();
		read_at = st.st_mtim;
	}
}

void egret_resolv_conf_load(void)
{
	pthread_mutex_lock(&lock);
	refresh();
	pthread_mutex_unlock(&lock);
}

bool egret_resolv_conf_has(const struct egret_addr *addr)
{
	bool found = false;
	pthread_mutex_lock(&lock);
	refresh();
	for (size_t i = 0; i < server_count; i++)
		found = found || egret_addr_equal(&servers[i], addr);
	pthread_mutex_unlock(&lock);
	return found;
}

bool egret_resolv_conf_strip(const char *name, char shorter[EGRET_NAME_MAX])
{
	size_t length = strlen(name);
	bool found = false;
	pthread_mutex_lock(&lock);
	refresh();
	for (size_t i = 0; i < domain_count && !found; i++) {
		size_t tail = strlen(domains[i]);
		found = length > tail + 1 && length < EGRET_NAME_MAX && name[length - tail - 1] == '.' && strcasecmp(name + length - tail, domains[i]) == 0;
		if (found) {
			memcpy(shorter, name, length - tail - 1);
			shorter[length - tail - 1] = '\0';
		}
	}
	pthread_mutex_unlock(&lock);
	return found;
}
