#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 16384u

static struct {
	pthread_mutex_t lock;
	const char *log;     /* as it was given */
	char path[PATH_MAX]; /* without symlinks */
	const char *name;    /* its last part */
	int directory, last; /* O_PATH; the file that was written last */
	off_t end;           /* bytes of that file, after our last line */
	bool told;
} record = { .lock = PTHREAD_MUTEX_INITIALIZER, .directory = -1, .last = -1 };

/* -1 where it is no file: a FIFO would make us wait for the command, a symlink lead us elsewhere. */
static int open_file(struct stat *st)
{
	int fd = openat(record.directory, record.name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0 || (fstat(fd, st) == 0 && S_ISREG(st->st_mode)))
		return fd;
	close(fd);
	return -1;
}

/* The log itself may be a symlink of its owner's, also one that leads nowhere yet. */
static bool find(void)
{
	char directory[PATH_MAX], real[PATH_MAX], *slash;

	if (!realpath(record.log, record.path)) {
		snprintf(directory, sizeof(directory), "%s", record.log);
		slash = strrchr(directory, '/');
		if (!slash || !slash[1])
			return false;
		*slash = '\0';
		if (!realpath(slash == directory ? "/" : directory, real) ||
		    snprintf(record.path, sizeof(record.path), "%s/%s", real, slash + 1) >= (int)sizeof(record.path))
			return false;
	}
	record.name = strrchr(record.path, '/') + 1;
	snprintf(directory, sizeof(directory), "%.*s", (int)(record.name - record.path), record.path);
	record.directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return record.directory >= 0;
}

void egret_record_open(const char *log)
{
	struct stat st;

	record.log = log;
	if (!log || !strcmp(log, "stderr") || !find())
		return;
	record.last = open_file(&st);
	if (record.last >= 0) {
		record.end = st.st_size;
		return;
	}
	close(record.directory); /* a terminal, a pipe: written as it is */
	record.directory = -1;
}

const char *egret_record_file(void) { return record.directory >= 0 ? record.path : NULL; }

void egret_record_descriptors(int fds[2])
{
	fds[0] = record.directory;
	fds[1] = record.last;
}

/* Under the lock. */
static void tell(const char *what)
{
	if (!record.told)
		dprintf(STDERR_FILENO, "egret: the log %s %s while the command ran: rely on the report\n", record.log, what);
	record.told = true;
}

/* Under the lock: takes the file that stands there now. Whoever rotates logs leaves the old one in its place or takes it away whole. */
static void look(void)
{
	struct stat now, before;
	int fd = open_file(&now);

	if (fd < 0) {
		tell("was replaced");
		return;
	}
	if (fstat(record.last, &before) == 0 && before.st_ino == now.st_ino && before.st_dev == now.st_dev) {
		if (now.st_size < record.end)
			tell("was cut");
		close(fd);
		return;
	}
	if (!before.st_nlink && record.end)
		tell("was removed");
	dup3(fd, record.last, O_CLOEXEC);
	close(fd);
}

/* What is no file is written as it is: a terminal, a pipe. */
static void write_elsewhere(enum egret_log_format format, const struct egret_event *event)
{
	if (egret_log_write(record.log, format, event) == 0)
		return;
	pthread_mutex_lock(&record.lock);
	tell("could not be written");
	pthread_mutex_unlock(&record.lock);
}

void egret_record_write(enum egret_log_format format, const struct egret_event *event)
{
	char line[LINE_MAX_BYTES];
	size_t len;
	struct stat st;

	if (record.directory < 0) {
		write_elsewhere(format, event);
		return;
	}
	len = egret_log_format(format, event, line, sizeof(line));
	if (!len)
		return;
	pthread_mutex_lock(&record.lock);
	look();
	if (write(record.last, line, len) != (ssize_t)len)
		tell("could not be written");
	if (fstat(record.last, &st) == 0)
		record.end = st.st_size;
	pthread_mutex_unlock(&record.lock);
}

void egret_record_end(void)
{
	pthread_mutex_lock(&record.lock);
	if (record.directory >= 0)
		look();
	pthread_mutex_unlock(&record.lock);
}
