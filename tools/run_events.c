/* What a run's layers recorded, and what of it is a denial. */
#include "tools/run.h"

#include "tools/tools.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
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

/* Under `require` nothing of ours is inside the program: what stands in the run's directory was written by the tree. */
static bool preload_counts(const struct egret_run *run)
{
	return !run->sandboxed || run->sandbox.sandbox != EGRET_SANDBOX_REQUIRE;
}

static FILE *open_preload(const struct egret_run *run)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/events", run->dir) < PATH_MAX ? fopen(path, "re") : NULL;
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

bool egret_run_events(const struct egret_run *run, char path[PATH_MAX])
{
	int fd = memfd_create("egret-report", MFD_CLOEXEC), copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	char supervisor[64];

	if (!to) {
		egret_say("the run's report: %m");
		return false;
	}
	if (preload_counts(run))
		copy_lines(open_preload(run), to, run->sandboxed ? is_told_twice : NULL);
	if (run->sandboxed && run->sandbox.events >= 0) {
		snprintf(supervisor, sizeof(supervisor), "/proc/self/fd/%d", run->sandbox.events);
		copy_lines(fopen(supervisor, "re"), to, NULL);
	}
	snprintf(path, PATH_MAX, "/proc/self/fd/%d", fd);
	return fclose(to) == 0;
}

size_t egret_run_denials(const struct egret_run *run)
{
	size_t size = 0, count = run->sandboxed ? run->box.denied : 0;
	char *line = NULL;
	FILE *events;

	if (!preload_counts(run))
		return count;
	events = open_preload(run);
	if (!events)
		return count + 1; /* the record is gone: whatever it told counts against the run */
	while (getline(&line, &size, events) > 0)
		count += is_denial(line);
	free(line);
	fclose(events);
	return count;
}
