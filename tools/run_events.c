/* What a run's layers recorded, and what of it is a denial. */
#include "tools/run.h"

#include "tools/tools.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has(const char *line, const char *member)
{
	return strstr(line, member) != NULL;
}

/* The log's own form has no space behind a colon, and a quote inside a string is escaped: these words are members. */
static bool is_denial(const char *line)
{
	return has(line, "\"verdict\":\"deny\"");
}

/* The supervisor saw it too, and tells of it. */
static bool is_told_twice(const char *line)
{
	return (has(line, "\"event\":\"connect\"") || has(line, "\"event\":\"dns\"")) && has(line, "\"verdict\":\"allow\"");
}

/* The record below DIR, NULL with a count in *LOST where there is none. In a room of another user anything may have taken its place. */
static FILE *open_record(int dir, const char *file, size_t *lost)
{
	struct stat st;
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *record = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, "r") : NULL;

	if (!record && fd >= 0)
		close(fd);
	*lost += !record;
	return record;
}

/* Calls EACH for every record: the run's own, and those of the rooms that preload/record.c made for other users. Returns how many are gone. */
static size_t each_record(const struct egret_run *run, void (*each)(FILE *record, void *data), void *data)
{
	DIR *dir = opendir(run->dir);
	size_t lost = !dir;
	struct dirent *room;
	FILE *record = dir ? open_record(dirfd(dir), "events", &lost) : NULL;
	char file[64];

	if (record)
		each(record, data);
	while (dir && (room = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)room->d_name[0]) || snprintf(file, sizeof(file), "%.40s/events", room->d_name) >= (int)sizeof(file))
			continue;
		record = open_record(dirfd(dir), file, &lost);
		if (record)
			each(record, data);
	}
	if (dir)
		closedir(dir);
	return lost;
}

/* Copies the lines of FROM (closed; NULL: none), without those that SKIP names. */
static void copy_lines(FILE *from, FILE *to, bool (*skip)(const char *line))
{
	char *line = NULL;
	size_t size = 0;

	while (from && getline(&line, &size, from) > 0)
		if (!skip || !skip(line))
			fputs(line, to);
	free(line);
	if (from)
		fclose(from);
}

struct copy {
	FILE *to;
	bool (*skip)(const char *line);
};

static void copy_record(FILE *record, void *data)
{
	const struct copy *copy = data;

	copy_lines(record, copy->to, copy->skip);
}

bool egret_run_events(const struct egret_run *run, char path[PATH_MAX])
{
	int fd = memfd_create("egret-report", MFD_CLOEXEC), copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	char supervisor[64];

	if (!to) {
		egret_say("the run's report: %m");
		return false;
	}
	if (egret_run_preloads(run))
		each_record(run, copy_record, &(struct copy){ to, run->sandboxed ? is_told_twice : NULL });
	if (run->sandboxed && run->sandbox.events >= 0) {
		snprintf(supervisor, sizeof(supervisor), "/proc/self/fd/%d", run->sandbox.events);
		copy_lines(fopen(supervisor, "re"), to, NULL);
	}
	snprintf(path, PATH_MAX, "/proc/self/fd/%d", fd);
	return fclose(to) == 0;
}

static void count_denials(FILE *record, void *data)
{
	size_t size = 0, *count = data;
	char *line = NULL;

	while (getline(&line, &size, record) > 0)
		*count += is_denial(line);
	free(line);
	fclose(record);
}

/* A record that is gone counts as one denial: whatever it told counts against the run. */
size_t egret_run_denials(const struct egret_run *run)
{
	size_t count = run->sandboxed ? run->box.denied : 0, lost = 0;

	if (egret_run_preloads(run))
		lost = each_record(run, count_denials, &count);
	return count + lost;
}
