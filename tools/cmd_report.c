/* egret report: tables over any number of logs in JSON. */
#include "tools/flags.h"
#include "tools/report/report.h"
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_LINES 500000

/* False after printing why PATH could not be read. */
static bool read_log(struct egret_report *report, const char *path)
{
	FILE *log = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	bool good;

	while (log && (len = getline(&line, &size, log)) > 0) {
		egret_report_line(report, line, (size_t)len);
		if (report->lines % PROGRESS_LINES == 0 && isatty(STDERR_FILENO))
			fprintf(stderr, "\r%llu lines", (unsigned long long)report->lines);
	}
	good = log && !ferror(log);
	if (!good)
		egret_say("%s: %s", path, strerror(errno));
	if (log)
		fclose(log);
	free(line);
	return good;
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
	for (int i = 1; report && i <= operands; i++)
		if (!read_log(report, argv[i]))
			status = 1;
	if (report && report->lines >= PROGRESS_LINES && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (report)
		egret_report_print(report, (enum egret_report_format)format_of(format));
	if (report && report->unread)
		egret_say("%llu lines are no JSON events; log_format = json is what is counted", (unsigned long long)report->unread);
	if (!report || report->no_memory) {
		egret_say("out of memory: the report is not complete");
		status = 1;
	}
	if (report)
		egret_report_free(report);
	free(report);
	return fflush(stdout) || ferror(stdout) ? 1 : status;
}
