#include "resolv_conf.h"

#include "policy/raw.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#define PATH "/etc/resolv.conf"
#define MAX_SERVERS 16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct egret_addr servers[MAX_SERVERS];
static size_t server_count;
static struct timespec read_at; /* the file's mtime */

static void take_line(char *line)
{
	char *end;
	if (strncmp(line, "nameserver", 10) != 0 || (line[10] != ' ' && line[10] != '\t'))
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
	server_count = 0;
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

bool egret_resolv_conf_has(const struct egret_addr *addr)
{
	struct stat st;
	bool found = false;
	pthread_mutex_lock(&lock);
	if (stat(PATH, &st) != 0) {
		server_count = 0;
	} else if (st.st_mtim.tv_sec != read_at.tv_sec || st.st_mtim.tv_nsec != read_at.tv_nsec) {
		read_file();
		read_at = st.st_mtim;
	}
	for (size_t i = 0; i < server_count; i++)
		found = found || egret_addr_equal(&servers[i], addr);
	pthread_mutex_unlock(&lock);
	return found;
}
