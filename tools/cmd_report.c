/* egret report: tables over any number of logs in JSON. */
#include "tools/flags.h"
#include "tools/report/report.h"
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PROGRESS_LINES 500000
#define BLOCK (1 << 20) /* bytes read at once; a longer line is none of ours */

static void show_progress(const struct egret_report *report)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%llu lines", (unsigned long long)report->lines);
}

/* Counts the whole lines among LEN bytes; the last one also without its end when LAST. Returns how many bytes were used. */
static size_t read_lines(struct egret_report *report, const char *block, size_t len, bool last)
{
	size_t at = 0;

	while (at < len) {
		const char *end = memchr(block + at, '\n', len - at);

		if (!end && !last && (at || len < BLOCK))
			break;
		egret_report_line(report, block + at, (end ? (size_t)(end - block) : len) - at);
		at = end ? (size_t)(end - block) + 1 : len;
		if (report->lines % PROGRESS_LINES == 0)
			show_progress(report);
	}
	return at;
}

/* A rotated log may be packed (RFC 1952). */
static bool is_packed(const char *path, const char *block, size_t len)
{
	if (len < 2 || memcmp(block, "\x1f\x8b", 2))
		return false;
	egret_say("%s: it is compressed by gzip; to read it: zcat %s | egret report -", path, path);
	return true;
}

/* False after printing why PATH could not be read. */
static bool read_log(struct egret_report *report, const char *path)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	char *block = malloc(BLOCK);
	size_t len = 0, used;
	ssize_t n = fd < 0 || !block ? -1 : 1;
	bool first = true, packed = false;

	while (n > 0) {
		n = read(fd, block + len, BLOCK - len);
		if (n < 0)
			break;
		len += (size_t)n;
		packed = first && is_packed(path, block, len);
		first = false;
		if (packed)
			break;
		used = read_lines(report, block, len, n == 0);
		memmove(block, block + used, len -= used);
	}
	if (n < 0)
		egret_say("%s: %s", path, strerror(errno));
	if (fd > STDIN_FILENO)
		close(fd);
	free(block);
	return n == 0 && !packed;
}

static int format_of(const char *word)
{
	static const char *const words[] = { "text", "md", "json" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(word, words[i]))
			return i;
	return -1;
}

int cmd_report(int argc, char **argv)
{
	const char *format = "text", *config;
	const struct egret_flag flags[] = { { "format", 0, &format, NULL }, { "config", 'c', &config, NULL }, { NULL, 0, NULL, NULL } };
	int operands = egret_flags(argc, argv, flags, EGRET_OPERANDS_ANYWHERE), status = 0;
	struct egret_report *report;

	if (operands < 0)
		return EGRET_USAGE;
	if (!operands || format_of(format) < 0)
		return egret_usage("report", operands ? "--format is text, md or json, not \"%s\"" : "a LOG is missing", format);
	report = calloc(1, sizeof(*report));
	if (report && getrandom(&report->seed, sizeof(report->seed), GRND_NONBLOCK) < 0)
		report->seed = 0;
	for (int i = 1; report && i <= operands; i++)
		if (!read_log(report, argv[i]))
			status = 1;
	if (report && report->lines >= PROGRESS_LINES && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (report)
		egret_report_print(report, (enum egret_report_format)format_of(format));
	if (report && report->unread)
		egret_say("%llu lines are no events in JSON, or cut; log_format = json is what is counted", (unsigned long long)report->unread);
	if (!report || report->no_memory) {
		egret_say("out of memory: the report is not complete");
		status = 1;
	}
	if (report)
		egret_report_free(report);
	free(report);
	return fflush(stdout) || ferror(stdout) ? 1 : status;
}
