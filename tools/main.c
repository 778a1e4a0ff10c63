/* egret: finds the sub-command and runs it. The table of commands.def is the dispatch and the usage text. */
#include "policy/keys.h"
#include "tools/tools.h"

#include <stdarg.h>

const struct egret_command egret_commands[] = {
#define COMMAND(name, function, arguments, help, options) { name, function, arguments, help, options },
#include "tools/commands.def"
#undef COMMAND
};
const size_t egret_command_count = sizeof(egret_commands) / sizeof(egret_commands[0]);

const struct egret_command *egret_command_find(const char *name)
{
	for (size_t i = 0; i < egret_command_count; i++)
		if (!strcmp(egret_commands[i].name, name))
			return &egret_commands[i];
	return NULL;
}

static void print_usage(FILE *to, const struct egret_command *command)
{
	fprintf(to, "usage: egret %s%s%s\n", command->name, command->arguments[0] ? " " : "", command->arguments);
}

static void print_help(const struct egret_command *command)
{
	print_usage(stdout, command);
	printf("%s\n", command->help);
	if (command->options[0])
		printf("\n%s\n", command->options);
}

static void print_commands(FILE *to)
{
	fprintf(to, "usage: egret COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < egret_command_count; i++)
		fprintf(to, "  %-8s %s\n", egret_commands[i].name, egret_commands[i].help);
	fprintf(to, "\negret COMMAND --help tells more. See egret(1) and egret.ini(5).\n");
}

void egret_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("egret: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

int egret_usage(const char *command, const char *fmt, ...)
{
	const struct egret_command *row = egret_command_find(command);
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "egret %s: ", command);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	if (row)
		print_usage(stderr, row);
	return EGRET_USAGE;
}

static int unknown(const char *name)
{
	const char *near = NULL;
	size_t best = 3;

	for (size_t i = 0; i < egret_command_count; i++) {
		size_t distance = egret_key_distance(name, strlen(name), egret_commands[i].name, strlen(egret_commands[i].name));

		if (distance < best) {
			best = distance;
			near = egret_commands[i].name;
		}
	}
	egret_say("there is no command `%s`%s%s%s; `egret help` lists them", name, near ? ", did you mean `" : "", near ? near : "", near ? "`" : "");
	return EGRET_USAGE;
}

int cmd_help(int argc, char **argv)
{
	const struct egret_command *command = argc > 1 ? egret_command_find(argv[1]) : NULL;

	if (argc > 1 && !command)
		return unknown(argv[1]);
	if (command)
		print_help(command);
	else
		print_commands(stdout);
	return 0;
}

/* --help anywhere before `--` or the first word that is not an option asks for help, not for the command. */
static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help"))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const struct egret_command *command;
	int status;

	if (argc < 2) {
		print_commands(stderr);
		return EGRET_USAGE;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("egret " EGRET_VERSION);
		return 0;
	}
	command = egret_command_find(!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ? "help" : argv[1]);
	if (!command)
		return unknown(argv[1]);
	if (asks_for_help(argc - 1, argv + 1)) {
		print_help(command);
		status = 0;
	} else {
		status = command->run(argc - 1, argv + 1);
	}
	if (fflush(stdout) || ferror(stdout)) {
		egret_say("standard output: %m");
		return status ? status : 1;
	}
	return status;
}
